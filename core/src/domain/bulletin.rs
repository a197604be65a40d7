//! Bulletins: the part of a case that every person enrolled in a village may see, without author and with a
//! rounded position.

use minicbor::{Decode, Encode};

use crate::domain::RecordKind;
use crate::domain::case::Stage;
use crate::domain::category::CategoryCode;
use crate::id::RecordId;

/// The public summary of a case, as the server makes it. A later summary of the record replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Summary {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// The kind of the record.
    #[n(1)]
    pub kind: RecordKind,
    /// The category; `None` before triage.
    #[n(2)]
    pub category: Option<CategoryCode>,
    /// How far the case is.
    #[n(3)]
    pub stage: Stage,
    /// Rounded latitude and longitude, WGS-84, 1e-7 degrees.
    #[n(4)]
    pub position: Option<(i32, i32)>,
    /// Time of the report, ms UTC.
    #[n(5)]
    pub reported_ms: i64,
}
