//! A bad line in front of a server: narrow, slow, lossy, and cut every now and then. It is a relay in this
//! process, so it needs no rights and no module of the kernel.
//!
//! ```text
//!  phone ─▶ little buffer ─▶ segments, one after the other ─▶ half a round trip ─▶ server
//!        ◀─ ……………………………………………………… the same, the other way ………………………………………… ◀─
//! ```
//!
//! A lost segment is a stall of one round trip, because TCP delivers in order and sends it again. All
//! connections share the line. Real time passes, so benches print it, and tests assert nothing about it.

mod relay;
mod schedule;

use std::time::Duration;

pub use relay::Line;
pub use schedule::Schedule;

/// Bytes that travel together.
pub const SEGMENT_BYTES: usize = 1_400;

/// The properties of a line.
#[derive(Debug, Clone, Copy)]
pub struct Profile {
    /// Bits per second of each direction.
    pub bits_s: u64,
    /// Time of a round trip.
    pub round_trip: Duration,
    /// Segments of 1,000 that are lost.
    pub lost_per_mille: u32,
    /// Each connection breaks after this time, and again after the same time; `None` for never.
    pub cut_every: Option<Duration>,
    /// The seed of the series of losses.
    pub seed: u64,
}

impl Profile {
    /// The line at the edge of a mobile network: 50 kbit/s, one second of round trip, 5 % loss, cut every 30 s.
    #[must_use]
    pub fn second_generation(seed: u64) -> Self {
        Self {
            bits_s: 50_000,
            round_trip: Duration::from_secs(1),
            lost_per_mille: 50,
            cut_every: Some(Duration::from_secs(30)),
            seed,
        }
    }

    /// A line without faults, for tests of the traffic on it.
    #[must_use]
    pub fn perfect() -> Self {
        Self {
            bits_s: 1_000_000_000,
            round_trip: Duration::ZERO,
            lost_per_mille: 0,
            cut_every: None,
            seed: 0,
        }
    }
}
