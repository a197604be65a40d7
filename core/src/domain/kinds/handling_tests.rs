//! Handling for every kind whose table has it: branches that meet, late work, hostile people, random histories.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload::{self as p, KindStep};
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{
    AssignmentState, Author, Entry, EntryBody, EntryStatus, Event, GenesisFacts, Move, Outcome,
    Part, Party, RecordState, Refusal, fold, judge,
};
use crate::domain::steps::{HANDLING_MOVES, StageSpec, StepSpec};
use crate::domain::{Audience, Role, Source};
use crate::id::EnvelopeId;

pub(super) fn facts(kind: RecordKind) -> GenesisFacts {
    GenesisFacts {
        kind,
        home: path(&[1, 2, 3]),
        audience: kind.spec().unwrap().audience.unwrap_or(Audience::Staff),
        team: None,
        source: Source::Member,
        named: vec![],
        linked: None,
    }
}

pub(super) fn head() -> Author {
    in_area(30, Role::StationHead, &[1, 2, 3])
}

pub(super) fn other_head() -> Author {
    in_area(31, Role::StationHead, &[1, 2, 3])
}

pub(super) fn made(step: &StepSpec) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason: step.reasons.first().map(|reason| reason.code),
        attachments: vec![],
        note: step.needs_text.then(|| text("另有安排")),
    })
}

pub(super) fn tried(log: &Log, author: Author, event: Event) -> Result<(), Refusal> {
    let mut log = log.clone();
    log.then(author, event);
    let candidate = log.entries.pop().unwrap();
    judge(&log.entries, &candidate)
}

pub(super) fn code(log: &Log, author: Author, event: Event) -> Option<&'static str> {
    tried(log, author, event).err().map(|why| why.code())
}

pub(super) fn outcome(log: &Log, id: EnvelopeId) -> (Outcome, Option<&'static str>) {
    let state = log.state();
    let item = state.outcome(id).unwrap();
    (item.outcome, item.why)
}

/// Whether the author may write the content now.
pub(super) fn writes(log: &Log, author: Author) -> Option<&'static str> {
    let mut log = log.clone();
    let heads = log.heads();
    log.content(&heads, author);
    let candidate = log.entries.pop().unwrap();
    judge(&log.entries, &candidate).err().map(|why| why.code())
}

/// An event of the move, about the assignment or the request for more time.
pub(super) fn moved(movement: Move, id: EnvelopeId, state: &RecordState) -> Event {
    let (reason, until_ms) = (text("原因"), 9_000_000);
    match movement {
        Move::Dispatch => dispatch(77),
        Move::Accept => Event::Accept(step(id)),
        Move::Arrive => Event::Arrive(step(id)),
        Move::Resolve => Event::Resolve(step(id)),
        Move::Return => Event::Return(give_back(id)),
        Move::Withdraw => Event::Withdraw(give_back(id)),
        Move::Transfer => Event::Transfer(p::Transfer {
            to: path(&[1, 2, 9]),
            reason,
        }),
        Move::Share => Event::Share(p::Share {
            with: p::Partner::Area(path(&[1, 2, 8])),
            deadlines: p::Deadlines::default(),
            note: None,
        }),
        Move::Escalate => {
            let level = state.handling().unwrap().level.above();
            escalate(level.unwrap_or(AreaLevel::District), false)
        }
        Move::Urge => Event::Urge(bare()),
        Move::Supervise => Event::Supervise(bare()),
        Move::RequestExtension => Event::RequestExtension(p::RequestExtension {
            assignment: id,
            until_ms,
            reason,
        }),
        _ => Event::GrantExtension(p::GrantExtension {
            request: id,
            until_ms,
            note: None,
        }),
    }
}

/// The kinds that have handling, each with the steps that lead to its stages of work.
fn kinds() -> impl Iterator<Item = &'static KindSpec> {
    let all = KINDS.iter().copied();
    all.filter(|spec| {
        spec.kind
            .steps()
            .is_some_and(|table| table.has_move(Move::Dispatch))
    })
}

/// The shortest way of steps from the birth to the stage.
pub(super) fn way_to(table: &'static StepTable, stage: StageSpec) -> Vec<&'static StepSpec> {
    let mut ways: Vec<(StageSpec, Vec<&'static StepSpec>)> = vec![(table.birth(), vec![])];
    let mut at = 0;
    while at < ways.len() {
        let (here, way) = ways[at].clone();
        for step in table.steps.iter().filter(|step| step.starts_from(here)) {
            if ways.iter().all(|(known, _)| *known != step.to) {
                ways.push((step.to, [way.as_slice(), &[step]].concat()));
            }
        }
        at += 1;
    }
    let found = ways.into_iter().find(|(known, _)| *known == stage);
    found
        .unwrap_or_else(|| panic!("no way to {}", stage.name))
        .1
}

/// A record in the stage where its kind first allows a dispatch.
fn at_work(spec: &KindSpec, seed: u64) -> Log {
    let table = spec.kind.steps().unwrap();
    let mut log = Log::new(seed, head(), facts(spec.kind));
    let mut stages = table.stages.iter();
    let stage = stages.find(|stage| table.allows(Move::Dispatch, **stage));
    for step in way_to(table, *stage.unwrap()) {
        log.then(head(), made(step));
    }
    assert!(log.state().steps().unwrap().allows(Move::Dispatch));
    log
}

/// A step that ends the record, made by a head of the place.
fn ending(spec: &KindSpec, log: &Log) -> &'static StepSpec {
    let steps = spec.kind.steps().unwrap().steps.iter();
    let mut ends = steps.filter(|step| step.to.is_ended);
    ends.find(|step| code(log, head(), made(step)).is_none())
        .unwrap()
}

#[test]
fn one_party_is_called_once_in_each_order() {
    for spec in kinds() {
        let mut firsts = BTreeMap::new();
        for seed in 0..20 {
            let mut log = at_work(spec, seed);
            let heads = log.heads();
            let one = log.after(&heads, head(), dispatch(60));
            let other = log.after(&heads, other_head(), dispatch(60));
            let outcomes = [outcome(&log, one), outcome(&log, other)];
            let refused = (Outcome::Superseded, Some("case.already_assigned"));
            assert!(outcomes.contains(&(Outcome::Effective, None)), "{seed}");
            assert!(outcomes.contains(&refused), "{} {seed}", spec.name);
            assert_eq!(log.state().assignments().len(), 1);
            *firsts.entry(one < other).or_insert(0) += 1;
            let again = code(&log, head(), dispatch(60));
            assert_eq!(again, Some("case.already_assigned"));
        }
        assert_eq!(firsts.len(), 2, "both orders occur");
    }
}

/// Two people each call a lead without knowing of each other. Both are responsible, and the conflict stays until
/// one is withdrawn or the record ends.
#[test]
fn two_unseen_leads_are_shown_until_one_goes() {
    for spec in kinds() {
        let mut log = at_work(spec, 7);
        let heads = log.heads();
        let one = log.after(&heads, head(), dispatch(60));
        log.after(&heads, other_head(), dispatch(61));
        assert_eq!(log.state().assignments().len(), 2);
        assert_eq!(log.state().conflicts.len(), 1, "{}", spec.name);
        let mut returned = log.clone();
        returned.then(handler(60), Event::Return(give_back(one)));
        assert_eq!(returned.state().conflicts, vec![]);
        assert_eq!(returned.state(), fold_plainly(&returned.entries));
        let end = ending(spec, &log);
        log.then(head(), made(end));
        assert_eq!(log.state().conflicts, vec![]);
        assert_eq!(log.state(), fold_plainly(&log.entries));
    }
}

/// One person calls many units, one after the other: no conflict.
#[test]
fn many_units_called_by_one_are_no_conflict() {
    for spec in kinds() {
        let mut log = at_work(spec, 3);
        for n in 60..65 {
            log.then(head(), dispatch(n));
        }
        let state = log.state();
        assert_eq!((state.assignments().len(), state.conflicts.len()), (5, 0));
        assert!(state.next_due_ms() == Some(1_000_000), "{}", spec.name);
        assert_eq!(state.open_assignments().count(), 5);
    }
}

#[test]
fn work_of_an_offline_party_counts_after_the_end() {
    for spec in kinds() {
        for seed in 0..20 {
            let mut log = at_work(spec, seed);
            let called = log.then(head(), dispatch(60));
            let end = ending(spec, &log);
            let ended = log.after(&[called], head(), made(end));
            let accept = log.after(&[called], handler(60), Event::Accept(step(called)));
            let done = log.after(&[accept], handler(60), Event::Resolve(step(called)));
            let state = log.state();
            assert!(!state.is_open(), "{} {seed}", spec.name);
            for id in [ended, accept, done] {
                assert_eq!(outcome(&log, id), (Outcome::Effective, None), "{seed}");
            }
            let assignment = state.assignment(called).unwrap();
            assert_eq!(assignment.state, AssignmentState::Resolved);
            assert!(state.participants.contains(&member(60)));
            assert!(state.needs_review.is_empty() && state.conflicts.is_empty());
            assert_eq!(
                (state.next_due_ms(), state.open_assignments().count()),
                (None, 0)
            );
            // A person who saw the end calls no further unit.
            assert_eq!(code(&log, head(), dispatch(61)), Some("case.not_now"));
        }
    }
}

#[test]
fn returned_party_is_out_and_counted() {
    for spec in kinds() {
        let mut log = at_work(spec, 1);
        let called = log.then(head(), dispatch(60));
        assert!(log.state().is_party(None, &[unit(60)]));
        assert_eq!(writes(&log, handler(60)), None);
        log.then(handler(60), Event::Return(give_back(called)));
        let state = log.state();
        assert_eq!(state.handling().unwrap().returns, 1);
        assert!(!state.is_party(None, &[unit(60)]));
        assert_eq!(writes(&log, handler(60)), Some("may.role"));
        assert_eq!(code(&log, head(), dispatch(60)), None, "it is called again");
    }
}

/// Hostile: a party goes on after it was withdrawn.
#[test]
fn withdrawn_party_can_do_nothing_more() {
    for spec in kinds() {
        for seed in 0..20 {
            let mut log = at_work(spec, seed);
            let called = log.then(head(), dispatch(60));
            let accept = log.then(handler(60), Event::Accept(step(called)));
            let gone = log.after(&[accept], head(), Event::Withdraw(give_back(called)));
            let unseen = log.after(&[accept], handler(60), Event::Resolve(step(called)));
            let state = log.state();
            let assignment = state.assignment(called).unwrap().clone();
            assert_eq!(outcome(&log, gone).0 == Outcome::Effective, gone < unseen);
            let (expected, other) = if gone < unseen {
                (AssignmentState::Withdrawn, unseen)
            } else {
                (AssignmentState::Resolved, gone)
            };
            assert_eq!(assignment.state, expected, "{} {seed}", spec.name);
            let late = (Outcome::Superseded, Some("case.assignment_elsewhere"));
            assert_eq!(outcome(&log, other), late);
            let mut seen = at_work(spec, seed);
            let called = seen.then(head(), dispatch(60));
            seen.then(head(), Event::Withdraw(give_back(called)));
            for movement in [Move::Accept, Move::Arrive, Move::Resolve, Move::Return] {
                let event = moved(movement, called, &seen.state());
                assert_eq!(
                    code(&seen, handler(60), event),
                    Some("case.assignment_elsewhere")
                );
            }
            assert_eq!(writes(&seen, handler(60)), Some("may.role"));
        }
    }
}

/// Hostile: a person who may not call makes itself a party, and a head of another place or district calls.
#[test]
fn outsiders_call_nobody() {
    for spec in kinds() {
        let log = at_work(spec, 2);
        let to_self = |n: u8| dispatch_to(Party::Member(member(n)), Part::Lead);
        for (author, expected) in [
            (in_area(40, Role::GridWorker, &[1, 2, 3, 4]), "may.role"),
            (in_area(40, Role::Guard, &[1, 2, 3]), "may.role"),
            (in_area(40, Role::Supervisor, &[1, 2]), "may.role"),
            (in_area(40, Role::StationHead, &[1, 2, 9]), "may.elsewhere"),
            (in_area(40, Role::DistrictLead, &[9]), "may.elsewhere"),
        ] {
            assert_eq!(
                code(&log, author, to_self(40)),
                Some(expected),
                "{}",
                spec.name
            );
        }
        let foreign = in_area(41, Role::Dispatcher, &[9, 2]);
        assert_eq!(
            code(&log, foreign.clone(), comment("话")),
            Some("may.not_readable")
        );
        assert_eq!(writes(&log, foreign), Some("may.not_readable"));
    }
}

#[test]
fn moves_of_a_case_are_refused() {
    for spec in kinds() {
        let log = at_work(spec, 4);
        for event in [
            triage(),
            danger(),
            Event::Close(bare()),
            suspend(),
            merge(7),
        ] {
            assert_eq!(
                code(&log, head(), event),
                Some("may.not_a_case"),
                "{}",
                spec.name
            );
        }
    }
}

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

fn random_event(rng: &mut ChaCha8Rng, log: &Log, table: &'static StepTable) -> Event {
    let is_assignment = |entry: &&Entry| match &entry.body {
        EntryBody::Event { event, .. } => event.assignee().is_some(),
        _ => false,
    };
    let opened: Vec<EnvelopeId> = log
        .entries
        .iter()
        .filter(is_assignment)
        .map(|entry| entry.id)
        .collect();
    let id = if opened.is_empty() || rng.next_u32().is_multiple_of(8) {
        pick(rng, &log.entries).id
    } else {
        pick(rng, &opened)
    };
    match rng.next_u32() % 8 {
        0 | 1 => {
            let step = &table.steps[below(rng, table.steps.len())];
            // A record that ends at once has no further moves.
            if step.to.is_ended && !rng.next_u32().is_multiple_of(4) {
                comment("话")
            } else {
                made(step)
            }
        }
        2 => comment("话"),
        3 => {
            let to = [
                Party::Unit(unit(60)),
                Party::Unit(unit(61)),
                Party::Member(member(40)),
            ];
            let part = pick(rng, &[Part::Lead, Part::Support]);
            dispatch_to(pick(rng, &to), part)
        }
        _ => {
            let state = log.state();
            let work = [Move::Accept, Move::Arrive, Move::Resolve];
            let any = rng.next_u32().is_multiple_of(2);
            let movement = if any {
                pick(rng, &HANDLING_MOVES)
            } else {
                pick(rng, &work)
            };
            let asks = |entry: &&Entry| match &entry.body {
                EntryBody::Event { event, .. } => matches!(event, Event::RequestExtension(_)),
                _ => false,
            };
            let request = log.entries.iter().rev().find(asks).map(|entry| entry.id);
            let id = if movement == Move::GrantExtension {
                request.unwrap_or(id)
            } else {
                id
            };
            moved(movement, id, &state)
        }
    }
}

fn random_record(spec: &KindSpec, seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let table = spec.kind.steps().unwrap();
    let people = [
        head(),
        other_head(),
        handler(60),
        handler(61),
        in_area(40, Role::GridWorker, &[1, 2, 3]),
        in_area(41, Role::Dispatcher, &[1, 2]),
        in_area(42, Role::Supervisor, &[1, 2]),
        district_lead(),
    ];
    let mut log = at_work(spec, seed);
    for _ in 0..3 + below(&mut rng, 16) {
        let parents = match rng.next_u32() % 5 {
            0 => vec![pick(&mut rng, &log.entries).id],
            1 => vec![
                pick(&mut rng, &log.entries).id,
                pick(&mut rng, &log.entries).id,
            ],
            2 => vec![pick(&mut rng, &log.heads())],
            _ => log.heads(),
        };
        let mut author = pick(&mut rng, &people);
        let mut event = random_event(&mut rng, &log, table);
        for _ in 0..6 {
            log.after(&parents, author.clone(), event.clone());
            let candidate = log.entries.pop().unwrap();
            if judge(&log.entries, &candidate).is_ok() {
                break;
            }
            author = pick(&mut rng, &people);
            event = random_event(&mut rng, &log, table);
        }
        let id = if rng.next_u32().is_multiple_of(10) {
            log.content(&parents, author)
        } else {
            log.after(&parents, author, event)
        };
        let entry = log.entry(id);
        entry.clock_ms = i64::from(rng.next_u32() % 60_000);
        if rng.next_u32().is_multiple_of(20) {
            entry.status = EntryStatus::Ignored;
        }
        if rng.next_u32().is_multiple_of(3) {
            entry.verdict_at_ms = Some(i64::from(rng.next_u32() % 60_000));
        }
    }
    log
}

#[test]
fn arrival_order_changes_no_handling() {
    for spec in kinds() {
        let (mut effective, mut superseded, mut conflicts) = (BTreeMap::new(), 0, 0);
        for seed in 0..2_000 {
            let log = random_record(spec, seed);
            let state = log.state();
            let mut rng = ChaCha8Rng::seed_from_u64(!seed);
            let mut entries = log.entries.clone();
            shuffle(&mut rng, &mut entries);
            assert_eq!(fold(&entries).unwrap(), state, "{} {seed}", spec.name);
            assert_eq!(fold_plainly(&log.entries), state, "{} {seed}", spec.name);
            let open = state.assignments().iter().filter(|one| one.state.is_open());
            let mut parties: Vec<_> = open.map(|one| (one.to, one.part)).collect();
            let count = parties.len();
            parties.sort_unstable();
            parties.dedup();
            assert_eq!(
                parties.len(),
                count,
                "{seed}: one party and part, one assignment"
            );
            superseded += state.superseded().count();
            conflicts += state.conflicts.len();
            for item in &state.timeline {
                if let (Outcome::Effective, Some(movement)) = (item.outcome, item.movement) {
                    *effective.entry(movement).or_insert(0_u32) += 1;
                }
            }
        }
        let table = spec.kind.steps().unwrap();
        for movement in HANDLING_MOVES.iter().filter(|one| table.has_move(**one)) {
            assert!(effective.contains_key(movement), "{} {movement}", spec.name);
        }
        assert!(
            superseded > 200 && conflicts > 20,
            "{superseded} {conflicts}"
        );
    }
}
