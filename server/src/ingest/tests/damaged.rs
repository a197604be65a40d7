//! A value of one row is damaged. Only the work about that row waits.

use std::collections::HashMap;

use super::*;

/// One byte of a stored verdict is wrong. The readers get the other records, and work about the damaged one is
/// put off.
#[test]
fn unreadable_verdict_stops_no_reader_or_author() {
    let world = TestServer::new();
    let (mut author, mut reader) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN));
    reader.pull(&world.server, 1_000_000);
    let (bad, good) = (author.report("bad"), author.report("good"));
    author.push(&world.server, &[&bad, &good]);
    world.spoil(
        "UPDATE envelopes SET verdict = x'ff' WHERE id = ?1",
        &bad.id().0,
    );
    let server = world.reopened();

    let more = author.act(bad.record(), &[bad.id()], &comment("more"));
    let other = author.report("other");
    let request = author.ask(Some(author.bundle(&[&more, &other])), 0);
    let answer = author.send(&server, &request).unwrap();
    let put_off = Status::Refused(RefusedReason::RecordDamaged);
    assert_eq!(statuses(&answer), [put_off, Status::Accepted]);
    let mut fresh = world.phone(GRID_WORKER_LIN);
    for phone in [&mut reader, &mut fresh] {
        let request = phone.ask(None, 1_000_000);
        let answer = phone.send(&server, &request).unwrap();
        assert!(held_by(&[answer]).0.contains(&good.id()));
    }
    let found = crate::admin::verify::verify(&server, &mut |_, _| {}).unwrap();
    assert_eq!(found.records, 3);
    assert!(!found.wrong.is_empty());
}

/// A courier's own work does not wait for the certificate of another person. Later that person brings it, and the
/// damaged facts are replaced.
#[test]
fn unreadable_certificate_stops_no_courier() {
    let world = TestServer::new();
    let (mut author, mut courier) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_CHEN));
    let (theirs, own) = (author.report("theirs"), courier.report("own"));
    let hash = author.certificate.hash();
    let spoil = "UPDATE certificates SET facts = x'ff' WHERE hash = ?1";
    world.spoil(spoil, &hash.0);
    let server = world.reopened();
    // The courier knows that the server has the author's certificate, so it is not in the bundle.
    let request = courier.ask(Some(courier.bundle(&[&theirs, &own])), 0);
    let answer = courier.send(&server, &request).unwrap();
    let unknown = Status::Refused(RefusedReason::BadCertificate);
    assert_eq!(statuses(&answer), [unknown, Status::Accepted]);

    let mut bundle = author.bundle(&[&theirs]);
    bundle.certificates = vec![author.certificate.raw().clone()];
    let told = server.ingest(bundle, &HashMap::new(), NOW).unwrap();
    assert_eq!(told.lines[0].verdict.status, Status::Accepted);
    let stored = server.store().read(|tx| tx.certificate(hash)).unwrap();
    assert_eq!(stored.as_ref(), Some(author.certificate.raw()));
}
