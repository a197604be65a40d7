//! Floods: bounded for each device and each record, and nothing is lost by that.

use onegrid_core::crdt::inspect;
use onegrid_core::wire::body::Body;

use super::*;
use crate::ingest::ration::Ceilings;
use crate::store::Amount;

const TOO_MANY: Status = Status::Refused(RefusedReason::TooMany);
const HELD: Status = Status::Held(HeldReason::TooMany);
const DAY_MS: i64 = 24 * 3_600_000;

fn ceilings(held: u64, refused: u64, record: u64) -> Ceilings {
    let amount = |envelopes| Amount {
        envelopes,
        bytes: 1 << 30,
    };
    Ceilings {
        held: amount(held),
        refused: amount(refused),
        record: amount(record),
        operations: 1 << 30,
    }
}

#[test]
fn beyond_a_measure_a_person_looks_and_beyond_another_nothing_is_taken_until_tomorrow() {
    let world = TestServer::new();
    let server = world.reopened().with_ceilings(ceilings(4, 6, 1_000));
    let mut phone = world.phone(VOLUNTEER_WANG);
    let mut other = world.phone(VOLUNTEER_ZHAO);
    let all: Vec<Envelope> = (0..9).map(|n| phone.report(&format!("{n}"))).collect();
    let of = |from: usize, to: usize| all[from..to].iter().collect::<Vec<_>>();
    assert_eq!(
        statuses(&phone.push(&server, &of(0, 3))),
        [Status::Accepted; 3]
    );
    // The same again costs nothing.
    assert_eq!(
        statuses(&phone.push(&server, &of(0, 3))),
        [Status::Accepted; 3]
    );
    assert_eq!(statuses(&phone.push(&server, &of(3, 5))), [HELD; 2]);
    let child = phone.act(all[6].record(), &[all[6].id()], &comment("on it"));
    let answer = phone.push(&server, &[&all[5], &all[6], &child, &all[0]]);
    assert_eq!(
        statuses(&answer),
        [HELD, TOO_MANY, TOO_MANY, Status::Accepted]
    );
    // The author counts, whichever phone brings the envelope.
    let (brought, own) = (of(6, 7), other.report("own"));
    let mut bundle = other.bundle(&[brought[0], &own]);
    bundle.certificates.push(phone.certificate.raw().clone());
    let request = other.ask(Some(bundle), 0);
    let answer = other.send(&server, &request).unwrap();
    assert_eq!(statuses(&answer), [TOO_MANY, Status::Accepted]);
    assert_eq!(server.waiting(10).unwrap().len(), 3);
    world.again(&mut phone, NOW + DAY_MS);
    let rest = [&all[6], &child, &all[7], &all[8]];
    let answer = phone.push(&server, &rest);
    assert_eq!(statuses(&answer), [Status::Accepted; 4]);
    digests_are_right(&world);
}

#[test]
fn a_record_that_is_full_says_so_and_the_others_go_on() {
    let world = TestServer::new();
    let server = world.reopened().with_ceilings(ceilings(1_000, 1_000, 3));
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let mut line = vec![genesis.clone()];
    for n in 0..4 {
        let parent = line.last().unwrap().id();
        line.push(phone.act(genesis.record(), &[parent], &comment(&format!("{n}"))));
    }
    let other = phone.report("other");
    let mut all: Vec<&Envelope> = line.iter().collect();
    all.push(&other);
    let full = Status::Refused(RefusedReason::RecordFull);
    let taken = Status::Accepted;
    let expected = [taken, taken, taken, full, full, taken];
    assert_eq!(statuses(&phone.push(&server, &all)), expected);
    assert_eq!(statuses(&phone.push(&server, &all)), expected);
    digests_are_right(&world);
}

#[test]
fn operations_beyond_a_ceiling_wait_for_later() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let all: Vec<Envelope> = (0..3).map(|n| phone.report(&format!("{n}"))).collect();
    let Body::Genesis(genesis) = all[0].body() else {
        panic!("a report")
    };
    let operations = 2 * inspect(&genesis.content).unwrap().operations();
    let server = world.reopened().with_ceilings(Ceilings {
        operations,
        ..ceilings(1_000, 1_000, 1_000)
    });
    let every: Vec<&Envelope> = all.iter().collect();
    let answer = phone.push(&server, &every);
    assert_eq!(
        statuses(&answer),
        [Status::Accepted, Status::Accepted, TOO_MANY]
    );
    // Known envelopes cost nothing, so the rest passes with the next upload.
    assert_eq!(
        statuses(&phone.push(&server, &every)),
        [Status::Accepted; 3]
    );
    digests_are_right(&world);
}
