//! Many changes at once give the same document in any order.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::super::*;
use super::chunk::Chunk;
use super::support::*;
use crate::domain::content::Field;
use crate::domain::kinds::hazard;

fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.next_u32() as usize % (last + 1));
    }
}

/// `count` changes of one person on a document, made by automerge directly.
fn branch(document: &Document, n: u8, count: usize) -> Vec<Vec<u8>> {
    use automerge::ReadDoc;
    use automerge::transaction::Transactable;
    let mut doc = document.doc.clone().with_actor(actor(n).to_automerge());
    let text = document.description_id().unwrap();
    for at in 0..count {
        let mut tx = doc.transaction();
        let value = i64::try_from(at).unwrap();
        match at % 3 {
            0 => tx.put(automerge::ROOT, "severity", value).unwrap(),
            1 => tx
                .put(automerge::ROOT, format!("answer.q{}", at % 50), value)
                .unwrap(),
            _ => {
                let end = tx.length(&text);
                tx.splice_text(&text, end, 0, "字").unwrap();
            }
        }
        tx.commit();
    }
    let changes = doc.get_changes(&document.doc.get_heads());
    changes
        .iter()
        .map(|change| change.raw_bytes().to_vec())
        .collect()
}

fn candidates(changes: &[(u8, Vec<u8>)]) -> Vec<Candidate<'_>> {
    changes
        .iter()
        .map(|(n, raw)| Candidate {
            raw,
            author: device(*n),
        })
        .collect()
}

#[test]
fn a_thousand_and_a_thousand_concurrent_changes_in_one_batch() {
    let base = reported();
    let mut changes: Vec<(u8, Vec<u8>)> = Vec::new();
    for n in [1, 2] {
        changes.extend(branch(&base, n, 1_000).into_iter().map(|raw| (n, raw)));
    }
    let mut one_by_one = base.doc.clone();
    for (_, raw) in &changes {
        one_by_one
            .apply_changes([automerge::Change::try_from(&raw[..]).unwrap()])
            .unwrap();
    }
    shuffle(&mut changes, &mut ChaCha8Rng::seed_from_u64(7));
    let mut batch = base;
    assert!(batch.admit(&candidates(&changes)).iter().all(Result::is_ok));
    let heads: Vec<_> = one_by_one.get_heads().iter().map(|head| head.0).collect();
    let mut expected: Vec<_> = batch.heads().iter().map(|head| head.0).collect();
    expected.sort_unstable();
    assert_eq!(heads, expected);
    assert_eq!(batch.doc.hydrate(None), one_by_one.hydrate(None));
    let known: Vec<_> = batch.changes().map(|change| change.hash).collect();
    let raw: Vec<_> = batch.raw_changes();
    assert_eq!(known.len(), 2_001);
    assert!(
        known.iter().eq(raw
            .iter()
            .map(|raw| inspect(raw).unwrap().hash)
            .collect::<Vec<_>>()
            .iter())
    );
}

#[test]
fn the_gate_one_by_one_gives_what_the_gate_gives_at_once() {
    let base = reported();
    let mut changes: Vec<(u8, Vec<u8>)> = Vec::new();
    for n in [1, 2] {
        changes.extend(branch(&base, n, 40).into_iter().map(|raw| (n, raw)));
    }
    let mut single = base.clone();
    for (n, raw) in &changes {
        admit(&mut single, *n, raw).unwrap();
    }
    let mut batch = base;
    batch.admit(&candidates(&changes));
    assert_eq!(single.heads(), batch.heads());
    assert_eq!(single.content(&hazard::SPEC), batch.content(&hazard::SPEC));
    assert_eq!(single.conflicts(), batch.conflicts());
}

/// Honest people write, read each other and continue, and liars write among them.
fn history(seed: u64) -> (Document, Vec<(u8, Vec<u8>)>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let base = reported();
    let mut people: Vec<Document> = (0..4).map(|_| base.clone()).collect();
    let mut changes: Vec<(u8, Vec<u8>)> = Vec::new();
    for step in 0..40_u8 {
        let n = (rng.next_u32() % 4) as u8;
        let person = &mut people[usize::from(n)];
        if rng.next_u32().is_multiple_of(3) {
            person.admit(&candidates(&changes));
            continue;
        }
        let text = person.content(&hazard::SPEC).details().description.clone();
        let cut = text
            .chars()
            .count()
            .saturating_sub((rng.next_u32() % 4) as usize);
        let text: String = text.chars().take(cut).chain(['甲', '乙']).collect();
        let edits = [
            number(
                Field::Own(&hazard::SEVERITY),
                i64::from(1 + rng.next_u32() % 4),
            ),
            FieldEdit::text(
                Field::Answer(format!("q{}", rng.next_u32() % 3)),
                step.to_string(),
            ),
            FieldEdit::text(Field::Description, text),
        ];
        let chosen = &edits[rng.next_u32() as usize % 3..];
        let Ok(raw) = person.edit(actor(n), chosen) else {
            continue;
        };
        admit(person, n, &raw).unwrap();
        if rng.next_u32().is_multiple_of(4) {
            // A liar twists a byte of the same change, under the liar's own actor.
            let liar = 10 + step;
            let mut lie = Chunk::of(&raw);
            lie.actor = actor(liar).0.to_vec();
            lie.seq = 1;
            let at = rng.next_u32() as usize % lie.columns.len();
            let column = &mut lie.columns[at].1;
            let byte = rng.next_u32() as usize % column.len();
            column[byte] = column[byte].wrapping_add(1);
            changes.push((liar, lie.raw()));
        }
        changes.push((n, raw));
    }
    (base, changes)
}

#[test]
fn whatever_the_order_the_same_changes_are_refused_and_the_same_content_stands() {
    for seed in 0..20 {
        let (base, mut changes) = history(seed);
        let mut reference = base.clone();
        let verdicts = reference.admit(&candidates(&changes));
        let refused: Vec<_> = changes
            .iter()
            .zip(&verdicts)
            .filter(|(_, v)| v.is_err())
            .map(|(c, _)| c.clone())
            .collect();
        let honest_refused = refused.iter().filter(|(n, _)| *n < 10).count();
        assert_eq!(honest_refused, 0, "seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed + 1_000);
        for _ in 0..3 {
            shuffle(&mut changes, &mut rng);
            let mut other = base.clone();
            // They arrive in pieces; a change that lacks its parents arrives again later.
            let mut left = changes.clone();
            while !left.is_empty() {
                let before = left.len();
                let size = 1 + rng.next_u32() as usize % 7;
                let mut next = Vec::new();
                for piece in left.chunks(size) {
                    let results = other.admit(&candidates(piece));
                    let again = piece
                        .iter()
                        .zip(results)
                        .filter(|(_, result)| result.is_err());
                    next.extend(again.map(|(change, _)| change.clone()));
                }
                left = next;
                if left.len() == before {
                    break;
                }
            }
            assert_eq!(left.len(), refused.len(), "seed {seed}");
            assert!(
                left.iter().all(|change| refused.contains(change)),
                "seed {seed}"
            );
            assert_eq!(other.heads(), reference.heads(), "seed {seed}");
            assert_eq!(other.conflicts(), reference.conflicts(), "seed {seed}");
            assert_eq!(
                other.doc.hydrate(None),
                reference.doc.hydrate(None),
                "seed {seed}"
            );
        }
    }
}
