//! A document that is known again is the one that its changes make, whoever asks and in whatever company.

use super::super::*;
use super::support::*;
use crate::id::DeviceId;

fn batch<'a>(changes: &[(&'a [u8], DeviceId)]) -> Vec<Candidate<'a>> {
    let candidate = |&(raw, author)| Candidate { raw, author };
    changes.iter().map(candidate).collect()
}

/// Every batch is asked for over and over, each among the others, and must answer as a document that is made
/// without any memory does.
#[test]
fn neighbours_of_a_batch_are_not_taken_for_it() {
    let mut document = reported();
    let genesis = document.raw_changes().remove(0);
    let one = edit(&mut document, 2, &[number(Field::Severity, 3)]);
    let two = edit(&mut document, 3, &[number(Field::OccurredMs, 7)]);
    let (first, second, third) = (device(1), device(2), device(3));
    let whole = [(&genesis[..], first), (&one, second), (&two, third)];
    let neighbours = [
        whole.to_vec(),
        whole[..2].to_vec(),
        whole[..1].to_vec(),
        // Without what the last one builds on.
        vec![whole[0], whole[2]],
        // The same bytes by somebody else.
        vec![whole[0], (&one, third), whole[2]],
        vec![whole[2], whole[1], whole[0]],
        vec![whole[0], whole[1], whole[1], whole[2]],
        vec![],
    ];
    for _ in 0..3 {
        for changes in &neighbours {
            let asked = batch(changes);
            let (found, results) = Document::rebuild(&asked);
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
    let mut first = (*Document::rebuild(&asked).0.unwrap()).clone();
    edit(&mut first, 2, &[number(Field::Severity, 4)]);
    let second = Document::rebuild(&asked).0.unwrap();
    assert_eq!(second.save(), reported().save());
    assert_ne!(second.heads(), first.heads());
    forget_rebuilt();
    let third = Document::rebuild(&asked).0.unwrap();
    assert_eq!(third.save(), second.save());
}
