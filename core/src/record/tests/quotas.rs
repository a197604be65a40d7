//! The quotas of an author count every envelope of the author, whatever past a change claims.

use super::writers::record_of;
use super::*;
use crate::crdt::ActorId;
use crate::limits::{EPOCHS_PER_AUTHOR_MAX, OPS_PER_AUTHOR_MAX};

/// Changes that all claim to be the first. Each depends on the Genesis alone and has its own epoch.
fn flood(
    worker: &mut Writer,
    genesis: &VerifiedEnvelope,
    words: &str,
    count: u8,
) -> Vec<VerifiedEnvelope> {
    let start = record_of(&[genesis]);
    let device = worker.certificate.facts().device;
    let mut parent = id(genesis);
    (0..count)
        .map(|n| {
            let actor = ActorId::new(&device, [n; 8]);
            let edits = [FieldEdit::text(Field::Description, words)];
            let change = start.document().unwrap().edit(actor, &edits).unwrap();
            let envelope = worker.raw_change(&start, &[parent], change);
            parent = id(&envelope);
            envelope
        })
        .collect()
}

fn refused(record: &Record, envelopes: &[VerifiedEnvelope]) -> Vec<usize> {
    let limit = OwnJudgement::Void(VoidReason::Limit);
    (0..envelopes.len())
        .filter(|&n| record.node(id(&envelopes[n])).unwrap().judged == limit)
        .collect()
}

#[test]
fn fresh_epochs_on_the_genesis_count_together() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut worker = deployment.writer(GRID_WORKER_CHEN);
    let most = u8::try_from(EPOCHS_PER_AUTHOR_MAX).unwrap();
    let envelopes = flood(&mut worker, &genesis, "x", most + 3);
    let expected: Vec<usize> = (usize::from(most)..envelopes.len()).collect();
    for size in [1, 7, envelopes.len()] {
        let mut record = record_of(&[&genesis]);
        for batch in envelopes.chunks(size) {
            record.admit(batch);
        }
        assert_eq!(refused(&record, &envelopes), expected, "{size} at a time");
        assert_eq!(
            record.document().unwrap().changes().count(),
            1 + usize::from(most)
        );
    }
    let mut reversed = record_of(&[&genesis]);
    let mut batch = envelopes.clone();
    batch.reverse();
    reversed.admit(&batch);
    assert_eq!(refused(&reversed, &envelopes), expected);
}

#[test]
fn operations_of_all_changes_count_together() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut worker = deployment.writer(GRID_WORKER_CHEN);
    let words = "字".repeat(4_500);
    let fitting = usize::try_from(OPS_PER_AUTHOR_MAX / 4_500).unwrap();
    let envelopes = flood(&mut worker, &genesis, &words, 13);
    let mut record = record_of(&[&genesis]);
    record.admit(&envelopes);
    let expected: Vec<usize> = (fitting..13).collect();
    assert_eq!(refused(&record, &envelopes), expected);
    // Another author has quotas of its own.
    let other = deployment
        .writer(GRID_WORKER_LIN)
        .edit(&record, &[severity(4)]);
    assert_eq!(record.admit(&[other])[0].outcome, Admission::Valid);
}

#[test]
fn accepted_change_beyond_a_quota_stays() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut worker = deployment.writer(GRID_WORKER_CHEN);
    let most = u8::try_from(EPOCHS_PER_AUTHOR_MAX).unwrap();
    let envelopes = flood(&mut worker, &genesis, "x", most + 2);
    let beyond = &envelopes[usize::from(most)];
    let next = &envelopes[usize::from(most) + 1];
    // Servers that did not know of each other accepted one more than the quota.
    let mut record = record_of(&[&genesis]);
    record.admit(&envelopes);
    record.set_verdict(id(beyond), verdict(Status::Accepted, 5));
    assert!(record.counts(id(beyond)));
    let document = record.document().unwrap();
    assert_eq!(document.changes().count(), usize::from(most) + 1);
    // It takes the place of an envelope that has no verdict yet; the newest of these becomes void.
    let limit = OwnJudgement::Void(VoidReason::Limit);
    assert_eq!(record.node(id(next)).unwrap().judged, limit);
    assert_eq!(refused(&record, &envelopes).len(), 2);
}

#[test]
fn author_without_room_takes_nobody_along() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut worker = deployment.writer(GRID_WORKER_CHEN);
    let most = u8::try_from(EPOCHS_PER_AUTHOR_MAX).unwrap();
    let envelopes = flood(&mut worker, &genesis, "x", most + 1);
    let mut record = record_of(&[&genesis]);
    record.admit(&envelopes);
    // The author can still write events, and other people can still build changes on top.
    let note = worker.act(&record, &comment("one"));
    let edit = deployment
        .writer(VOLUNTEER_WANG)
        .edit(&record, &[severity(4)]);
    let judged = record.admit(&[note, edit]);
    assert!(
        judged
            .iter()
            .all(|judgement| judgement.outcome == Admission::Valid)
    );
}
