//! The people who see the ways of all phones.
//!
//! A way shows where a person was at each moment. So it is for the people who walk together, and for the heads who
//! answer for the place. All other readers get times, lengths and coverage.

use super::view::Walk;
use crate::domain::Grant;
use crate::domain::case::RecordState;
use crate::domain::permissions::{Cell, cell};
use crate::id::{DeviceId, UnitId};

/// The person who reads a walk.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The phone.
    pub device: DeviceId,
    /// The roles.
    pub grants: &'a [Grant],
}

impl Walk {
    /// Takes the places out that this viewer does not see.
    pub fn show_to(&mut self, viewer: &Viewer<'_>, state: &RecordState) {
        if !self.shows_ways_to(viewer, state) {
            self.withhold_ways(viewer.device);
        }
    }

    fn shows_ways_to(&self, viewer: &Viewer<'_>, state: &RecordState) -> bool {
        let team = state.facts.team;
        let of_team = |unit: UnitId| Some(unit) == team;
        let is_head = |grant: &Grant| {
            let spec = state.facts.kind.walk();
            let cell = spec.map(|spec| cell(spec.head, grant.role));
            let in_area = || state.areas().any(|place| grant.scope.covers(&place));
            matches!(cell, Some(Cell::In | Cell::OwnOrIn)) && in_area()
        };
        let may_see = |grant: &Grant| grant.scope.unit().is_some_and(of_team) || is_head(grant);
        self.counts(viewer.device) || viewer.grants.iter().any(may_see)
    }
}
