//! The budget of an area and a month: the sum of the rewards that were granted. It is computed and never
//! stored.
//!
//! The amount of a reward is the one that its approver had seen. A later edit of the amount spends nothing.

use super::{AMOUNT_FEN, GRANTED, KIND, PAID};
use crate::domain::AreaPath;
use crate::domain::case::RecordState;
use crate::domain::content::Content;
use crate::domain::month::Month;
use crate::id::EnvelopeId;

/// A reward that was granted and not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// The area where it was proposed.
    pub area: AreaPath,
    /// The month in China of the grant.
    pub month: Month,
    /// The amount that the approver had seen, in fen.
    pub amount_fen: u64,
    /// Whether it was paid.
    pub is_paid: bool,
}

/// The money of an area and a month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many rewards were granted.
    pub count: u64,
    /// The sum of the rewards that were granted, paid or not, in fen.
    pub granted_fen: u64,
    /// The part of it that was paid, in fen.
    pub paid_fen: u64,
}

impl Granted {
    /// The grant in force; `None` for another kind, and for a reward that is not granted.
    #[must_use]
    pub fn grant_of(state: &RecordState) -> Option<EnvelopeId> {
        let steps = state.steps().filter(|_| state.facts.kind == KIND)?;
        let is_granted = [GRANTED, PAID].contains(&steps.stage);
        Some(steps.entered(GRANTED).filter(|_| is_granted)?.id)
    }

    /// Takes the facts of a reward. `seen` is the content that the author of [`Self::grant_of`] had seen, see
    /// [`crate::record::Record::content_seen_by`]. A reward without an amount counts as 0 fen.
    #[must_use]
    pub fn of(state: &RecordState, seen: &Content) -> Option<Self> {
        Self::grant_of(state)?;
        let steps = state.steps()?;
        let amount = seen.number(&AMOUNT_FEN).unwrap_or_default();
        Some(Self {
            area: state.lead_area(),
            month: Month::in_china(steps.entered(GRANTED)?.at_ms),
            amount_fen: u64::try_from(amount).unwrap_or_default(),
            is_paid: steps.stage == PAID,
        })
    }
}

/// Sums the rewards of an area, its villages and grids included, in a month.
#[must_use]
pub fn spent<'a>(
    granted: impl IntoIterator<Item = &'a Granted>,
    within: &AreaPath,
    month: Month,
) -> Spent {
    let all = granted.into_iter();
    let counted = all.filter(|one| one.month == month && one.area.is_within(within));
    counted.fold(Spent::default(), |sum, one| Spent {
        count: sum.count + 1,
        granted_fen: sum.granted_fen.saturating_add(one.amount_fen),
        paid_fen: if one.is_paid {
            sum.paid_fen.saturating_add(one.amount_fen)
        } else {
            sum.paid_fen
        },
    })
}
