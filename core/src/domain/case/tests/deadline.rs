//! Tests which deadline is next: accept, then arrive, then resolve. No deadline counts while a case is
//! suspended or over.

use super::support::*;
use crate::domain::case::payload as p;
use crate::domain::case::{Deadlines, Event, Part, Party};
use crate::id::EnvelopeId;

fn with_deadlines() -> (Log, EnvelopeId) {
    let mut log = Log::hazard(1);
    log.triaged();
    let dispatch = Event::Dispatch(p::Dispatch {
        to: Party::Unit(unit(60)),
        part: Part::Lead,
        deadlines: Deadlines {
            accept_by_ms: Some(100),
            arrive_by_ms: Some(200),
            resolve_by_ms: Some(300),
        },
        rule: None,
        note: None,
    });
    let id = log.then(dispatcher(), dispatch);
    (log, id)
}

#[test]
fn next_deadline_follows_the_steps() {
    let (mut log, id) = with_deadlines();
    assert_eq!(log.state().next_due_ms(), Some(100));
    log.then(handler(60), Event::Accept(step(id)));
    assert_eq!(log.state().next_due_ms(), Some(200));
    log.then(handler(60), Event::Arrive(step(id)));
    assert_eq!(log.state().next_due_ms(), Some(300));
    log.then(handler(60), Event::Resolve(step(id)));
    let state = log.state();
    assert_eq!(state.next_due_ms(), None);
    assert_eq!(state.open_assignments().count(), 0);
}

#[test]
fn suspended_case_has_no_deadline_until_resumed() {
    let (mut log, _) = with_deadlines();
    log.then(dispatcher(), suspend());
    let state = log.state();
    assert_eq!(state.next_due_ms(), None);
    assert_eq!(state.open_assignments().count(), 1, "work may go on");
    log.then(dispatcher(), Event::Resume(bare()));
    assert_eq!(log.state().next_due_ms(), Some(100));
}

#[test]
fn reopened_case_waits_for_resolving_alone_once_somebody_was_there() {
    let (mut log, id) = with_deadlines();
    for event in [
        Event::Accept(step(id)),
        Event::Arrive(step(id)),
        Event::Resolve(step(id)),
    ] {
        log.then(handler(60), event);
    }
    log.then(volunteer(2), danger());
    assert_eq!(log.state().next_due_ms(), Some(300));
}

#[test]
fn merged_case_has_no_open_assignment() {
    let (mut log, _) = with_deadlines();
    let merge = p::Merge {
        into: crate::id::RecordId([6; 16]),
        note: None,
    };
    log.then(dispatcher(), Event::Merge(merge));
    assert_eq!(log.state().open_assignments().count(), 0);
}
