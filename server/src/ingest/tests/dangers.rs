//! A danger that awaits review keeps its case open for everybody, until a person decides about it.

use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::case::payload::{DangerRemains, Escalate, Reasoned};
use onegrid_core::domain::case::{Outcome, RecordState, Stage};
use onegrid_core::record::{NodeBody, Record};

use super::*;

const DAYS_MS: i64 = 24 * 3_600_000;

pub(super) fn danger(words: &str) -> Event {
    Event::DangerRemains(DangerRemains {
        text: Some(Text::new(words).unwrap()),
        attachments: Vec::new(),
    })
}

fn dismiss() -> Event {
    Event::Dismiss(Reasoned {
        reason: Text::new("不属于受理范围").unwrap(),
    })
}

fn record(world: &TestServer, id: RecordId) -> Record {
    crate::ingest::plan::open_record(&world.server.intake, id)
        .unwrap()
        .0
}

fn state(world: &TestServer, id: RecordId) -> RecordState {
    record(world, id).state().unwrap().clone()
}

/// The server's own words for dangers under review, each with its danger and whether it counts.
fn stand_ins(world: &TestServer, id: RecordId) -> Vec<(EnvelopeId, EnvelopeId, bool)> {
    let record = record(world, id);
    let nodes = record.nodes().iter();
    nodes
        .filter_map(|node| match &node.body {
            NodeBody::Event { event, .. } => match &**event {
                Event::DangerHeld(held) => Some((node.id, held.danger, node.counts())),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

/// A case that a dispatcher dismissed, and a warning beside that, from a phone whose clock is wrong.
fn warned() -> (TestServer, Envelope, Envelope, SyncPhone) {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    let mut dispatcher = world.phone(DISPATCHER_GAO);
    let ended = dispatcher.act(genesis.record(), &[genesis.id()], &dismiss());
    dispatcher.push(&world.server, &[&ended]);
    assert_eq!(state(&world, genesis.record()).stage(), Stage::Dismissed);
    let mut warner = world.phone(VOLUNTEER_ZHAO);
    warner.clock_ms = NOW + 10 * DAYS_MS;
    let warning = warner.act(genesis.record(), &[genesis.id()], &danger("还在漏"));
    warner.clock_ms = NOW;
    let answer = warner.push(&world.server, &[&warning]);
    assert_eq!(statuses(&answer), [Status::Held(HeldReason::Clock)]);
    (world, genesis, warning, warner)
}

#[test]
fn held_danger_keeps_case_open_until_refused() {
    let (world, genesis, warning, _) = warned();
    let id = genesis.record();
    let open = state(&world, id);
    assert_eq!(
        (open.stage(), open.case().unwrap().danger),
        (Stage::Reported, true)
    );
    assert_eq!(open.conflicts.len(), 1, "people see why it is open");
    let [(stand_in, stands_for, true)] = stand_ins(&world, id)[..] else {
        panic!("{:?}", stand_ins(&world, id));
    };
    assert_eq!(stands_for, warning.id());
    // Others read the stand-in, and nothing of the danger.
    let mut reader = world.phone(GRID_WORKER_LUO);
    let (ids, _) = held_by(&reader.pull(&world.server, 4_000_000));
    assert!(ids.contains(&stand_in) && !ids.contains(&warning.id()));

    let changed = world
        .server
        .decide(warning.id(), false, "admin", NOW + 5_000);
    let changed: BTreeMap<_, _> = changed.unwrap().into_iter().collect();
    let status = changed[&stand_in].status;
    assert_eq!(status, Status::Void(VoidReason::Answered));
    let ended = state(&world, id);
    assert_eq!(
        (ended.stage(), ended.conflicts.len()),
        (Stage::Dismissed, 0)
    );
    assert_eq!(world.server.waiting(10).unwrap(), []);
    digests_are_right(&world);
}

#[test]
fn escalation_under_review_is_shown_before_the_next_one() {
    let world = TestServer::new();
    let mut phone = world.phone(GRID_WORKER_CHEN);
    let genesis = phone.report("gas");
    let id = genesis.record();
    phone.push(&world.server, &[&genesis]);
    let escalate = |to| {
        Event::Escalate(Escalate {
            to,
            reason: Text::new("社区处理不了").unwrap(),
            rule: None,
        })
    };
    phone.clock_ms = NOW + 10 * DAYS_MS;
    let up = phone.act(id, &[genesis.id()], &escalate(AreaLevel::Town));
    phone.clock_ms = NOW;
    // This one is legal only if the first one counts.
    let again = phone.act(id, &[up.id()], &escalate(AreaLevel::District));
    let answer = phone.push(&world.server, &[&up, &again]);
    let held = [HeldReason::Clock, HeldReason::ParentHeld].map(Status::Held);
    assert_eq!(statuses(&answer), held);
    let [(_, stands_for, true)] = stand_ins(&world, id)[..] else {
        panic!("{:?}", stand_ins(&world, id));
    };
    assert_eq!(stands_for, up.id());
    digests_are_right(&world);
}

#[test]
fn held_danger_counts_itself_once_accepted() {
    let (world, genesis, warning, _) = warned();
    let id = genesis.record();
    world
        .server
        .decide(warning.id(), true, "admin", NOW + 5_000)
        .unwrap();
    let open = state(&world, id);
    assert_eq!(
        (open.stage(), open.case().unwrap().danger),
        (Stage::Reported, true)
    );
    let outcome = open.outcome(warning.id()).unwrap().outcome;
    assert_eq!(outcome, Outcome::Effective);
    assert!(stand_ins(&world, id).iter().all(|(_, _, counts)| !counts));
    digests_are_right(&world);
}

#[test]
fn danger_of_revoked_phone_keeps_nothing_open() {
    let world = TestServer::new();
    let mut phone = world.phone(VOLUNTEER_WANG);
    let genesis = phone.report("gas");
    phone.push(&world.server, &[&genesis]);
    let warner = &mut world.phone(VOLUNTEER_ZHAO);
    let warning = warner.act(genesis.record(), &[genesis.id()], &danger("假的"));
    let device = warner.certificate.facts().device;
    world.server.revoke(device, "admin", NOW).unwrap();
    let bundle = warner.bundle(&[&warning]);
    let brought = world
        .server
        .ingest(bundle, &std::collections::HashMap::new(), NOW + 1_000);
    let status = brought.unwrap().lines[0].verdict.status;
    assert_eq!(status, Status::Held(HeldReason::Revoked));
    assert_eq!(stand_ins(&world, genesis.record()), []);
}

#[test]
fn flood_of_held_dangers_opens_the_case_once() {
    let (world, genesis, warning, mut warner) = warned();
    let id = genesis.record();
    let mut again = |world: &TestServer, parent: EnvelopeId, words: &str, now_ms: i64| {
        warner.clock_ms = NOW + 10 * DAYS_MS;
        let more = warner.act(id, &[parent], &danger(words));
        warner.clock_ms = now_ms;
        warner.push(&world.server, &[&more]);
        more.id()
    };
    let second = again(&world, warning.id(), "还在", NOW);
    assert_eq!(stand_ins(&world, id).len(), 1);
    // A dispatcher who has seen it ends the case; a further warning opens it again.
    let mut dispatcher = world.phone(DISPATCHER_MA);
    let heads = record(&world, id).heads();
    let ended = dispatcher.act(id, &heads, &dismiss());
    let answer = dispatcher.push(&world.server, &[&ended]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    assert_eq!(state(&world, id).stage(), Stage::Dismissed);
    again(&world, second, "又来了", NOW + 5_000);
    assert_eq!(stand_ins(&world, id).len(), 2);
    assert_eq!(state(&world, id).stage(), Stage::Reported);
    digests_are_right(&world);
}
