//! Two changes under one number: clones of phones, duplicates, and batches that hold one.

use automerge::{Automerge, Change};

use super::super::*;
use super::chunk::Chunk;
use super::support::*;
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::id::Hash;

#[test]
fn two_changes_with_the_same_author_and_number() {
    let document = reported();
    let one = document
        .edit(actor(2), &[number(Field::Own(&hazard::SEVERITY), 3)])
        .unwrap();
    let two = document
        .edit(actor(2), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    let stored = [document.raw_changes().concat(), one.clone(), two.clone()].concat();
    assert!(
        Automerge::load(&stored).is_err(),
        "a store with both does not load"
    );

    let candidates = [&one, &two].map(|raw| Candidate {
        raw,
        author: device(2),
    });
    let mut both = document.clone();
    let results = both.admit(&candidates);
    assert!(results[0].is_ok());
    assert_eq!(results[1], Err(GateError::Clone));
    assert_eq!(
        both.field(&Field::Own(&hazard::SEVERITY)),
        Some(FieldValue::Number(3))
    );
    Document::from_save(&both.save()).unwrap();
}

#[test]
fn a_batch_with_one_twin_or_one_bad_change_keeps_the_good_ones() {
    let document = reported();
    let mut writer = document.clone();
    let good: Vec<Vec<u8>> = (1..=4)
        .map(|n| edit(&mut writer, 3, &[number(Field::OccurredMs, n)]))
        .collect();
    let twin = document
        .edit(actor(3), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    let changes: Vec<Change> = good
        .iter()
        .chain([&twin])
        .map(|raw| Change::try_from(&raw[..]).unwrap())
        .collect();
    let mut doc = document.doc.clone();
    assert!(doc.apply_changes(changes).is_err());
    assert_eq!(
        doc.get_heads(),
        document.doc.get_heads(),
        "automerge drops the whole batch"
    );

    let mut bad = Chunk::of(
        &document
            .edit(actor(4), &[number(Field::Own(&hazard::SEVERITY), 1)])
            .unwrap(),
    );
    bad.start_op += 1;
    let bad = bad.raw();
    let mut child = Chunk::of(
        &document
            .edit(actor(5), &[number(Field::Own(&hazard::SEVERITY), 1)])
            .unwrap(),
    );
    child.deps = vec![Hash(Change::try_from(&bad[..]).unwrap().hash().0)];
    let child = child.raw();
    // Children first, and one of the good ones twice.
    let mut batch = vec![Candidate {
        raw: &child,
        author: device(5),
    }];
    batch.extend(good.iter().rev().map(|raw| Candidate {
        raw,
        author: device(3),
    }));
    batch.push(Candidate {
        raw: &twin,
        author: device(3),
    });
    batch.push(Candidate {
        raw: &bad,
        author: device(4),
    });
    batch.push(Candidate {
        raw: &good[0],
        author: device(3),
    });
    let mut taken = document.clone();
    let results = taken.admit(&batch);
    assert!(
        matches!(results[0], Err(GateError::RefusedParent(_))),
        "{:?}",
        results[0]
    );
    assert!(results[1..5].iter().all(Result::is_ok));
    assert_eq!(results[5], Err(GateError::Clone));
    assert_eq!(results[6], Err(GateError::StartOp));
    assert_eq!(results[7], results[4], "a duplicate is no error");
    assert_eq!(taken.heads(), writer.heads());
    assert!(
        taken.admit(&batch)[1..5].iter().all(Result::is_ok),
        "and again"
    );
}

#[test]
fn a_cloned_phone_writes_on_under_a_new_epoch() {
    let mut server = reported();
    let clone = server.clone();
    edit(&mut server, 1, &[number(Field::Own(&hazard::SEVERITY), 3)]);
    let lost = clone
        .edit(actor(1), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    let mut doc = server.doc.clone();
    let change = Change::try_from(&lost[..]).unwrap();
    for _ in 0..2 {
        assert!(
            doc.apply_changes([change.clone()]).is_err(),
            "automerge refuses it for ever"
        );
    }
    assert_eq!(refused(&server, 1, &lost), GateError::Clone);

    let mut phone = clone;
    admit(&mut phone, 1, &lost).unwrap();
    let words = phone.written_by(&inspect(&lost).unwrap().hash);
    let again = server
        .edit(ActorId::new(&device(1), [200; 8]), &words)
        .unwrap();
    admit(&mut server, 1, &again).unwrap();
    assert_eq!(
        server.field(&Field::Own(&hazard::SEVERITY)),
        Some(FieldValue::Number(4))
    );
}

#[test]
fn change_only_automerge_refuses_takes_only_descendants() {
    let document = reported();
    let by = |n: u8| {
        document
            .edit(actor(n), &[number(Field::Own(&hazard::SEVERITY), 1)])
            .unwrap()
    };
    // Automerge has a change of person 4 that our checks do not know, so it refuses another first one.
    let mut taken = document.clone();
    let hidden = document
        .edit(actor(4), &[number(Field::Own(&hazard::SEVERITY), 3)])
        .unwrap();
    let mut parsed = super::super::change::parse(&hidden).unwrap();
    parsed.info.actor = actor(44);
    taken.history.push_blindly(&parsed);
    taken.apply(&[&hidden]).unwrap();

    let bad = by(4);
    let mut child = Chunk::of(&by(5));
    child.deps = vec![inspect(&bad).unwrap().hash];
    child.start_op += 1;
    let child = child.raw();
    let mut writer = document;
    let mut batch = vec![(4, bad), (5, child)];
    for n in 20..30 {
        let raw = edit(&mut writer, n, &[number(Field::OccurredMs, i64::from(n))]);
        batch.insert(usize::from(n) % batch.len(), (n, raw));
    }
    let candidates: Vec<_> = batch
        .iter()
        .map(|(n, raw)| Candidate {
            raw,
            author: device(*n),
        })
        .collect();
    for ((n, _), result) in batch.iter().zip(taken.admit(&candidates)) {
        match n {
            4 => assert_eq!(result, Err(GateError::Rejected)),
            5 => assert!(matches!(result, Err(GateError::RefusedParent(_)))),
            _ => assert!(result.is_ok(), "person {n}"),
        }
    }
    let mut heads = writer.heads();
    heads.push(parsed.info.hash);
    heads.sort_unstable();
    assert_eq!(taken.heads(), heads);
}
