//! Tests every state × every move, and compares the code with the table.

use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::guard::possible;
use crate::domain::case::payload as p;
use crate::domain::case::table::{Next, next};
use crate::domain::case::{Author, Event, Move, RecordState, Refusal, Stage};
use crate::id::{DeviceId, EnvelopeId, RecordId};

/// A record in the stage, with supporting assignments in every state that a step needs.
fn record_in(stage: Stage) -> (Log, Steps) {
    let mut log = Log::hazard(7);
    let mut steps = Steps {
        fresh: log.genesis(),
        taken: log.genesis(),
        request: log.genesis(),
    };
    if stage == Stage::Reported {
        return (log, steps);
    }
    log.triaged();
    steps.fresh = log.then(dispatcher(), share(70));
    steps.taken = log.then(dispatcher(), share(71));
    log.then(handler(71), Event::Accept(step(steps.taken)));
    if matches!(
        stage,
        Stage::Triaged | Stage::Returned | Stage::Referred | Stage::Dismissed
    ) {
        advance_without_lead(&mut log, stage);
        return (log, steps);
    }
    let lead = log.then(dispatcher(), dispatch(60));
    let until_ms = 9;
    let ask = p::RequestExtension {
        assignment: lead,
        until_ms,
        reason: text("缺件"),
    };
    steps.request = log.then(handler(60), Event::RequestExtension(ask));
    let go = |log: &mut Log, author: Author, event: Event| {
        if log.state().stage() != stage {
            log.then(author, event);
        }
    };
    let merge = p::Merge {
        into: RecordId([6; 16]),
        note: None,
    };
    let police = p::HandToPolice {
        to: None,
        reason: text("涉刑"),
    };
    match stage {
        Stage::Suspended => go(&mut log, dispatcher(), suspend()),
        Stage::Merged => go(&mut log, dispatcher(), Event::Merge(merge)),
        Stage::HandedToPolice => go(&mut log, dispatcher(), Event::HandToPolice(police)),
        _ => {
            go(&mut log, handler(60), Event::Accept(step(lead)));
            go(&mut log, handler(60), Event::Arrive(step(lead)));
            go(&mut log, handler(60), Event::Resolve(step(lead)));
            go(&mut log, grid_worker(), verify(true));
            go(&mut log, grid_worker(), Event::Close(bare()));
            let follow_up = p::FollowUp {
                satisfied: None,
                note: None,
            };
            go(&mut log, grid_worker(), Event::FollowUp(follow_up));
        }
    }
    (log, steps)
}

fn advance_without_lead(log: &mut Log, stage: Stage) {
    if stage == Stage::Dismissed {
        log.then(dispatcher(), Event::Dismiss(reasoned()));
    }
    for n in [60, 61] {
        if log.state().stage() != stage {
            let lead = log.then(dispatcher(), dispatch(n));
            log.then(handler(n), Event::Return(give_back(lead)));
        }
    }
}

struct Steps {
    fresh: EnvelopeId,
    taken: EnvelopeId,
    request: EnvelopeId,
}

/// An event of the move that only the table can refuse.
fn event_of(movement: Move, steps: &Steps) -> Event {
    let deadlines = p::Deadlines::default();
    let reason = || text("原因");
    match movement {
        Move::Triage => triage(),
        Move::Dispatch => dispatch(80),
        Move::Accept => Event::Accept(step(steps.fresh)),
        Move::Arrive => Event::Arrive(step(steps.taken)),
        Move::Resolve => Event::Resolve(step(steps.taken)),
        Move::Return => Event::Return(give_back(steps.fresh)),
        Move::Withdraw => Event::Withdraw(give_back(steps.fresh)),
        Move::Transfer => Event::Transfer(p::Transfer {
            to: path(&[1, 9]),
            reason: reason(),
        }),
        Move::Share => share(80),
        Move::VerifyPass => verify(true),
        Move::VerifyFail => verify(false),
        Move::Close => Event::Close(bare()),
        Move::FollowUp => Event::FollowUp(p::FollowUp {
            satisfied: None,
            note: None,
        }),
        Move::HandledOnSpot => on_spot(),
        Move::Dismiss => Event::Dismiss(reasoned()),
        Move::Escalate => escalate(AreaLevel::Town, false),
        Move::AssignFinally => {
            let to = p::Party::Unit(unit(80));
            Event::AssignFinally(p::AssignFinally {
                to,
                deadlines,
                reason: reason(),
            })
        }
        Move::Urge => Event::Urge(bare()),
        Move::Supervise => Event::Supervise(bare()),
        Move::Suspend => suspend(),
        Move::Resume => Event::Resume(bare()),
        Move::RequestExtension => {
            let (assignment, until_ms) = (steps.fresh, 9);
            let ask = p::RequestExtension {
                assignment,
                until_ms,
                reason: reason(),
            };
            Event::RequestExtension(ask)
        }
        Move::GrantExtension => {
            let (request, until_ms) = (steps.request, 9);
            Event::GrantExtension(p::GrantExtension {
                request,
                until_ms,
                note: None,
            })
        }
        Move::HandToPolice => Event::HandToPolice(p::HandToPolice {
            to: None,
            reason: reason(),
        }),
        Move::Merge => Event::Merge(p::Merge {
            into: RecordId([6; 16]),
            note: None,
        }),
        Move::Unmerge => Event::Unmerge(bare()),
        Move::Reopen => Event::Reopen(reasoned()),
        Move::DangerRemains => danger(),
        Move::Comment => comment("话"),
        Move::Seen => Event::Seen(p::Seen {}),
        Move::Step => Event::Step(first_step()),
    }
}

fn first_step() -> p::KindStep {
    p::KindStep {
        step: 1,
        reason: None,
        attachments: vec![],
        note: None,
    }
}

/// The meaning of `work` for the one record of each stage, written by hand.
fn work_of(stage: Stage, movement: Move) -> Stage {
    match (movement, stage) {
        (Move::Dispatch, Stage::Triaged | Stage::Returned | Stage::Resolved)
        | (Move::AssignFinally, _)
        | (Move::DangerRemains, Stage::Dispatched | Stage::Suspended | Stage::Merged)
        | (Move::DangerRemains | Move::Reopen, Stage::HandedToPolice) => Stage::Dispatched,
        (Move::DangerRemains | Move::Reopen, Stage::Dismissed) => Stage::Triaged,
        (Move::DangerRemains, Stage::OnSite) => Stage::OnSite,
        (Move::DangerRemains | Move::Reopen | Move::VerifyFail, _) => Stage::Accepted,
        // Steps of supporters and further dispatches leave the most advanced lead as it is.
        _ => stage,
    }
}

fn after(state: &RecordState, log: &mut Log, event: &Event) -> RecordState {
    let id = log.then(dispatcher(), event.clone());
    let entry = log.entry(id).clone();
    let mut state = state.clone();
    state.apply(&entry, event, None, 99_000);
    state
}

#[test]
fn every_state_times_every_move_is_as_the_table_says() {
    let mut possible_cells = 0;
    for stage in Stage::ALL {
        let (log, steps) = record_in(*stage);
        let state = log.state();
        assert_eq!(
            state.stage(),
            *stage,
            "the record could not be brought there"
        );
        for movement in Move::ALL {
            let event = event_of(*movement, &steps);
            assert_eq!(event.movement(), Some(*movement));
            let found = possible(&state, &event, DeviceId([1; 16]));
            let cell = next(*stage, *movement);
            if cell == Next::No {
                let not_now = Refusal::NotNow {
                    stage: *stage,
                    movement: *movement,
                };
                assert_eq!(found, Err(not_now));
                continue;
            }
            assert_eq!(found, Ok(()), "{stage} × {movement}");
            possible_cells += 1;
            let expected = match cell {
                Next::Same | Next::No => *stage,
                Next::To(to) => to,
                Next::Below => state.case().unwrap().stage_below,
                Next::Work => work_of(*stage, *movement),
            };
            let reached = after(&state, &mut log.clone(), &event).stage();
            assert_eq!(reached, expected, "{stage} × {movement}");
        }
    }
    assert!(possible_cells > 150, "{possible_cells}");
}
