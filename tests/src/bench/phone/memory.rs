//! Memory of a phone while it imports 10,000 records.

use super::hand::{Hand, RECORDS};
use crate::bench::figures::say;
use crate::bench::process;

/// The most that the peak of the process may grow.
const GROWTH_MB_MAX: f64 = 80.0;

pub(super) fn measure(hand: &Hand) {
    let before = process::peak_mb();
    let report = hand.sync();
    let peak = process::peak_mb();
    say("records", RECORDS as f64, "records", None);
    say("bytes down", report.bytes_down as f64, "B", None);
    say("round trips", f64::from(report.round_trips), "", None);
    say("peak before the sync", before, "MB", None);
    say(
        "growth of the peak",
        peak - before,
        "MB",
        Some(GROWTH_MB_MAX),
    );
}
