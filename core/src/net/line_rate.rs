//! The pace of a line, learnt from the last exchanges with the server.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::limits::{LINE_BYTES_MIN, LINE_EXCHANGE_BYTES_MIN, LINE_EXCHANGES};

/// The last exchanges that were large enough: bytes both ways, and their time.
#[derive(Debug, Default)]
pub(super) struct LineRate(Mutex<VecDeque<(u64, Duration)>>);

impl LineRate {
    /// An exchange of so many bytes took this time.
    pub(super) fn moved(&self, bytes: u64, elapsed: Duration) {
        if bytes < LINE_EXCHANGE_BYTES_MIN {
            return;
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LINE_EXCHANGES {
            last.pop_front();
        }
        last.push_back((bytes, elapsed.max(Duration::from_millis(1))));
    }

    /// Minutes that so many bytes take, rounded up; `None` while the pace is unknown.
    pub(super) fn minutes(&self, bytes: u64) -> Option<u64> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moved: u64 = last.iter().map(|(bytes, _)| bytes).sum();
        if moved < LINE_BYTES_MIN {
            return None;
        }
        let took: Duration = last.iter().map(|(_, elapsed)| *elapsed).sum();
        let ms = (u128::from(bytes) * took.as_millis()).div_ceil(u128::from(moved));
        u64::try_from(ms.div_ceil(60_000)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn minutes_need_enough_bytes() {
        let rate = LineRate::default();
        assert_eq!(rate.minutes(1), None);
        for _ in 0..50 {
            rate.moved(LINE_EXCHANGE_BYTES_MIN - 1, SECOND);
        }
        assert_eq!(rate.minutes(1), None, "round trips tell no pace");
        rate.moved(LINE_BYTES_MIN - 1, SECOND);
        assert_eq!(rate.minutes(1), None);
        rate.moved(LINE_EXCHANGE_BYTES_MIN, SECOND);
        assert_eq!(rate.minutes(1), Some(1));
        assert_eq!(rate.minutes(0), Some(0));
    }

    #[test]
    fn newer_exchanges_replace_older_ones() {
        let rate = LineRate::default();
        for _ in 0..LINE_EXCHANGES {
            rate.moved(100_000, SECOND);
        }
        assert_eq!(rate.minutes(12_000_000), Some(2));
        for _ in 0..LINE_EXCHANGES {
            rate.moved(100_000, 10 * SECOND);
        }
        assert_eq!(rate.minutes(12_000_000), Some(20));
        rate.moved(u64::MAX / 2, Duration::ZERO);
        assert_eq!(rate.minutes(12_000_000), Some(1), "no division by zero");
    }
}
