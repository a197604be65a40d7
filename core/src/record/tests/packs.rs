//! Packs replace the past, and packs that do not fit are refused.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::writers::record_of;
use super::*;
use crate::domain::kinds::hazard;

#[test]
fn a_pack_stands_in_for_the_past_and_work_goes_on_upon_it() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let edit = volunteer.edit(&record, &[severity(3)]);
    record.admit(std::slice::from_ref(&edit));
    let void = worker.edit(&record, &[severity(1)]);
    record.admit(std::slice::from_ref(&void));
    let note = worker.act(&record, &comment("one"));
    record.admit(std::slice::from_ref(&note));
    for settled in [&genesis, &edit, &note] {
        record.set_verdict(id(settled), verdict(Status::Accepted, 9));
    }
    record.set_verdict(
        id(&void),
        verdict(Status::Void(VoidReason::NotPermitted), 9),
    );
    let pack = record.to_pack().unwrap();
    assert_eq!(pack.digest(), record.digest());
    let certificates = [&volunteer, &worker]
        .map(|phone| {
            (
                phone.certificate.hash(),
                std::sync::Arc::clone(&phone.certificate),
            )
        })
        .into();
    let past = StoredRecord {
        packs: vec![pack],
        certificates,
        ..StoredRecord::default()
    };
    let mut packed = Record::load(record.id(), past).unwrap();
    assert_eq!(packed.digest(), record.digest());
    assert_eq!(packed.state(), record.state());
    assert_eq!(packed.heads(), record.heads());

    let kind = hazard::KIND.spec().unwrap();
    let next = volunteer.edit(&record, &[severity(4)]);
    for replica in [&mut record, &mut packed] {
        assert_eq!(
            replica.admit(std::slice::from_ref(&next))[0].outcome,
            Admission::Valid
        );
    }
    let (left, right) = (record.document().unwrap(), packed.document().unwrap());
    assert_eq!(left.content(kind), right.content(kind));
    assert_eq!(left.heads(), right.heads());
    // The document is made again from the pack's own changes when the next envelope turns out void.
    packed.set_verdict(
        id(&next),
        verdict(Status::Void(VoidReason::NotPermitted), 10),
    );
    let shown = packed
        .document()
        .unwrap()
        .field(&Field::Own(&hazard::SEVERITY));
    assert_eq!(shown, Some(FieldValue::Number(3)));
}

#[test]
fn a_pack_that_does_not_fit_is_refused() {
    let deployment = Deployment::new();
    let genesis = deployment.writer(VOLUNTEER_WANG).report("a");
    let mut record = record_of(&[&genesis]);
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 9));
    let pack = record.to_pack().unwrap();
    let load = |pack| {
        Record::load(
            record.id(),
            StoredRecord {
                packs: vec![pack],
                ..StoredRecord::default()
            },
        )
    };
    assert!(load(pack.clone()).is_ok());
    let mut other = pack.clone();
    other.entries[0].id.0[0] ^= 1;
    assert_eq!(load(other).unwrap_err(), LoadError::BadPack);
    let mut empty = pack.clone();
    empty.document.clear();
    assert_eq!(load(empty).unwrap_err(), LoadError::BadPack);
    let mut damaged = pack;
    let last = damaged.document.len() - 1;
    damaged.document[last] ^= 1;
    assert!(matches!(load(damaged).unwrap_err(), LoadError::Content(_)));
}

#[test]
fn no_twisted_document_of_a_pack_is_taken_for_the_one_that_its_entries_tell_of() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let before = record_of(&[&genesis]);
    let edits = [
        volunteer.edit(&before, &[severity(3)]),
        worker.edit(&before, &[severity(4)]),
    ];
    let mut record = record_of(&[&genesis, &edits[0], &edits[1]]);
    for settled in edits.iter().chain([&genesis]) {
        record.set_verdict(id(settled), verdict(Status::Accepted, 9));
    }
    let pack = record.to_pack().unwrap();
    let kind = hazard::KIND.spec().unwrap();
    let mut taken = 0;
    for seed in 0..3_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut twisted = pack.clone();
        // Magic and checksum take the first eight bytes, and the checksum is made to match again.
        let document = &mut twisted.document;
        for _ in 0..=rng.next_u32() % 2 {
            let at = 8 + rng.next_u32() as usize % (document.len() - 8);
            document[at] = (rng.next_u32() & 0xff) as u8;
        }
        let sum = crate::id::Hash::of(&[&document[8..]]);
        document[4..8].copy_from_slice(&sum.0[..4]);
        if *document == pack.document {
            continue;
        }
        let past = StoredRecord {
            packs: vec![twisted],
            ..StoredRecord::default()
        };
        if let Ok(loaded) = Record::load(record.id(), past) {
            // Automerge ignores some bytes of a saved document, so it reads the same content.
            let (loaded, document) = (loaded.document().unwrap(), record.document().unwrap());
            assert_eq!(loaded.heads(), document.heads(), "seed {seed}");
            let shown = [loaded.content(kind), document.content(kind)];
            assert_eq!(shown[0], shown[1], "seed {seed}");
            let mut changes = [loaded.raw_changes(), document.raw_changes()];
            for changes in &mut changes {
                changes.sort();
            }
            assert_eq!(changes[0], changes[1], "seed {seed}");
            taken += 1;
        }
    }
    assert!((1..100).contains(&taken), "{taken}");
}

/// A pack of the record, opened by a phone that never had the record before.
fn unpacked(record: &Record, phones: &[&Writer]) -> Result<Record, LoadError> {
    let certificates = phones.iter().map(|phone| {
        let certificate = std::sync::Arc::clone(&phone.certificate);
        (certificate.hash(), certificate)
    });
    let past = StoredRecord {
        packs: vec![record.to_pack().unwrap()],
        certificates: certificates.collect(),
        ..StoredRecord::default()
    };
    Record::load(record.id(), past)
}

#[test]
fn what_a_pack_left_out_as_void_counts_when_it_comes_whole_and_is_accepted_after_all() {
    let deployment = Deployment::new();
    let (mut volunteer, mut worker) = (
        deployment.writer(VOLUNTEER_WANG),
        deployment.writer(GRID_WORKER_CHEN),
    );
    let genesis = volunteer.report("a");
    let mut record = record_of(&[&genesis]);
    let edit = worker.edit(&record, &[severity(3)]);
    let said = worker.act(&record, &comment("said"));
    record.admit(&[edit.clone(), said.clone()]);
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 9));
    for void in [&edit, &said] {
        record.set_verdict(id(void), verdict(Status::Void(VoidReason::NotPermitted), 9));
    }
    let mut packed = unpacked(&record, &[&volunteer, &worker]).unwrap();
    assert!(packed.node(id(&edit)).unwrap().is_stub());
    let judgements = packed.admit(&[edit.clone(), said.clone()]);
    for judgement in judgements {
        assert_eq!(judgement.outcome, Admission::Void(VoidReason::NotPermitted));
    }
    let mut twice = unpacked(&record, &[&volunteer, &worker]).unwrap();
    let mut later = record.clone();
    for accepted in [&edit, &said] {
        later.set_verdict(id(accepted), verdict(Status::Accepted, 10));
    }
    let certificates = [&volunteer, &worker].map(|phone| {
        let certificate = std::sync::Arc::clone(&phone.certificate);
        (certificate.hash(), certificate)
    });
    let later = later.to_pack().unwrap();
    assert!(twice.absorb(&later, &certificates.into()).unwrap());
    for replica in [&mut record, &mut packed, &mut twice] {
        for accepted in [&edit, &said] {
            replica.set_verdict(id(accepted), verdict(Status::Accepted, 10));
        }
        let shown = replica
            .document()
            .unwrap()
            .field(&Field::Own(&hazard::SEVERITY));
        assert_eq!(shown, Some(FieldValue::Number(3)));
        let mut timeline = replica.state().unwrap().timeline.iter();
        let said = timeline.find(|item| item.id == id(&said)).unwrap();
        assert_eq!(said.outcome, crate::domain::case::Outcome::Effective);
    }
    for replica in [&packed, &twice] {
        assert_eq!(replica.state(), record.state());
        assert_eq!(replica.digest(), record.digest());
    }
}

#[test]
fn of_two_accepted_changes_under_one_number_the_later_one_clashes_with_what_builds_on_it() {
    let deployment = Deployment::new();
    let mut volunteer = deployment.writer(VOLUNTEER_WANG);
    let genesis = volunteer.report("a");
    let before = record_of(&[&genesis]);
    let first = volunteer.edit(&before, &[severity(3)]);
    // The phone went back to an earlier copy, and another server did not know the first edit.
    let second = volunteer.edit(&before, &[severity(4)]);
    let third = volunteer.edit(&record_of(&[&genesis, &second]), &[severity(1)]);
    let void = |reason| Status::Void(reason);
    let cases = [
        (
            9,
            10,
            vec![
                (id(&second), VoidReason::Clone),
                (id(&third), VoidReason::VoidParent),
            ],
        ),
        (11, 10, vec![(id(&first), VoidReason::Clone)]),
    ];
    for (first_ms, second_ms, expected) in cases {
        let mut record = record_of(&[&genesis, &first, &second, &third]);
        record.set_verdict(id(&genesis), verdict(Status::Accepted, 1));
        record.set_verdict(id(&first), verdict(Status::Accepted, first_ms));
        for later in [&second, &third] {
            record.set_verdict(id(later), verdict(Status::Accepted, second_ms));
        }
        assert_eq!(record.untenable(), expected);
        for (id, reason) in expected {
            record.set_verdict(id, verdict(void(reason), 20));
        }
        assert_eq!(record.untenable(), []);
        let packed = unpacked(&record, &[&volunteer]).unwrap();
        assert_eq!(packed.digest(), record.digest());
        let shown = |record: &Record| {
            record
                .document()
                .unwrap()
                .field(&Field::Own(&hazard::SEVERITY))
        };
        assert_eq!(shown(&packed), shown(&record));
    }
}
