//! One member who works against one record: the words of others stay in force, and the reporter stays
//! unknown.

use std::collections::HashMap;

use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::Audience;
use onegrid_core::domain::case::payload::Reasoned;
use onegrid_core::domain::case::{Outcome, RecordState, Stage};
use onegrid_core::domain::content::Field;
use onegrid_core::id::{Hash, MemberId};
use onegrid_core::limits::{
    EVENT_ATTACHMENTS_MAX, MENTIONS_MAX, RECORD_ENTRIES_MAX, TEXT_CHARS_MAX,
};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::body::{Body, Change, EventBody, Genesis};
use onegrid_core::wire::verdict::Verdict;

use super::dangers::danger;
use super::*;
use crate::ingest::ration::Ceilings;
use crate::ingest::stand_in;
use crate::store::Amount;

const DAYS_MS: i64 = 24 * 3_600_000;

fn record(world: &TestServer, id: RecordId) -> Record {
    crate::ingest::plan::open_record(&world.server.intake, id)
        .unwrap()
        .0
}

fn state(world: &TestServer, id: RecordId) -> RecordState {
    record(world, id).state().unwrap().clone()
}

fn status(world: &TestServer, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.unwrap().1.status
}

/// The verdicts on envelopes that arrive at this time.
fn ingest(
    world: &TestServer,
    phone: &SyncPhone,
    envelopes: &[&Envelope],
    now_ms: i64,
) -> Vec<Status> {
    let told = world
        .server
        .ingest(phone.bundle(envelopes), &HashMap::new(), now_ms)
        .unwrap();
    assert!(told.missing.is_empty());
    told.lines.iter().map(|line| line.verdict.status).collect()
}

/// An event as this phone would write it with a clock that is ten days ahead, so that it is held.
fn ahead(phone: &mut SyncPhone, id: RecordId, parent: EnvelopeId, event: &Event) -> Envelope {
    let clock_ms = phone.clock_ms;
    phone.clock_ms = NOW + 10 * DAYS_MS;
    let held = phone.act(id, &[parent], event);
    phone.clock_ms = clock_ms;
    held
}

fn dismiss() -> Event {
    Event::Dismiss(Reasoned {
        reason: Text::new("不属于受理范围").unwrap(),
    })
}

/// Whether these answers hold a certificate of this device.
fn is_named(answers: &[SyncResponse], device: onegrid_core::id::DeviceId) -> bool {
    let pages = answers.iter().filter_map(|answer| answer.page.as_ref());
    pages.flat_map(|page| &page.certificates).any(|raw| {
        let read = Certificate::from_store(raw.clone()).unwrap();
        read.facts().device == device
    })
}

#[test]
fn renewed_certificate_names_no_reporter_of_the_unit() {
    let world = TestServer::new();
    let mut reporter = world.phone(HANDLER_YU);
    let genesis = reporter.report("our own company");
    let id = genesis.record();
    let answer = reporter.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    world.member(HANDLER_YU, vec![HANDLER_YU.grant(), VOLUNTEER_WANG.grant()]);
    let renewed = world.again(&mut reporter, NOW + 1_000);
    reporter.certificate = std::sync::Arc::new(renewed.expect("a new certificate"));
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(Party::Unit(GAS)));
    let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let more = reporter.act(id, &[sent.id()], &comment("又漏了"));
    let answer = reporter.push(&world.server, &[&more]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let answers = world.phone(HANDLER_SHEN).pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&more.id()));
    assert!(!is_named(&answers, reporter.certificate.facts().device));
}

#[test]
fn dispatched_team_learns_no_reporter_of_restricted_report() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let template = reporter.report("tip");
    let Body::Genesis(genesis) = template.body() else {
        unreachable!("a report")
    };
    let body = Body::Genesis(Genesis {
        audience: Audience::Restricted,
        team: Some(TEAM),
        ..genesis.clone()
    });
    let genesis = reporter.seal(None, &[], &body);
    let id = genesis.record();
    let answer = reporter.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let mut mate = world.phone(VOLUNTEER_SUN);
    let before = mate.pull(&world.server, 1_000_000);
    assert!(held_by(&before).0.is_empty(), "the team is no reader");
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(Party::Unit(TEAM)));
    let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let answers = mate.pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&genesis.id()));
    assert!(!is_named(&answers, reporter.certificate.facts().device));
}

/// A case that was dismissed and is open again, because a held danger says that it goes on.
fn warned() -> (TestServer, RecordId, SyncPhone, SyncPhone, Envelope) {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    let ended = dispatcher.act(id, &[genesis.id()], &dismiss());
    dispatcher.push(&world.server, &[&ended]);
    let mut warner = world.phone(VOLUNTEER_ZHAO);
    let warning = ahead(&mut warner, id, genesis.id(), &danger("还在漏"));
    warner.push(&world.server, &[&warning]);
    assert_eq!(state(&world, id).stage(), Stage::Reported, "open again");
    (world, id, dispatcher, warner, warning)
}

#[test]
fn work_upon_held_danger_stays_after_its_review() {
    for accept in [false, true] {
        let (world, id, mut dispatcher, _, warning) = warned();
        let triaged = dispatcher.act(id, &record(&world, id).heads(), &triage());
        let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(Party::Unit(GAS)));
        let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
        assert_eq!(statuses(&answer), [Status::Accepted; 2]);
        let mut handler = world.phone(HANDLER_SHEN);
        let step = Event::Accept(Step {
            assignment: sent.id(),
            attachments: Vec::new(),
            note: None,
        });
        let on_the_way = handler.act(id, &[sent.id()], &step);
        let answer = handler.push(&world.server, &[&on_the_way]);
        assert_eq!(statuses(&answer), [Status::Accepted]);
        let decided = world
            .server
            .decide(warning.id(), accept, "admin", NOW + 60_000);
        decided.unwrap();
        let after = state(&world, id);
        let outcome = after.outcome(on_the_way.id()).map(|item| item.outcome);
        assert_eq!(outcome, Some(Outcome::Effective), "accepted: {accept}");
        assert_eq!(after.assignments().len(), 1, "accepted: {accept}");
        let streams = world.server.store().read(|tx| tx.record_streams(id));
        assert!(streams.unwrap().contains(&StreamId::Unit(GAS)));
        digests_are_right(&world);
    }
}

#[test]
fn later_decision_makes_no_accepted_work_void() {
    let (world, id, mut dispatcher, mut warner, warning) = warned();
    let genesis = record(&world, id).nodes()[0].id;
    let other = ahead(&mut warner, id, genesis, &comment("x"));
    warner.push(&world.server, &[&other]);
    let triaged = dispatcher.act(id, &record(&world, id).heads(), &triage());
    dispatcher.push(&world.server, &[&triaged]);
    for (envelope, now_ms) in [(&warning, NOW + 60_000), (&other, NOW + 61_000)] {
        let decided = world.server.decide(envelope.id(), false, "admin", now_ms);
        decided.unwrap();
        assert_eq!(status(&world, triaged.id()), Status::Accepted);
    }
}

/// An event of a newer app with so many bytes.
fn heavy(phone: &mut SyncPhone, id: RecordId, parent: EnvelopeId, bytes: usize) -> Envelope {
    let body = Body::Event(EventBody {
        salt: Some([7; 16]),
        code: 9_999,
        fold_version: 1,
        data: vec![0x80; bytes],
        on_behalf_of: None,
        replaces: None,
    });
    phone.seal(Some(id), &[parent], &body)
}

/// A report, and all the envelopes about it that the server takes from a stranger and holds.
fn filled(world: &TestServer) -> (SyncPhone, Envelope, SyncPhone) {
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    ingest(world, &reporter, &[&genesis], NOW);
    let mut stranger = world.phone(VOLUNTEER_ZHAO);
    stranger.clock_ms = NOW + 10 * DAYS_MS;
    let flood: Vec<Envelope> = (0..RECORD_ENTRIES_MAX)
        .map(|_| stranger.act(genesis.record(), &[genesis.id()], &comment("x")))
        .collect();
    stranger.clock_ms = NOW;
    let said = ingest(world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW);
    let free = RECORD_ENTRIES_MAX - RECORD_ENTRIES_MAX / 4 - 1;
    let (held, refused) = said.split_at(free);
    let clock = Status::Held(HeldReason::Clock);
    assert!(held.iter().all(|status| *status == clock));
    assert!(refused.iter().all(|status| *status == FULL));
    (reporter, genesis, stranger)
}

const FULL: Status = Status::Refused(RefusedReason::RecordFull);

#[test]
fn stranger_silences_no_record_with_entries() {
    let world = TestServer::new();
    let (mut reporter, genesis, mut stranger) = filled(&world);
    let id = genesis.record();
    let warning = reporter.act(id, &[genesis.id()], &danger("还在漏"));
    let words = reporter.act(id, &[warning.id()], &comment("二楼"));
    let answer = reporter.push(&world.server, &[&warning, &words]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let more = stranger.act(id, &[genesis.id()], &comment("x"));
    let below = stranger.act(id, &[more.id()], &danger("y"));
    let warning = stranger.act(id, &[genesis.id()], &danger("z"));
    let answer = stranger.push(&world.server, &[&more, &below, &warning]);
    let expected = [FULL, FULL, Status::Accepted];
    assert_eq!(statuses(&answer), expected, "a danger alone has room");
    digests_are_right(&world);
}

#[test]
fn stranger_fills_no_record_with_bytes() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut stranger = world.phone(VOLUNTEER_ZHAO);
    let mut said = Vec::new();
    for _ in 0..4 {
        let flood: Vec<Envelope> = (0..49)
            .map(|_| heavy(&mut stranger, id, genesis.id(), 16_000))
            .collect();
        let flood: Vec<&Envelope> = flood.iter().collect();
        said.extend(statuses(&stranger.push(&world.server, &flood)));
    }
    assert_eq!(said.last(), Some(&FULL));
    let warning = reporter.act(id, &[genesis.id()], &danger("还在漏"));
    let answer = reporter.push(&world.server, &[&warning]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
}

/// A stranger fills the record of a restored server, and words that it had accepted come without their
/// receipt first.
#[test]
fn full_record_outranks_no_acceptance_given_back() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    let server = world.reopened().with_ceilings(Ceilings {
        record: Amount {
            envelopes: 1,
            bytes: 1 << 30,
        },
        ..Ceilings::default()
    });
    let none = HashMap::new();
    server
        .ingest(reporter.bundle(&[&genesis]), &none, NOW)
        .unwrap();
    let said = reporter.act(id, &[genesis.id()], &danger("还在漏"));
    world
        .server
        .store()
        .write::<_, crate::store::StoreError>(|tx| crate::directory::set_generation(tx, 2))
        .unwrap();
    let told = server.ingest(reporter.bundle(&[&said]), &none, NOW + 2_000);
    assert_eq!(told.unwrap().lines[0].verdict.status, FULL);
    let accepted = Verdict {
        status: Status::Accepted,
        at_ms: NOW,
        generation: 1,
    };
    let attested = HashMap::from([(said.hash(), accepted)]);
    crate::ingest::release_given_back(&server.intake, &attested, NOW + 3_000).unwrap();
    let bundle = reporter.bundle(&[&said]);
    server.ingest(bundle, &attested, NOW + 3_000).unwrap();
    assert_eq!(status(&world, said.id()), Status::Accepted);
}

/// A comment as long as comments may be.
fn long_comment(n: u8) -> Event {
    Event::Comment(Comment {
        text: Some(Text::new("长".repeat(TEXT_CHARS_MAX)).unwrap()),
        attachments: vec![Hash([n; 32]); EVENT_ATTACHMENTS_MAX],
        mentions: vec![MemberId([n; 16]); MENTIONS_MAX],
    })
}

#[test]
fn comments_make_no_accepted_words_of_others_void() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    ingest(&world, &reporter, &[&genesis], NOW);
    let edits = [FieldEdit::text(Field::Title, "二楼煤气泄漏")];
    let known = record(&world, id);
    let body = Body::Change(Change {
        salt: Some([8; 16]),
        change: known
            .document()
            .unwrap()
            .edit(reporter.actor, &edits)
            .unwrap(),
        replaces: None,
    });
    let edit = reporter.seal(Some(id), &[genesis.id()], &body);
    assert_eq!(ingest(&world, &reporter, &[&edit], NOW), [Status::Accepted]);

    let mut reader = world.phone(GRID_WORKER_LIN);
    let mut parent = edit.id();
    let flood: Vec<Envelope> = (0..310_u16)
        .map(|n| {
            let said = reader.act(id, &[parent], &long_comment(n.to_be_bytes()[1]));
            parent = said.id();
            said
        })
        .collect();
    let said = ingest(
        &world,
        &reader,
        &flood.iter().collect::<Vec<_>>(),
        NOW + 1_000,
    );
    let limit = Status::Void(VoidReason::Limit);
    assert!(said.contains(&Status::Accepted) && said.last() == Some(&limit));
    assert_eq!(status(&world, edit.id()), Status::Accepted);
    // There is no room left, and the words of the flood give way to those of others.
    for n in 0..3 {
        let more = reporter.act(id, &[parent], &long_comment(n));
        parent = more.id();
        let now_ms = NOW + 2_000 + i64::from(n);
        assert_eq!(
            ingest(&world, &reporter, &[&more], now_ms),
            [Status::Accepted]
        );
    }
    assert_eq!(status(&world, edit.id()), Status::Accepted);
    assert!(record(&world, id).fits_pack());
    digests_are_right(&world);
}

#[test]
fn flood_of_held_dangers_is_judged_once() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    ingest(&world, &reporter, &[&genesis], NOW);
    let mut stranger = world.phone(VOLUNTEER_ZHAO);
    stranger.clock_ms = NOW + 10 * DAYS_MS;
    let reopen = Event::Reopen(Reasoned {
        reason: Text::new("还在漏").unwrap(),
    });
    // A volunteer may not reopen a case, but the clock is looked at first, so it is held.
    let mut flood: Vec<Envelope> = (0..300)
        .map(|_| stranger.act(id, &[genesis.id()], &reopen))
        .collect();
    ingest(&world, &stranger, &flood.iter().collect::<Vec<_>>(), NOW);
    let newest = flood.pop().unwrap().id();
    let oldest = flood.first().unwrap().id();
    assert_eq!(stand_in::candidates(&record(&world, id)), [newest, oldest]);
    let warning = stranger.act(id, &[genesis.id()], &danger("还在漏"));
    let later = stranger.act(id, &[genesis.id()], &reopen);
    ingest(&world, &stranger, &[&warning, &later], NOW);
    let stands_for = |node: &Node| match &node.body {
        NodeBody::Event { event, .. } => match &**event {
            Event::DangerHeld(held) => Some(held.danger),
            _ => None,
        },
        _ => None,
    };
    let known = record(&world, id);
    let found: Vec<_> = known.nodes().iter().filter_map(stands_for).collect();
    assert_eq!(found, [warning.id()], "the plain warning counts");
    assert_eq!(stand_in::candidates(&known), []);
}

#[test]
fn reversed_chain_upon_newer_envelope_waits_in_order() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_ZHAO);
    let genesis = phone.report("gas");
    let id = genesis.record();
    let mut newer = heavy(&mut phone, id, genesis.id(), 8).raw().clone();
    // The second byte of the header is the version.
    newer.header[1] = 2;
    assert!(newer.is_newer());
    let mut chain = vec![newer];
    for n in 0..200 {
        let parent = chain[n].hash().envelope_id();
        let said = phone.act(id, &[parent], &comment("x"));
        chain.push(said.raw().clone());
    }
    let apart = phone.act(id, &[genesis.id()], &comment("x"));
    let mut reversed: Vec<_> = chain.iter().rev().cloned().collect();
    reversed.extend([genesis.raw().clone(), apart.raw().clone()]);
    let bundle = phone.raw_bundle(reversed);
    let checked = crate::ingest::bundle::check(&world.server.intake.shared, bundle).unwrap();
    let aside = checked.unread.iter().map(|unread| unread.id);
    let expected = chain.iter().map(|raw| raw.hash().envelope_id());
    assert!(aside.eq(expected), "parents first");
    let left = checked.verified.iter().map(|one| one.envelope().id());
    assert!(left.eq([genesis.id(), apart.id()]));
}

#[test]
fn chain_below_held_envelope_is_decided_at_once() {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut phone = world.phone(GRID_WORKER_CHEN);
    let mut chain = vec![ahead(&mut phone, id, genesis.id(), &comment("held"))];
    for n in 0..100 {
        let parent = chain[n].id();
        let next = match n {
            // A grid worker dismisses nothing.
            20 => phone.act(id, &[parent], &dismiss()),
            // Only a newer server can judge it.
            80 => heavy(&mut phone, id, parent, 8),
            _ => phone.act(id, &[parent], &comment("x")),
        };
        chain.push(next);
    }
    let clock = Status::Held(HeldReason::Clock);
    let answer = phone.push(&world.server, &chain.iter().collect::<Vec<_>>());
    assert_eq!(statuses(&answer)[0], clock);
    let decide = |place: usize, accept| {
        let decided = world
            .server
            .decide(chain[place].id(), accept, "admin", NOW + 60_000);
        decided.unwrap();
        let found = chain.iter().map(|one| status(&world, one.id()));
        found.collect::<Vec<_>>()
    };
    let found = decide(0, true);
    assert!(matches!(found[21], Status::Void(_)), "{:?}", found[21]);
    let admitted = found[..81].iter().filter(|one| **one == Status::Admitted);
    assert_eq!(admitted.count(), 80);
    assert_eq!(found[81], Status::Held(HeldReason::Newer));
    let waits = Status::Held(HeldReason::ParentHeld);
    assert!(found[82..].iter().all(|status| *status == waits));
    let found = decide(81, false);
    let refused = Status::Refused(RefusedReason::Rejected);
    assert!(found[81..].iter().all(|status| *status == refused));
    digests_are_right(&world);
}
