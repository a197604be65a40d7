//! Each of the three deadlines of an assignment makes a case go up by one level, once and under its own name.

use std::collections::HashMap;

use super::*;
use crate::error::Problem;
use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::case::AssignmentState;
use onegrid_core::domain::case::payload::DangerRemains;
use onegrid_core::record::{Node, NodeBody, Record};

const MINUTE_MS: i64 = 60_000;

/// Rules that send gas to the gas company, with these times.
pub(super) fn rules(times: &str) -> Rules {
    let text = format!(
        "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
         severity = \"serious\"\ndispatch_kind = \"utility\"\nescalate = true\n{times}"
    );
    Rules::parse(&text, "test").unwrap()
}

/// A deployment whose gas goes to the gas company, with these times, and a case that was reported at once.
fn dispatched(times: &str) -> (TestServer, Envelope) {
    let world = TestServer::with(rules(times));
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    (world, genesis)
}

/// The record as the server holds it.
fn record(world: &TestServer, id: RecordId) -> Record {
    crate::ingest::plan::open_record(&world.server.intake, id)
        .unwrap()
        .0
}

/// The rules that have made the case go up, in the order of their names, and the level of the case.
pub(super) fn gone_up(world: &TestServer, id: RecordId) -> (Vec<String>, AreaLevel) {
    let record = record(world, id);
    let event = |node: &Node| match &node.body {
        NodeBody::Event { event, .. } => Some((**event).clone()),
        _ => None,
    };
    let mut rules: Vec<String> = record
        .nodes()
        .iter()
        .filter_map(event)
        .filter_map(|event| match event {
            Event::Escalate(up) => Some(up.rule.unwrap().as_str().to_owned()),
            _ => None,
        })
        .collect();
    rules.sort();
    (rules, record.state().unwrap().handling().unwrap().level)
}

/// The gas company takes a step of the one assignment.
fn step(world: &TestServer, handler: &mut SyncPhone, id: RecordId, event: fn(Step) -> Event) {
    let record = record(world, id);
    let step = Step {
        assignment: record.state().unwrap().assignments()[0].id,
        attachments: Vec::new(),
        note: None,
    };
    let moved = handler.act(id, &record.heads(), &event(step));
    let answer = handler.push(&world.server, &[&moved]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
}

#[test]
fn who_has_accepted_and_is_not_there_in_time_makes_the_case_go_up() {
    let (world, genesis) = dispatched("arrive_minutes = 60\n");
    let id = genesis.record();
    let mut handler = world.phone(HANDLER_SHEN);
    step(&world, &mut handler, id, Event::Accept);
    let before = gone_up(&world, id).1;
    assert_eq!(world.server.tick(NOW + 59 * MINUTE_MS).unwrap(), 0);
    let late = NOW + 61 * MINUTE_MS;
    assert_eq!(world.server.tick(late).unwrap(), 1);
    let (rules, level) = gone_up(&world, id);
    assert_eq!(rules, ["overdue_arrive"]);
    assert!(level < before, "one level up");
    assert_eq!(world.server.tick(late + MINUTE_MS).unwrap(), 0, "once");
    digests_are_right(&world);
}

#[test]
fn who_is_on_site_has_met_the_deadline_to_arrive() {
    let (world, genesis) = dispatched("arrive_minutes = 60\n");
    let id = genesis.record();
    let mut handler = world.phone(HANDLER_SHEN);
    step(&world, &mut handler, id, Event::Accept);
    step(&world, &mut handler, id, Event::Arrive);
    assert_eq!(world.server.tick(NOW + 61 * MINUTE_MS).unwrap(), 0);
    assert_eq!(gone_up(&world, id).0, [""; 0]);
}

#[test]
fn who_was_there_in_time_is_not_late_when_something_is_still_wrong() {
    let (world, genesis) = dispatched("arrive_minutes = 60\n");
    let id = genesis.record();
    let mut handler = world.phone(HANDLER_SHEN);
    for taken in [Event::Accept, Event::Arrive, Event::Resolve] {
        step(&world, &mut handler, id, taken);
    }
    let danger = Event::DangerRemains(DangerRemains {
        text: Some(Text::new("it smells again").unwrap()),
        attachments: Vec::new(),
    });
    let mut witness = world.phone(GRID_WORKER_CHEN);
    let seen = witness.act(id, &record(&world, id).heads(), &danger);
    let answer = witness.push(&world.server, &[&seen]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let state = record(&world, id).state().unwrap().assignments()[0].state;
    assert_eq!(state, AssignmentState::Accepted, "at work again");
    assert_eq!(world.server.tick(NOW + 61 * MINUTE_MS).unwrap(), 0);
}

#[test]
fn equal_deadlines_are_told_apart() {
    let (world, genesis) = dispatched("accept_minutes = 30\nresolve_minutes = 30\n");
    let late = NOW + 31 * MINUTE_MS;
    assert_eq!(world.server.tick(late).unwrap(), 2, "one for each");
    let (rules, _) = gone_up(&world, genesis.record());
    assert_eq!(rules, ["overdue_accept", "overdue_resolve"]);

    let (world, genesis) = dispatched("accept_minutes = 30\nresolve_minutes = 30\n");
    let id = genesis.record();
    let mut handler = world.phone(HANDLER_SHEN);
    step(&world, &mut handler, id, Event::Accept);
    assert_eq!(world.server.tick(late).unwrap(), 1);
    assert_eq!(
        gone_up(&world, id).0,
        ["overdue_resolve"],
        "it was accepted"
    );
}

#[test]
fn what_is_overdue_again_goes_up_further_until_there_is_no_level_above() {
    let times = "accept_minutes = 30\narrive_minutes = 60\nresolve_minutes = 90\n";
    let due = [(31, AreaLevel::Town), (61, AreaLevel::District)];
    for at_once in [false, true] {
        let (world, genesis) = dispatched(times);
        let id = genesis.record();
        assert_eq!(gone_up(&world, id).1, AreaLevel::Village);
        if at_once {
            // As after a server that stood still.
            assert_eq!(world.server.tick(NOW + 61 * MINUTE_MS).unwrap(), 2);
        } else {
            for (minutes, level) in due {
                let moves = world.server.tick(NOW + minutes * MINUTE_MS).unwrap();
                assert_eq!((moves, gone_up(&world, id).1), (1, level));
            }
        }
        assert_eq!(world.server.tick(NOW + 91 * MINUTE_MS).unwrap(), 0);
        let (rules, level) = gone_up(&world, id);
        assert_eq!(rules, ["overdue_accept", "overdue_arrive"]);
        assert_eq!(level, AreaLevel::District);
        assert!(record(&world, id).nodes().iter().all(Node::counts));
        digests_are_right(&world);
    }
}

/// The case that is due first cannot be read. The deadline of the next one passes all the same, and the damaged
/// one is due again later.
#[test]
fn unreadable_case_holds_up_no_other_deadline() {
    let world = TestServer::with(escalating());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let cases = [reporter.report("one"), reporter.report("two")];
    reporter.push(&world.server, &[&cases[0], &cases[1]]);
    let due = due(&world, i64::MAX);
    assert_eq!(due.len(), 2);
    let first = cases.iter().find(|case| case.record() == due[0]).unwrap();
    world.spoil(
        "UPDATE envelopes SET body = x'00' WHERE id = ?1",
        &first.id().0,
    );
    let store = world.store_again();
    let server = crate::server::Server::open(store, world.keys.clone(), escalating()).unwrap();
    let late = NOW + 31 * MINUTE_MS;
    assert_eq!(server.tick(late).unwrap(), 1, "the second case goes up");
    assert_eq!(self::due(&world, late), []);
}

/// One case panics and another one fails. The third case goes up at the first look, and the
/// other two are due again later, also where their rows cannot be written.
#[test]
fn failing_case_holds_up_no_other_deadline() {
    let world = TestServer::with(escalating());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let cases = ["one", "two", "three"].map(|title| reporter.report(title));
    reporter.push(&world.server, &[&cases[0], &cases[1], &cases[2]]);
    let ids = due(&world, i64::MAX);
    assert_eq!(ids.len(), 3);
    let (intake, late) = (&world.server.intake, NOW + 31 * MINUTE_MS);
    let failing = |id| {
        assert!(id != ids[0], "a fault of ours");
        if id == ids[1] {
            return Err(Problem::new("store.failed"));
        }
        super::super::tick::look_again(intake, id, late)
    };
    let each_due = super::super::tick::each_due;
    assert_eq!(each_due(intake, late, failing).unwrap(), 1);
    assert_eq!(each_due(intake, late + 1, failing).unwrap(), 0, "put off");
    assert_eq!(world.server.tick(late + 1).unwrap(), 0, "put off");
    let later = late + crate::limits::DUE_RETRY_MS;
    assert_eq!(world.server.tick(later).unwrap(), 2, "due again");
}

/// A tick does not try every case on a store that takes nothing.
#[test]
fn failing_store_ends_a_tick_early() {
    let world = TestServer::with(escalating());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let count = crate::limits::DUE_FAILURES_MAX + 1;
    for _ in 0..count {
        let case = reporter.report("case");
        reporter.push(&world.server, &[&case]);
    }
    let (intake, late) = (&world.server.intake, NOW + 31 * MINUTE_MS);
    let looks = std::cell::Cell::new(0);
    let failing = |_| {
        looks.set(looks.get() + 1);
        Err(Problem::new("store.locked"))
    };
    let ended = super::super::tick::each_due(intake, late, failing).unwrap_err();
    assert_eq!((ended.code(), looks.get()), ("store.locked", count - 1));
    assert_eq!(world.server.tick(late).unwrap(), 1, "the last one");
}

/// Entries of a stranger fill a case. It makes no move, so that the next tick has room for other cases.
#[test]
fn full_record_does_not_stay_due() {
    use onegrid_core::limits::RECORD_ENTRIES_MAX;
    let world = TestServer::with(escalating());
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let genesis = reporter.report("gas");
    reporter.push(&world.server, &[&genesis]);
    let mut stranger = world.phone(VOLUNTEER_ZHAO);
    stranger.clock_ms = NOW + 10 * 24 * 60 * MINUTE_MS;
    let comment = comment("x");
    let flood: Vec<Envelope> = (0..RECORD_ENTRIES_MAX)
        .map(|_| stranger.act(genesis.record(), &[genesis.id()], &comment))
        .collect();
    let bundle = stranger.bundle(&flood.iter().collect::<Vec<_>>());
    world.server.ingest(bundle, &HashMap::new(), NOW).unwrap();
    let late = NOW + 31 * MINUTE_MS;
    world.server.tick(late).unwrap();
    assert_eq!(due(&world, late), []);
}

/// A case goes up half an hour after its report.
fn escalating() -> Rules {
    let rules = "version = 1\n[[rule]]\ncode = \"gas\"\ncategories = [\"gas\"]\n\
         severity = \"serious\"\ndispatch_kind = \"utility\"\nescalate = true\naccept_minutes = 30\n";
    Rules::parse(rules, "test").unwrap()
}

fn due(world: &TestServer, now_ms: i64) -> Vec<RecordId> {
    let store = world.server.store();
    store.read(|tx| tx.records_due(now_ms, 9)).unwrap()
}
