//! How far each party and area is with a task. Everything follows from the assignments and the caller's directory.

use crate::domain::AreaPath;
use crate::domain::case::{Assignment, AssignmentState, Part, Party, RecordState};

/// How far a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Each assignment, in order of its opening. A party that was asked again has two.
    pub parties: Vec<PartyProgress>,
    /// The areas that have the task, the home area first, and then areas of parties outside of them.
    pub areas: Vec<AreaProgress>,
}

/// How far a party is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyProgress {
    /// The party.
    pub party: Party,
    /// Lead or support.
    pub part: Part,
    /// How far its assignment is.
    pub state: AssignmentState,
    /// Effective time of the acceptance, ms UTC.
    pub accepted_ms: Option<i64>,
    /// Effective time of the feedback, ms UTC.
    pub done_ms: Option<i64>,
    /// The feedback came by the deadline of the assignment; `None` without feedback or deadline.
    pub in_time: Option<bool>,
}

/// How far the parties of an area are. An assignment that was withdrawn counts nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaProgress {
    /// The area.
    pub area: AreaPath,
    /// Assignments to parties of the area.
    pub asked: u32,
    /// Those that were accepted, with the work that was done.
    pub accepted: u32,
    /// Those with feedback.
    pub done: u32,
    /// Those that were returned.
    pub returned: u32,
}

/// Sums up the assignments of a task. `area_of` gives the area of a party; a party without one is in no area.
/// A party counts for the narrowest area of the task that contains it, or for its own area.
pub fn progress(state: &RecordState, area_of: impl Fn(&Party) -> Option<AreaPath>) -> Progress {
    let mut areas: Vec<AreaProgress> = Vec::new();
    for area in state.areas() {
        if !areas.iter().any(|known| known.area == area) {
            areas.push(AreaProgress::of(area));
        }
    }
    let assignments = state.assignments();
    for one in assignments {
        let Some(own) = area_of(&one.to) else {
            continue;
        };
        let around = areas.iter().enumerate();
        let around = around.filter(|(_, known)| own.is_within(&known.area));
        let narrowest = around.max_by_key(|(_, known)| known.area.ids().len());
        let at = narrowest.map(|(at, _)| at);
        let at = at.unwrap_or_else(|| {
            areas.push(AreaProgress::of(own));
            areas.len() - 1
        });
        areas[at].count(one);
    }
    Progress {
        parties: assignments.iter().map(PartyProgress::of).collect(),
        areas,
    }
}

impl AreaProgress {
    fn of(area: AreaPath) -> Self {
        Self {
            area,
            asked: 0,
            accepted: 0,
            done: 0,
            returned: 0,
        }
    }

    fn count(&mut self, one: &Assignment) {
        if one.state == AssignmentState::Withdrawn {
            return;
        }
        let returned = one.state == AssignmentState::Returned;
        self.asked += 1;
        self.returned += u32::from(returned);
        self.accepted += u32::from(one.accepted_ms.is_some() && !returned);
        self.done += u32::from(one.state == AssignmentState::Resolved);
    }
}

impl PartyProgress {
    fn of(one: &Assignment) -> Self {
        let done_ms = one.resolved_ms;
        let by_ms = one.deadlines.resolve_by_ms;
        Self {
            party: one.to,
            part: one.part,
            state: one.state,
            accepted_ms: one.accepted_ms,
            done_ms,
            in_time: done_ms.zip(by_ms).map(|(done_ms, by_ms)| done_ms < by_ms),
        }
    }
}
