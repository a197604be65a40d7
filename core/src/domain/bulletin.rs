//! Bulletins: what everybody enrolled in a village may see of a case. No author, a rounded position.

use minicbor::{Decode, Encode};

use crate::domain::RecordKind;
use crate::domain::case::Stage;
use crate::domain::category::CategoryCode;
use crate::id::RecordId;

/// The public summary of a case, as the server makes it. A later one of the same record replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Summary {
    /// The record.
    #[n(0)]
    pub record: RecordId,
    /// What it is.
    #[n(1)]
    pub kind: RecordKind,
    /// Its category, once triaged.
    #[n(2)]
    pub category: Option<CategoryCode>,
    /// How far it is.
    #[n(3)]
    pub stage: Stage,
    /// Rounded latitude and longitude, WGS-84, 1e-7 degrees.
    #[n(4)]
    pub position: Option<(i32, i32)>,
    /// When it was reported, ms UTC.
    #[n(5)]
    pub reported_ms: i64,
}
