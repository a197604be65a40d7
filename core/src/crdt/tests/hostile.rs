//! One test for each way in which automerge by itself fails: what it does, and that the gate stops it.

use automerge::{Automerge, Change};

use super::super::*;
use super::chunk::{self, Chunk, run, seal, unsigned};
use super::support::*;
use crate::id::Hash;
use crate::limits::{CHANGE_BYTES_MAX, CHANGE_OPS_MAX, CHANGES_PER_AUTHOR_MAX};

/// A document, and a change of person 2 on it, taken apart.
fn target() -> (Document, Chunk) {
    let document = reported();
    let chunk = Chunk::of(&second_change(&document));
    assert_eq!(
        chunk.raw(),
        second_change(&document),
        "taking apart loses nothing"
    );
    (document, chunk)
}

#[test]
fn a_change_with_a_valid_checksum_that_panics() {
    let (document, chunk) = target();
    // Two names of actors; the values that are replaced are said to be of a third one.
    let raw = chunk.clone().column(chunk::PRED_ACTOR, &run(3, &[2])).raw();
    assert_eq!(plain(&document, &raw), Plain::Panics);
    assert_eq!(
        refused(&document, 2, &raw),
        GateError::Malformed("an operation id that can not be")
    );
    // A character is put after one that does not exist.
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
fn a_deflated_change_is_not_inflated() {
    let mut document = reported();
    let raw = document
        .edit(actor(2), &[FieldEdit::text(Field::Title, "瓶".repeat(400))])
        .unwrap();
    let mut change = Change::try_from(&raw[..]).unwrap();
    let deflated = change.bytes().into_owned();
    assert!(deflated.len() < raw.len() && Change::try_from(&deflated[..]).is_ok());
    assert_eq!(refused(&document, 2, &deflated), GateError::Compressed);
    admit(&mut document, 2, &raw).unwrap();

    // 97 kB of fixed Huffman codes: a zero byte, then over and over “258 times the byte before”.
    let bomb = bits(97_000);
    let bomb = seal(2, &bomb);
    assert_eq!(inspect(&bomb), Err(GateError::Compressed));
    // A column that says of itself that it is deflated.
    let (document, chunk) = target();
    let column = chunk
        .columns
        .iter()
        .find(|(spec, _)| *spec == chunk::VALUE)
        .unwrap()
        .1
        .clone();
    let raw = chunk
        .column(chunk::VALUE, &[])
        .column(chunk::VALUE | 8, &column)
        .raw();
    assert_eq!(refused(&document, 2, &raw), GateError::Compressed);
}

/// A deflate stream of about `len` bytes that inflates to 159 times as much.
fn bits(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len);
    let (mut byte, mut filled) = (0_u8, 0);
    let mut put = |bit: u8| {
        byte |= bit << filled;
        filled += 1;
        if filled == 8 {
            out.push(byte);
            (byte, filled) = (0, 0);
        }
        out.len()
    };
    // Last block, fixed codes, literal 0.
    [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0]
        .into_iter()
        .for_each(|bit| {
            put(bit);
        });
    // Length 258 (code 285), distance 1.
    while [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]
        .into_iter()
        .map(&mut put)
        .last()
        < Some(len)
    {}
    out
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

/// A first change of so many operations, all by run length.
fn claims(operations: i64) -> Vec<u8> {
    let count = u64::try_from(operations).unwrap();
    Chunk {
        kind: 1,
        deps: Vec::new(),
        actor: actor(2).0.to_vec(),
        seq: 1,
        start_op: 1,
        time: 0,
        message: String::new(),
        others: Vec::new(),
        columns: Vec::new(),
        trailing: Vec::new(),
    }
    .column(chunk::KEY_TEXT, &run(operations, &[1, b'a']))
    .column(chunk::INSERT, &unsigned(count))
    .column(chunk::ACTION, &run(operations, &[1]))
    .column(chunk::VALUE_META, &run(operations, &[2]))
    .column(chunk::PRED_COUNT, &run(operations, &[0]))
    .raw()
}

#[test]
fn a_few_bytes_that_claim_millions_of_operations() {
    let many = claims(50_000);
    assert!(many.len() < 80);
    assert_eq!(
        Change::try_from(&many[..]).unwrap().len(),
        50_000,
        "automerge believes it"
    );
    // Ten million take automerge gigabytes, 2^40 never end: only the gate is asked.
    let limit = i64::try_from(CHANGE_OPS_MAX).unwrap();
    for operations in [limit + 1, 50_000, 10_000_000, 1 << 40, i64::MAX] {
        let raw = claims(operations);
        assert!(raw.len() < 110, "{} bytes", raw.len());
        assert_eq!(
            inspect(&raw),
            Err(GateError::TooLarge(Limit::Operations)),
            "{operations}"
        );
    }
    assert!(inspect(&claims(limit)).is_ok());
}

#[test]
fn run_lengths_in_any_column_are_not_believed() {
    let (document, chunk) = target();
    let huge = 1_i64 << 40;
    for (spec, data) in chunk.columns.clone() {
        let rows = match spec {
            chunk::VALUE => continue,
            chunk::INSERT => unsigned(1 << 40),
            chunk::KEY_TEXT => run(huge, &[1, b'a']),
            _ => run(huge, &[1]),
        };
        for extended in [rows.clone(), [data, rows].concat()] {
            let raw = chunk.clone().column(spec, &extended).raw();
            refused(&document, 2, &raw);
        }
    }
    // One operation that replaces 2^40 values.
    let raw = chunk
        .clone()
        .column(chunk::PRED_COUNT, &run(5, &unsigned(1 << 40)))
        .raw();
    assert_eq!(
        refused(&document, 2, &raw),
        GateError::TooLarge(Limit::Operations)
    );
    // A long key, repeated by run length, is counted as often as it is repeated.
    let key = [unsigned(100).as_slice(), &[b'k'; 100]].concat();
    let wide = Chunk::of(&claims(6_000))
        .column(chunk::KEY_TEXT, &run(6_000, &key))
        .raw();
    assert_eq!(inspect(&wide), Err(GateError::TooLarge(Limit::Text)));
    // Bytes are limited before anything is read.
    let fat = seal(1, &vec![0; CHANGE_BYTES_MAX]);
    assert_eq!(inspect(&fat), Err(GateError::TooLarge(Limit::Bytes)));
}

#[test]
fn two_changes_with_the_same_author_and_number() {
    let document = reported();
    let one = document
        .edit(actor(2), &[number(Field::Severity, 3)])
        .unwrap();
    let two = document
        .edit(actor(2), &[number(Field::Severity, 4)])
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
    assert_eq!(both.field(&Field::Severity), Some(FieldValue::Number(3)));
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
        .edit(actor(3), &[number(Field::Severity, 4)])
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
            .edit(actor(4), &[number(Field::Severity, 1)])
            .unwrap(),
    );
    bad.start_op += 1;
    let bad = bad.raw();
    let mut child = Chunk::of(
        &document
            .edit(actor(5), &[number(Field::Severity, 1)])
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
    edit(&mut server, 1, &[number(Field::Severity, 3)]);
    let lost = clone.edit(actor(1), &[number(Field::Severity, 4)]).unwrap();
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
    assert_eq!(server.field(&Field::Severity), Some(FieldValue::Number(4)));
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
    edit(&mut ahead, 2, &[number(Field::Severity, 3)]);
    let mut blind = Chunk::of(
        &document
            .edit(actor(2), &[number(Field::Severity, 4)])
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
            .edit(actor(2), &[FieldEdit::text(Field::Offence, "a")])
            .unwrap();
        let key = [unsigned(key.len() as u64), key.as_bytes().to_vec()].concat();
        Chunk::of(&raw)
            .column(chunk::KEY_TEXT, &run(-1, &key))
            .column(chunk::ACTION, &run(-1, &[action]))
            .column(chunk::VALUE_META, &run(-1, &[0]))
            .column(chunk::VALUE, &[])
            .raw()
    };
    // A map, a list and a text beside the description, and one in its place: it would hide the words.
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
fn an_author_has_so_many_changes_on_a_record() {
    let document = reported();
    let mut doc = document.doc.clone().with_actor(actor(7).to_automerge());
    for n in 0..=CHANGES_PER_AUTHOR_MAX {
        use automerge::transaction::Transactable;
        let mut tx = doc.transaction();
        tx.put(automerge::ROOT, "severity", i64::try_from(n % 4).unwrap())
            .unwrap();
        tx.commit();
    }
    let changes = doc.get_changes(&document.doc.get_heads());
    let batch: Vec<_> = changes
        .iter()
        .map(|change| Candidate {
            raw: change.raw_bytes(),
            author: device(7),
        })
        .collect();
    let results = document.clone().admit(&batch);
    let (last, rest) = results.split_last().unwrap();
    assert!(rest.iter().all(Result::is_ok));
    assert_eq!(*last, Err(GateError::TooLarge(Limit::Changes)));
}
