//! Envelopes of a newer phone that this server cannot read. None of them is lost, and each is
//! judged once the server can read it.

use onegrid_core::domain::RecordKind;
use onegrid_core::domain::content::Content;
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::trust::sign::Purpose;
use onegrid_core::wire::envelope::RawEnvelope;
use onegrid_core::wire::verdict::Verdict;

use super::meanwhile::{MeanwhileStore, Moment};
use super::*;
use crate::limits::UNREAD_ENVELOPES_MAX;
use crate::store::{NewEnvelope, ReviewRow, StoreError, UnreadRow};

const NEWER: Status = Status::Held(HeldReason::Newer);

/// A header of an unknown version, with more fields and other ones.
fn of_version_nine(phone: &SyncPhone, n: u16) -> RawEnvelope {
    let mut header = Vec::new();
    let mut e = minicbor::Encoder::new(&mut header);
    e.array(12).unwrap().u8(9).unwrap().u8(1).unwrap();
    for field in 0..9 {
        e.u16(field).unwrap();
    }
    e.str(&format!("{n}")).unwrap();
    signed(phone, header, vec![0x01])
}

fn signed(phone: &SyncPhone, header: Vec<u8>, body: Vec<u8>) -> RawEnvelope {
    let mut raw = RawEnvelope {
        header,
        body,
        signature: [0; 64],
    };
    let authority = phone.keys.authority();
    let hash = raw.hash();
    raw.signature = phone
        .key
        .sign(Purpose::Envelope, authority, &[hash.as_bytes()]);
    raw
}

fn sync(phone: &mut SyncPhone, world: &TestServer, raw: Vec<RawEnvelope>) -> SyncResponse {
    let request = phone.ask(Some(phone.raw_bundle(raw)), 0);
    phone.send(&world.server, &request).unwrap()
}

/// An older server has kept it unread.
fn kept_unread(world: &TestServer, phone: &SyncPhone, envelope: &Envelope, since_ms: i64) {
    let row = UnreadRow {
        raw: envelope.raw().clone(),
        device: phone.certificate.facts().device,
        since_ms,
        verdict: at(NEWER, since_ms),
    };
    let certificate = phone.certificate.clone();
    world
        .server
        .store()
        .write::<_, StoreError>(move |tx| {
            let device = certificate.facts().device;
            tx.put_certificate(certificate.hash(), device, certificate.raw())?;
            tx.put_unread(&row).map(drop)
        })
        .unwrap();
}

/// An older server has kept it among the others, and could not judge it.
fn held_as_newer(world: &TestServer, author: &SyncPhone, envelope: &Envelope) {
    let certificate = author.certificate.clone();
    let (raw, hash, record) = (envelope.raw().clone(), envelope.hash(), envelope.record());
    let stored = world.server.store().write::<_, StoreError>(move |tx| {
        let author = certificate.facts().device;
        tx.put_certificate(certificate.hash(), author, certificate.raw())?;
        tx.put_envelope(&NewEnvelope {
            raw: &raw,
            hash,
            record,
            author,
            certificate: certificate.hash(),
            verdict: at(NEWER, NOW),
        })?;
        tx.put_review(&ReviewRow {
            envelope: hash.envelope_id(),
            since_ms: NOW,
            decided: None,
        })
    });
    stored.unwrap();
}

fn at(status: Status, at_ms: i64) -> Verdict {
    Verdict {
        status,
        at_ms,
        generation: 1,
    }
}

fn verdict(world: &TestServer, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.expect("it is kept").1.status
}

fn told(world: &TestServer, phone: &SyncPhone, id: EnvelopeId) -> bool {
    let stream = StreamId::Member(phone.member);
    let rows = world.server.store().read(|tx| tx.feed(stream, 0, 1_000));
    rows.unwrap()
        .iter()
        .any(|row| row.entry == Entry::Verdict(id))
}

#[test]
fn an_unknown_format_or_suite_is_held_with_what_builds_on_it_and_outlives_a_restart() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    let version = of_version_nine(&phone, 1);
    let mut header = minicbor::to_vec(genesis.header()).unwrap();
    assert_eq!(header[2], 1, "the suite");
    header[2] = 2;
    let suite = signed(&phone, header, genesis.raw().body.clone());
    let on_it = version.hash().envelope_id();
    let child = phone.act(
        genesis.record(),
        &[on_it.min(genesis.id()), on_it.max(genesis.id())],
        &comment("a"),
    );
    let below = phone.act(genesis.record(), &[child.id()], &comment("b"));
    let all = vec![
        version.clone(),
        suite,
        child.raw().clone(),
        below.raw().clone(),
    ];
    let waits = Status::Held(HeldReason::ParentHeld);
    let expected = [NEWER, NEWER, waits, waits];
    assert_eq!(statuses(&sync(&mut phone, &world, all.clone())), expected);
    // A repeated upload, a later child and a restart lead to the same answer.
    let later = phone.act(genesis.record(), &[below.id()], &comment("c"));
    let again = vec![version, later.raw().clone()];
    assert_eq!(statuses(&sync(&mut phone, &world, again)), [NEWER, waits]);
    let server = world.reopened();
    assert_eq!(
        server.release_newer(NOW + 1).unwrap(),
        0,
        "it is no newer server"
    );
    assert_eq!(verdict(&world, on_it), NEWER);
    let counts = world.server.store().read(|tx| tx.counts()).unwrap();
    assert_eq!((counts.envelopes, counts.held), (1, 5));
    digests_are_right(&world);
}

#[test]
fn what_was_kept_unread_is_judged_by_a_server_that_can_read_it_the_child_before_the_parent() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let child = phone.act(genesis.record(), &[genesis.id()], &comment("a"));
    let mut forged = phone.report("forged").raw().clone();
    forged.signature[0] ^= 1;
    let forged = Envelope::parse(forged).unwrap();
    let orphan = phone.act(forged.record(), &[forged.id()], &comment("below"));
    for envelope in [&child, &genesis, &orphan, &forged] {
        kept_unread(&world, &phone, envelope, NOW);
    }
    // The device was lost after it had delivered, and before the upgrade.
    let device = phone.certificate.facts().device;
    world.server.revoke(device, "admin", NOW + 10).unwrap();
    let server = world.reopened();
    assert_eq!(server.release_newer(NOW + 20).unwrap(), 4);
    assert_eq!(verdict(&world, genesis.id()), Status::Accepted);
    assert_eq!(verdict(&world, child.id()), Status::Accepted);
    let refused = Status::Refused(RefusedReason::BadSignature);
    assert_eq!(verdict(&world, forged.id()), refused);
    assert_eq!(verdict(&world, orphan.id()), refused);
    let ids = [genesis.id(), child.id(), forged.id(), orphan.id()];
    assert!(ids.iter().all(|id| told(&world, &phone, *id)));
    assert_eq!(server.release_newer(NOW + 30).unwrap(), 0);
    let rows = world
        .server
        .store()
        .read(|tx| tx.unread_held(0, 10))
        .unwrap();
    assert_eq!(rows, []);
    digests_are_right(&world);
}

#[test]
fn what_arrived_after_a_revocation_stays_held_for_a_person() {
    let world = TestServer::new();
    let phone = &mut world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    let device = phone.certificate.facts().device;
    world.server.revoke(device, "admin", NOW + 10).unwrap();
    kept_unread(&world, phone, &genesis, NOW + 11);
    assert_eq!(world.server.release_newer(NOW + 20).unwrap(), 1);
    let held = Status::Held(HeldReason::Revoked);
    assert_eq!(verdict(&world, genesis.id()), held);
    assert_eq!(world.server.waiting(10).unwrap().len(), 1);
}

#[test]
fn an_event_that_a_server_did_not_know_is_judged_when_it_does_as_of_its_arrival() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    let known_now = phone.act(genesis.record(), &[genesis.id()], &comment("a"));
    let mut ahead = world.phone(VOLUNTEER_ZHAO);
    ahead.clock_ms = NOW + 10 * 24 * 3_600_000;
    let clock = ahead.act(genesis.record(), &[genesis.id()], &comment("b"));
    held_as_newer(&world, &phone, &known_now);
    held_as_newer(&world, &ahead, &clock);
    let server = world.reopened();
    assert_eq!(server.release_newer(NOW + 20).unwrap(), 2);
    assert_eq!(verdict(&world, known_now.id()), Status::Admitted);
    assert!(told(&world, &phone, known_now.id()));
    assert_eq!(verdict(&world, clock.id()), Status::Held(HeldReason::Clock));
    assert!(told(&world, &ahead, clock.id()));
    digests_are_right(&world);
}

/// Both wait while this version does not know them, however often it starts. A known kind or role
/// is judged.
#[test]
fn kind_and_role_of_newer_app_wait_for_newer_server() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let content = Content::from(Hazard::default());
    let dispute = phone.genesis(RecordKind::of_code(200), &content, home());
    let word = phone.act(dispute.record(), &[dispute.id()], &comment("a"));
    let said = statuses(&phone.push(&world.server, &[&dispute, &word]));
    assert_eq!(said, [NEWER, NEWER]);
    let mut other = world.phone(VOLUNTEER_ZHAO.acting_as(Role::Unknown(99), Workplace::Unit(TEAM)));
    let report = other.report("gas");
    let genesis = phone.report("gas");
    let under_it = other.act(genesis.record(), &[genesis.id()], &comment("b"));
    phone.push(&world.server, &[&genesis]);
    let said = statuses(&other.push(&world.server, &[&report, &under_it]));
    assert_eq!(said, [NEWER, NEWER]);
    // Work beside it continues.
    let beside = phone.act(genesis.record(), &[genesis.id()], &comment("c"));
    assert_eq!(
        statuses(&phone.push(&world.server, &[&beside])),
        [Status::Accepted]
    );
    let server = world.reopened();
    assert_eq!(server.release_newer(NOW + 20).unwrap(), 0);
    for id in [dispute.id(), report.id(), under_it.id()] {
        assert_eq!(verdict(&world, id), NEWER);
    }
    // Now an older version of the server has held envelopes that this version knows.
    let known_now = phone.report("gas");
    let below = phone.act(known_now.record(), &[known_now.id()], &comment("d"));
    held_as_newer(&world, &phone, &known_now);
    phone.push(&world.server, &[&below]);
    assert_eq!(
        verdict(&world, below.id()),
        Status::Held(HeldReason::ParentHeld)
    );
    let server = world.reopened();
    assert!(server.release_newer(NOW + 30).unwrap() > 0);
    for id in [known_now.id(), below.id()] {
        assert_eq!(verdict(&world, id), Status::Admitted);
    }
    digests_are_right(&world);
}

#[test]
fn what_a_person_lets_in_while_it_is_looked_at_again_stays_let_in() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    phone.clock_ms = NOW + 10 * 24 * 3_600_000;
    let early = phone.act(genesis.record(), &[genesis.id()], &comment("a"));
    held_as_newer(&world, &phone, &early);
    let (server, store) = MeanwhileStore::server(&world);
    let (other, id) = (std::sync::Arc::clone(&world.server), early.id());
    store.meanwhile(Moment::BeforeAWrite, move || {
        other.decide(id, true, "admin", NOW + 10).unwrap();
    });
    server.release_newer(NOW + 20).unwrap();
    assert_eq!(verdict(&world, id), Status::Admitted);
    digests_are_right(&world);
}

/// The same words with a signature that is not the author's.
fn damaged(envelope: &Envelope) -> Envelope {
    let mut raw = envelope.raw().clone();
    raw.signature[0] ^= 1;
    Envelope::parse(raw).unwrap()
}

#[test]
fn each_copy_of_what_nobody_can_verify_is_kept() {
    let world = TestServer::new();
    let (mut author, mut carrier) = (world.phone(VOLUNTEER_WANG), world.phone(VOLUNTEER_ZHAO));
    let raw = of_version_nine(&author, 1);
    let mut bad = raw.clone();
    bad.signature[0] ^= 1;
    for _ in 0..2 {
        let said = statuses(&sync(&mut carrier, &world, vec![bad.clone()]));
        assert_eq!(said, [NEWER]);
        let said = statuses(&sync(&mut author, &world, vec![raw.clone()]));
        assert_eq!(said, [NEWER]);
    }
    let rows = world.server.store().read(|tx| tx.unread_held(0, 10));
    let kept: Vec<RawEnvelope> = rows.unwrap().into_iter().map(|(_, row)| row.raw).collect();
    assert_eq!(kept, [bad, raw]);
}

#[test]
fn a_copy_with_a_wrong_signature_does_not_stand_in_the_way_of_the_true_one() {
    let world = TestServer::new();
    let (author, carrier) = (
        &mut world.phone(VOLUNTEER_WANG),
        world.phone(VOLUNTEER_ZHAO),
    );
    let genesis = author.report("gas");
    let child = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    kept_unread(&world, &carrier, &damaged(&genesis), NOW);
    kept_unread(&world, author, &child, NOW);
    kept_unread(&world, author, &genesis, NOW);
    let server = world.reopened();
    assert_eq!(server.release_newer(NOW + 20).unwrap(), 3);
    for id in [genesis.id(), child.id()] {
        assert_eq!(verdict(&world, id), Status::Accepted);
        assert!(told(&world, author, id));
    }
    assert!(told(&world, &carrier, genesis.id()));
    assert_eq!(server.release_newer(NOW + 30).unwrap(), 0);
    digests_are_right(&world);
}

#[test]
fn what_was_refused_for_the_signature_of_a_copy_is_judged_when_the_true_one_comes() {
    let world = TestServer::new();
    let (mut author, carrier) = (world.phone(VOLUNTEER_WANG), world.phone(VOLUNTEER_ZHAO));
    let genesis = author.report("gas");
    let child = author.act(genesis.record(), &[genesis.id()], &comment("a"));
    kept_unread(&world, &carrier, &damaged(&genesis), NOW);
    kept_unread(&world, &author, &child, NOW);
    assert_eq!(world.server.release_newer(NOW + 20).unwrap(), 2);
    let refused = Status::Refused(RefusedReason::BadSignature);
    assert_eq!(verdict(&world, child.id()), refused);
    let answer = author.push(&world.server, &[&genesis, &child]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    assert_eq!(verdict(&world, genesis.id()), Status::Accepted);
    digests_are_right(&world);
}

#[test]
fn a_flood_that_nobody_can_verify_is_bounded_for_each_device() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let mut other = world.phone(VOLUNTEER_ZHAO);
    let (mut held, mut n) = (0, 0);
    let too_many = Status::Refused(RefusedReason::TooMany);
    loop {
        let raw: Vec<_> = (n..n + 500).map(|n| of_version_nine(&phone, n)).collect();
        n += 500;
        let said = statuses(&sync(&mut phone, &world, raw));
        let kept = said.iter().filter(|status| **status == NEWER).count();
        held += kept;
        if kept < said.len() {
            assert!(said[kept..].iter().all(|status| *status == too_many));
            break;
        }
    }
    assert_eq!(held as u64, UNREAD_ENVELOPES_MAX);
    // Other envelopes of this phone are accepted as before, and so are envelopes from other phones.
    let genesis = phone.report("gas");
    assert_eq!(
        statuses(&phone.push(&world.server, &[&genesis])),
        [Status::Accepted]
    );
    let raw = of_version_nine(&other, 1);
    assert_eq!(statuses(&sync(&mut other, &world, vec![raw])), [NEWER]);
}
