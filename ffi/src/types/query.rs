//! Questions to lists and to the map.

use super::{GeoPosition, RecordRow, Word};

/// The assignees of open assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum AssignedTo {
    /// The member.
    Me,
    /// The units where the member holds a role.
    MyUnits,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Order {
    /// The newest change first.
    Newest,
    /// The earliest deadline first; records without one are left out.
    Due,
    /// The nearest first; needs `near`.
    Distance,
}

/// A circle around a place.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Near {
    /// The centre.
    pub position: GeoPosition,
    /// The radius, metres, at most 100,000.
    pub radius_m: u32,
}

/// The conditions of a list; a record must meet every condition that is set.
#[derive(Debug, Clone, Default, PartialEq, uniffi::Record)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are independent of each other"
)]
pub struct Query {
    /// Codes of kinds; empty means any.
    #[uniffi(default = [])]
    pub kinds: Vec<String>,
    /// Codes of stages; empty means any.
    #[uniffi(default = [])]
    pub stages: Vec<String>,
    /// `true`: work remains to be done; `false`: no work remains.
    #[uniffi(default = None)]
    pub open: Option<bool>,
    /// Code of the category.
    #[uniffi(default = None)]
    pub category: Option<String>,
    /// The home or responsible area, or an area above it.
    #[uniffi(default = None)]
    pub area: Option<String>,
    /// Made by this member.
    #[uniffi(default = false)]
    pub mine: bool,
    /// Has an open assignment to these assignees.
    #[uniffi(default = None)]
    pub assigned: Option<AssignedTo>,
    /// A part of it has not reached the server.
    #[uniffi(default = false)]
    pub undelivered: bool,
    /// Has a conflict that people have to settle.
    #[uniffi(default = false)]
    pub in_conflict: bool,
    /// A deadline ends before this time, ms UTC.
    #[uniffi(default = None)]
    pub due_before_ms: Option<i64>,
    /// A deadline has passed.
    #[uniffi(default = false)]
    pub overdue: bool,
    /// Within a distance of a place.
    #[uniffi(default = None)]
    pub near: Option<Near>,
    /// The order; without it the newest change first.
    #[uniffi(default = None)]
    pub order: Option<Order>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct RecordPage {
    /// The rows.
    pub rows: Vec<RecordRow>,
    /// The token of the next page; absent at the end.
    pub next: Option<String>,
}

/// The number of records in a stage.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct StageCount {
    /// The stage.
    pub stage: Word,
    /// The number of records.
    pub count: u64,
}

/// A window of the map, degrees WGS-84, edges included.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct MapWindow {
    /// Southern edge.
    pub south: f64,
    /// Western edge.
    pub west: f64,
    /// Northern edge.
    pub north: f64,
    /// Eastern edge.
    pub east: f64,
}

/// A record on the map.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct MapPoint {
    /// The record.
    pub record: String,
    /// Latitude, degrees WGS-84.
    pub lat: f64,
    /// Longitude, degrees WGS-84.
    pub lon: f64,
    /// Code of the stage.
    pub stage: String,
    /// 1 (general) to 4 (critical); 0 if the record has no severity yet.
    pub severity: u8,
}

/// The records in a window of the map.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct MapPage {
    /// The records, at most 5,000.
    pub points: Vec<MapPoint>,
    /// Whether the window has more records than the page; then the person zooms in.
    pub cut: bool,
}
