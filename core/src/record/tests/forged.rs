//! A change inside the envelope of another author: the envelope is void by form and takes nothing with it.

use std::sync::Arc;

use super::writers::record_of;
use super::*;
use crate::crdt::ActorId;
use crate::domain::kinds::hazard;
use crate::wire::body::Body;

/// A record, a change that the volunteer made on it, and the same change in an envelope of the worker.
struct Forgery {
    volunteer: Writer,
    worker: Writer,
    genesis: VerifiedEnvelope,
    honest: VerifiedEnvelope,
    forged: VerifiedEnvelope,
}

impl Forgery {
    fn new() -> Self {
        let deployment = Deployment::new();
        let (mut volunteer, mut worker) = (
            deployment.writer(VOLUNTEER_WANG),
            deployment.writer(GRID_WORKER_CHEN),
        );
        let genesis = volunteer.report("a");
        let record = record_of(&[&genesis]);
        let honest = volunteer.edit(&record, &[severity(4)]);
        let forged = worker.raw_change(&record, &record.heads(), change_in(&honest));
        Self {
            volunteer,
            worker,
            genesis,
            honest,
            forged,
        }
    }

    fn certificates(
        &self,
    ) -> std::collections::HashMap<crate::id::Hash, Arc<crate::trust::certificate::Certificate>>
    {
        [&self.volunteer, &self.worker]
            .map(|phone| (phone.certificate.hash(), Arc::clone(&phone.certificate)))
            .into()
    }
}

fn change_in(envelope: &VerifiedEnvelope) -> Vec<u8> {
    match envelope.envelope().body() {
        Body::Change(change) => change.change.clone(),
        _ => panic!("a change"),
    }
}

fn shown(record: &Record) -> Option<FieldValue> {
    record
        .document()
        .unwrap()
        .field(&Field::Own(&hazard::SEVERITY))
}

/// The server's part: each envelope without a verdict gets the one that the record gives it.
fn settled(record: &mut Record, at_ms: i64) {
    let verdicts: Vec<_> = record
        .nodes()
        .iter()
        .filter(|node| node.verdict.is_none())
        .map(|node| {
            let status = match node.judged {
                OwnJudgement::Void(reason) => Status::Void(reason),
                _ => Status::Accepted,
            };
            (node.id, verdict(status, at_ms))
        })
        .collect();
    record.set_verdicts(verdicts);
}

#[test]
fn forged_copy_first_leaves_the_honest_change() {
    let Forgery {
        genesis,
        honest,
        forged,
        ..
    } = Forgery::new();
    let batches: [&[&[&VerifiedEnvelope]]; 4] = [
        &[&[&genesis, &forged, &honest]],
        &[&[&genesis, &honest, &forged]],
        &[&[&genesis, &forged], &[&honest]],
        &[&[&genesis, &honest], &[&forged]],
    ];
    for batches in batches {
        for with_verdicts in [false, true] {
            let mut record = Record::new(genesis.envelope().record());
            for (at_ms, batch) in (1..).zip(batches) {
                let batch: Vec<_> = batch.iter().map(|envelope| (*envelope).clone()).collect();
                record.admit(&batch);
                if with_verdicts {
                    settled(&mut record, at_ms);
                }
            }
            assert!(record.counts(id(&honest)));
            let node = record.node(id(&forged)).unwrap();
            let foreign = OwnJudgement::Void(VoidReason::ContentForeignActor);
            assert_eq!(node.judged, foreign);
            assert!(!node.counts());
            assert_eq!(shown(&record), Some(FieldValue::Number(4)));
        }
    }
}

#[test]
fn forged_copy_first_leaves_honest_dependants() {
    let Forgery {
        mut volunteer,
        mut worker,
        genesis,
        honest,
        forged,
    } = Forgery::new();
    let known = record_of(&[&genesis, &honest]);
    let onward = worker.edit(&known, &[FieldEdit::text(Field::Title, "b")]);
    let own = volunteer.edit(&known, &[FieldEdit::text(Field::Address, "c")]);
    let mut record = record_of(&[&genesis, &forged]);
    settled(&mut record, 5);
    record.admit(std::slice::from_ref(&honest));
    let judged = record.admit(&[own]);
    assert_eq!(outcomes(&judged), [&Admission::Valid]);
    // The worker continued beside its own forgery, which does not bind the worker once it is void.
    let judged = record.admit(&[onward]);
    assert_eq!(outcomes(&judged), [&Admission::Valid]);
    let document = record.document().unwrap();
    assert_eq!(document.changes().count(), 4);
}

#[test]
fn forged_number_at_lower_depth_voids_nothing() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let start = record_of(&[&genesis]);
    // The volunteer sees a comment first, so its change is deeper than the forged one.
    let note = worker.act(&start, &comment("one"));
    let seen = record_of(&[&genesis, &note]);
    let honest = volunteer.edit(&seen, &[severity(4)]);
    let stolen = start
        .document()
        .unwrap()
        .edit(volunteer.actor, &[severity(1)])
        .unwrap();
    let forged = deployment
        .writer(GRID_WORKER_LIN)
        .raw_change(&start, &start.heads(), stolen);
    for order in [[&forged, &honest], [&honest, &forged]] {
        let mut record = record_of(&[&genesis, &note]);
        for envelope in order {
            record.admit(std::slice::from_ref(envelope));
        }
        assert!(record.counts(id(&honest)) && !record.counts(id(&forged)));
        assert_eq!(shown(&record), Some(FieldValue::Number(4)));
    }
}

#[test]
fn forged_copy_inside_a_pack_takes_nothing_along() {
    let forgery = Forgery::new();
    let certificates = forgery.certificates();
    let Forgery {
        mut volunteer,
        genesis,
        honest,
        forged,
        ..
    } = forgery;
    let mut server = record_of(&[&genesis, &forged]);
    settled(&mut server, 5);
    let pack_with_forgery_alone = server.to_pack().unwrap();
    server.admit(std::slice::from_ref(&honest));
    settled(&mut server, 6);
    let pack = server.to_pack().unwrap();
    let next = volunteer.edit(&server, &[FieldEdit::text(Field::Title, "b")]);

    for (pack, rest) in [
        (pack, vec![]),
        (pack_with_forgery_alone, vec![honest.clone()]),
    ] {
        let past = StoredRecord {
            packs: vec![pack],
            certificates: certificates.clone(),
            ..StoredRecord::default()
        };
        let mut phone = Record::load(server.id(), past).unwrap();
        phone.admit(&rest);
        // The forged envelope itself arrives too, because the server hands out void envelopes as well.
        phone.admit(std::slice::from_ref(&forged));
        let judged = phone.admit(std::slice::from_ref(&next));
        assert_eq!(outcomes(&judged), [&Admission::Valid]);
        assert!(phone.counts(id(&honest)) && !phone.counts(id(&forged)));
        assert_eq!(shown(&phone), Some(FieldValue::Number(4)));
    }
}

#[test]
fn pack_entry_under_a_foreign_name_is_refused() {
    let Forgery {
        genesis, honest, ..
    } = Forgery::new();
    let mut server = record_of(&[&genesis, &honest]);
    settled(&mut server, 5);
    let mut pack = server.to_pack().unwrap();
    pack.entries[1].author = crate::id::DeviceId([0x77; 16]);
    let past = StoredRecord {
        packs: vec![pack],
        ..StoredRecord::default()
    };
    assert_eq!(
        Record::load(server.id(), past).unwrap_err(),
        LoadError::BadPack
    );
}

/// A phone that was restored sends its change once more, in a new envelope.
#[test]
fn change_sent_twice_counts_for_whoever_saw_one() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let start = record_of(&[&genesis]);
    let note = worker.act(&start, &comment("one"));
    let first = volunteer.edit(&start, &[severity(4)]);
    let seen = record_of(&[&genesis, &note]);
    let again = volunteer.raw_change(&seen, &[id(&note)], change_in(&first));
    // Another worker knows the second envelope alone and builds on it.
    let knows_second = record_of(&[&genesis, &note, &again]);
    let mut other = deployment.writer(GRID_WORKER_LIN);
    let onward = other.edit(&knows_second, &[FieldEdit::text(Field::Title, "b")]);

    let mut record = record_of(&[&genesis, &note, &first, &again, &onward]);
    assert!(record.counts(id(&first)) && record.counts(id(&onward)));
    // The second envelope had not seen the first, so it is void. The change stays, and the edit on top of it
    // too.
    settled(&mut record, 5);
    assert!(!record.counts(id(&again)) && record.counts(id(&onward)));
    assert_eq!(record.document().unwrap().changes().count(), 3);
    let actors: Vec<ActorId> = record
        .document()
        .unwrap()
        .changes()
        .map(|change| change.actor)
        .collect();
    assert!(actors.contains(&volunteer.actor));
}
