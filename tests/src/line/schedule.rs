//! The times at which each segment leaves and arrives: arithmetic on times from the caller.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::Profile;

/// One direction of a line. Times count from its beginning.
#[derive(Debug)]
pub struct Schedule {
    profile: Profile,
    /// The line is free from this time on.
    free: Duration,
    rng: ChaCha8Rng,
    stalls: u64,
}

/// The times of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The time at which the segment is on the line, so that the next one may follow.
    pub sent: Duration,
    /// The time at which the segment is at the other end.
    pub arrived: Duration,
}

impl Schedule {
    /// Makes a free line. `direction` separates the losses of the two directions.
    #[must_use]
    pub fn new(profile: Profile, direction: u64) -> Self {
        let seed = profile.seed.wrapping_mul(2).wrapping_add(direction);
        Self {
            profile,
            free: Duration::ZERO,
            rng: ChaCha8Rng::seed_from_u64(seed),
            stalls: 0,
        }
    }

    /// Puts these bytes on the line, not before `now`.
    pub fn put(&mut self, now: Duration, bytes: usize) -> Slot {
        let nanos = bytes as u64 * 8 * 1_000_000_000 / self.profile.bits_s;
        let mut sent = now.max(self.free) + Duration::from_nanos(nanos);
        if self.rng.next_u32() % 1_000 < self.profile.lost_per_mille {
            sent += self.profile.round_trip;
            self.stalls += 1;
        }
        self.free = sent;
        Slot {
            sent,
            arrived: sent + self.profile.round_trip / 2,
        }
    }

    /// Returns the number of losses so far.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.stalls
    }
}

#[cfg(test)]
mod tests {
    use super::super::SEGMENT_BYTES;
    use super::*;

    #[test]
    fn bytes_take_the_time_of_the_bandwidth() {
        let profile = Profile {
            lost_per_mille: 0,
            ..Profile::second_generation(1)
        };
        let mut line = Schedule::new(profile, 0);
        let first = line.put(Duration::ZERO, 6_250);
        assert_eq!(first.sent, Duration::from_secs(1));
        assert_eq!(first.arrived, Duration::from_millis(1_500));
        let queued = line.put(Duration::ZERO, 625);
        assert_eq!(
            queued.sent,
            Duration::from_millis(1_100),
            "one after the other"
        );
        let later = line.put(Duration::from_secs(9), 625);
        assert_eq!(
            later.sent,
            Duration::from_millis(9_100),
            "an idle line is free"
        );
    }

    #[test]
    fn loss_stalls_by_a_round_trip_and_repeats() {
        let profile = Profile::second_generation(7);
        let run = |direction| {
            let mut line = Schedule::new(profile, direction);
            let slots: Vec<Slot> = (0..2_000)
                .map(|_| line.put(Duration::ZERO, SEGMENT_BYTES))
                .collect();
            (slots, line.stalls())
        };
        let (slots, stalls) = run(0);
        assert!((60..140).contains(&stalls), "{stalls} of 2,000");
        let plain = Duration::from_nanos(SEGMENT_BYTES as u64 * 8 * 20_000);
        let expected = plain * 2_000 + profile.round_trip * u32::try_from(stalls).unwrap_or(0);
        assert_eq!(slots[1_999].sent, expected);
        assert!(slots.windows(2).all(|two| two[0].arrived < two[1].arrived));
        assert_eq!(run(0).0, slots, "the same seed, the same losses");
        assert_ne!(run(1).0, slots, "each direction has its own");
    }
}
