//! Walks: the way of each phone, scans of checkpoints, and the coverage of a section.

use super::{GeoPosition, Word};

/// A point of the way of a phone.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct WayPoint {
    /// The clock of the phone, ms UTC. Points are stored by the second.
    pub at_ms: i64,
    /// The place. The age of its fix has no effect.
    pub position: GeoPosition,
    /// Whether the phone did not record before this point.
    #[uniffi(default = false)]
    pub after_gap: bool,
}

/// The part of a batch of points that was written.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct TrackAdded {
    /// The envelope.
    pub envelope: String,
    /// The number of points that are no part of the walk, so they were not written.
    pub left_out: u32,
}

/// A checkpoint whose code was scanned.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct ScannedCheckpoint {
    /// The section.
    pub section: String,
    /// The number in the section.
    pub number: u16,
}

/// A section with the checkpoints and targets that the app knows.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct WalkSection {
    /// The id, as records carry it: lower-case letters, digits, `-` and `_`.
    pub id: String,
    /// The points of its line in order; empty for a section of checkpoints alone.
    pub line: Vec<GeoPosition>,
    /// The checkpoints.
    pub checkpoints: Vec<SectionCheckpoint>,
    /// The targets.
    pub targets: Vec<SectionTarget>,
}

/// A checkpoint of a section.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct SectionCheckpoint {
    /// The number, unique in the section.
    pub number: u16,
    /// The place.
    pub position: GeoPosition,
    /// The name for people.
    pub name: String,
}

/// Passes that a section needs in a window of the day in China.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct SectionTarget {
    /// The first minute of the window, 0 to 1,439.
    pub from_minute: u16,
    /// The minute after the window, at most 1,440.
    pub to_minute: u16,
    /// The number of passes, at least 1.
    pub wanted: u16,
    /// Whether that is the number of each hour; otherwise the number of the whole window.
    pub per_hour: bool,
}

/// The walk of a record.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct WalkDetail {
    /// The record.
    pub record: String,
    /// The record of the same walk that this one belongs to.
    pub linked: Option<String>,
    /// The section.
    pub section: Option<String>,
    /// The opening, ms UTC.
    pub opened_ms: i64,
    /// The latest end that a person of the walk set, ms UTC.
    pub ended_ms: Option<i64>,
    /// Whether it was abandoned, so it makes no pass.
    pub abandoned: bool,
    /// The phones, the lead first.
    pub walkers: Vec<Walker>,
}

/// A phone of a walk.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Walker {
    /// The part of the device's id that its entries carry, in hexadecimal digits.
    pub device: String,
    /// Whether it is this phone.
    pub own: bool,
    /// Whether it is the phone that opened the walk.
    pub is_lead: bool,
    /// The reason why its way does not count; none where it counts.
    pub refused: Option<Word>,
    /// The number of points of the way.
    pub points: u32,
    /// The number of points from before the opening, or after the end or the leaving.
    pub outside: u32,
    /// The number of scans.
    pub scan_count: u32,
    /// The first point, ms UTC.
    pub from_ms: Option<i64>,
    /// The last point, ms UTC.
    pub to_ms: Option<i64>,
    /// The length outside the gaps, in metres. No rule reads it.
    pub metres: u32,
    /// When the person left before the end, ms UTC.
    pub left_ms: Option<i64>,
    /// When this phone ended the walk, ms UTC.
    pub ended_ms: Option<i64>,
    /// The number of entries that this version cannot read.
    pub unreadable: u32,
    /// Whether the places are not shown to this person. Then `way` and `scans` are empty.
    pub withheld: bool,
    /// The points of the way, by time.
    pub way: Vec<WayPoint>,
    /// The scans, by time.
    pub scans: Vec<WalkScan>,
}

/// A scan of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WalkScan {
    /// The clock of the phone, ms UTC.
    pub at_ms: i64,
    /// The number of the checkpoint; none in a damaged entry.
    pub checkpoint: Option<u16>,
    /// The reason why it does not count; none where it counts, or where no section was given.
    pub refused: Option<Word>,
}

/// The coverage of a section on a day in China.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WalkCoverage {
    /// The passes of each hour, from 0 to 23 h.
    pub hours: Vec<u16>,
    /// The passes of the day, by time.
    pub passes: Vec<WalkPass>,
    /// The windows of the targets that lack passes.
    pub shortfalls: Vec<WalkShortfall>,
}

/// A pass of a section.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct WalkPass {
    /// When it was complete, ms UTC.
    pub at_ms: i64,
    /// The records that made it together.
    pub records: Vec<String>,
}

/// A window with fewer passes than wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct WalkShortfall {
    /// The beginning, ms UTC.
    pub from_ms: i64,
    /// The end, ms UTC.
    pub to_ms: i64,
    /// The passes wanted.
    pub wanted: u16,
    /// The passes found.
    pub found: u16,
}
