//! How large the next request and its answer should be, learnt from how long the last ones took.
//!
//! A new line gets small requests. An answer that came in good time makes the next one larger, in proportion
//! to the time that was left of [`REQUEST_MS_WISHED`]. A slow answer makes the next one smaller. A loss makes
//! it smaller too, and each further loss in a row halves it. So a first page arrives soon on a slow line, a
//! cut costs a few seconds, a fast line is at full size after two or three answers, and a line that gets
//! better is used again.

use crate::limits::{
    OUTBOX_BYTES_FIRST, OUTBOX_BYTES_MAX, OUTBOX_BYTES_MIN, PAGE_BYTES_DEFAULT, PAGE_BYTES_FIRST,
    PAGE_BYTES_MIN, REQUEST_GROWTH_MAX, REQUEST_MS_WISHED,
};

/// A longer time means that the clock was moved or the phone slept.
const MEASURED_MS_MAX: i64 = 10 * 60 * 1_000;

/// Sizes of the next request.
#[derive(Debug)]
pub(super) struct Pace {
    page_bytes: u32,
    outbox_bytes: usize,
    page_cap: Option<u32>,
    /// Losses since the last answer.
    losses: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            page_bytes: PAGE_BYTES_FIRST,
            outbox_bytes: OUTBOX_BYTES_FIRST,
            page_cap: None,
            losses: 0,
        }
    }
}

impl Pace {
    /// A request or its answer was lost on the way. One loss means that the line was cut; several in a row
    /// mean that the size is wrong.
    pub(super) fn lost(&mut self) {
        self.losses = self.losses.saturating_add(1);
        let less = if self.losses == 1 {
            self.page_bytes / 4 * 3
        } else {
            self.page_bytes / 2
        };
        self.page_bytes = less.max(PAGE_BYTES_MIN);
        self.too_large();
    }

    /// The server finds a request too large.
    pub(super) fn too_large(&mut self) {
        self.outbox_bytes = (self.outbox_bytes / 2).max(OUTBOX_BYTES_MIN);
    }

    /// A request with `up` bytes of envelopes was answered by `down` bytes after this time. `more` says that
    /// the page was cut at its size.
    pub(super) fn answered(&mut self, elapsed_ms: i64, up: usize, down: usize, more: bool) {
        self.losses = 0;
        if !(0..=MEASURED_MS_MAX).contains(&elapsed_ms) {
            return;
        }
        let elapsed_ms = elapsed_ms.max(1);
        // Only a part close to its largest size says anything about that size.
        let slow = elapsed_ms > REQUEST_MS_WISHED;
        if more || (slow && down >= self.page_bytes as usize / 4) {
            let next = scaled(i64::from(self.page_bytes), elapsed_ms);
            let next = u32::try_from(next).unwrap_or(PAGE_BYTES_DEFAULT);
            self.page_bytes = next.clamp(PAGE_BYTES_MIN, PAGE_BYTES_DEFAULT);
        }
        if up >= self.outbox_bytes / 2 {
            let now = i64::try_from(self.outbox_bytes).unwrap_or(i64::MAX);
            let next = usize::try_from(scaled(now, elapsed_ms)).unwrap_or(OUTBOX_BYTES_MAX);
            self.outbox_bytes = next.clamp(OUTBOX_BYTES_MIN, OUTBOX_BYTES_MAX);
        }
    }

    /// Caps the pages that follow. A cap is no measurement, so it leaves the measured size alone.
    pub(super) fn cap(&mut self, bytes_max: Option<u64>) {
        self.page_cap = bytes_max.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Compressed bytes of the next page.
    pub(super) fn page_bytes(&self) -> u32 {
        let cap = self.page_cap.unwrap_or(u32::MAX);
        self.page_bytes.min(cap).max(PAGE_BYTES_MIN)
    }

    /// Bytes of envelopes in the next upload, not compressed.
    pub(super) fn outbox_bytes(&self) -> usize {
        self.outbox_bytes
    }
}

/// The size that would have taken the wished time, at least half and at most [`REQUEST_GROWTH_MAX`] times as
/// large.
fn scaled(bytes: i64, elapsed_ms: i64) -> i64 {
    let wished = bytes.saturating_mul(REQUEST_MS_WISHED) / elapsed_ms;
    wished.clamp(bytes / 2, bytes.saturating_mul(REQUEST_GROWTH_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of a first load over a line of so many bytes a second, with its round trip.
    fn load(pace: &mut Pace, bytes_s: i64, trip_ms: i64, answers: usize) -> i64 {
        let mut slowest = 0;
        for _ in 0..answers {
            let page = pace.page_bytes();
            let elapsed = trip_ms + i64::from(page) * 1_000 / bytes_s;
            slowest = slowest.max(elapsed);
            pace.answered(elapsed, 0, page as usize, true);
        }
        slowest
    }

    #[test]
    fn slow_line_gets_pages_of_a_few_seconds() {
        let mut pace = Pace::default();
        let slowest = load(&mut pace, 6_250, 1_000, 20);
        assert!(slowest <= REQUEST_MS_WISHED + 500, "{slowest} ms");
        assert!(pace.page_bytes() >= PAGE_BYTES_FIRST, "{pace:?}");
        let mut crawling = Pace::default();
        load(&mut crawling, 500, 2_000, 20);
        assert_eq!(crawling.page_bytes(), PAGE_BYTES_MIN);
    }

    #[test]
    fn fast_line_is_at_full_size_after_three_answers() {
        let mut pace = Pace::default();
        load(&mut pace, 1_250_000, 60, 3);
        assert_eq!(pace.page_bytes(), PAGE_BYTES_DEFAULT);
    }

    #[test]
    fn losses_halve_and_successes_grow_again() {
        let mut pace = Pace::default();
        load(&mut pace, 1_250_000, 60, 5);
        pace.lost();
        assert_eq!(pace.page_bytes(), PAGE_BYTES_DEFAULT / 4 * 3);
        pace.lost();
        assert_eq!(pace.page_bytes(), PAGE_BYTES_DEFAULT / 8 * 3);
        for _ in 0..20 {
            pace.lost();
        }
        assert_eq!(pace.page_bytes(), PAGE_BYTES_MIN);
        assert_eq!(pace.outbox_bytes(), OUTBOX_BYTES_MIN);
        for _ in 0..5 {
            let (up, down) = (pace.outbox_bytes(), pace.page_bytes() as usize);
            pace.answered(100, up, down, true);
        }
        assert_eq!(pace.page_bytes(), PAGE_BYTES_DEFAULT);
        assert_eq!(pace.outbox_bytes(), OUTBOX_BYTES_MAX);
    }

    #[test]
    fn small_answers_and_moved_clocks_say_nothing() {
        let mut pace = Pace::default();
        for elapsed in [10, 4_000, 60_000] {
            pace.answered(elapsed, 100, 300, false);
        }
        for elapsed in [-86_400_000, i64::MIN, i64::MAX, MEASURED_MS_MAX + 1] {
            pace.answered(elapsed, 1 << 20, 1 << 20, true);
        }
        assert_eq!(pace.page_bytes(), PAGE_BYTES_FIRST);
        assert_eq!(pace.outbox_bytes(), OUTBOX_BYTES_FIRST);
    }

    #[test]
    fn cap_binds_pages_without_being_learnt() {
        let mut pace = Pace::default();
        pace.cap(Some(0));
        assert_eq!(pace.page_bytes(), PAGE_BYTES_MIN);
        pace.cap(Some(5_000));
        assert_eq!(pace.page_bytes(), 5_000);
        pace.cap(None);
        assert_eq!(pace.page_bytes(), PAGE_BYTES_FIRST);
    }
}
