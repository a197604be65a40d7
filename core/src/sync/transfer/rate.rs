//! How many files are left, and for how many minutes at the present pace.

use std::collections::VecDeque;

use crate::limits::{PACE_BYTES_MIN, PACE_WINDOW_MS};

/// Moves within this time are counted together, milliseconds.
const STEP_MS: i64 = 1_000;

/// The files that are still to be transferred, as a host app shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilesProgress {
    /// Files that wait to be sent, and files that were asked for.
    pub files_left: u64,
    /// Their bytes that are not transferred yet.
    pub bytes_left: u64,
    /// Minutes at the mean pace of the last 30 seconds, rounded up; `None` while the pace is unknown.
    pub minutes_left: Option<u64>,
}

/// The pace of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Rate {
    /// Beginning of the transfer under way, milliseconds UTC.
    since_ms: i64,
    moves: VecDeque<(i64, u64)>,
}

impl Rate {
    /// Bytes were transferred between these two times.
    pub(super) fn moved(&mut self, began_ms: i64, now_ms: i64, bytes: u64) {
        let last = self.moves.back().map(|(at_ms, _)| *at_ms);
        let is_gap = |last: i64| !(last..=last + PACE_WINDOW_MS).contains(&now_ms);
        if last.is_none_or(is_gap) {
            self.moves.clear();
            self.since_ms = began_ms.min(now_ms);
        }
        match self.moves.back_mut() {
            Some((at_ms, sum)) if now_ms < *at_ms + STEP_MS => *sum += bytes,
            _ => self.moves.push_back((now_ms, bytes)),
        }
        let from_ms = now_ms.saturating_sub(PACE_WINDOW_MS);
        while self
            .moves
            .front()
            .is_some_and(|(at_ms, _)| *at_ms < from_ms)
        {
            self.moves.pop_front();
        }
    }

    /// Minutes that so many bytes take, rounded up; `None` while the pace is unknown.
    pub(super) fn minutes(&self, bytes_left: u64, now_ms: i64) -> Option<u64> {
        let from_ms = now_ms.saturating_sub(PACE_WINDOW_MS);
        let recent = self.moves.iter().filter(|(at_ms, _)| *at_ms >= from_ms);
        let bytes: u64 = recent.map(|(_, bytes)| *bytes).sum();
        let span_ms = now_ms.saturating_sub(self.since_ms.max(from_ms));
        let span_ms = u64::try_from(span_ms).ok().filter(|span| *span > 0)?;
        if bytes < PACE_BYTES_MIN {
            return None;
        }
        let work = u128::from(bytes_left) * u128::from(span_ms);
        u64::try_from(work.div_ceil(u128::from(bytes) * 60_000)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_follow_the_last_half_minute() {
        let mut rate = Rate::default();
        assert_eq!(rate.minutes(1_000, 0), None);
        rate.moved(0, 1_000, PACE_BYTES_MIN - 1);
        assert_eq!(rate.minutes(1_000, 1_000), None, "too little to tell");
        // 100,000 bytes a second for a minute, then 10,000 for another.
        for second in 2..=60 {
            rate.moved((second - 1) * 1_000, second * 1_000, 100_000);
        }
        assert_eq!(rate.minutes(12_000_000, 60_000), Some(2));
        for second in 61..=120 {
            rate.moved((second - 1) * 1_000, second * 1_000, 10_000);
        }
        assert_eq!(rate.minutes(1_200_000, 120_000), Some(2));
        assert_eq!(rate.minutes(0, 120_000), Some(0));
        assert_eq!(rate.minutes(1, 120_000), Some(1));
    }

    #[test]
    fn rests_and_moved_clocks_begin_anew() {
        let mut rate = Rate::default();
        rate.moved(0, 1_000, 1_000_000);
        assert_eq!(rate.minutes(60_000_000, 1_000), Some(1));
        assert_eq!(rate.minutes(1, 1_000 + 2 * PACE_WINDOW_MS), None);
        rate.moved(3_600_000, 3_602_000, 1_000_000);
        assert_eq!(rate.minutes(60_000_000, 3_602_000), Some(2));
        rate.moved(500, 1_500, 1_000_000);
        assert_eq!(rate.minutes(60_000_000, 1_500), Some(1));
        assert!(rate.moves.len() < 3);
    }
}
