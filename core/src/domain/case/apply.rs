//! Changes the state by one effective event. The fold has decided before whether the event is effective.

use super::payload;
use super::state::{Conflict, Side, Suspension};
use super::{
    AssignmentState, CaseState, Entry, Event, Handling, Move, OnBehalfOf, Part, RecordState, Stage,
};
use crate::domain::AreaPath;
use crate::domain::steps::{StageEntry, StepsState};

impl RecordState {
    /// Applies an effective event at its effective time.
    pub(super) fn apply(
        &mut self,
        entry: &Entry,
        event: &Event,
        behalf: Option<&OnBehalfOf>,
        now_ms: i64,
    ) {
        if matches!(event, Event::Seen(_)) {
            self.open_for_reporter(entry, now_ms);
        }
        if let Some(steps) = self.steps.as_mut() {
            match event {
                Event::Step(made) => enter(steps, entry, made, now_ms),
                _ => steps.handling.apply(entry.id, event, behalf, now_ms),
            }
        }
        let Some((movement, case)) = event.movement().zip(self.case.as_mut()) else {
            return;
        };
        let conflict = case.apply(movement, entry, event, behalf, now_ms);
        self.add_conflict(conflict);
    }

    /// Applies a danger that arrived too late.
    pub(super) fn apply_late(&mut self, entry: &Entry, event: &Event, now_ms: i64) {
        let Some((movement, case)) = event.movement().zip(self.case.as_mut()) else {
            return;
        };
        let conflict = case.apply_late(movement, entry, event, now_ms);
        self.add_conflict(conflict);
    }

    fn add_conflict(&mut self, conflict: Option<Conflict>) {
        if let Some(conflict) = conflict {
            self.conflicts.push(conflict);
            self.conflicts.sort_unstable();
        }
    }
}

/// Puts a step of the kind's own table in force.
fn enter(steps: &mut StepsState, entry: &Entry, made: &payload::KindStep, now_ms: i64) {
    let Some(step) = steps.table.step(made.step) else {
        return;
    };
    steps.enter(StageEntry {
        step,
        reason: made.reason.and_then(|code| steps.table.reason(code)),
        id: entry.id,
        by: entry.author.member,
        device: entry.author.device,
        at_ms: now_ms,
        clock_ms: entry.clock_ms,
    });
}

impl CaseState {
    /// The state at the birth of a record in this area.
    pub(super) fn born(home: AreaPath) -> Self {
        Self {
            stage: Stage::Reported,
            stage_below: Stage::Reported,
            category: None,
            severity: None,
            grid: None,
            handling: Handling::born(home),
            danger: false,
            handled_on_spot: false,
            suspended: None,
            merged_into: None,
            merge: None,
            handled_ms: None,
            workers: std::collections::BTreeSet::new(),
            over: None,
        }
    }

    /// Applies an event at its effective time. Returns the conflict that it makes.
    fn apply(
        &mut self,
        movement: Move,
        entry: &Entry,
        event: &Event,
        behalf: Option<&OnBehalfOf>,
        now_ms: i64,
    ) -> Option<Conflict> {
        let conflict = self.make(movement, entry, event, behalf, now_ms);
        if event.is_danger() {
            self.take_back_endings(movement);
        }
        self.settle_stage(now_ms);
        conflict
    }

    /// Applies a danger that arrived too late. It takes nothing back, so times, credit and the ending stay.
    fn apply_late(
        &mut self,
        movement: Move,
        entry: &Entry,
        event: &Event,
        now_ms: i64,
    ) -> Option<Conflict> {
        let conflict = self.make(movement, entry, event, None, now_ms);
        self.settle_stage(now_ms);
        conflict
    }

    fn make(
        &mut self,
        movement: Move,
        entry: &Entry,
        event: &Event,
        behalf: Option<&OnBehalfOf>,
        now_ms: i64,
    ) -> Option<Conflict> {
        let mut conflict = None;
        if let Some(member) = entry.author.member.filter(|_| movement.is_work()) {
            self.workers.insert(member);
        }
        let side = Side {
            id: entry.id,
            movement,
            by: entry.author.member,
        };
        match event {
            Event::Triage(triage) => self.triage(triage),
            Event::Suspend(suspend) => {
                let until_ms = suspend.until_ms;
                self.suspended = Some(Suspension {
                    by: entry.id,
                    since_ms: now_ms,
                    until_ms,
                });
            }
            Event::Resume(_) => self.suspended = None,
            Event::Merge(merge) => {
                self.merged_into = Some(merge.into);
                self.merge = Some(side);
            }
            Event::Unmerge(_) => self.stand_alone(),
            Event::MergeUndone(undone) => {
                conflict = self.broken_merge(side, undone);
                self.stand_alone();
            }
            Event::HandledOnSpot(_) => self.handled_on_spot = true,
            Event::Verify(verify) if verify.pass => self.over = Some(Stage::Verified),
            Event::Close(_) => self.over = Some(Stage::Closed),
            Event::FollowUp(_) => self.over = Some(Stage::FollowedUp),
            Event::Dismiss(_) => self.over = Some(Stage::Dismissed),
            Event::HandToPolice(_) => self.over = Some(Stage::HandedToPolice),
            _ => self.handling.apply(entry.id, event, behalf, now_ms),
        }
        conflict
    }

    /// The conflict that people see when the server undoes the merge in force.
    pub(super) fn broken_merge(
        &self,
        undone: Side,
        event: &payload::MergeUndone,
    ) -> Option<Conflict> {
        Some(Conflict::BrokenMerge {
            merge: self.merge?,
            undone,
            into: self.merged_into?,
            fault: event.fault,
        })
    }

    fn stand_alone(&mut self) {
        self.merged_into = None;
        self.merge = None;
    }

    fn triage(&mut self, triage: &payload::Triage) {
        self.category = Some(triage.category.clone());
        self.severity = Some(triage.severity);
        if triage.grid.is_some() {
            self.grid = triage.grid;
        }
    }

    /// Takes back the endings, because something is still wrong. The parties that had resolved are at work
    /// again, and the stage above the work is gone.
    fn take_back_endings(&mut self, movement: Move) {
        for assignment in &mut self.handling.assignments {
            if assignment.part == Part::Lead && assignment.state == AssignmentState::Resolved {
                assignment.state = AssignmentState::Accepted;
                assignment.resolved_ms = None;
            }
        }
        self.handled_on_spot = false;
        self.over = None;
        if movement != Move::Escalate {
            self.suspended = None;
            self.stand_alone();
        }
        self.danger = true;
    }

    /// Sets the stage from the facts. Only this function sets it.
    fn settle_stage(&mut self, now_ms: i64) {
        self.stage_below = self.over.unwrap_or_else(|| self.work_stage());
        self.stage = if self.merged_into.is_some() {
            Stage::Merged
        } else if self.suspended.is_some() {
            Stage::Suspended
        } else {
            self.stage_below
        };
        let handled = matches!(
            self.stage_below,
            Stage::Resolved | Stage::Verified | Stage::Closed | Stage::FollowedUp
        );
        self.handled_ms = if handled {
            self.handled_ms.or(Some(now_ms))
        } else {
            None
        };
        if self.stage.is_ended() {
            self.danger = false;
        }
    }

    /// The stage that follows from the assignments.
    fn work_stage(&self) -> Stage {
        let leads = || {
            self.handling
                .assignments
                .iter()
                .filter(|a| a.part == Part::Lead)
        };
        let most_advanced = leads().filter(|a| a.state.is_open()).map(|a| a.state).max();
        match most_advanced {
            Some(AssignmentState::OnSite) => return Stage::OnSite,
            Some(AssignmentState::Accepted) => return Stage::Accepted,
            Some(_) => return Stage::Dispatched,
            None => {}
        }
        let resolved = leads().any(|a| a.state == AssignmentState::Resolved);
        match self.handling.returns {
            _ if resolved || self.handled_on_spot => Stage::Resolved,
            0 if self.category.is_some() => Stage::Triaged,
            0 => Stage::Reported,
            1 => Stage::Returned,
            _ => Stage::Referred,
        }
    }
}
