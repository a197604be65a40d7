//! Packs stand in for the past, and those that do not fit are refused.

use super::world::{World, record_of, verdict};
use super::*;

#[test]
fn a_pack_stands_in_for_the_past_and_work_goes_on_upon_it() {
    let world = World::new();
    let (mut volunteer, mut worker) = (world.volunteer(10), world.grid_worker(11));
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
    let past = Past {
        pack: Some(pack),
        certificates,
        ..Past::default()
    };
    let mut packed = Record::load(record.id(), past).unwrap();
    assert_eq!(packed.digest(), record.digest());
    assert_eq!(packed.state(), record.state());
    assert_eq!(packed.heads(), record.heads());

    let kind = crate::crdt::ContentKind::of(RecordKind::Hazard).unwrap();
    let next = volunteer.edit(&record, &[severity(4)]);
    for replica in [&mut record, &mut packed] {
        assert_eq!(
            replica.admit(std::slice::from_ref(&next))[0].outcome,
            Outcome::Valid
        );
    }
    let (left, right) = (record.document().unwrap(), packed.document().unwrap());
    assert_eq!(left.content(kind), right.content(kind));
    assert_eq!(left.heads(), right.heads());
    // Made again from the pack's own changes when the next one turns out void.
    packed.set_verdict(
        id(&next),
        verdict(Status::Void(VoidReason::NotPermitted), 10),
    );
    let shown = packed.document().unwrap().field(&Field::Severity);
    assert_eq!(shown, Some(FieldValue::Number(3)));
}

#[test]
fn a_pack_that_does_not_fit_is_refused() {
    let world = World::new();
    let genesis = world.volunteer(10).report("a");
    let mut record = record_of(&[&genesis]);
    record.set_verdict(id(&genesis), verdict(Status::Accepted, 9));
    let pack = record.to_pack().unwrap();
    let load = |pack| {
        Record::load(
            record.id(),
            Past {
                pack: Some(pack),
                ..Past::default()
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
