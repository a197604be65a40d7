//! Thousands of changes with some bytes twisted and a matching checksum.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::change::parse;
use super::super::*;
use super::chunk::{Chunk, seal};
use super::support::*;
use crate::domain::content::Field;
use crate::domain::kinds::{hazard, tip};

const MUTANTS: u64 = 6_000;

/// A document with a past, and an honest change on it that has every kind of operation.
fn target() -> (Document, Vec<u8>) {
    let mut document = reported();
    edit(
        &mut document,
        3,
        &[FieldEdit::text(
            Field::Description,
            "店内有7只气瓶，都无证。",
        )],
    );
    edit(
        &mut document,
        2,
        &[number(Field::Own(&hazard::SEVERITY), 3)],
    );
    let edits = [
        number(Field::Own(&hazard::SEVERITY), 4),
        FieldEdit::text(Field::Title, "气瓶"),
        FieldEdit {
            field: Field::Category,
            write: Write::Remove,
        },
        FieldEdit::text(Field::Answer("new".into()), "有"),
        FieldEdit::text(Field::Description, "楼下店内有9只气瓶，无证。"),
    ];
    let raw = document.edit(actor(2), &edits).unwrap();
    (document, raw)
}

/// Twists columns (mostly) or any bytes of the body.
fn mutant(raw: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut chunk = Chunk::of(raw);
    if rng.next_u32().is_multiple_of(4) {
        let mut body = chunk.body();
        for _ in 0..=rng.next_u32() % 3 {
            let at = rng.next_u32() as usize % body.len();
            body[at] = (rng.next_u32() & 0xff) as u8;
        }
        return seal(1, &body);
    }
    for _ in 0..=rng.next_u32() % 2 {
        let count = chunk.columns.len();
        let data = &mut chunk.columns[rng.next_u32() as usize % count].1;
        let at = rng.next_u32() as usize % data.len();
        match rng.next_u32() % 4 {
            0 => data[at] = data[at].wrapping_add(1),
            1 => data[at] = data[at].wrapping_sub(1),
            2 => data[at] ^= 1 << (rng.next_u32() % 8),
            _ => data[at] = (rng.next_u32() & 0x7f) as u8,
        }
    }
    chunk.raw()
}

/// The document saves, loads and shows the same, and accepts the next honest change.
fn is_sound(document: &Document) {
    let mut again = Document::from_save(&document.save()).unwrap();
    assert_eq!(again.heads(), document.heads());
    assert_eq!(again.doc.hydrate(None), document.doc.hydrate(None));
    for kind in [&hazard::SPEC, &tip::SPEC] {
        assert_eq!(again.content(kind), document.content(kind));
    }
    assert_eq!(again.conflicts(), document.conflicts());
    let next = [FieldEdit::text(Field::Description, "后来的人写的")];
    edit(&mut again, 8, &next);
}

#[test]
fn no_mutant_breaks_a_document() {
    let (document, honest) = target();
    let mut admitted = 0;
    for seed in 0..MUTANTS {
        let raw = mutant(&honest, &mut ChaCha8Rng::seed_from_u64(seed));
        let mut after = document.clone();
        match admit(&mut after, 2, &raw) {
            Err(error) => {
                assert_ne!(error, GateError::Rejected, "seed {seed}: no check of ours");
                assert_eq!(after.heads(), document.heads(), "seed {seed}");
            }
            Ok(info) => {
                admitted += 1;
                assert_eq!(after.heads(), [info.hash], "seed {seed}");
                is_sound(&after);
                let _ = (after.written_by(&info.hash), after.undo_edits(&info.hash));
            }
        }
        // A refused mutant does not block the honest change.
        if after.heads() == document.heads() && seed.is_multiple_of(16) {
            admit(&mut after, 2, &honest).unwrap();
        }
    }
    assert!(
        admitted > 20,
        "the mutants are too wild to say anything: {admitted} admitted"
    );
}

#[test]
fn no_mutant_breaks_a_document_even_without_the_structural_checks() {
    let (document, honest) = target();
    let (mut tried, mut admitted) = (0, 0);
    for seed in 0..MUTANTS {
        let raw = mutant(&honest, &mut ChaCha8Rng::seed_from_u64(seed));
        let Ok(parsed) = parse(&raw) else { continue };
        tried += 1;
        let mut after = document.clone();
        after.history.push_blindly(&parsed);
        match after.apply(&[&raw]) {
            Ok(()) => {
                admitted += 1;
                let again = automerge::Automerge::load(&after.save()).unwrap();
                assert_eq!(again.get_heads(), after.doc.get_heads(), "seed {seed}");
            }
            Err(_) => assert_eq!(after.doc.get_heads(), document.doc.get_heads()),
        }
    }
    assert!(
        tried > 1_000 && admitted > 20,
        "{tried} tried, {admitted} admitted"
    );
}
