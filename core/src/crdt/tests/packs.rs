//! Saved documents from outside: one uncompressed chunk, exactly what was announced.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::*;
use super::chunk::{run, seal, unsigned};
use super::support::*;
use crate::id::Hash;

fn merged() -> Document {
    let mut document = reported();
    let mut other = document.clone();
    edit(&mut document, 1, &[number(Field::Severity, 3)]);
    let raw = edit(&mut other, 2, &[number(Field::Severity, 4)]);
    admit(&mut document, 2, &raw).unwrap();
    edit(
        &mut document,
        3,
        &[FieldEdit::text(Field::Description, "店内有6只气瓶")],
    );
    document
}

#[test]
fn a_pack_holds_exactly_what_was_announced() {
    let document = merged();
    let (bytes, heads) = (document.save(), document.heads());
    let mut known: Vec<KnownChange> = document.changes().collect();
    known.reverse();
    let loaded = Document::from_pack(&bytes, &heads, &known).unwrap();
    assert_eq!(
        loaded.content(ContentKind::Hazard),
        document.content(ContentKind::Hazard)
    );
    assert_eq!(loaded.conflicts(), document.conflicts());
    assert_eq!(loaded.raw_changes().len(), 4);

    let refused = |heads: &[Hash], known: &[KnownChange]| {
        assert_eq!(
            Document::from_pack(&bytes, heads, known).unwrap_err(),
            GateError::Unexpected
        );
    };
    refused(&[Hash([1; 32])], &known);
    refused(&[], &known);
    refused(&heads, &known[1..]);
    let mut renumbered = known.clone();
    renumbered[0].seq += 1;
    refused(&heads, &renumbered);
    let mut renamed = known.clone();
    renamed[0].actor = actor(9);
    refused(&heads, &renamed);
}

#[test]
fn a_pack_of_another_kind_is_refused() {
    let mut document = merged();
    let raw = edit(
        &mut document,
        4,
        &[FieldEdit::text(Field::Description, "长".repeat(3_000))],
    );
    let deflated = document.doc.save();
    assert!(deflated.len() < document.save().len());
    assert_eq!(
        Document::from_save(&deflated).unwrap_err(),
        GateError::Compressed
    );
    assert_eq!(
        Document::from_save(&raw).unwrap_err(),
        GateError::NotAChange
    );
    assert_eq!(Document::from_save(b"").unwrap_err(), GateError::Truncated);
    let bytes = document.save();
    assert_eq!(
        Document::from_save(&bytes[..bytes.len() - 1]).unwrap_err(),
        GateError::Truncated
    );
    let twice = [bytes.clone(), raw].concat();
    assert!(
        Document::from_save(&twice).is_err(),
        "changes after the document"
    );
    let mut wrong = bytes;
    wrong[5] ^= 1;
    assert_eq!(
        Document::from_save(&wrong).unwrap_err(),
        GateError::Checksum
    );
    let empty = automerge::Automerge::new().save_nocompress();
    assert_eq!(
        Document::from_save(&empty).unwrap_err(),
        GateError::NotGenesis
    );
}

#[test]
fn a_pack_that_claims_millions_of_rows_is_refused_unread() {
    let huge = 1_i64 << 40;
    // No actors, no heads, no columns of changes, one column of operations.
    let pack = |spec: u64, data: Vec<u8>| {
        let mut body = vec![0, 0, 0, 1];
        body.extend(unsigned(spec));
        body.extend(unsigned(data.len() as u64));
        body.extend(data);
        seal(0, &body)
    };
    let columns = [
        (0x21, run(huge, &[0])),
        (0x23, run(huge, &[1])),
        (0x15, run(huge, &[1, b'a'])),
        (0x34, unsigned(1 << 40)),
        (0x42, run(huge, &[1])),
        (0x80, run(1_000, &unsigned(1 << 40))),
    ];
    for (spec, data) in columns {
        let error = Document::from_save(&pack(spec, data)).unwrap_err();
        assert_eq!(error, GateError::TooLarge(Limit::Operations), "{spec:#x}");
    }
    let text = [unsigned(1_000), vec![b'k'; 1_000]].concat();
    let error = Document::from_save(&pack(0x15, run(100_000, &text))).unwrap_err();
    assert_eq!(error, GateError::TooLarge(Limit::Text));
    let error = Document::from_save(&pack(0x56, run(100_000, &unsigned(1_000 << 4)))).unwrap_err();
    assert_eq!(error, GateError::TooLarge(Limit::Text));
}

#[test]
fn no_twisted_pack_is_taken_for_the_announced_one() {
    let document = merged();
    let (bytes, heads) = (document.save(), document.heads());
    let known: Vec<KnownChange> = document.changes().collect();
    let start = 9 + unsigned((bytes.len() - 11) as u64).len();
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut body = bytes[start..].to_vec();
        for _ in 0..=rng.next_u32() % 2 {
            let at = rng.next_u32() as usize % body.len();
            body[at] = (rng.next_u32() & 0xff) as u8;
        }
        if body == bytes[start..] {
            continue;
        }
        if let Ok(loaded) = Document::from_pack(&seal(0, &body), &heads, &known) {
            // Automerge does not read some bytes of a saved document; what it reads is the same.
            assert_eq!(loaded.save(), bytes, "seed {seed}");
        }
    }
}
