//! The people of a shift, computed from the assignments alone.

use super::SETTLED;
use crate::domain::case::{Assignment, AssignmentState, Extension, Party, RecordState};

/// A person, or a team as a whole, on the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duty {
    /// The person or team.
    pub party: Party,
    /// Planned start, ms UTC.
    pub starts_ms: Option<i64>,
    /// Planned end, ms UTC.
    pub ends_ms: Option<i64>,
    /// Whether the person was there.
    pub presence: Presence,
    /// Effective time of the sign-in, ms UTC.
    pub signed_in_ms: Option<i64>,
    /// Effective time of the sign-out, ms UTC.
    pub signed_out_ms: Option<i64>,
    /// Time from the planned start to a later sign-in, in ms; 0 without delay.
    pub late_ms: i64,
    /// Time from the planned end to a later sign-out, in ms. It counts only when the shift is settled, and never for
    /// a person on leave or a signature on behalf of the person.
    pub overtime_ms: i64,
    /// The newest leave that the person asked for.
    pub leave: Option<Leave>,
}

/// Whether a person was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The person has not signed in yet.
    Expected,
    /// The person was granted leave and has not signed in.
    OnLeave,
    /// The person has signed in.
    SignedIn,
    /// The person has signed out.
    SignedOut,
    /// The office took the person off the roster.
    Off,
}

/// A leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// The end that the person asked for, ms UTC.
    pub asked_until_ms: i64,
    /// The end that a second person granted, ms UTC; `None` while it waits.
    pub granted_until_ms: Option<i64>,
}

/// The roster of a shift, in the order of its moves.
#[must_use]
pub fn roster(state: &RecordState) -> Vec<Duty> {
    let is_settled = state
        .steps()
        .is_some_and(|steps| steps.entries.iter().any(|entry| entry.step.to == SETTLED));
    let extensions = state.handling().map_or(&[][..], |all| &all.extensions);
    let all = state.assignments().iter();
    all.map(|one| duty(one, leave_of(one, extensions), is_settled))
        .collect()
}

fn leave_of(one: &Assignment, extensions: &[Extension]) -> Option<Leave> {
    let own = extensions.iter().filter(|asked| asked.assignment == one.id);
    // A leave that was granted stays, even if the person asked again.
    let newest = own.max_by_key(|asked| asked.granted_ms.is_some())?;
    Some(Leave {
        asked_until_ms: newest.until_ms,
        granted_until_ms: newest.granted_ms,
    })
}

fn duty(one: &Assignment, leave: Option<Leave>, is_settled: bool) -> Duty {
    let on_leave = leave.is_some_and(|leave| leave.granted_until_ms.is_some());
    let presence = match one.state {
        AssignmentState::Withdrawn | AssignmentState::Returned => Presence::Off,
        AssignmentState::Resolved => Presence::SignedOut,
        AssignmentState::Accepted | AssignmentState::OnSite => Presence::SignedIn,
        AssignmentState::Dispatched if on_leave => Presence::OnLeave,
        AssignmentState::Dispatched => Presence::Expected,
    };
    let plan = one.deadlines;
    let after = |at_ms: Option<i64>, planned_ms: Option<i64>| {
        let late = at_ms.zip(planned_ms);
        late.map_or(0, |(at_ms, planned_ms)| at_ms.saturating_sub(planned_ms))
            .max(0)
    };
    let counts = is_settled && !on_leave && one.on_behalf.is_none();
    let late_ms = after(one.accepted_ms, plan.accept_by_ms);
    Duty {
        party: one.to,
        starts_ms: plan.accept_by_ms,
        ends_ms: plan.resolve_by_ms.filter(|_| !on_leave),
        presence,
        signed_in_ms: one.accepted_ms,
        signed_out_ms: one.resolved_ms,
        late_ms: if on_leave { 0 } else { late_ms },
        overtime_ms: if counts {
            after(one.resolved_ms, plan.resolve_by_ms)
        } else {
            0
        },
        leave,
    }
}
