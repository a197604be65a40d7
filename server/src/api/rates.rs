//! Limits on the rate of requests: one bucket of tokens for each caller, which refills over time.
//!
//! A bucket holds the tokens of one minute, so that a phone may catch up after a week offline. **Invariant:**
//! memory is bounded. Full buckets are forgotten, and beyond [`RATE_CALLERS_MAX`] callers all new ones share
//! one bucket.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::error::{Problem, Result};
use crate::limits::RATE_CALLERS_MAX;

const MINUTE_MS: i64 = 60_000;

/// Buckets of one kind of callers.
#[derive(Debug)]
pub(super) struct Rates<K> {
    per_minute: i64,
    callers_max: usize,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    known: HashMap<K, Bucket>,
    strangers: Bucket,
}

/// The used part of a bucket. A token has [`MINUTE_MS`] parts, and `per_minute` parts return each
/// millisecond.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    used: i64,
    at_ms: i64,
}

impl<K: Eq + Hash> Rates<K> {
    /// Allows this many requests a minute for each caller.
    pub(super) fn per_minute(count: u32) -> Self {
        Self::with_callers(count, RATE_CALLERS_MAX)
    }

    fn with_callers(count: u32, callers_max: usize) -> Self {
        Self {
            per_minute: i64::from(count.max(1)),
            callers_max,
            buckets: Mutex::new(Buckets {
                known: HashMap::new(),
                strangers: Bucket::default(),
            }),
        }
    }

    /// Counts a request, or refuses it with the time to wait.
    pub(super) fn take(&self, caller: K, now_ms: i64) -> Result<()> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { known, strangers } = &mut *buckets;
        if known.len() >= self.callers_max && !known.contains_key(&caller) {
            known.retain(|_, bucket| bucket.filled(now_ms, self.per_minute).used > 0);
        }
        let bucket = if known.len() < self.callers_max || known.contains_key(&caller) {
            known.entry(caller).or_default()
        } else {
            strangers
        };
        *bucket = bucket.filled(now_ms, self.per_minute);
        let over = bucket.used + MINUTE_MS - self.per_minute * MINUTE_MS;
        if over > 0 {
            let wait_ms = (over + self.per_minute - 1) / self.per_minute;
            let seconds = u32::try_from((wait_ms + 999) / 1_000).unwrap_or(60);
            return Err(Problem::new("http.too_many")
                .with("seconds", seconds)
                .retry_after(seconds));
        }
        bucket.used += MINUTE_MS;
        Ok(())
    }
}

impl Bucket {
    fn filled(self, now_ms: i64, per_minute: i64) -> Self {
        // A clock that jumps back refills nothing; one that jumps ahead refills at most the whole bucket.
        let passed_ms = now_ms.saturating_sub(self.at_ms).max(0);
        Self {
            used: (self.used - passed_ms.saturating_mul(per_minute)).max(0),
            at_ms: now_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn a_minutes_worth_at_once_then_as_fast_as_it_fills() {
        let rates = Rates::per_minute(60);
        for _ in 0..60 {
            rates.take("a", 1_000).unwrap();
        }
        let refused = rates.take("a", 1_000).unwrap_err();
        assert_eq!(refused.code(), "http.too_many");
        assert_eq!(refused.retry_after_s(), Some(1));
        rates.take("b", 1_000).unwrap();
        assert!(rates.take("a", 1_999).is_err());
        rates.take("a", 2_000).unwrap();
        assert!(rates.take("a", 2_000).is_err());
        for _ in 0..60 {
            rates.take("a", 900_000).unwrap();
        }
        assert!(rates.take("a", 900_000).is_err());
    }

    #[test]
    fn who_was_refused_pays_nothing_for_having_asked() {
        let rates = Rates::per_minute(2);
        for _ in 0..2 {
            rates.take((), 0).unwrap();
        }
        for _ in 0..100 {
            assert!(rates.take((), 0).is_err());
        }
        rates.take((), 30_000).unwrap();
    }

    #[test]
    fn a_clock_that_jumps_neither_panics_nor_locks_out() {
        let rates = Rates::per_minute(1);
        rates.take((), i64::MAX).unwrap();
        assert!(rates.take((), i64::MIN).is_err());
        rates.take((), 0).unwrap();
        assert!(rates.take((), -1).is_err());
        rates.take((), 59_999).unwrap();
    }

    #[test]
    fn memory_is_bounded_and_strangers_share_what_is_left() {
        let rates = Rates::with_callers(1, 2);
        rates.take(1, 0).unwrap();
        rates.take(2, 0).unwrap();
        rates.take(3, 0).unwrap();
        assert!(rates.take(4, 0).is_err(), "the strangers' bucket is empty");
        assert_eq!(rates.buckets.lock().unwrap().known.len(), 2);
        rates.take(4, 60_000).unwrap();
        assert_eq!(
            rates.buckets.lock().unwrap().known.len(),
            1,
            "full buckets are forgotten"
        );
    }
}
