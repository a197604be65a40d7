//! Visits: their steps for every role, branches that meet, bad input, content and due days.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::case::input::{InputField, Need};
use crate::domain::case::offer::{Asker, offers};
use crate::domain::case::payload::KindStep;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{
    Author, Entry, EntryBody, EntryStatus, Event, EventError, GenesisFacts, InputError, MoveInput,
    Outcome, RecordState, Refusal, fold, judge,
};
use crate::domain::form::{Interval, shipped};
use crate::domain::kinds::{note, place};
use crate::domain::steps::StepSpec;
use crate::domain::{Audience, Role, Source};
use crate::id::{EnvelopeId, Hash};
use crate::limits::DANGER_LATE_MS;

const CREATOR: u8 = 1;

fn facts(kind: RecordKind) -> GenesisFacts {
    GenesisFacts {
        kind,
        home: path(&[1, 2, 3, 4]),
        audience: kind.spec().unwrap().audience.unwrap_or(Audience::Staff),
        team: None,
        source: Source::Member,
        named: vec![],
        linked: None,
    }
}

fn worker(n: u8) -> Author {
    in_area(n, Role::GridWorker, &[1, 2, 3, 4])
}

/// A grid worker of another grid of the village.
fn neighbour(n: u8) -> Author {
    in_area(n, Role::GridWorker, &[1, 2, 3, 5])
}

fn head() -> Author {
    in_area(30, Role::StationHead, &[1, 2, 3])
}

fn planned(seed: u64) -> Log {
    Log::new(seed, worker(CREATOR), facts(KIND))
}

fn made(step: &StepSpec) -> Event {
    made_for(step, step.reasons.first().map(|reason| reason.code))
}

fn made_for(step: &StepSpec, reason: Option<u8>) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason,
        attachments: vec![],
        note: step.needs_text.then(|| text("住户外出")),
    })
}

/// A visit in the stage, and the steps that led there.
fn visit_in(stage: &str) -> Log {
    let mut log = planned(3);
    let steps: &[&StepSpec] = match stage {
        "planned" => &[],
        "started" => &[&START],
        "finished" => &[&START, &FINISH],
        "not_met" => &[&NOT_MET_STEP],
        _ => &[&CANCEL],
    };
    for step in steps {
        log.then(worker(CREATOR), made(step));
    }
    assert_eq!(log.state().stage_name(), stage);
    log
}

fn tried(log: &Log, author: Author, event: Event) -> Result<(), Refusal> {
    let mut log = log.clone();
    log.then(author, event);
    let candidate = log.entries.pop().unwrap();
    judge(&log.entries, &candidate)
}

fn code(log: &Log, author: Author, event: Event) -> Option<&'static str> {
    tried(log, author, event).err().map(|why| why.code())
}

fn outcome(log: &Log, id: EnvelopeId) -> (Outcome, Option<&'static str>) {
    let state = log.state();
    let item = state.outcome(id).unwrap();
    (item.outcome, item.why)
}

/// The cells of the table, written by hand.
fn leads_to(stage: &str, step: &StepSpec) -> Option<&'static str> {
    match (stage, step.name) {
        ("planned", "start") | ("started", "join") => Some("started"),
        ("planned" | "started", "finish") => Some("finished"),
        ("planned" | "started", "not_met") => Some("not_met"),
        ("planned" | "started", "cancel") => Some("cancelled"),
        _ => None,
    }
}

fn does_field_work(role: Role) -> bool {
    matches!(
        role,
        Role::Volunteer
            | Role::TeamLead
            | Role::GridWorker
            | Role::Mediator
            | Role::CommunityOfficer
            | Role::StationHead
            | Role::VillageLead
            | Role::Handler
    )
}

/// Every stage × step × role × relation to the visit: `c` its creator, `n` named in it, `a` of its area, `e` of
/// elsewhere.
#[test]
fn every_step_is_as_table_and_roles_say() {
    let mut possible = 0;
    for stage in STEPS.stages {
        let mut log = visit_in(stage.name);
        let EntryBody::Genesis(facts) = &mut log.entries[0].body else {
            panic!("a Genesis is first")
        };
        facts.named = vec![member(77)];
        for step in STEPS.steps {
            for (role, relation) in Role::ALL
                .iter()
                .flat_map(|role| "cnae".chars().map(|r| (*role, r)))
            {
                let n = match relation {
                    'c' => CREATOR,
                    'n' => 77,
                    _ => 40,
                };
                let near = relation != 'e';
                let area: &[u8] = if near { &[1, 2, 3] } else { &[1, 2, 9] };
                let found = code(&log, in_area(n, role, area), made(step));
                let of_place = near
                    && matches!(
                        role,
                        Role::GridWorker
                            | Role::Mediator
                            | Role::CommunityOfficer
                            | Role::StationHead
                            | Role::VillageLead
                    );
                let heads = near && matches!(role, Role::StationHead | Role::VillageLead);
                let expected = match role {
                    Role::System => Some("may.rule"),
                    _ if !does_field_work(role) => Some("may.role"),
                    _ if step.name == "cancel" && relation != 'c' && !heads => Some("may.not_own"),
                    _ if !matches!(relation, 'c' | 'n') && !of_place => Some("may.not_readable"),
                    _ if step.name == "join" && relation == 'c' => Some("case.not_now"),
                    _ => leads_to(stage.name, step).map_or(Some("case.not_now"), |_| None),
                };
                let cell = format!("{} × {} by {role} ({relation})", stage.name, step.name);
                let expected = match expected {
                    Some("may.not_readable") if step.name == "cancel" => Some("may.not_own"),
                    other => other,
                };
                assert_eq!(found, expected, "{cell}");
                if expected.is_none() {
                    possible += 1;
                    let mut log = log.clone();
                    log.then(in_area(n, role, area), made(step));
                    let reached = log.state();
                    assert_eq!(
                        Some(reached.stage_name()),
                        leads_to(stage.name, step),
                        "{cell}"
                    );
                    let ended =
                        matches!(reached.stage_name(), "finished" | "not_met" | "cancelled");
                    assert_eq!(reached.is_open(), !ended, "{cell}");
                }
            }
        }
    }
    assert_eq!(
        possible,
        5 * 21 + 2 * 12 + 13,
        "five steps of work, two ways to cancel, and one way in for those who did not start"
    );
}

#[test]
fn document_shows_the_table_of_steps() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/visits.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = STEPS.markdown();
    assert!(document.contains(&table), "docs/visits.md lacks\n{table}");
}

#[test]
fn finished_visit_shows_who_and_when() {
    let mut log = planned(1);
    let start = log.then(neighbour(2), made(&START));
    log.entry(start).clock_ms = 100_000;
    let finish = log.then(neighbour(2), made(&FINISH));
    log.entry(finish).clock_ms = 1_300_000;
    let state = log.state();
    let steps = state.steps().unwrap();
    let entered = steps.entered(STARTED).unwrap();
    assert_eq!(
        (entered.id, entered.by, entered.at_ms),
        (start, Some(member(2)), 100_000)
    );
    assert_eq!(steps.entered(FINISHED).unwrap().id, finish);
    assert_eq!(steps.entered(CANCELLED), None);
    assert_eq!(duration_ms(&state), Some(1_200_000));
    assert_eq!((state.stage_code(), state.is_open()), (103, false));
    assert_eq!(state.case(), None);
}

#[test]
fn backwards_clock_gives_no_duration() {
    let times = |start_ms: i64, finish_ms: i64, finisher: Author| {
        let mut log = planned(1);
        let start = log.then(worker(2), made(&START));
        log.entry(start).clock_ms = start_ms;
        let finish = log.then(finisher, made(&FINISH));
        log.entry(finish).clock_ms = finish_ms;
        duration_ms(&log.state())
    };
    assert_eq!(times(50_000, 60_000, worker(2)), Some(10_000));
    assert_eq!(times(50_000, 49_999, worker(2)), None);
    assert_eq!(times(50_000, 50_000, worker(2)), Some(0));
    assert_eq!(times(50_000, 80_000, worker(3)), Some(30_000), "two phones");
    assert_eq!(times(50_000, 49_999, worker(3)), None, "two phones");
    assert_eq!(
        times(i64::MIN, i64::MAX, worker(2)),
        None,
        "beyond the numbers"
    );
    assert_eq!(
        times(i64::MAX, i64::MIN, worker(3)),
        None,
        "beyond the numbers"
    );
    let mut unstarted = planned(1);
    unstarted.then(worker(2), made(&FINISH));
    assert_eq!(duration_ms(&unstarted.state()), None);
}

/// A phone with a fast clock uploads start and finish at once, so both have the effective time of the upload.
#[test]
fn fast_clock_uploaded_at_once_keeps_duration() {
    let mut log = planned(1);
    for (step, clock_ms) in [(&START, 500_000), (&FINISH, 900_000)] {
        let id = log.then(worker(2), made(step));
        let entry = log.entry(id);
        entry.clock_ms = clock_ms;
        entry.verdict_at_ms = Some(400_000);
    }
    let state = log.state();
    assert_eq!(
        state.steps().unwrap().entered(STARTED).unwrap().at_ms,
        400_000
    );
    assert_eq!(duration_ms(&state), Some(400_000));
}

#[test]
fn work_wins_over_calling_off_in_each_order() {
    let both = [
        (&START, &CANCEL, "started"),
        (&FINISH, &CANCEL, "finished"),
        (&NOT_MET_STEP, &CANCEL, "not_met"),
        (&FINISH, &NOT_MET_STEP, "finished"),
        (&FINISH, &START, "finished"),
    ];
    for (work, other, stage) in both {
        let mut firsts = BTreeSet::new();
        for seed in 0..20 {
            let mut log = planned(seed);
            let heads = log.heads();
            let won = log.after(&heads, neighbour(2), made(work));
            let lost = log.after(&heads, head(), made(other));
            firsts.insert(won < lost);
            assert_eq!(log.state().stage_name(), stage, "seed {seed}");
            assert_eq!(outcome(&log, won), (Outcome::Effective, None));
            let overtaken = (Outcome::Superseded, Some("case.step_overtaken"));
            assert_eq!(
                outcome(&log, lost),
                overtaken,
                "seed {seed}: {}",
                other.name
            );
        }
        assert_eq!(firsts.len(), 2, "both orders of the fold occur");
    }
}

/// The visitor who finishes keeps the start of that visitor, whatever another person started meanwhile.
#[test]
fn two_starts_agree_and_finisher_keeps_own_start() {
    for seed in 0..20 {
        let mut log = planned(seed);
        let heads = log.heads();
        let first = log.after(&heads, worker(CREATOR), made(&START));
        let second = log.after(&heads, neighbour(2), made(&START));
        let entered = |log: &Log| log.state().steps().unwrap().entered(STARTED).unwrap().id;
        assert_eq!(entered(&log), first.min(second));
        assert_eq!(outcome(&log, first.max(second)), (Outcome::Effective, None));
        let finish = log.after(&[second], neighbour(2), made(&FINISH));
        assert_eq!(entered(&log), second, "seed {seed}");
        assert_eq!(log.state().stage_name(), "finished");
        // The first visitor finishes too, without having seen the other one.
        let again = log.after(&[first], worker(CREATOR), made(&FINISH));
        assert_eq!(outcome(&log, finish).0, Outcome::Effective);
        assert_eq!(outcome(&log, again).0, Outcome::Effective);
        let steps = log.state().steps().unwrap().clone();
        let counted = if finish < again {
            (second, finish)
        } else {
            (first, again)
        };
        let in_force: Vec<_> = steps.entries.iter().map(|entry| entry.id).collect();
        assert_eq!(in_force, [counted.0, counted.1], "seed {seed}");
        assert_eq!(steps.workers, BTreeSet::from([member(CREATOR), member(2)]));
    }
}

/// Many people start without each other's knowledge, and then many finish who have seen all starts.
#[test]
fn flood_of_steps_has_one_in_force() {
    for seed in 0..5 {
        let mut log = planned(seed);
        let genesis = log.genesis();
        let starts: Vec<_> = (2..80)
            .map(|n| log.after(&[genesis], worker(n), made(&START)))
            .collect();
        let seen = log.content(&starts, worker(2));
        let ends: Vec<_> = (2..80)
            .map(|n| log.after(&[seen], worker(n), made(&FINISH)))
            .collect();
        let steps = log.state().steps().unwrap().clone();
        let in_force: Vec<_> = steps.entries.iter().map(|entry| entry.id).collect();
        let first = |ids: &[EnvelopeId]| *ids.iter().min().unwrap();
        assert_eq!(in_force, [first(&starts), first(&ends)], "seed {seed}");
    }
}

/// An author chooses the place of a step in the order of the fold. So a person who claims to have seen the Genesis
/// alone could take the visit of another person over, with its times.
#[test]
fn accepted_finish_outlasts_one_that_claims_less() {
    for seed in 0..20 {
        let mut log = planned(seed);
        let heads = log.heads();
        let start = log.then(worker(CREATOR), made(&START));
        let finish = log.then(worker(CREATOR), made(&FINISH));
        log.entry(start).verdict_at_ms = Some(50_000);
        log.entry(finish).verdict_at_ms = Some(50_000);
        let before = log.state().steps().unwrap().entries.clone();
        let taken = log.after(&heads, neighbour(2), made(&FINISH));
        log.entry(taken).clock_ms = 1_500;
        log.entry(taken).verdict_at_ms = Some(60_000);
        let state = log.state();
        assert_eq!(state.steps().unwrap().entries, before, "seed {seed}");
        assert!(duration_ms(&state).is_some());
        assert_eq!(
            outcome(&log, taken),
            (Outcome::Effective, None),
            "it agrees"
        );
    }
}

#[test]
fn step_long_after_unseen_end_changes_nothing() {
    for seed in 0..20 {
        let mut log = planned(seed);
        let heads = log.heads();
        let end = log.after(&heads, head(), made(&CANCEL));
        let start = log.after(&heads, neighbour(2), made(&START));
        log.entry(end).verdict_at_ms = Some(50_000);
        log.entry(start).verdict_at_ms = Some(50_000 + DANGER_LATE_MS);
        assert_eq!(log.state().stage_name(), "started", "seed {seed}");
        log.entry(start).verdict_at_ms = Some(50_001 + DANGER_LATE_MS);
        assert_eq!(log.state().stage_name(), "cancelled", "seed {seed}");
        let overtaken = (Outcome::Superseded, Some("case.step_overtaken"));
        assert_eq!(outcome(&log, start), overtaken);
        // A step upon both is judged in the same state.
        let finish = code(&log, neighbour(2), made(&FINISH));
        assert_eq!(finish, Some("case.not_now"));
    }
}

#[test]
fn cancelled_visit_that_was_made_is_finished() {
    let mut log = planned(4);
    let heads = log.heads();
    log.after(&heads, head(), made(&CANCEL));
    let start = log.after(&heads, neighbour(2), made(&START));
    log.after(&[start], neighbour(2), made(&FINISH));
    let state = log.state();
    assert_eq!(state.stage_name(), "finished");
    let in_force = state.steps().unwrap().entries.len();
    assert_eq!(in_force, 2, "start and finish");
    assert_eq!(state.superseded().count(), 1);
    // A person who has seen both cannot cancel it any more.
    assert_eq!(code(&log, head(), made(&CANCEL)), Some("case.not_now"));
}

/// A person who saw that a cancellation was overtaken cancels as well. The earlier one stays
/// overtaken, whatever way the fold takes.
#[test]
fn overtaken_step_does_not_agree_with_later_one() {
    for seed in 0..20 {
        let mut log = planned(seed);
        let heads = log.heads();
        let start = log.after(&heads, neighbour(2), made(&START));
        let lost = log.after(&heads, head(), made(&CANCEL));
        let seen = log.after(&[start, lost], worker(CREATOR), comment("话"));
        log.after(&[seen], worker(CREATOR), made(&CANCEL));
        assert_eq!(log.state(), fold_plainly(&log.entries), "seed {seed}");
        let overtaken = (Outcome::Superseded, Some("case.step_overtaken"));
        assert_eq!(outcome(&log, lost), overtaken, "seed {seed}");
    }
}

#[test]
fn two_visitors_answer_and_nobody_else_writes() {
    let mut log = planned(1);
    let heads = log.heads();
    let writes = |log: &Log, parents: &[EnvelopeId], author: Author| {
        let mut log = log.clone();
        log.content(parents, author);
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).err().map(|why| why.code())
    };
    assert_eq!(writes(&log, &heads, worker(CREATOR)), None);
    assert_eq!(writes(&log, &heads, neighbour(2)), Some("may.not_own"));
    let first = log.after(&heads, worker(CREATOR), made(&START));
    let second = log.after(&heads, neighbour(2), made(&START));
    assert_eq!(writes(&log, &[second], neighbour(2)), None);
    let finish = log.after(&[first], worker(CREATOR), made(&FINISH));
    log.after(&[second], neighbour(2), made(&NOT_MET_STEP));
    let heads = log.heads();
    assert!(heads.contains(&finish));
    // Late answers count, also those of the visitor whose steps were overtaken.
    assert_eq!(writes(&log, &heads, worker(CREATOR)), None);
    assert_eq!(writes(&log, &heads, neighbour(2)), None);
    for (author, expected) in [
        (neighbour(3), "may.not_own"),
        (head(), "may.not_own"),
        (in_area(4, Role::Supervisor, &[1, 2]), "may.role"),
        (in_area(5, Role::Dispatcher, &[1, 2]), "may.role"),
        (in_area(6, Role::DistrictLead, &[1]), "may.role"),
        (in_area(7, Role::Guard, &[1, 2, 3]), "may.role"),
        (in_area(8, Role::GridWorker, &[1, 2, 9]), "may.not_readable"),
    ] {
        assert_eq!(
            writes(&log, &heads, author.clone()),
            Some(expected),
            "{author:?}"
        );
    }
}

/// A person joins after the start. The person then answers and may end the visit, and its times
/// stay those of the person who started.
#[test]
fn late_companion_joins_and_start_stays() {
    let mut log = planned(1);
    assert_eq!(code(&log, neighbour(2), made(&JOIN)), Some("case.not_now"));
    let start = log.then(worker(CREATOR), made(&START));
    log.entry(start).clock_ms = 100_000;
    let writes = |log: &Log| {
        let mut log = log.clone();
        let heads = log.heads();
        log.content(&heads, neighbour(2));
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).err().map(|why| why.code())
    };
    assert_eq!(writes(&log), Some("may.not_own"));
    let join = log.then(neighbour(2), made(&JOIN));
    log.entry(join).clock_ms = 400_000;
    assert_eq!(writes(&log), None);
    let entered = |log: &Log| log.state().steps().unwrap().entered(STARTED).unwrap().id;
    assert_eq!(
        (entered(&log), log.state().stage_name()),
        (start, "started")
    );
    for author in [worker(CREATOR), neighbour(2)] {
        assert_eq!(code(&log, author, made(&JOIN)), Some("case.not_now"));
    }
    let finish = log.then(neighbour(2), made(&FINISH));
    log.entry(finish).clock_ms = 700_000;
    assert_eq!(entered(&log), start);
    assert_eq!(duration_ms(&log.state()), Some(600_000));
    assert_eq!(code(&log, neighbour(3), made(&JOIN)), Some("case.not_now"));
}

/// The visitor ends a visit that another person joins meanwhile. The end stays, and both may write.
#[test]
fn join_that_meets_an_end_agrees() {
    for seed in 0..20 {
        let mut log = planned(seed);
        let start = log.then(worker(CREATOR), made(&START));
        let finish = log.after(&[start], worker(CREATOR), made(&FINISH));
        let join = log.after(&[start], neighbour(2), made(&JOIN));
        let state = log.state();
        assert_eq!(state.stage_name(), "finished", "seed {seed}");
        assert_eq!(state.steps().unwrap().entered(FINISHED).unwrap().id, finish);
        assert_eq!(outcome(&log, join), (Outcome::Effective, None));
        assert!(state.steps().unwrap().workers.contains(&member(2)));
    }
}

#[test]
fn companions_and_team_answer_without_a_step() {
    let mut shared = facts(KIND);
    shared.named = vec![member(9)];
    shared.team = Some(unit(TEAM));
    let log = Log::new(1, volunteer(CREATOR), shared);
    let may_write = |author: Author| {
        let mut log = log.clone();
        let heads = log.heads();
        log.content(&heads, author);
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).is_ok()
    };
    assert!(may_write(volunteer(2)), "of the team");
    assert!(
        may_write(in_unit(9, Role::Handler, 60)),
        "a named companion"
    );
    assert!(
        !may_write(in_area(9, Role::Supervisor, &[1])),
        "a supervisor reads only"
    );
    assert!(!may_write(in_unit(10, Role::Handler, 60)));
}

#[test]
fn people_without_field_work_cannot_plan() {
    let report = |author: Author, facts: GenesisFacts| {
        let log = Log::new(1, author, facts);
        judge(&[], &log.entries[0]).err().map(|why| why.code())
    };
    for role in Role::ALL {
        let expected = (!does_field_work(*role)).then_some("may.role");
        let author = in_area(4, *role, &[1, 2, 3]);
        assert_eq!(report(author.clone(), facts(KIND)), expected, "{role}");
        let expected = match role {
            Role::System => Some("may.source"),
            _ => expected,
        };
        assert_eq!(report(author, facts(note::KIND)), expected, "{role}");
    }
    let open = GenesisFacts {
        audience: Audience::Staff,
        ..facts(note::KIND)
    };
    assert_eq!(report(worker(1), open.clone()), Some("may.audience"));
    let log = Log::new(1, worker(1), open);
    let state = log.state();
    assert_eq!(state.timeline[0].outcome, Outcome::Illegal);
    let restricted = GenesisFacts {
        audience: Audience::Restricted,
        ..facts(KIND)
    };
    assert_eq!(
        report(worker(1), restricted),
        None,
        "a visit has both audiences"
    );
}

#[test]
fn private_note_is_written_by_its_author_alone() {
    let mediator = in_area(1, Role::Mediator, &[1, 2, 3]);
    let log = Log::new(1, mediator.clone(), facts(note::KIND));
    let may_write = |author: Author| {
        let mut log = log.clone();
        let heads = log.heads();
        log.content(&heads, author);
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).err().map(|why| why.code())
    };
    assert_eq!(may_write(mediator), None);
    assert_eq!(may_write(worker(2)), Some("may.not_readable"));
    assert_eq!(
        may_write(in_area(3, Role::Dispatcher, &[1, 2])),
        Some("may.role")
    );
    assert_eq!(
        code(&log, worker(2), comment("话")),
        Some("may.not_readable")
    );
}

#[test]
fn steps_elsewhere_and_moves_here_are_refused() {
    let mut hazard = Log::hazard(1);
    hazard.triaged();
    assert_eq!(
        code(&hazard, grid_worker(), made(&START)),
        Some("case.not_now")
    );
    let place = Log::new(1, worker(1), facts(place::KIND));
    assert_eq!(
        code(&place, worker(1), made(&START)),
        Some("may.not_a_case")
    );
    let visit = planned(1);
    for event in [triage(), danger(), Event::Close(bare()), on_spot()] {
        assert_eq!(code(&visit, worker(1), event), Some("may.not_a_case"));
    }
    assert_eq!(code(&visit, worker(1), comment("话")), None);
}

#[test]
fn step_with_wrong_reason_is_incomplete() {
    let log = planned(1);
    let step = |step: u8, reason: Option<u8>, note: Option<&str>| {
        let event = Event::Step(KindStep {
            step,
            reason,
            attachments: vec![],
            note: note.map(text),
        });
        code(&log, worker(1), event)
    };
    let incomplete = Some("case.step_incomplete");
    assert_eq!(
        step(START.code, Some(NOBODY_HOME.code), None),
        incomplete,
        "of another step"
    );
    assert_eq!(step(NOT_MET_STEP.code, None, Some("没人")), incomplete);
    assert_eq!(step(CANCEL.code, None, None), incomplete);
    assert_eq!(step(CANCEL.code, None, Some("改期")), None);
    for reason in NOT_MET_STEP.reasons {
        assert_eq!(step(NOT_MET_STEP.code, Some(reason.code), None), None);
    }
}

/// A step or reason of a newer app freezes the visit, and is never void.
#[test]
fn unknown_step_or_reason_is_newer() {
    for (step, reason) in [
        (200, None),
        (NOT_MET_STEP.code, Some(9)),
        (START.code, Some(9)),
    ] {
        let mut log = planned(1);
        let newer = Event::Step(KindStep {
            step,
            reason,
            attachments: vec![],
            note: None,
        });
        let id = log.then(worker(1), newer);
        assert_eq!(outcome(&log, id), (Outcome::Unjudged, Some("may.newer")));
        let state = log.state();
        assert!(state.frozen && state.is_open());
        let later = log.then(worker(1), made(&START));
        assert_eq!(outcome(&log, later).0, Outcome::Unjudged);
        let word = log.then(worker(1), comment("话"));
        assert_eq!(outcome(&log, word).0, Outcome::Effective);
        assert_eq!(log.state().stage_name(), "planned");
    }
}

#[test]
fn event_of_a_step_has_one_form_and_limits() {
    let event = made(&NOT_MET_STEP);
    let (number, data) = event.encode();
    assert_eq!(number, 32);
    assert_eq!(data, [0x83, 3, 1, 0x80]);
    assert_eq!(Event::decode(32, 1, &data), Ok(event));
    for bad in [
        vec![0x84, 3, 1, 0x80, 0xf6],
        vec![0x82, 3, 1],
        vec![0x83, 0x18, 3, 1, 0x80],
    ] {
        assert_eq!(Event::decode(32, 1, &bad), Err(EventError::Malformed));
    }
    let many = Event::Step(KindStep {
        step: 1,
        reason: None,
        attachments: vec![Hash([1; 32]); crate::limits::EVENT_ATTACHMENTS_MAX + 1],
        note: None,
    });
    assert_eq!(many.check(), Err(EventError::TooLarge));
}

#[test]
fn offers_list_each_step_with_its_form() {
    let log = visit_in("started");
    let state = log.state();
    let author = worker(CREATOR);
    let grants = [author.grant.clone().unwrap()];
    let asker = Asker {
        device: author.device,
        member: author.member,
        grants: &grants,
        acting_as: None,
    };
    let all = offers(&state, &asker);
    let steps: Vec<_> = all
        .iter()
        .filter(|option| option.step.is_some())
        .map(|option| (option.name(), option.allowed.clone().err()))
        .collect();
    let expected = [
        ("start", Some("case.not_now")),
        ("finish", None),
        ("not_met", None),
        ("cancel", None),
        ("join", Some("case.not_now")),
    ];
    assert_eq!(steps, expected);
    let not_met = all
        .iter()
        .find(|option| option.name() == "not_met")
        .unwrap();
    let needs: Vec<_> = not_met
        .needs
        .iter()
        .map(|need| (need.field, need.need))
        .collect();
    assert_eq!(needs[0], (InputField::Reason, Need::Required));
    assert_eq!(not_met.reasons().len(), 3);
    assert!(Log::hazard(1).state().steps().is_none());
    let none = offers(&Log::hazard(1).state(), &asker);
    assert!(none.iter().all(|option| option.step.is_none()));
}

#[test]
fn input_names_step_and_reason() {
    let state = planned(1).state();
    let input = |step: &StepSpec| MoveInput::of_step(step);
    let (event, behalf) = input(&START).event(&state).unwrap();
    assert_eq!((event, behalf), (made(&START), None));
    let missing = |input: MoveInput| input.event(&state).unwrap_err();
    assert_eq!(
        missing(input(&NOT_MET_STEP)),
        InputError::Missing(InputField::Reason)
    );
    assert_eq!(
        missing(input(&CANCEL)),
        InputError::Missing(InputField::Text)
    );
    let unknown = MoveInput {
        reason: Some("asleep".into()),
        ..input(&NOT_MET_STEP)
    };
    let refused = InputError::Invalid(InputField::Reason, "input.unknown_reason");
    assert_eq!(missing(unknown), refused);
    let known = MoveInput {
        reason: Some("refused".into()),
        ..input(&NOT_MET_STEP)
    };
    let event = made_for(&NOT_MET_STEP, Some(REFUSED_VISIT.code));
    assert_eq!(known.event(&state).unwrap().0, event);
    let elsewhere = input(&START).event(&Log::hazard(1).state());
    assert_eq!(elsewhere, Err(InputError::UnknownMove));
}

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

/// A random DAG of steps, answers and words of five people and a supervisor.
fn random_visit(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = [
        worker(CREATOR),
        neighbour(2),
        worker(3),
        head(),
        in_area(5, Role::Mediator, &[1, 2, 3]),
        in_area(6, Role::Supervisor, &[1, 2]),
    ];
    let mut log = planned(seed);
    for _ in 0..2 + below(&mut rng, 12) {
        let parents = match rng.next_u32() % 6 {
            0 => log.heads(),
            1 => vec![
                pick(&mut rng, &log.entries).id,
                pick(&mut rng, &log.entries).id,
            ],
            2 => vec![pick(&mut rng, &log.heads())],
            _ => vec![pick(&mut rng, &log.entries).id],
        };
        let author = pick(&mut rng, &people);
        let id = match rng.next_u32() % 10 {
            0 => log.content(&parents, author),
            1 => log.after(&parents, author, comment("话")),
            _ => {
                let mut step = &STEPS.steps[below(&mut rng, STEPS.steps.len())];
                for _ in 0..4 {
                    log.after(&parents, author.clone(), made(step));
                    let candidate = log.entries.pop().unwrap();
                    if judge(&log.entries, &candidate).is_ok() {
                        break;
                    }
                    step = &STEPS.steps[below(&mut rng, STEPS.steps.len())];
                }
                log.after(&parents, author, made(step))
            }
        };
        let entry = log.entry(id);
        entry.clock_ms = i64::from(rng.next_u32() % 60_000);
        if rng.next_u32().is_multiple_of(15) {
            entry.status = EntryStatus::Ignored;
        }
        if rng.next_u32().is_multiple_of(3) {
            entry.verdict_at_ms = Some(i64::from(rng.next_u32() % 60_000));
        }
    }
    log
}

/// The entries that each entry's author had seen.
fn pasts(log: &Log) -> BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> {
    let mut pasts: BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>> = BTreeMap::new();
    for entry in &log.entries {
        let mut past = BTreeSet::new();
        for parent in &entry.parents {
            past.extend(pasts[parent].iter().copied());
            past.insert(*parent);
        }
        pasts.insert(entry.id, past);
    }
    pasts
}

fn step_of(log: &Log, id: EnvelopeId) -> Option<&'static StepSpec> {
    let entry = log.entries.iter().find(|entry| entry.id == id)?;
    match &entry.body {
        EntryBody::Event {
            event: Event::Step(made),
            ..
        } => STEPS.step(made.step),
        _ => None,
    }
}

/// The rule of `docs/lifecycle.md` by another way: the highest rank among the last steps, the first of equal
/// ones.
fn expected_stage(log: &Log, state: &RecordState) -> &'static str {
    let pasts = pasts(log);
    let legal = |outcome| matches!(outcome, Outcome::Effective | Outcome::Superseded);
    let steps: Vec<(EnvelopeId, &StepSpec)> = state
        .timeline
        .iter()
        .filter(|item| legal(item.outcome))
        .filter_map(|item| Some((item.id, step_of(log, item.id)?)))
        .collect();
    let mut last = steps
        .iter()
        .filter(|(id, _)| !steps.iter().any(|(later, _)| pasts[later].contains(id)));
    let first = last.next().map(|(_, step)| *step);
    let best = last.fold(first, |best, (_, step)| match best {
        Some(best) if best.rank >= step.rank => Some(best),
        _ => Some(*step),
    });
    best.map_or("planned", |step| step.to.name)
}

#[test]
fn arrival_order_changes_no_visit() {
    let mut stages: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut overtaken, mut negative) = (0, 0);
    for seed in 0..3_000 {
        let log = random_visit(seed);
        let state = log.state();
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut entries: Vec<Entry> = log.entries.clone();
        shuffle(&mut rng, &mut entries);
        assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
        assert_eq!(
            state.stage_name(),
            expected_stage(&log, &state),
            "seed {seed}"
        );
        let pasts = pasts(&log);
        let steps = state.steps().unwrap();
        for pair in steps.entries.windows(2) {
            assert!(pasts[&pair[1].id].contains(&pair[0].id), "seed {seed}");
            assert!(pair[1].step.starts_from(pair[0].step.to), "seed {seed}");
        }
        match duration_ms(&state) {
            Some(ms) => assert!(ms >= 0, "seed {seed}"),
            None => negative += u32::from(steps.entries.len() == 2),
        }
        overtaken += state.superseded().count();
        *stages.entry(state.stage_name()).or_default() += 1;
    }
    assert_eq!(stages.len(), 5, "{stages:?}");
    assert!(overtaken > 500 && negative > 20, "{overtaken} {negative}");
}

#[test]
fn content_is_read_as_written() {
    let visit = Visit {
        template: Some("care_visit".parse().unwrap()),
        template_version: Some(2),
        planned_ms: Some(1_700_000_000_000),
        visited: Some(RecordId([7; 16])),
        companions: Some("张三、李四".into()),
        ..Visit::default()
    };
    let content = Content::from(visit.clone());
    assert_eq!(Visit::of(&content), Some(visit));
    assert_eq!(note::Note::of(&content), None);
    let mut bad = SPEC.content_of(Details::default());
    for (field, value) in [(&TEMPLATE, "Care Visit!"), (&VISITED, "nowhere")] {
        bad.set(Field::Own(field), FieldValue::Text(value.into()));
    }
    let read = Visit::of(&bad).unwrap();
    assert_eq!((read.template, read.visited), (None, None));
}

#[test]
fn answers_belong_to_one_version_of_one_checklist() {
    let template = &shipped()[0];
    let mut visit = Visit {
        template: Some(template.id().clone()),
        template_version: Some(template.version()),
        ..Visit::default()
    };
    let today = Date::in_china(1_760_000_000_000);
    let given = answers(&Content::from(visit.clone()), template).unwrap();
    let state = form_state(template, &given, today).unwrap();
    assert!(
        state.progress().required > 0,
        "an empty visit lacks answers"
    );
    visit.template_version = Some(template.version() + 1);
    assert!(answers(&Content::from(visit.clone()), template).is_err());
    visit.template = None;
    assert!(answers(&Content::from(visit), template).is_err());
}

#[test]
fn visit_day_is_that_of_its_start() {
    let day_ms = 86_400_000;
    let mut log = planned(1);
    let reported = day(&log.state());
    let start = log.then(worker(2), made(&START));
    log.entry(start).clock_ms = 3 * day_ms;
    let finish = log.then(worker(2), made(&FINISH));
    log.entry(finish).clock_ms = 4 * day_ms;
    assert_eq!(day(&log.state()).days(), reported.days() + 3);
}

#[test]
fn next_due_counts_days_or_working_days() {
    let at = |date: &str| i64::from(date.parse::<Date>().unwrap().days()) * 86_400_000;
    let due = |finished: &str, interval| next_due(at(finished), interval).unwrap().to_string();
    assert_eq!(due("2026-11-30", Interval::Days(7)), "2026-12-07");
    // 2026-11-30 is a Monday.
    for (finished, days, expected) in [
        ("2026-11-30", 1, "2026-12-01"),
        ("2026-11-30", 5, "2026-12-07"),
        ("2026-12-04", 1, "2026-12-07"),
        ("2026-12-05", 1, "2026-12-07"),
        ("2026-12-06", 1, "2026-12-07"),
        ("2026-12-06", 20, "2027-01-01"),
        ("2026-12-03", 3, "2026-12-08"),
    ] {
        let found = due(finished, Interval::WorkingDays(days));
        assert_eq!(found, expected, "{finished} + {days}");
    }
    // Before 08:00 in China it is the day before in UTC.
    let evening_ms = at("2026-11-30") + 17 * 3_600_000;
    assert_eq!(
        next_due(evening_ms, Interval::Days(1)).unwrap().to_string(),
        "2026-12-02"
    );
    assert_eq!(next_due(i64::MAX, Interval::Days(1)), None);
    let due = "2026-12-07".parse().unwrap();
    assert_eq!(overdue_from_ms(due), at("2026-12-08") - 8 * 3_600_000);
}
