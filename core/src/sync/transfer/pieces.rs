//! The size of the next piece, learnt from the time that the last ones took.

use crate::limits::{
    PIECE_BYTES_FIRST, PIECE_BYTES_MAX, PIECE_BYTES_MIN, PIECE_MS_WISHED, REQUEST_GROWTH_MAX,
};

/// A longer time means that the clock was moved or the phone slept.
const MEASURED_MS_MAX: i64 = 10 * 60 * 1_000;

/// Sizes of pieces in one direction.
#[derive(Debug)]
pub(super) struct Pieces {
    bytes: u64,
    cap: Option<u64>,
}

impl Default for Pieces {
    fn default() -> Self {
        Self {
            bytes: PIECE_BYTES_FIRST,
            cap: None,
        }
    }
}

impl Pieces {
    /// Bytes of the next piece.
    pub(super) fn bytes(&self) -> u64 {
        let cap = self.cap.unwrap_or(u64::MAX);
        self.bytes.min(cap).max(PIECE_BYTES_MIN)
    }

    /// Caps the pieces that follow. A cap is no measurement.
    pub(super) fn cap(&mut self, bytes_max: Option<u64>) {
        self.cap = bytes_max;
    }

    /// A piece was transferred in this time. Only a piece of the present size says anything about that size.
    pub(super) fn done(&mut self, bytes: u64, elapsed_ms: i64) {
        if bytes < self.bytes || !(0..=MEASURED_MS_MAX).contains(&elapsed_ms) {
            return;
        }
        let now = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        let wished = now.saturating_mul(PIECE_MS_WISHED) / elapsed_ms.max(1);
        let next = wished.clamp(now / 2, now.saturating_mul(REQUEST_GROWTH_MAX));
        let next = u64::try_from(next).unwrap_or(PIECE_BYTES_MIN);
        self.bytes = next.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX);
    }

    /// A piece was lost, and not one byte of it has arrived.
    pub(super) fn lost(&mut self) {
        self.bytes = (self.bytes / 2).max(PIECE_BYTES_MIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pieces: &mut Pieces, bytes_s: i64, trip_ms: i64, count: usize) -> i64 {
        let mut slowest = 0;
        for _ in 0..count {
            let bytes = pieces.bytes();
            let elapsed = trip_ms + i64::try_from(bytes).unwrap_or(0) * 1_000 / bytes_s;
            slowest = slowest.max(elapsed);
            pieces.done(bytes, elapsed);
        }
        slowest
    }

    #[test]
    fn pieces_follow_the_pace_of_the_line() {
        let mut fast = Pieces::default();
        sent(&mut fast, 1_000_000, 60, 3);
        assert_eq!(fast.bytes(), PIECE_BYTES_MAX);
        let mut slow = Pieces::default();
        sent(&mut slow, 6_250, 1_000, 4);
        assert_eq!(slow.bytes(), PIECE_BYTES_MIN);
        sent(&mut slow, 1_000_000, 60, 3);
        assert_eq!(slow.bytes(), PIECE_BYTES_MAX, "a better line is used");
        slow.lost();
        assert_eq!(slow.bytes(), PIECE_BYTES_MAX / 2);
    }

    #[test]
    fn ends_of_files_and_moved_clocks_say_nothing() {
        let mut pieces = Pieces::default();
        pieces.done(100, 9_000);
        for elapsed in [-5, i64::MIN, i64::MAX] {
            pieces.done(PIECE_BYTES_FIRST, elapsed);
        }
        assert_eq!(pieces.bytes(), PIECE_BYTES_FIRST);
        pieces.cap(Some(40_000));
        assert_eq!(pieces.bytes(), 40_000);
        pieces.cap(Some(1));
        assert_eq!(pieces.bytes(), PIECE_BYTES_MIN);
        pieces.cap(None);
        assert_eq!(pieces.bytes(), PIECE_BYTES_FIRST);
    }
}
