//! Held envelopes, and a person's decisions about them.

use std::collections::HashMap;
use std::sync::Arc;

use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::verdict::Verdict;

use super::dangers::danger;
use super::failing::FailingStore;
use super::meanwhile::{MeanwhileStore, Moment};
use super::*;

/// A report that the server holds for review: its clock is ten years ahead.
fn from_the_future(phone: &mut SyncPhone) -> Envelope {
    phone.clock_ms = NOW + 10 * 366 * 24 * 3_600 * 1_000;
    let genesis = phone.report("from the future");
    phone.clock_ms = NOW;
    genesis
}

#[test]
fn held_work_is_in_no_feed_until_a_person_accepts_it_with_what_waits_for_it() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = from_the_future(&mut phone);
    let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
    let answer = phone.push(&world.server, &[&genesis, &below]);
    let expected = [
        Status::Held(HeldReason::Clock),
        Status::Held(HeldReason::ParentHeld),
    ];
    assert_eq!(statuses(&answer), expected);
    let streams = world
        .server
        .store()
        .read(|tx| tx.record_streams(genesis.record()))
        .unwrap();
    assert_eq!(streams, []);
    assert_eq!(world.server.waiting(10).unwrap().len(), 2);
    let changed = world
        .server
        .decide(genesis.id(), true, "admin", NOW + 9_000)
        .unwrap();
    let ids: BTreeSet<EnvelopeId> = changed.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, BTreeSet::from([genesis.id(), below.id()]));
    assert!(
        changed
            .iter()
            .all(|(_, verdict)| verdict.status == Status::Admitted)
    );
    assert_eq!(world.server.waiting(10).unwrap(), []);
    digests_are_right(&world);
    let mine = StreamId::Member(phone.member);
    let told = world
        .server
        .store()
        .read(|tx| tx.feed(mine, 0, 100))
        .unwrap();
    assert!(
        told.iter()
            .any(|row| row.entry == Entry::Verdict(genesis.id()))
    );
    assert!(
        world
            .server
            .decide(genesis.id(), false, "admin", NOW)
            .is_err(),
        "decided once"
    );
}

#[test]
fn what_waits_is_let_in_though_the_clock_of_the_server_went_back() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = from_the_future(&mut phone);
    let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
    let last = phone.act(genesis.record(), &[below.id()], &comment("last"));
    let server = &world.server;
    phone.push(server, &[&genesis]);
    let bundle = Bundle {
        envelopes: vec![below.raw().clone(), last.raw().clone()],
        ..Bundle::default()
    };
    server
        .ingest(bundle, &HashMap::new(), NOW + 50_000)
        .unwrap();
    let changed = server.decide(genesis.id(), true, "admin", NOW).unwrap();
    for id in [genesis.id(), below.id(), last.id()] {
        let (_, verdict) = changed.iter().find(|(told, _)| *told == id).unwrap();
        assert_eq!(verdict.status, Status::Admitted);
    }
    assert_eq!(server.waiting(10).unwrap(), []);
    digests_are_right(&world);
}

/// A warning counts, though a reviewer admitted earlier words of its author in the meantime.
#[test]
fn work_beside_an_admitted_envelope_counts() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let server = &world.server;
    let genesis = phone.report("a");
    phone.push(server, &[&genesis]);
    phone.clock_ms = NOW + 10 * 366 * 24 * 3_600 * 1_000;
    let held = phone.act(genesis.record(), &[genesis.id()], &comment("held"));
    phone.clock_ms = NOW;
    let clock = Status::Held(HeldReason::Clock);
    assert_eq!(statuses(&phone.push(server, &[&held])), [clock]);
    let warning = danger("the cylinders are back");
    let warning = phone.act(genesis.record(), &[genesis.id()], &warning);
    server.decide(held.id(), true, "admin", NOW).unwrap();
    assert_eq!(
        statuses(&phone.push(server, &[&warning])),
        [Status::Accepted]
    );
    digests_are_right(&world);
}

#[test]
fn what_was_given_back_below_a_held_genesis_reaches_everybody_with_it() {
    let world = TestServer::new();
    let (mut phone, mut reader) = (world.phone(VOLUNTEER_WANG), world.phone(GRID_WORKER_HU));
    let genesis = from_the_future(&mut phone);
    let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
    phone.push(&world.server, &[&genesis]);
    // The server signed this before it was restored from a backup. The Genesis is only known as
    // held.
    let accepted = Verdict {
        status: Status::Accepted,
        at_ms: NOW,
        generation: 1,
    };
    let attested = HashMap::from([(below.hash(), accepted)]);
    let bundle = Bundle {
        envelopes: vec![below.raw().clone()],
        ..Bundle::default()
    };
    let server = &world.server;
    let told = server.ingest(bundle, &attested, NOW).unwrap();
    let held = Status::Held(HeldReason::ParentHeld);
    assert_eq!(told.lines[0].verdict.status, held);
    assert!(held_by(&reader.pull(server, 4_000_000)).0.is_empty());
    server.decide(genesis.id(), true, "admin", NOW).unwrap();
    digests_are_right(&world);
    let (ids, _) = held_by(&reader.pull(server, 4_000_000));
    assert_eq!(ids, BTreeSet::from([genesis.id(), below.id()]));
}

#[test]
fn what_a_reviewer_refuses_goes_with_what_builds_on_it() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    phone.clock_ms = NOW - 10 * 366 * 24 * 3_600 * 1_000;
    let genesis = phone.report("long ago");
    phone.clock_ms = NOW;
    let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
    phone.push(&world.server, &[&genesis, &below]);
    let changed = world
        .server
        .decide(genesis.id(), false, "admin", NOW + 9_000)
        .unwrap();
    let rejected = Status::Refused(RefusedReason::Rejected);
    assert_eq!(changed.len(), 2);
    assert!(
        changed
            .iter()
            .all(|(_, verdict)| verdict.status == rejected)
    );
    digests_are_right(&world);
}

#[test]
fn a_crash_while_a_decision_is_stored_leaves_all_of_it_or_nothing() {
    for left in 0..3 {
        let world = TestServer::new();
        let mut phone = world.phone(VOLUNTEER_WANG);
        phone.clock_ms = NOW + 10 * 24 * 3_600_000;
        let early = phone.report("from the future");
        phone.clock_ms = NOW;
        let answer = phone.push(&world.server, &[&early]);
        assert_eq!(statuses(&answer), [Status::Held(HeldReason::Clock)]);
        let store = FailingStore {
            inner: world.store_again(),
            left: left.into(),
        };
        let store = Arc::new(store);
        let server = crate::server::Server::open(store, world.keys.clone(), Rules::none()).unwrap();
        let _ = server.decide(early.id(), true, "judge", NOW + 5);
        let member = StreamId::Member(phone.member);
        let (accepted, decided, told, noted) = world
            .store_again()
            .read::<_, crate::store::StoreError>(|tx| {
                let verdict = tx.verdict(early.id())?.unwrap().1;
                let told = tx
                    .feed(member, 0, 100)?
                    .iter()
                    .any(|row| row.entry == Entry::Verdict(early.id()));
                let noted = tx
                    .audit(0, 1_000)?
                    .iter()
                    .any(|row| row.action == "review.accepted");
                let review = tx.review(early.id())?.unwrap();
                let accepted = verdict.status.is_accepted();
                Ok((accepted, review.decided.is_some(), told, noted))
            })
            .unwrap();
        assert_eq!(
            (decided, told, noted),
            (accepted, accepted, accepted),
            "{left}"
        );
        assert_eq!(accepted, left > 0);
    }
}

fn status(world: &TestServer, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.unwrap().1.status
}

#[test]
fn a_refusal_that_comes_second_changes_nothing_whoever_accepted() {
    for another_process in [false, true] {
        let world = TestServer::new();
        let mut phone = world.phone(VOLUNTEER_WANG);
        let genesis = from_the_future(&mut phone);
        let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
        phone.push(&world.server, &[&genesis, &below]);
        let (server, store) = MeanwhileStore::server(&world);
        let other = if another_process {
            Arc::clone(&world.server)
        } else {
            Arc::clone(&server)
        };
        let id = genesis.id();
        // The refuser has looked up the envelope, but not yet read the record.
        store.meanwhile(Moment::AfterARead, move || {
            other.decide(id, true, "admin", NOW + 5_000).unwrap();
        });
        let refused = server.decide(id, false, "admin", NOW + 9_000);
        assert_eq!(refused.unwrap_err().code(), "review.not_waiting");
        assert_eq!(status(&world, id), Status::Admitted);
        assert_eq!(status(&world, below.id()), Status::Admitted);
        digests_are_right(&world);
        let found = crate::admin::verify::verify(&world.server, &mut |_, _| {}).unwrap();
        assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    }
}

#[test]
fn an_acceptance_prepared_before_a_refusal_does_not_take_its_place() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = from_the_future(&mut phone);
    let below = phone.act(genesis.record(), &[genesis.id()], &comment("below"));
    let (server, store) = MeanwhileStore::server(&world);
    // It has the record in memory.
    server
        .ingest(phone.bundle(&[&genesis, &below]), &HashMap::new(), NOW)
        .unwrap();
    let (other, id) = (Arc::clone(&world.server), genesis.id());
    store.meanwhile(Moment::BeforeAWrite, move || {
        other.decide(id, false, "admin", NOW + 5_000).unwrap();
    });
    let accepted = server.decide(id, true, "admin", NOW + 9_000);
    assert_eq!(accepted.unwrap_err().code(), "review.not_waiting");
    let rejected = Status::Refused(RefusedReason::Rejected);
    assert_eq!(status(&world, id), rejected);
    assert_eq!(status(&world, below.id()), rejected);
    digests_are_right(&world);
}

#[test]
fn what_is_accepted_and_goes_on_waiting_for_another_one_stays_in_the_queue() {
    let world = TestServer::new();
    let server = &world.server;
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(server, &[&genesis]);
    phone.clock_ms = NOW + 10 * 366 * 24 * 3_600 * 1_000;
    let late = phone.act(genesis.record(), &[genesis.id()], &comment("late"));
    phone.clock_ms = NOW;
    let below = phone.act(genesis.record(), &[late.id()], &comment("below"));
    let queue = || -> BTreeSet<EnvelopeId> {
        let waiting = server.waiting(10).unwrap();
        waiting.iter().map(|one| one.envelope).collect()
    };
    phone.push(server, &[&late]);
    server.decide(late.id(), false, "admin", NOW).unwrap();
    let held = Status::Held(HeldReason::ParentHeld);
    assert_eq!(statuses(&phone.push(server, &[&below])), [held]);
    let changed = server.decide(below.id(), true, "admin", NOW + 1).unwrap();
    assert_eq!(changed[0].1.status, held);
    assert_eq!(queue(), BTreeSet::from([below.id()]));
    server.decide(below.id(), false, "admin", NOW + 2).unwrap();
    assert_eq!(queue(), BTreeSet::new());
    digests_are_right(&world);
}
