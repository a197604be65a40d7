//! The state of a record whose kind has a table of steps. It holds data only.

use std::collections::BTreeSet;

use super::{ReasonSpec, StageSpec, StepSpec, StepTable};
use crate::domain::AreaPath;
use crate::domain::handling::Handling;
use crate::domain::moves::Move;
use crate::id::{DeviceId, EnvelopeId, MemberId};

/// How far a record is, and the steps that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepsState {
    /// The table of the kind.
    pub table: &'static StepTable,
    /// The stage.
    pub stage: StageSpec,
    /// The steps in force, in their order. Each author had seen the steps before.
    pub entries: Vec<StageEntry>,
    /// All people who made a step, in force or overtaken. They may write the content.
    pub workers: BTreeSet<MemberId>,
    /// The code of each step, in force or overtaken, with its author. See [`StepSpec::not_by`].
    pub made: BTreeSet<(u8, MemberId)>,
    /// Each legal step, in force or overtaken, in the order of the fold. The timeline has the outcome of each.
    pub authored: Vec<AuthoredStep>,
    /// The areas and parties that are responsible.
    pub handling: Handling,
}

/// A step in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageEntry {
    /// The step.
    pub step: &'static StepSpec,
    /// The reason that the author chose.
    pub reason: Option<ReasonSpec>,
    /// The envelope.
    pub id: EnvelopeId,
    /// The author; `None` when the name is withheld from this replica.
    pub by: Option<MemberId>,
    /// The device of the author.
    pub device: DeviceId,
    /// The effective time, ms UTC.
    pub at_ms: i64,
    /// The clock of the device, ms UTC.
    pub clock_ms: i64,
}

/// A legal step, in force or overtaken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthoredStep {
    /// The code in the table.
    pub code: u8,
    /// The envelope.
    pub id: EnvelopeId,
    /// The device of the author.
    pub device: DeviceId,
    /// The effective time, ms UTC.
    pub at_ms: i64,
    /// The server time of the verdict, ms UTC; `None` before the verdict.
    pub verdict_at_ms: Option<i64>,
}

impl StepsState {
    /// The state at the birth of a record.
    #[must_use]
    pub fn born(table: &'static StepTable, home: AreaPath) -> Self {
        Self {
            table,
            stage: table.birth(),
            entries: Vec::new(),
            workers: BTreeSet::new(),
            made: BTreeSet::new(),
            authored: Vec::new(),
            handling: Handling::born(home),
        }
    }

    /// Whether the table allows the move in the present stage.
    #[must_use]
    pub fn allows(&self, movement: Move) -> bool {
        self.table.allows(movement, self.stage)
    }

    /// The newest step in force that led to the stage from another one.
    #[must_use]
    pub fn entered(&self, stage: StageSpec) -> Option<&StageEntry> {
        let leads_there = |at: &usize| self.entries[*at].step.to == stage;
        let stays = |at: &usize| *at > 0 && leads_there(&(at - 1));
        let mut newest_first = (0..self.entries.len()).rev();
        let at = newest_first.find(|at| leads_there(at) && !stays(at))?;
        self.entries.get(at)
    }

    /// Puts a step in force.
    pub(in crate::domain) fn enter(&mut self, entry: StageEntry) {
        self.stage = entry.step.to;
        self.entries.push(entry);
    }

    /// The time between two steps in force, in ms.
    ///
    /// Two steps of one device are compared by its own clock, because the effective times of work that was
    /// uploaded at once are cut off at the same server time. Two devices are compared by effective time. `None`
    /// if a step is missing, or if the clock ran backwards between the two.
    #[must_use]
    pub fn between_ms(&self, first: StageSpec, last: StageSpec) -> Option<i64> {
        let (first, last) = (self.entered(first)?, self.entered(last)?);
        if first.device == last.device {
            let ms = last.clock_ms.checked_sub(first.clock_ms)?;
            return (ms >= 0).then_some(ms);
        }
        // The effective time of the later step is not before that of the earlier one. A clock below it was
        // moved forward to fit.
        let ms = last.at_ms.checked_sub(first.at_ms)?;
        (ms >= 0 && last.clock_ms >= first.at_ms).then_some(ms)
    }
}
