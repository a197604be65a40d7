//! Deadlines that still count. The state never stores whether a deadline has passed, because that follows
//! from the deadlines and the caller's clock.

use super::table::{Next, next};
use super::{Assignment, AssignmentState, CaseState, Move, RecordState};

/// The deadlines of the steps that an assignment still needs, each with its step: accept, arrive, resolve.
pub fn still_to_meet(assignment: &Assignment) -> impl Iterator<Item = (Move, i64)> + use<> {
    use AssignmentState::{Accepted, Dispatched, OnSite};
    let (state, by) = (assignment.state, assignment.deadlines);
    // A party that had arrived and resolved is at accepted again where something is still wrong.
    let never_there = assignment.arrived_ms.is_none();
    [
        (Move::Accept, by.accept_by_ms, state == Dispatched),
        (
            Move::Arrive,
            by.arrive_by_ms,
            never_there && matches!(state, Dispatched | Accepted),
        ),
        (
            Move::Resolve,
            by.resolve_by_ms,
            matches!(state, Dispatched | Accepted | OnSite),
        ),
    ]
    .into_iter()
    .filter_map(|(step, by_ms, waits)| Some((step, by_ms.filter(|_| waits)?)))
}

impl CaseState {
    /// Whether deadlines run. They rest while the case is suspended and after it has ended.
    #[must_use]
    pub fn deadlines_run(&self) -> bool {
        self.suspended.is_none() && !self.stage.is_ended()
    }
}

impl RecordState {
    /// Whether deadlines run. They rest while a case is suspended, and after the end of a record.
    #[must_use]
    pub fn deadlines_run(&self) -> bool {
        match (self.case(), self.steps()) {
            (Some(case), _) => case.deadlines_run(),
            (None, Some(steps)) => !steps.stage.is_ended,
            (None, None) => false,
        }
    }

    /// Whether the party of an assignment has work to do in this stage.
    fn has_work(&self, one: &Assignment) -> bool {
        let is_open = one.state.is_open();
        match (self.case(), self.steps()) {
            (Some(case), _) => is_open && next(case.stage, Move::Resolve) != Next::No,
            // Late work is possible after the end, and no deadline runs for it.
            (None, Some(steps)) if steps.stage.is_ended => false,
            (None, Some(steps)) if steps.allows(Move::Resolve) => is_open,
            // A party that only signs for the record has done its part then.
            (None, Some(steps)) => {
                steps.allows(Move::Accept) && one.state == AssignmentState::Dispatched
            }
            (None, None) => false,
        }
    }

    /// The assignments that still allow a step.
    pub fn open_assignments(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments().iter().filter(|one| self.has_work(one))
    }

    /// The next deadline of an assignment, ms UTC. It is overdue from that instant on.
    #[must_use]
    pub fn due_ms(&self, assignment: &Assignment) -> Option<i64> {
        let run = self.deadlines_run();
        still_to_meet(assignment)
            .filter(|_| run)
            .map(|(_, by_ms)| by_ms)
            .min()
    }

    /// The next deadline of all assignments, ms UTC.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<i64> {
        self.open_assignments()
            .filter_map(|one| self.due_ms(one))
            .min()
    }
}
