//! The rate of resolution (化解率): how many of the registered disputes were resolved.
//!
//! - **Registered** is each dispute that was not annulled. Disputes that were combined count once, in the
//!   area of the one that continues.
//! - **Resolved** is a dispute that is agreed, concluded or revisited. A dispute that was passed on to a court
//!   is not resolved.
//! - The rate is `resolved / registered` in tenths of a percent, rounded half up.
//!
//! A dispute that was combined with one that is absent, annulled, or combined with it in turn counts as
//! registered and unresolved. Otherwise a false combination could take an unresolved dispute out of the count.

use std::collections::{BTreeMap, BTreeSet};

use super::{AGREED, CANCELLED, COMBINED, CONCLUDED, REVISITED, combined_into};
use crate::domain::AreaPath;
use crate::domain::case::RecordState;
use crate::domain::content::Content;
use crate::domain::steps::StageSpec;
use crate::id::{EnvelopeId, RecordId};

/// The facts of one dispute that the count needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The dispute.
    pub id: RecordId,
    /// The area that is responsible, or its grid.
    pub area: AreaPath,
    /// How far it is.
    pub stage: StageSpec,
    /// The dispute that continues, as the author of the combination had seen it.
    pub combined_into: Option<RecordId>,
}

/// How many disputes of an area were resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Disputes that were registered.
    pub registered: u64,
    /// Disputes out of these that were resolved.
    pub resolved: u64,
    /// Disputes that are counted as the one that continues, and not as their own.
    pub combined: u64,
    /// Disputes that were registered in error and are not counted.
    pub annulled: u64,
}

impl Counted {
    /// The step in force that combined the dispute with another one.
    #[must_use]
    pub fn combination_of(state: &RecordState) -> Option<EnvelopeId> {
        let steps = state.steps().filter(|_| state.facts.kind == super::KIND)?;
        let entered = steps.entered(COMBINED).filter(|_| steps.stage == COMBINED);
        Some(entered?.id)
    }

    /// Takes the facts of a dispute; `None` for another kind. `seen` is the content that the author of
    /// [`Self::combination_of`] had seen, see [`crate::record::Record::content_seen_by`]. So a later edit counts the
    /// dispute nowhere else.
    #[must_use]
    pub fn of(id: RecordId, state: &RecordState, seen: Option<&Content>) -> Option<Self> {
        if state.facts.kind != super::KIND {
            return None;
        }
        Some(Self {
            id,
            area: state.lead_area(),
            stage: state.steps()?.stage,
            combined_into: seen.and_then(combined_into),
        })
    }

    fn is_resolved(&self) -> bool {
        [AGREED, CONCLUDED, REVISITED].contains(&self.stage)
    }
}

impl Rate {
    /// The rate in tenths of a percent, rounded half up. `None` where no dispute was registered.
    #[must_use]
    pub fn tenths(&self) -> Option<u64> {
        let (resolved, registered) = (u128::from(self.resolved), u128::from(self.registered));
        let twice = (2_000 * resolved + registered).checked_div(2 * registered)?;
        u64::try_from(twice).ok()
    }
}

/// Counts the disputes of an area. `all` holds each dispute that could be counted, those of other areas too,
/// because a dispute may be combined with one of another area. A dispute that is there twice counts once.
#[must_use]
pub fn resolution<'a>(all: impl IntoIterator<Item = &'a Counted>, within: &AreaPath) -> Rate {
    let by_id: BTreeMap<RecordId, &Counted> = all.into_iter().map(|one| (one.id, one)).collect();
    let mut known = BTreeMap::new();
    let mut rate = Rate::default();
    for dispute in by_id.values().filter(|one| one.area.is_within(within)) {
        if dispute.stage == CANCELLED {
            rate.annulled += 1;
        } else if representative(dispute.id, &by_id, &mut known) == dispute.id {
            rate.registered += 1;
            rate.resolved += u64::from(dispute.is_resolved());
        } else {
            rate.combined += 1;
        }
    }
    rate
}

/// The dispute that a dispute is counted as. `known` remembers the answers, so that a long chain of combined
/// disputes is walked once.
fn representative(
    first: RecordId,
    by_id: &BTreeMap<RecordId, &Counted>,
    known: &mut BTreeMap<RecordId, RecordId>,
) -> RecordId {
    let mut way: Vec<RecordId> = Vec::new();
    let mut on_way = BTreeSet::new();
    let mut at = first;
    let found = loop {
        if let Some(found) = known.get(&at) {
            break *found;
        }
        if !on_way.insert(at) {
            // Each member of a circle gives the same answer.
            let start = way.iter().position(|id| *id == at).unwrap_or_default();
            break way[start..].iter().min().copied().unwrap_or(at);
        }
        way.push(at);
        let dispute = by_id[&at];
        let next = dispute.combined_into.filter(|_| dispute.stage == COMBINED);
        let next = next.and_then(|id| by_id.get(&id));
        match next.filter(|next| next.stage != CANCELLED) {
            Some(next) => at = next.id,
            None => break at,
        }
    };
    known.extend(way.into_iter().map(|id| (id, found)));
    found
}
