//! The state of one record, as the fold gives it: facts that every kind has, and the state of its case. It
//! holds data only, and every field can be shown to a person.

use std::collections::BTreeSet;

use super::state::{CaseState, Conflict, Outcome, Review, Stage, TimelineItem};
use super::{Assignment, Entry, GenesisFacts, Handling};
use crate::domain::AreaPath;
use crate::domain::category::CategoryCode;
use crate::domain::moves::Move;
use crate::domain::steps::StepsState;
use crate::id::{DeviceId, EnvelopeId, MemberId, RecordId, UnitId};

/// The state of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordState {
    /// The facts that never change.
    pub facts: GenesisFacts,
    /// The envelope that created the record.
    pub genesis: EnvelopeId,
    /// The person who created the record; `None` when the name is withheld from this replica.
    pub reporter: Option<MemberId>,
    /// The device that created the record. Every reader of the record knows it.
    pub reporter_device: DeviceId,
    /// Effective time of the report, ms UTC.
    pub reported_ms: i64,
    /// Effective time of the first opening by a dispatcher or handler, ms UTC (receipt ladder: seen).
    pub seen_ms: Option<i64>,
    /// The record has an event that this version does not know, so it allows no further moves (“needs a newer
    /// app”).
    pub frozen: bool,
    /// The conflicts that people have to settle.
    pub conflicts: Vec<Conflict>,
    /// Evidence arrived beside an ending, and no decision has seen both yet. See also [`Self::is_open`].
    pub needs_review: Vec<Review>,
    /// All authors of effective entries.
    pub participants: BTreeSet<MemberId>,
    /// The result of each entry, in the order of the fold.
    pub timeline: Vec<TimelineItem>,
    /// See [`Self::case`].
    pub(super) case: Option<CaseState>,
    /// See [`Self::steps`].
    pub(super) steps: Option<StepsState>,
}

impl RecordState {
    /// The state that a Genesis makes.
    pub(super) fn born(genesis: &Entry, facts: &GenesisFacts, effective_ms: i64) -> Self {
        let item = TimelineItem {
            id: genesis.id,
            movement: None,
            by: genesis.author.member,
            outcome: Outcome::Effective,
            why: None,
            effective_ms,
        };
        Self {
            facts: facts.clone(),
            genesis: genesis.id,
            reporter: genesis.author.member,
            reporter_device: genesis.author.device,
            reported_ms: effective_ms,
            seen_ms: None,
            frozen: false,
            conflicts: Vec::new(),
            needs_review: Vec::new(),
            participants: genesis.author.member.into_iter().collect(),
            timeline: vec![item],
            case: facts.kind.is_case().then(|| CaseState::born(facts.home)),
            steps: facts
                .kind
                .steps()
                .map(|table| StepsState::born(table, facts.home)),
        }
    }

    /// Notes that a person of the office has opened the record. The phone that reported it does not count,
    /// because its opening says nothing to the reporter. Phones are compared by device, because the
    /// reporter's name is withheld from some readers.
    pub(super) fn open_for_reporter(&mut self, entry: &Entry, now_ms: i64) {
        let author = &entry.author;
        if author.device == self.reporter_device {
            return;
        }
        if author
            .grant
            .as_ref()
            .is_some_and(|grant| grant.role.opens_for_reporter())
        {
            self.seen_ms = Some(self.seen_ms.map_or(now_ms, |seen| seen.min(now_ms)));
        }
    }

    /// The state of the case; `None` for a kind that has no cases, and for a kind of a newer version.
    #[must_use]
    pub fn case(&self) -> Option<&CaseState> {
        self.case.as_ref()
    }

    /// The state of the steps; `None` for a kind without a table of steps.
    #[must_use]
    pub fn steps(&self) -> Option<&StepsState> {
        self.steps.as_ref()
    }

    /// Whether the kind's own table decides when the move of handling is possible.
    pub(super) fn handles_by_table(&self, movement: Move) -> bool {
        self.steps()
            .is_some_and(|steps| steps.table.has_move(movement))
    }

    /// The areas and parties that are responsible, whatever the lifecycle; `None` for a kind that has neither
    /// cases nor steps.
    #[must_use]
    pub fn handling(&self) -> Option<&Handling> {
        let case = self.case().map(|case| &case.handling);
        case.or_else(|| self.steps().map(|steps| &steps.handling))
    }

    /// The code of the stage, whatever the lifecycle, as in lists and exports. The module `kinds::stages` has
    /// the names of all codes.
    #[must_use]
    pub fn stage_code(&self) -> u8 {
        let steps = self.steps().map(|steps| steps.stage.code);
        steps.unwrap_or(self.stage().code())
    }

    /// The stable name of the stage, whatever the lifecycle.
    #[must_use]
    pub fn stage_name(&self) -> &'static str {
        let steps = self.steps().map(|steps| steps.stage.name);
        steps.unwrap_or(self.stage().name())
    }

    /// How far the case is. A record without case stays reported.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.case().map_or(Stage::Reported, |case| case.stage)
    }

    /// The category that triage set.
    #[must_use]
    pub fn category(&self) -> Option<&CategoryCode> {
        self.case()?.category.as_ref()
    }

    /// Whether the record needs a person to act: its stage is not an ended one, or a danger that arrived long
    /// after the ending awaits review.
    #[must_use]
    pub fn is_open(&self) -> bool {
        if let Some(steps) = self.steps() {
            return !steps.stage.is_ended;
        }
        !self.stage().is_ended() || self.needs_review.iter().any(|review| review.danger)
    }

    /// The home area, with the grid that triage found.
    #[must_use]
    pub fn place(&self) -> AreaPath {
        self.case()
            .and_then(|case| case.grid)
            .and_then(|grid| self.facts.home.with_grid(grid))
            .unwrap_or(self.facts.home)
    }

    /// The area that is responsible.
    #[must_use]
    pub fn lead_area(&self) -> AreaPath {
        self.handling()
            .map_or(self.facts.home, |handling| handling.lead_area)
    }

    /// Every area that is or was made responsible for the record. The birthplace is the first.
    pub fn areas(&self) -> impl Iterator<Item = AreaPath> + '_ {
        let handling = self.handling().into_iter();
        let support = handling.flat_map(|handling| &handling.support_areas);
        [self.place(), self.lead_area()]
            .into_iter()
            .chain(support.copied())
    }

    /// The record that it is a duplicate of.
    #[must_use]
    pub fn merged_into(&self) -> Option<RecordId> {
        self.case()?.merged_into
    }

    /// The assignments, in order of their opening.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        self.handling()
            .map_or(&[], |handling| handling.assignments.as_slice())
    }

    /// The assignment that an envelope opened.
    #[must_use]
    pub fn assignment(&self, id: EnvelopeId) -> Option<&Assignment> {
        self.handling()?.assignment(id)
    }

    /// Whether the member, or one of the units, is responsible for the record (lead or support).
    #[must_use]
    pub fn is_party(&self, member: Option<MemberId>, units: &[UnitId]) -> bool {
        self.assignments()
            .iter()
            .any(|a| a.state.is_responsible() && a.to.is(member, units))
    }

    /// The entries that were overtaken, with their codes.
    pub fn superseded(&self) -> impl Iterator<Item = &TimelineItem> {
        self.timeline
            .iter()
            .filter(|item| item.outcome == Outcome::Superseded)
    }

    /// The outcome of an entry.
    #[must_use]
    pub fn outcome(&self, id: EnvelopeId) -> Option<&TimelineItem> {
        self.timeline.iter().find(|item| item.id == id)
    }
}
