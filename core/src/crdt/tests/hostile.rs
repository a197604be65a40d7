//! One test for each failure of plain automerge: it shows the failure, and that the gate stops it. (More of
//! them: `claims.rs`, `twins.rs`, `reload.rs`.)

use automerge::Change;

use super::super::*;
use super::chunk::{self, Chunk, run, seal, unsigned};
use super::support::*;
use crate::domain::content::Field;
use crate::domain::kinds::{hazard, tip};
use crate::id::Hash;

#[test]
fn a_change_with_a_valid_checksum_that_panics() {
    let (document, chunk) = target();
    // Two names of actors, and replaced values that claim to belong to a third one.
    let raw = chunk.clone().column(chunk::PRED_ACTOR, &run(3, &[2])).raw();
    assert_eq!(plain(&document, &raw), Plain::Panics);
    assert_eq!(
        refused(&document, 2, &raw),
        GateError::Malformed("an operation id that can not be")
    );
    // A character is inserted after one that does not exist.
    let raw = chunk
        .column(chunk::KEY_COUNTER, &[0, 2, 0x7d, 0x0e, 1, 7])
        .raw();
    assert_eq!(plain(&document, &raw), Plain::Panics);
    assert_eq!(refused(&document, 2, &raw), GateError::Reference);
}

#[test]
fn a_stale_operation_counter() {
    let (document, mut chunk) = target();
    let honest = chunk.start_op;
    chunk.start_op = 1;
    let raw = chunk.raw();
    assert_eq!(plain(&document, &raw), Plain::NeverLoadsAgain);
    assert_eq!(refused(&document, 2, &raw), GateError::StartOp);
    chunk.start_op = honest + 1;
    assert_eq!(
        plain(&document, &chunk.raw()),
        Plain::Takes,
        "a gap is taken by automerge"
    );
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::StartOp);
}

#[test]
fn a_replaced_value_that_never_was() {
    let (document, chunk) = target();
    let raw = chunk
        .column(chunk::PRED_COUNTER, &[0x7d, 7, 0x7b, 12])
        .raw();
    assert_eq!(plain(&document, &raw), Plain::NeverLoadsAgain);
    assert_eq!(refused(&document, 2, &raw), GateError::Reference);
}

#[test]
fn a_truncated_change() {
    let document = reported();
    let raw = second_change(&document);
    let half = &raw[..raw.len() - 3];
    let mut doc = document.doc.clone();
    assert!(doc.load_incremental(half).is_ok(), "automerge says nothing");
    assert_eq!(doc.get_heads(), document.doc.get_heads());
    for len in 0..raw.len() {
        assert_eq!(
            refused(&document, 2, &raw[..len]),
            GateError::Truncated,
            "{len} bytes"
        );
    }
    let longer = [&raw[..], &[0]].concat();
    assert!(matches!(
        refused(&document, 2, &longer),
        GateError::Malformed(_)
    ));
}

#[test]
fn a_wrong_checksum() {
    let document = reported();
    let mut raw = second_change(&document);
    raw[5] ^= 1;
    assert!(
        Change::try_from(&raw[..]).is_ok(),
        "automerge does not look at it"
    );
    assert_eq!(refused(&document, 2, &raw), GateError::Checksum);
}

#[test]
fn a_foreign_actor_and_a_time() {
    let (document, mut chunk) = target();
    let raw = chunk.raw();
    assert_eq!(plain(&document, &raw), Plain::Takes);
    assert_eq!(
        refused(&document, 3, &raw),
        GateError::ForeignActor,
        "person 3 forges person 2"
    );
    let mut known = document.clone();
    admit(&mut known, 2, &raw).unwrap();
    assert_eq!(
        admit(&mut known, 3, &raw),
        Err(GateError::ForeignActor),
        "known already"
    );
    let twins = [2, 3].map(|n| Candidate {
        raw: &raw,
        author: device(n),
    });
    let results = document.clone().admit(&twins);
    assert!(results[0].is_ok());
    assert_eq!(results[1], Err(GateError::ForeignActor));

    chunk.time = 4_102_444_800;
    assert_eq!(plain(&document, &chunk.raw()), Plain::Takes);
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::Metadata);
    chunk.time = 0;
    chunk.message = "x".into();
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::Metadata);
    chunk.message.clear();
    chunk.trailing = vec![1, 1, 7];
    assert_eq!(plain(&document, &chunk.raw()), Plain::Takes);
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::Metadata);
}

#[test]
fn another_kind_of_chunk() {
    let document = reported();
    assert_eq!(
        refused(&document, 2, &document.save()),
        GateError::NotAChange
    );
    let body = Chunk::of(&second_change(&document)).body();
    for kind in [0, 3, 4, 255] {
        assert_eq!(
            refused(&document, 2, &seal(kind, &body)),
            GateError::NotAChange
        );
    }
    assert_eq!(
        refused(&document, 2, b"{\"not\": \"a change\"}"),
        GateError::NotAChange
    );
    assert_eq!(refused(&document, 2, b""), GateError::Truncated);
}

#[test]
fn a_gap_in_the_numbers_and_a_predecessor_that_was_not_seen() {
    let (document, mut chunk) = target();
    chunk.seq = 2;
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::Sequence);
    chunk.seq = 0;
    assert!(matches!(
        refused(&document, 2, &chunk.raw()),
        GateError::Malformed(_)
    ));

    // The second change of person 2 claims not to have seen the first.
    let mut ahead = document.clone();
    edit(&mut ahead, 2, &[number(Field::Own(&hazard::SEVERITY), 3)]);
    let mut blind = Chunk::of(
        &document
            .edit(actor(2), &[number(Field::Own(&hazard::SEVERITY), 4)])
            .unwrap(),
    );
    blind.seq = 2;
    assert_eq!(refused(&ahead, 2, &blind.raw()), GateError::Sequence);
}

#[test]
fn dependencies_that_are_not_there() {
    let (document, mut chunk) = target();
    let unknown = Hash([0xee; 32]);
    chunk.deps.push(unknown);
    chunk.deps.sort_unstable();
    assert_eq!(
        plain(&document, &chunk.raw()),
        Plain::Takes,
        "automerge puts it aside in silence"
    );
    assert_eq!(
        refused(&document, 2, &chunk.raw()),
        GateError::UnknownDeps(unknown)
    );
    chunk.deps.clear();
    assert_eq!(refused(&document, 2, &chunk.raw()), GateError::NotGenesis);
    let later = second_change(&document);
    assert_eq!(
        Document::genesis(&later, device(2)).unwrap_err(),
        GateError::NotGenesis,
        "a record does not begin in the middle"
    );
}

#[test]
fn containers_are_made_by_the_first_change_only() {
    let document = reported();
    let make = |action: u8, key: &str| {
        let raw = document
            .edit(actor(2), &[FieldEdit::text(Field::Own(&tip::OFFENCE), "a")])
            .unwrap();
        let key = [unsigned(key.len() as u64), key.as_bytes().to_vec()].concat();
        Chunk::of(&raw)
            .column(chunk::KEY_TEXT, &run(-1, &key))
            .column(chunk::ACTION, &run(-1, &[action]))
            .column(chunk::VALUE_META, &run(-1, &[0]))
            .column(chunk::VALUE, &[])
            .raw()
    };
    // A map, a list and a text beside the description, and one in the place of the description, which would
    // hide the words.
    for (action, key) in [(0, "map"), (2, "list"), (4, "text"), (4, "description")] {
        let raw = make(action, key);
        assert_eq!(plain(&document, &raw), Plain::Takes);
        assert!(
            matches!(refused(&document, 2, &raw), GateError::Unsupported(_)),
            "{key}"
        );
    }
    let hide = make(1, "description");
    assert_eq!(plain(&document, &hide), Plain::Takes);
    assert_eq!(
        refused(&document, 2, &hide),
        GateError::Unsupported("a container is replaced")
    );
}

#[test]
fn a_replaced_value_of_another_field() {
    let document = reported();
    // A new severity that claims to replace the value of the title.
    let title = Chunk::of(
        &document
            .edit(actor(2), &[FieldEdit::text(Field::Title, "x")])
            .unwrap(),
    );
    let counters = title
        .columns
        .iter()
        .find(|(spec, _)| *spec == chunk::PRED_COUNTER)
        .unwrap();
    let severity = document
        .edit(actor(2), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    let raw = Chunk::of(&severity)
        .column(chunk::PRED_COUNTER, &counters.1)
        .raw();
    assert_ne!(raw, severity);
    assert_ne!(plain(&document, &raw), Plain::Takes);
    assert_eq!(refused(&document, 2, &raw), GateError::Reference);
}

#[test]
fn a_reference_to_what_its_author_had_not_seen_is_refused_whether_it_is_here_or_not() {
    let mut base = reported();
    edit(
        &mut base,
        3,
        &[FieldEdit::text(
            Field::Description,
            "店内有5只气瓶，无证。甲",
        )],
    );
    let edits = [
        vec![number(Field::Own(&hazard::SEVERITY), 3)],
        vec![FieldEdit::text(
            Field::Description,
            "店内有5只气瓶，无证。甲乙",
        )],
    ];
    for theirs in edits {
        // Person 3 writes something; person 2 builds on it but claims to have seen only the base.
        let mut ahead = base.clone();
        edit(&mut ahead, 3, &theirs);
        let mine = [
            number(Field::Own(&hazard::SEVERITY), 4),
            FieldEdit::text(Field::Description, "店内有5只气瓶，无证。甲乙丙"),
        ];
        let mut chunk = Chunk::of(&ahead.edit(actor(2), &mine).unwrap());
        chunk.deps = base.heads();
        chunk.start_op = base.change(&base.heads()[0]).unwrap().max_op + 1;
        let raw = chunk.raw();
        assert_eq!(refused(&base, 2, &raw), GateError::Reference);
        assert_eq!(
            refused(&ahead, 2, &raw),
            GateError::Reference,
            "every replica alike"
        );
    }
}

#[test]
fn element_of_many_characters_is_refused() {
    use automerge::ReadDoc;
    use automerge::transaction::Transactable;
    let document = reported();
    let (_, text) = document
        .doc
        .get(automerge::ROOT, "description")
        .unwrap()
        .unwrap();
    for element in ["店里还有", "ab", ""] {
        let mut doc = document.doc.clone().with_actor(actor(2).to_automerge());
        let mut tx = doc.transaction();
        tx.insert(&text, 3, element).unwrap();
        tx.commit_with(automerge::transaction::CommitOptions::default().with_time(0));
        let change = doc.get_last_local_change().unwrap();
        let raw = change.raw_bytes().to_vec();
        assert_eq!(plain(&document, &raw), Plain::Takes);
        assert_eq!(
            refused(&document, 2, &raw),
            GateError::Unsupported("a text holds single characters")
        );
    }
}

#[test]
fn column_in_a_longer_form_is_refused() {
    let (document, chunk) = target();
    let long = GateError::Malformed("a column is not in its shortest form");
    let action = |data: &[u8]| chunk.clone().column(chunk::ACTION, data).raw();
    let (_, honest) = chunk
        .columns
        .iter()
        .find(|(spec, _)| *spec == chunk::ACTION)
        .unwrap();
    // The rows of the honest column, each as a run of its own.
    let rows: Vec<u8> = {
        let mut rows = Vec::new();
        let mut at = 0;
        while at < honest.len() {
            let count = i64::from(honest[at] << 1).wrapping_shr(1);
            let count = if honest[at] & 0x40 == 0 {
                count
            } else {
                count - 128
            };
            if count > 0 {
                rows.extend(std::iter::repeat_n(
                    honest[at + 1],
                    usize::try_from(count).unwrap(),
                ));
                at += 2;
            } else {
                let literal = usize::try_from(-count).unwrap();
                rows.extend(&honest[at + 1..=at + literal]);
                at += 1 + literal;
            }
        }
        rows
    };
    let runs_of_one: Vec<u8> = rows.iter().flat_map(|value| run(1, &[*value])).collect();
    let literals_of_one: Vec<u8> = rows.iter().flat_map(|value| run(-1, &[*value])).collect();
    let one_literal = run(-i64::try_from(rows.len()).unwrap(), &rows);
    for data in [runs_of_one, literals_of_one, one_literal] {
        assert_eq!(refused(&document, 2, &action(&data)), long);
    }
    // A name that no operation uses, and a column without any value.
    let mut named = chunk.clone();
    named.others.push(actor(99).0.to_vec());
    named.others.sort();
    assert!(matches!(
        refused(&document, 2, &named.raw()),
        GateError::Malformed(_) | GateError::Reference
    ));
}
