//! Pauses after failures: longer each time, and half of each by chance, so that a thousand phones that lost one
//! server do not return together.

use rand_core::CryptoRng;

use crate::limits::{RETRY_MS_FIRST, RETRY_MS_MAX};

/// The full pause after so many failures in a row, milliseconds.
pub(super) fn full_ms(failures: u32) -> i64 {
    let doublings = failures.saturating_sub(1).min(20);
    RETRY_MS_FIRST
        .saturating_mul(1 << doublings)
        .min(RETRY_MS_MAX)
}

/// A pause of which one half is fixed and the other random, milliseconds.
pub(super) fn by_chance(full_ms: i64, rng: &mut dyn CryptoRng) -> i64 {
    let half = full_ms / 2;
    half + i64::from(rng.next_u32()) * half / i64::from(u32::MAX)
}

/// A pause that grows with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
    /// Beginning and end, milliseconds UTC.
    span: Option<(i64, i64)>,
}

impl Pause {
    /// One more failure.
    pub(super) fn grow(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.failures = self.failures.saturating_add(1);
        self.wait(by_chance(full_ms(self.failures), rng), now_ms);
    }

    /// Waits at least so long, without a failure.
    pub(super) fn at_least(&mut self, length_ms: i64, now_ms: i64) {
        let ends = self.span.map_or(i64::MIN, |(_, until_ms)| until_ms);
        if now_ms.saturating_add(length_ms) > ends {
            self.wait(length_ms, now_ms);
        }
    }

    /// Waits exactly so long.
    pub(super) fn wait(&mut self, length_ms: i64, now_ms: i64) {
        self.span = Some((now_ms, now_ms.saturating_add(length_ms)));
    }

    /// Ends the wait; the next failure waits longer still.
    pub(super) fn wake(&mut self) {
        self.span = None;
    }

    /// Ends the wait, and forgets the failures.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The time when the wait ends, milliseconds UTC; `None` if it is over. A clock that was set back does not
    /// make it longer.
    pub(super) fn until(&mut self, now_ms: i64) -> Option<i64> {
        let (from_ms, until_ms) = self.span?;
        if now_ms < from_ms {
            self.wait(until_ms.saturating_sub(from_ms), now_ms);
        } else if now_ms >= until_ms {
            self.span = None;
        }
        self.span.map(|(_, until_ms)| until_ms)
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn pauses_grow_to_their_limit() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut pause = Pause::default();
        assert_eq!(pause.until(5), None);
        for failures in 1..=40 {
            pause.grow(1_000, &mut rng);
            let length = pause.until(1_000).map(|until_ms| until_ms - 1_000);
            let full = full_ms(failures);
            assert!(length >= Some(full / 2) && length <= Some(full));
        }
        assert_eq!(full_ms(40), RETRY_MS_MAX);
        pause.wake();
        assert_eq!((pause.until(1_000), pause.failures()), (None, 40));
        pause.reset();
        assert_eq!(pause.failures(), 0);
    }

    #[test]
    fn clock_set_back_keeps_the_length() {
        let mut pause = Pause::default();
        pause.wait(500, 1_000_000);
        assert_eq!(pause.until(10), Some(510));
        assert_eq!(pause.until(510), None);
        pause.wait(500, 0);
        pause.at_least(100, 0);
        assert_eq!(pause.until(0), Some(500));
        pause.at_least(900, 0);
        assert_eq!(pause.until(0), Some(900));
    }
}
