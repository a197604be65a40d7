//! A remembered document equals the one that its changes make, whichever owner asks and whichever batches
//! came before.

use super::super::*;
use super::support::*;
use crate::domain::content::Field;
use crate::domain::kinds::hazard;
use crate::id::DeviceId;

fn batch<'a>(changes: &[(&'a [u8], DeviceId)]) -> Vec<Candidate<'a>> {
    let candidate = |&(raw, author)| Candidate { raw, author };
    changes.iter().map(candidate).collect()
}

/// Every batch is asked for again and again among the others, and must give the document that is made without
/// any memory.
#[test]
fn neighbours_of_a_batch_are_not_taken_for_it() {
    let mut document = reported();
    let genesis = document.raw_changes().remove(0);
    let one = edit(
        &mut document,
        2,
        &[number(Field::Own(&hazard::SEVERITY), 3)],
    );
    let two = edit(&mut document, 3, &[number(Field::OccurredMs, 7)]);
    let (first, second, third) = (device(1), device(2), device(3));
    let whole = [(&genesis[..], first), (&one, second), (&two, third)];
    let neighbours = [
        whole.to_vec(),
        whole[..2].to_vec(),
        whole[..1].to_vec(),
        // The batch lacks the change that its last one builds on.
        vec![whole[0], whole[2]],
        // The same bytes by another author.
        vec![whole[0], (&one, third), whole[2]],
        vec![whole[2], whole[1], whole[0]],
        vec![whole[0], whole[1], whole[1], whole[2]],
        vec![],
    ];
    let rebuilds = Rebuilds::remembering();
    for _ in 0..3 {
        for changes in &neighbours {
            let asked = batch(changes);
            let (found, results) = rebuilds.rebuild(&asked);
            let mut plain = Document {
                doc: automerge::Automerge::new(),
                history: super::super::history::History::default(),
            };
            assert_eq!(results, plain.admit(&asked));
            assert_eq!(found.is_some(), !plain.heads().is_empty());
            if let Some(found) = found {
                assert_eq!(found.save(), plain.save());
                assert_eq!(found.heads(), plain.heads());
            }
        }
    }
}

#[test]
fn what_is_done_to_a_document_is_not_done_to_the_next_one() {
    let genesis = reported().raw_changes().remove(0);
    let asked = batch(&[(&genesis[..], device(1))]);
    let rebuilds = Rebuilds::remembering();
    let mut first = (*rebuilds.rebuild(&asked).0.unwrap()).clone();
    edit(&mut first, 2, &[number(Field::Own(&hazard::SEVERITY), 4)]);
    let second = rebuilds.rebuild(&asked).0.unwrap();
    assert_eq!(second.save(), reported().save());
    assert_ne!(second.heads(), first.heads());
    rebuilds.forget();
    let third = rebuilds.rebuild(&asked).0.unwrap();
    assert_eq!(third.save(), second.save());
}

/// Several members share one phone: a record that one of them reads leaves nothing behind for the other.
#[test]
fn owners_of_a_memory_share_no_document() {
    let genesis = reported().raw_changes().remove(0);
    let asked = batch(&[(&genesis[..], device(1))]);
    let (one, other) = (Rebuilds::remembering(), Rebuilds::remembering());
    let first = one.rebuild(&asked).0.unwrap();
    let again = one.clone().rebuild(&asked).0.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again), "remembered");
    let others = other.rebuild(&asked).0.unwrap();
    assert!(!std::sync::Arc::ptr_eq(&first, &others));
    drop((again, one));
    assert_eq!(
        std::sync::Arc::strong_count(&first),
        1,
        "gone with its owner"
    );
}
