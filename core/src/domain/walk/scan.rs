//! A scan of a printed checkpoint, and whether it counts.
//!
//! A code on a wall can be photographed and scanned at home. So a scan counts with a fresh position near the
//! checkpoint, or beside another phone of the walk that was there at that moment. Any other scan is kept and shown
//! with its reason.

use std::ops::RangeInclusive;

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::checkpoint::CheckpointCode;
use super::section::Section;
use super::track::TrackPoint;
use crate::base32;
use crate::cbor::canonical;
use crate::domain::point::GeoPoint;
use crate::domain::position::Position;

/// The id of the first log entry of scans is `scan-1`.
pub const ENTRY_PREFIX: &str = "scan-";
/// Metres from a checkpoint within which a phone is beside it.
pub const NEAR_M: f64 = 50.0;
/// The largest claimed radius that adds to [`NEAR_M`]. With a larger one a phone could be anywhere.
pub const RADIUS_M_MAX: u32 = 50;
/// The greatest age of a position, seconds.
pub const FIX_AGE_S_MAX: u32 = 30;
/// Metres from a checkpoint within which a companion is beside it, and the largest claimed radius of its point. A
/// companion in the street proves nothing about a door.
pub const COMPANION_M: u32 = 20;
/// Seconds between a scan and the point of a companion.
pub const BESIDE_S_MAX: u32 = 30;

const ENTRY_BYTES_MAX: usize = 320;

/// A scan, as the log entry of a phone has it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Scan {
    /// The clock of the phone, seconds UTC.
    #[n(0)]
    pub at_s: u32,
    #[n(1)]
    code: ByteVec,
    /// The position of the phone, if it had one.
    #[n(2)]
    pub fix: Option<Fix>,
}

/// A position at a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Fix {
    /// The place, WGS-84.
    #[n(0)]
    pub place: GeoPoint,
    /// The claimed radius in metres; `None` where the phone claims none.
    #[n(1)]
    pub accuracy_m: Option<u32>,
    /// The age of the position, seconds.
    #[n(2)]
    pub age_s: u32,
}

coded_error! {
    /// The reason why a scan does not count. The scan stays in the record.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum ScanReason {
        /// The entry holds no scan.
        #[error("scan.damaged")]
        Damaged,
        /// The server did not print the code.
        #[error("scan.not_genuine")]
        NotGenuine,
        /// The checkpoint is one of another section.
        #[error("scan.other_section")]
        OtherSection,
        /// The section has no such checkpoint now.
        #[error("scan.no_checkpoint")]
        NoCheckpoint,
        /// The walk was not open then.
        #[error("scan.outside")]
        Outside,
        /// The phone had no position.
        #[error("scan.no_fix")]
        NoFix,
        /// The position was too old.
        #[error("scan.old_fix")]
        OldFix,
        /// The position was too vague.
        #[error("scan.vague_fix")]
        VagueFix,
        /// The phone was elsewhere.
        #[error("scan.too_far")]
        TooFar,
        /// The phone itself does not count.
        #[error("scan.not_counted")]
        NotCounted,
    }
}

/// The proof of presence at a scan that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// The own position.
    OwnFix,
    /// The way of another phone, by its device.
    Companion([u8; 8]),
}

/// The other phones of a walk that count, with their ways by time.
pub type Companions<'a> = [([u8; 8], &'a [TrackPoint])];

impl Scan {
    /// A scan with the position that the phone has. `None` for a clock before 1970 or after 2106.
    #[must_use]
    pub fn new(code: &CheckpointCode, position: Option<Position>, now_ms: i64) -> Option<Self> {
        let fix = position.map(|position| Fix {
            place: position.wgs84(),
            accuracy_m: position.accuracy_m(),
            age_s: position.fix_age_ms() / 1_000,
        });
        Some(Self {
            at_s: u32::try_from(now_ms.div_euclid(1_000)).ok()?,
            code: code.to_bytes().into(),
            fix,
        })
    }

    /// The code; `None` where a hostile phone wrote none.
    #[must_use]
    pub fn code(&self) -> Option<CheckpointCode> {
        CheckpointCode::of_bytes(&self.code)
    }

    /// The clock of the phone, ms UTC.
    #[must_use]
    pub fn at_ms(&self) -> i64 {
        i64::from(self.at_s) * 1_000
    }

    /// The text of the log entry.
    #[must_use]
    pub fn to_text(&self) -> String {
        let bytes = minicbor::to_vec(self).expect("writing CBOR to memory does not fail");
        base32::encode(&bytes)
    }

    /// Reads a log entry.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let bytes = base32::decode(text).filter(|bytes| bytes.len() <= ENTRY_BYTES_MAX)?;
        canonical::check(&bytes).ok()?;
        canonical::decode_signed(&bytes)
    }

    /// Judges the scan. `is_genuine`: the server printed the code. `open_ms`: when the walk was open.
    pub fn judge(
        &self,
        section: &Section,
        is_genuine: bool,
        open_ms: &RangeInclusive<i64>,
        companions: &Companions<'_>,
    ) -> Result<Witness, ScanReason> {
        let code = self.code().ok_or(ScanReason::Damaged)?;
        if !is_genuine {
            return Err(ScanReason::NotGenuine);
        }
        if code.section != *section.id() {
            return Err(ScanReason::OtherSection);
        }
        let checkpoint = section.checkpoint(code.checkpoint);
        let place = checkpoint.ok_or(ScanReason::NoCheckpoint)?.place;
        if !open_ms.contains(&self.at_ms()) {
            return Err(ScanReason::Outside);
        }
        let Err(why) = self.beside(place) else {
            return Ok(Witness::OwnFix);
        };
        let was_there = |way: &[TrackPoint]| {
            let from = self.at_s.saturating_sub(BESIDE_S_MAX);
            let to = self.at_s.saturating_add(BESIDE_S_MAX);
            let way = &way[way.partition_point(|point| point.at_s < from)..];
            let mut close = way.iter().take_while(|point| point.at_s <= to);
            close.any(|point| is_at(point, place))
        };
        let companion = companions.iter().find(|(_, way)| was_there(way));
        companion
            .map(|(device, _)| Witness::Companion(*device))
            .ok_or(why)
    }

    /// Whether the own position shows the phone beside a place.
    fn beside(&self, place: GeoPoint) -> Result<(), ScanReason> {
        let fix = self.fix.ok_or(ScanReason::NoFix)?;
        if fix.age_s > FIX_AGE_S_MAX {
            return Err(ScanReason::OldFix);
        }
        let radius = fix.accuracy_m.filter(|metres| *metres <= RADIUS_M_MAX);
        let radius = radius.ok_or(ScanReason::VagueFix)?;
        if fix.place.distance_m(place) > NEAR_M + f64::from(radius) {
            return Err(ScanReason::TooFar);
        }
        Ok(())
    }
}

/// Whether a point of a way shows a phone beside a place.
fn is_at(point: &TrackPoint, place: GeoPoint) -> bool {
    let radius = point.accuracy.metres();
    let is_clear = radius.is_some_and(|metres| metres <= COMPANION_M);
    let near = |at: GeoPoint| at.distance_m(place) <= f64::from(COMPANION_M);
    is_clear && point.place().is_some_and(near)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::position::Datum;
    use crate::domain::walk::samples::{START_S, code_of, place, section, walk};

    const OPEN_MS: RangeInclusive<i64> = 0..=i64::MAX;

    #[allow(clippy::unnecessary_wraps, reason = "a scan may have none")]
    fn position(metres: f64, accuracy_m: Option<u32>, age_ms: u32) -> Option<Position> {
        let at = place(metres);
        let made = Position::new(at.lat_e7(), at.lon_e7(), Datum::Wgs84, accuracy_m, age_ms);
        Some(made.unwrap())
    }

    fn scan(position: Option<Position>) -> Scan {
        let now_ms = i64::from(START_S + 100) * 1_000;
        Scan::new(&code_of(1, 1), position, now_ms).unwrap()
    }

    #[test]
    fn scan_counts_with_a_fresh_position_alone() {
        for (position, expected) in [
            (position(0.0, Some(5), 0), None),
            (position(50.0, Some(5), 30_999), None),
            (position(90.0, Some(45), 0), None),
            (position(90.0, Some(10), 0), Some("scan.too_far")),
            (position(600.0, Some(50), 0), Some("scan.too_far")),
            (position(0.0, Some(5), 31_000), Some("scan.old_fix")),
            (position(0.0, Some(51), 0), Some("scan.vague_fix")),
            (position(0.0, None, 0), Some("scan.vague_fix")),
            (None, Some("scan.no_fix")),
        ] {
            let judged = scan(position).judge(&section(), true, &OPEN_MS, &[]);
            assert_eq!(judged.err().map(|why| why.code()), expected, "{position:?}");
        }
    }

    #[test]
    fn scan_counts_beside_a_companion() {
        let way = walk(1, 200);
        let beside = [([9; 8], &way[..])];
        let judge = |scan: &Scan| scan.judge(&section(), true, &OPEN_MS, &beside);
        let mut there = scan(None);
        // After 20 s the companion is 24 m from the first checkpoint, after 100 s it is 120 m away.
        there.at_s = START_S + 20;
        assert_eq!(judge(&there), Ok(Witness::Companion([9; 8])));
        // A companion who passes in the street, 36 m away, says nothing about the door.
        there.at_s = START_S + 60;
        assert_eq!(judge(&there), Err(ScanReason::NoFix));
        there.at_s = START_S + 200;
        assert_eq!(judge(&there), Err(ScanReason::NoFix));
    }

    #[test]
    fn scan_of_another_place_or_time_does_not_count() {
        let judge = |code: &CheckpointCode, is_genuine, open: RangeInclusive<i64>| {
            let scan = Scan::new(code, position(0.0, Some(5), 0), 1_000_000).unwrap();
            scan.judge(&section(), is_genuine, &open, &[])
        };
        let mut other = code_of(1, 1);
        other.section = super::super::section::SectionId::new("other").unwrap();
        assert_eq!(judge(&code_of(1, 1), true, OPEN_MS), Ok(Witness::OwnFix));
        assert_eq!(
            judge(&code_of(1, 1), false, OPEN_MS),
            Err(ScanReason::NotGenuine)
        );
        assert_eq!(judge(&other, true, OPEN_MS), Err(ScanReason::OtherSection));
        assert_eq!(
            judge(&code_of(1, 9), true, OPEN_MS),
            Err(ScanReason::NoCheckpoint)
        );
        let later = 1_000_001..=i64::MAX;
        assert_eq!(judge(&code_of(1, 1), true, later), Err(ScanReason::Outside));
    }

    #[test]
    fn entry_returns_from_its_text() {
        let scan = scan(position(3.0, Some(8), 2_000));
        let text = scan.to_text();
        assert!(text.len() < 260, "{}", text.len());
        assert_eq!(Scan::of_text(&text), Some(scan));
        for end in 0..text.len() {
            assert_eq!(Scan::of_text(&text[..end]), None, "cut at {end}");
        }
        let printed = code_of(1, 3).to_string();
        assert_eq!(printed.to_lowercase().parse(), Ok(code_of(1, 3)));
        for end in 0..printed.len() {
            assert!(
                printed[..end].parse::<CheckpointCode>().is_err(),
                "cut at {end}"
            );
        }
        let newer = printed.replace("ONEGRIDC1", "ONEGRIDC2");
        let refused = newer.parse::<CheckpointCode>();
        assert_eq!(refused.unwrap_err().code(), "checkpoint.newer_code");
    }
}
