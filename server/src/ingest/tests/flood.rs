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

fn record(world: &World, id: RecordId) -> Record {
    world.server.open_record(id).unwrap().0
}

fn state(world: &World, id: RecordId) -> RecordState {
    record(world, id).state().unwrap().clone()
}

fn status(world: &World, id: EnvelopeId) -> Status {
    let found = world.server.store().read(|tx| tx.verdict(id)).unwrap();
    found.unwrap().1.status
}

/// The verdicts on envelopes that arrive at this time.
fn ingest(world: &World, phone: &Phone, envelopes: &[&Envelope], now_ms: i64) -> Vec<Status> {
    let told = world
        .server
        .ingest(phone.bundle(envelopes), &HashMap::new(), now_ms)
        .unwrap();
    assert!(told.missing.is_empty());
    told.lines.iter().map(|line| line.verdict.status).collect()
}

/// An event as this phone would write it with a clock that is ten days ahead, so that it is held.
fn ahead(phone: &mut Phone, id: RecordId, parent: EnvelopeId, event: &Event) -> Envelope {
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

fn dispatch_to(unit: onegrid_core::id::UnitId) -> Event {
    Event::Dispatch(Dispatch {
        to: Party::Unit(unit),
        part: Part::Lead,
        deadlines: Deadlines::default(),
        rule: None,
        note: None,
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
    let world = World::new();
    let mut reporter = world.handler(14);
    let genesis = reporter.report("our own company");
    let id = genesis.record();
    let answer = reporter.push(&world.server, &[&genesis]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let grant = |role, unit| Grant {
        role,
        scope: Scope::Unit(unit),
    };
    world.member(
        14,
        vec![grant(Role::Handler, GAS), grant(Role::Volunteer, TEAM)],
    );
    let renewed = world.again(&mut reporter, NOW + 1_000);
    reporter.certificate = renewed.expect("a new certificate");
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(GAS));
    let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let more = reporter.act(id, &[sent.id()], &comment("又漏了"));
    let answer = reporter.push(&world.server, &[&more]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let answers = world.handler(13).pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&more.id()));
    assert!(!is_named(&answers, reporter.certificate.facts().device));
}

#[test]
fn dispatched_team_learns_no_reporter_of_restricted_report() {
    let world = World::new();
    let mut reporter = world.volunteer(10);
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
    let mut mate = world.volunteer(12);
    let before = mate.pull(&world.server, 1_000_000);
    assert!(held_by(&before).0.is_empty(), "the team is no reader");
    let mut dispatcher = world.dispatcher(20);
    let triaged = dispatcher.act(id, &[genesis.id()], &triage());
    let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(TEAM));
    let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
    assert_eq!(statuses(&answer), [Status::Accepted; 2]);
    let answers = mate.pull(&world.server, 1_000_000);
    assert!(held_by(&answers).0.contains(&genesis.id()));
    assert!(!is_named(&answers, reporter.certificate.facts().device));
}

/// A case that was dismissed and is open again, because a held danger says that it goes on.
fn warned() -> (World, RecordId, Phone, Phone, Envelope) {
    let world = World::new();
    let mut reporter = world.volunteer(10);
    let genesis = reporter.report("gas");
    let id = genesis.record();
    reporter.push(&world.server, &[&genesis]);
    let mut dispatcher = world.dispatcher(20);
    let ended = dispatcher.act(id, &[genesis.id()], &dismiss());
    dispatcher.push(&world.server, &[&ended]);
    let mut warner = world.volunteer(11);
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
        let sent = dispatcher.act(id, &[triaged.id()], &dispatch_to(GAS));
        let answer = dispatcher.push(&world.server, &[&triaged, &sent]);
        assert_eq!(statuses(&answer), [Status::Accepted; 2]);
        let mut handler = world.handler(13);
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
