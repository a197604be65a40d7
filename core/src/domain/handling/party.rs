//! The parties that can be made responsible, their part, and their deadlines.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::domain::Text;
use crate::id::{MemberId, UnitId};

coded_enum! {
    /// 主办 or 协办.
    Part, u8 {
        /// 主办. The case is resolved when all of these are.
        Lead = 1, "lead";
        /// 协办
        Support = 2, "support";
    }
}

/// A party that can be made responsible. CBOR `[1, unit]` or `[2, member]`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(flat)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// A unit or team.
    #[n(1)]
    Unit(#[n(0)] UnitId),
    /// A person.
    #[n(2)]
    Member(#[n(0)] MemberId),
}

/// The party that a person acts for, and the reason. It is shown, and the step is left out of response times.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct OnBehalfOf {
    /// The party that the author acts for.
    #[n(0)]
    pub party: Party,
    /// The reason why the party does not act on its own.
    #[n(1)]
    pub reason: Text,
}

/// Separate deadlines of the steps of an assignment, ms UTC.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[cbor(array)]
pub struct Deadlines {
    /// Deadline for accepting, ms UTC.
    #[n(0)]
    pub accept_by_ms: Option<i64>,
    /// Deadline for the arrival on site, ms UTC.
    #[n(1)]
    pub arrive_by_ms: Option<i64>,
    /// Deadline for resolving, ms UTC.
    #[n(2)]
    pub resolve_by_ms: Option<i64>,
}

impl Party {
    /// Whether the member, or one of the units, is this party.
    #[must_use]
    pub fn is(&self, member: Option<MemberId>, units: &[UnitId]) -> bool {
        match self {
            Self::Unit(unit) => units.contains(unit),
            Self::Member(party) => member == Some(*party),
        }
    }
}
