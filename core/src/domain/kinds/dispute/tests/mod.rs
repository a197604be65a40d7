//! Disputes: their steps for every role, parties and areas, branches that meet, content and the rate.

#![allow(clippy::unwrap_used, reason = "tests")]

mod content;
mod handling;
mod random;
mod resolution;
mod steps;

use crate::domain::case::payload::KindStep;
use crate::domain::case::tests::support::*;
use crate::domain::case::{Author, Event, GenesisFacts, Outcome, Part, Party, Refusal, judge};
use crate::domain::steps::StepSpec;
use crate::domain::{Audience, Role, Source};
use crate::id::EnvelopeId;

use super::*;

/// The grid worker who registers the dispute.
const CREATOR: u8 = 1;
/// The mediator that it is assigned to.
const MEDIATOR: u8 = 2;
/// The village lead that it is assigned to as leader.
const LEADER: u8 = 3;
/// A party who is a member.
const CONCERNED: u8 = 9;

fn facts() -> GenesisFacts {
    GenesisFacts {
        kind: KIND,
        home: path(&[1, 2, 3, 4]),
        audience: Audience::Staff,
        team: None,
        source: Source::Member,
        named: vec![member(CONCERNED)],
        linked: None,
    }
}

fn creator() -> Author {
    in_area(CREATOR, Role::GridWorker, &[1, 2, 3, 4])
}

fn mediator() -> Author {
    in_area(MEDIATOR, Role::Mediator, &[1, 2, 3])
}

fn leader() -> Author {
    in_area(LEADER, Role::VillageLead, &[1, 2, 3])
}

fn head() -> Author {
    in_area(30, Role::StationHead, &[1, 2, 3])
}

fn supervisor() -> Author {
    in_area(31, Role::Supervisor, &[1])
}

fn made_for(step: &StepSpec, reason: Option<u8>) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason,
        attachments: vec![],
        note: step.needs_text.then(|| text("双方到场，谈了两个小时")),
    })
}

fn made(step: &StepSpec) -> Event {
    made_for(step, step.reasons.first().map(|reason| reason.code))
}

fn to_member(n: u8, part: Part) -> Event {
    dispatch_to(Party::Member(member(n)), part)
}

/// A dispute that is assigned to the leader as lead and to the mediator as support.
fn assigned(seed: u64) -> Log {
    let mut log = Log::new(seed, creator(), facts());
    log.then(head(), to_member(LEADER, Part::Lead));
    log.then(head(), to_member(MEDIATOR, Part::Support));
    log
}

/// The person who makes a step in the daily work.
fn author_of(step: &StepSpec) -> Author {
    match step.name {
        "session" | "agree" | "fail" => mediator(),
        "pass_on" | "conclude" | "revisit" => leader(),
        "retry" | "reinstate" => supervisor(),
        _ => head(),
    }
}

/// The shortest way to a stage.
fn way_to(stage: &str) -> &'static [&'static StepSpec] {
    match stage {
        "registered" => &[],
        "mediating" => &[&SESSION],
        "agreed" => &[&SESSION, &AGREE],
        "failed" => &[&SESSION, &FAIL],
        "passed_on" => &[&SESSION, &FAIL, &PASS_ON],
        "concluded" => &[&SESSION, &AGREE, &CONCLUDE],
        "revisited" => &[&SESSION, &AGREE, &CONCLUDE, &REVISIT],
        "combined" => &[&COMBINE],
        "cancelled" => &[&ANNUL],
        other => panic!("no stage {other}"),
    }
}

fn in_stage(seed: u64, stage: &str) -> Log {
    let mut log = assigned(seed);
    for step in way_to(stage) {
        log.then(author_of(step), made(step));
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

fn writes(log: &Log, author: Author) -> Option<&'static str> {
    let mut log = log.clone();
    let heads = log.heads();
    log.content(&heads, author);
    let candidate = log.entries.pop().unwrap();
    let judged = judge(&log.entries, &candidate);
    judged.err().map(|why| why.code())
}

fn outcome(log: &Log, id: EnvelopeId) -> (Outcome, Option<&'static str>) {
    let state = log.state();
    let item = state.outcome(id).unwrap();
    (item.outcome, item.why)
}
