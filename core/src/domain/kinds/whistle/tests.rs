//! Joint calls: every step and move for every role and relation, the missing units, and the author who must differ.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::match_same_arms, reason = "one line for each cell")]

use super::*;
use crate::domain::Role;
use crate::domain::case::tests::random::fold_plainly;
use crate::domain::case::tests::support::*;
use crate::domain::case::{Author, Event, Move, Outcome, Part, Party};
use crate::domain::kinds::handling_tests::{
    code, facts, head, made, moved, other_head, outcome, way_to, writes,
};
use crate::domain::steps::{HANDLING_MOVES, StageSpec, StepSpec};
use crate::id::EnvelopeId;
use crate::limits::DANGER_LATE_MS;

const CREATOR: u8 = 9;
const ME: u8 = 40;
const MY_UNIT: u8 = 41;
const MY_SUPPORT: u8 = 42;

fn requested(seed: u64) -> Log {
    Log::new(
        seed,
        in_area(CREATOR, Role::VillageLead, &[1, 2, 3]),
        facts(KIND),
    )
}

fn called(seed: u64) -> Log {
    let mut log = requested(seed);
    log.then(head(), made(&BLOW));
    log
}

/// A call in the stage. Unit 41 leads and unit 42 supports where the call went out. Returns both assignments.
fn call_in(stage: StageSpec) -> (Log, [Option<EnvelopeId>; 2]) {
    let mut log = requested(5);
    let mut called = [None, None];
    for step in way_to(&STEPS, stage) {
        let by = if step.code == EVALUATE.code {
            other_head()
        } else {
            head()
        };
        log.then(by, made(step));
        if step.to == CALLED {
            let support = dispatch_to(Party::Unit(unit(MY_SUPPORT)), Part::Support);
            called = [
                Some(log.then(head(), dispatch(MY_UNIT))),
                Some(log.then(head(), support)),
            ];
        }
    }
    assert_eq!(log.state().stage_name(), stage.name);
    (log, called)
}

/// `c` the creator, `i` in the place, `l` of the leading unit, `s` of the supporting unit, `e` of elsewhere.
fn actor(role: Role, relation: char) -> Author {
    let mut me = match relation {
        'i' => in_area(ME, role, &[1, 2, 3]),
        _ => in_area(ME, role, &[1, 2, 9]),
    };
    match relation {
        'c' => me.member = Some(member(CREATOR)),
        'l' => me.units = vec![unit(MY_UNIT)],
        's' => me.units = vec![unit(MY_SUPPORT)],
        _ => {}
    }
    me
}

fn cells() -> impl Iterator<Item = (Role, char)> {
    let relations = |role: &Role| "cilse".chars().map(move |r| (*role, r)).collect::<Vec<_>>();
    Role::ALL.iter().flat_map(relations)
}

fn blows(role: Role) -> bool {
    matches!(
        role,
        Role::StationHead | Role::Dispatcher | Role::DistrictLead
    )
}

/// The cells of the table of steps, written by hand.
fn leads_to(stage: StageSpec, step: &StepSpec) -> Option<StageSpec> {
    match (stage.name, step.name) {
        ("requested", "blow") => Some(CALLED),
        ("requested", "decline") => Some(NOT_CALLED),
        ("called", "survey") => Some(SURVEYED),
        ("called" | "surveyed", "rectify") => Some(RECTIFIED),
        ("surveyed" | "rectified", "evaluate") => Some(EVALUATED),
        ("requested" | "called" | "surveyed" | "rectified", "cancel") => Some(CANCELLED),
        ("evaluated" | "cancelled", "reopen_call") => Some(CALLED),
        _ => None,
    }
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    let mut possible = 0;
    for stage in STEPS.stages {
        let (log, parties) = call_in(*stage);
        let is_called = parties[0].is_some();
        for step in STEPS.steps {
            for (role, relation) in cells() {
                let author = actor(role, relation);
                let phase = matches!(step.name, "survey" | "rectify");
                let reopens = blows(role)
                    || matches!(
                        role,
                        Role::GridWorker
                            | Role::CommunityOfficer
                            | Role::VillageLead
                            | Role::Supervisor
                    );
                let may_make = match step.name {
                    "reopen_call" => reopens,
                    _ => blows(role),
                };
                let expected = match role {
                    Role::System => Some("may.rule"),
                    _ if phase && matches!(role, Role::Supervisor) => Some("may.role"),
                    _ if phase => {
                        let leads = relation == 'l' && is_called;
                        let allowed = leads || relation == 'i' && blows(role);
                        (!allowed).then_some("may.not_assigned")
                    }
                    _ if !may_make => Some("may.role"),
                    _ => (relation != 'i').then_some("may.elsewhere"),
                };
                let expected = expected.or_else(|| match leads_to(*stage, step) {
                    Some(_) => None,
                    None => Some("case.not_now"),
                });
                let cell = format!("{} × {} by {role} ({relation})", stage.name, step.name);
                assert_eq!(code(&log, author.clone(), made(step)), expected, "{cell}");
                if expected.is_none() {
                    possible += 1;
                    let mut log = log.clone();
                    log.then(author, made(step));
                    let reached = log.state();
                    assert_eq!(Some(reached.steps().unwrap().stage), leads_to(*stage, step));
                    let ended = matches!(
                        reached.stage_name(),
                        "evaluated" | "not_called" | "cancelled"
                    );
                    assert_eq!(reached.is_open(), !ended, "{cell}");
                }
            }
        }
    }
    // Blow, decline, four cancellations and two evaluations by 3 roles; three phases by 3 roles in the place and 11
    // that lead; two reopenings by 7 roles.
    assert_eq!(possible, 8 * 3 + 3 * (3 + 11) + 2 * 7);
}

/// The cells of the table of handling, written by hand.
fn allows(stage: StageSpec, movement: Move) -> bool {
    let running = matches!(stage.name, "called" | "surveyed" | "rectified");
    match movement {
        Move::Accept | Move::Arrive | Move::Resolve => {
            running || matches!(stage.name, "evaluated" | "cancelled")
        }
        Move::Dispatch
        | Move::Withdraw
        | Move::Return
        | Move::RequestExtension
        | Move::GrantExtension
        | Move::Urge
        | Move::Supervise => running,
        _ => false,
    }
}

#[test]
fn every_move_is_as_table_and_roles_say() {
    for stage in STEPS.stages {
        let (mut log, [lead, _]) = call_in(*stage);
        let lead = lead.unwrap_or(log.genesis());
        let request = allows(*stage, Move::RequestExtension).then(|| {
            let asked = moved(Move::RequestExtension, lead, &log.state());
            log.then(in_unit(60, Role::Handler, MY_UNIT), asked)
        });
        for movement in HANDLING_MOVES {
            let mut log = log.clone();
            if matches!(movement, Move::Resolve | Move::Arrive) && allows(*stage, Move::Accept) {
                log.then(
                    in_unit(60, Role::Handler, MY_UNIT),
                    Event::Accept(step(lead)),
                );
            }
            let id = match movement {
                Move::GrantExtension => request.unwrap_or(lead),
                _ => lead,
            };
            let is_called = log.state().assignment(lead).is_some();
            for (role, relation) in cells() {
                let event = moved(movement, id, &log.state());
                let reads = |role: Role| match role {
                    Role::Supervisor | Role::DistrictLead => relation == 'i',
                    _ => true,
                };
                let expected = match movement {
                    Move::Transfer | Move::Share | Move::Escalate => Some("may.not_a_case"),
                    _ if role == Role::System => Some("may.rule"),
                    Move::Dispatch | Move::Withdraw | Move::GrantExtension => match role {
                        _ if !blows(role) => Some("may.role"),
                        _ => (relation != 'i').then_some("may.elsewhere"),
                    },
                    Move::Urge | Move::Supervise => match role {
                        Role::StationHead | Role::VillageLead | Role::Dispatcher => {
                            (relation != 'i').then_some("may.elsewhere")
                        }
                        Role::Supervisor | Role::DistrictLead => {
                            let party = matches!(relation, 'l' | 's') && is_called;
                            let reads = reads(role) || relation == 'c' || party;
                            (!reads).then_some("may.not_readable")
                        }
                        _ => Some("may.role"),
                    },
                    _ if role == Role::Supervisor => Some("may.role"),
                    _ => {
                        let leads = relation == 'l' && is_called;
                        (!leads).then_some("may.not_assigned")
                    }
                };
                let possible = allows(*stage, movement);
                let expected = expected.or((!possible).then_some("case.not_now"));
                let cell = format!("{} × {movement} by {role} ({relation})", stage.name);
                assert_eq!(code(&log, actor(role, relation), event), expected, "{cell}");
            }
        }
    }
}

#[test]
fn document_shows_the_table_of_steps() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/calls.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = STEPS.markdown();
    assert!(document.contains(&table), "docs/calls.md lacks\n{table}");
    let handling = STEPS.handling_markdown();
    assert!(
        document.contains(&handling),
        "docs/calls.md lacks\n{handling}"
    );
}

#[test]
fn units_that_have_not_come_are_listed() {
    let mut log = called(1);
    let units = [60, 61, 62, 63, 64];
    let calls: Vec<EnvelopeId> = units.map(|n| log.then(head(), dispatch(n))).to_vec();
    let party = |n: u8| Party::Unit(unit(n));
    assert_eq!(missing(&log.state()), units.map(party));
    for (n, call) in [(60, calls[0]), (61, calls[1])] {
        log.then(handler(n), Event::Accept(step(call)));
    }
    log.then(handler(60), Event::Arrive(step(calls[0])));
    assert_eq!(
        missing(&log.state()),
        [61, 62, 63, 64].map(party),
        "who accepts has not come"
    );
    log.then(handler(61), Event::Resolve(step(calls[1])));
    log.then(handler(62), Event::Return(give_back(calls[2])));
    log.then(head(), Event::Withdraw(give_back(calls[3])));
    assert_eq!(missing(&log.state()), [party(64)]);
    // A unit that is called for a second part is there already.
    log.then(head(), dispatch_to(party(60), Part::Support));
    assert_eq!(missing(&log.state()), [party(64)]);
    log.then(head(), made(&CANCEL));
    log.then(handler(64), Event::Accept(step(calls[4])));
    log.then(handler(64), Event::Arrive(step(calls[4])));
    assert!(
        missing(&log.state()).is_empty(),
        "it came after the cancellation"
    );
}

/// A person does not judge the rectification that the same person reported.
#[test]
fn evaluation_is_by_another_person() {
    let mut log = called(1);
    log.then(head(), made(&RECTIFY));
    assert_eq!(code(&log, head(), made(&EVALUATE)), Some("may.own_work"));
    assert_eq!(code(&log, other_head(), made(&EVALUATE)), None);
}

/// A company that was called surveys, finds nothing, and wants to end the call. Its head may not judge it either,
/// in whatever way the company left the work.
#[test]
fn called_unit_does_not_evaluate() {
    let mut log = called(1);
    let call = log.then(head(), dispatch(60));
    log.then(handler(60), made(&SURVEY));
    assert_eq!(code(&log, handler(60), made(&EVALUATE)), Some("may.role"));
    let mut of_company = other_head();
    of_company.units = vec![unit(60)];
    let refused = Some("may.responsible_party");
    assert_eq!(code(&log, of_company.clone(), made(&EVALUATE)), refused);
    let withdrawn = Event::Withdraw(give_back(call));
    assert_eq!(code(&log, of_company.clone(), withdrawn.clone()), refused);
    log.then(head(), withdrawn);
    assert_eq!(code(&log, of_company, made(&EVALUATE)), refused);
    assert_eq!(code(&log, other_head(), made(&EVALUATE)), None);
}

/// An evaluation that came too early is no end for ever.
#[test]
fn evaluated_call_continues_after_reopening() {
    let (mut log, _) = call_in(EVALUATED);
    log.then(in_area(ME, Role::GridWorker, &[1, 2, 3]), made(&REOPEN));
    assert_eq!(log.state().stage_name(), "called");
    assert_eq!(code(&log, head(), dispatch(70)), None);
}

/// Two heads blow one call beside each other. The units that each of them called stay, whichever call is in force.
#[test]
fn two_calls_keep_the_units_of_both() {
    for (first_ms, second_ms) in [(10, 20), (20, 10)] {
        for seed in 0..10 {
            let mut log = requested(seed);
            let heads = log.heads();
            let first = log.after(&heads, head(), made(&BLOW));
            let mut last = first;
            let mut accepted = Vec::new();
            for unit in 60..65 {
                let call = log.after(&[last], head(), dispatch(unit));
                last = log.after(&[call], handler(unit), Event::Accept(step(call)));
                accepted.push(call);
            }
            let deeper = log.after(&heads, other_head(), comment("看过"));
            let deeper = log.after(&[deeper], other_head(), comment("再看"));
            let second = log.after(&[deeper], other_head(), made(&BLOW));
            log.entry(first).verdict_at_ms = Some(first_ms);
            log.entry(second).verdict_at_ms = Some(second_ms);
            let state = log.state();
            assert_eq!(state.stage_name(), "called");
            assert_eq!(state.superseded().count(), 0, "seed {seed}");
            for call in accepted {
                assert!(state.assignment(call).unwrap().accepted_ms.is_some());
            }
            assert_eq!(state, fold_plainly(&log.entries), "seed {seed}");
        }
    }
}

/// A unit that is called beside the end of the call is not called, because the work is over.
#[test]
fn unit_called_beside_the_end_is_not_called() {
    for seed in 0..10 {
        let mut log = called(seed);
        let heads = log.heads();
        let cancelled = log.after(&heads, head(), made(&CANCEL));
        let call = log.after(&heads, other_head(), dispatch(60));
        let out = (Outcome::Superseded, Some("case.not_now"));
        assert_eq!(outcome(&log, call), out, "seed {seed}");
        assert_eq!(outcome(&log, cancelled).0, Outcome::Effective);
        assert_eq!(log.state(), fold_plainly(&log.entries), "seed {seed}");
    }
}

/// Two heads blow one call beside each other, and only one of them is in force. A request that is rectified in one
/// branch takes no call of the other branch back.
#[test]
fn call_of_a_colleague_stays_after_own_rectification() {
    let mut log = requested(1);
    let heads = log.heads();
    let first = log.after(&heads, head(), made(&BLOW));
    let second = log.after(&heads, other_head(), made(&BLOW));
    log.after(&[second], head(), made(&RECTIFY));
    assert_ne!(outcome(&log, first).0, Outcome::Superseded);
    assert_eq!(log.state().stage_name(), "rectified");
}

/// One person reports the rectification on one phone, and evaluates the report of a colleague on another.
#[test]
fn evaluation_beside_own_rectification_is_out() {
    for seed in 0..20 {
        let mut log = called(seed);
        let heads = log.heads();
        let survey = log.after(&heads, other_head(), made(&SURVEY));
        let own = log.after(&[survey], head(), made(&RECTIFY));
        let colleague = log.after(&[survey], other_head(), made(&RECTIFY));
        let judged = log.after(&[colleague], head(), made(&EVALUATE));
        assert_eq!(code(&log, head(), comment("话")), None);
        let state = log.state();
        assert_eq!(state.stage_name(), "rectified", "seed {seed}");
        let out = (Outcome::Superseded, Some("case.own_work_elsewhere"));
        assert_eq!(outcome(&log, judged), out);
        assert_eq!(outcome(&log, own).0, Outcome::Effective);
        assert_eq!(outcome(&log, colleague).0, Outcome::Effective);
        assert_eq!(state, fold_plainly(&log.entries), "seed {seed}");
        // Everybody who has seen both judges in the same state.
        assert_eq!(code(&log, head(), made(&EVALUATE)), Some("may.own_work"));
        let third = in_area(32, Role::StationHead, &[1, 2, 3]);
        assert_eq!(code(&log, third, made(&EVALUATE)), None);
        // A rectification that arrives long after takes back nothing: its author forges the past.
        log.entry(judged).verdict_at_ms = Some(50_000);
        log.entry(own).verdict_at_ms = Some(50_001 + DANGER_LATE_MS);
        assert_eq!(log.state().stage_name(), "evaluated", "seed {seed}");
        assert_eq!(log.state(), fold_plainly(&log.entries), "seed {seed}");
    }
}

#[test]
fn phases_win_over_calling_off() {
    for (work, other, stage) in [
        (&BLOW, &DECLINE, "called"),
        (&BLOW, &CANCEL, "called"),
        (&CANCEL, &DECLINE, "cancelled"),
    ] {
        for seed in 0..10 {
            let mut log = requested(seed);
            let heads = log.heads();
            log.after(&heads, head(), made(work));
            log.after(&heads, other_head(), made(other));
            assert_eq!(log.state().stage_name(), stage, "seed {seed}");
        }
    }
    for seed in 0..10 {
        let mut log = called(seed);
        let heads = log.heads();
        log.after(&heads, head(), made(&RECTIFY));
        log.after(&heads, other_head(), made(&SURVEY));
        assert_eq!(log.state().stage_name(), "rectified", "seed {seed}");
    }
}

/// The village asks, and the units, the heads of the place and the village write the findings.
#[test]
fn findings_are_written_by_those_who_take_part() {
    let mut log = called(1);
    let call = log.then(head(), dispatch(60));
    for (author, expected) in [
        (in_area(CREATOR, Role::VillageLead, &[1, 2, 3]), None),
        (head(), None),
        (dispatcher(), None),
        (handler(60), None),
        (handler(61), Some("may.role")),
        (grid_worker(), Some("may.not_own")),
        (
            in_area(70, Role::StationHead, &[1, 2, 9]),
            Some("may.not_readable"),
        ),
        (in_area(70, Role::Supervisor, &[1, 2]), Some("may.role")),
    ] {
        assert_eq!(writes(&log, author.clone()), expected, "{author:?}");
    }
    log.then(handler(60), Event::Accept(step(call)));
    log.then(handler(60), Event::Resolve(step(call)));
    log.then(head(), made(&CANCEL));
    assert_eq!(writes(&log, handler(60)), None, "late answers count");
}

#[test]
fn content_is_read_as_written() {
    let whistle = Whistle {
        joint_type: Some(1),
        from_record: Some(RecordId([7; 16])),
        meet_ms: Some(1_700_000_000_000),
        meet_place: Some("武林路 133 号".into()),
        found: Some(6),
        solved: Some(4),
        findings: Some("发现 6 只，收缴 4 只".into()),
        ..Whistle::default()
    };
    let content = Content::from(whistle.clone());
    assert_eq!(Whistle::of(&content), Some(whistle));
    assert_eq!(
        Whistle::of(&crate::domain::kinds::note::SPEC.content_of(Details::default())),
        None
    );
}
