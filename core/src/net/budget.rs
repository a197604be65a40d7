//! The limits of one sync.

use std::time::Duration;

use tokio::time::Instant;

/// The limits of one sync; `None`: no limit. It ends between two requests, so it may exceed the bytes by one
/// small page and the time by the request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Milliseconds. A sync with this limit reconnects after a lost connection, as long as there is time.
    pub time_ms: Option<u64>,
    /// Bytes of both directions, as [`super::Traffic`] counts them.
    pub bytes: Option<u64>,
}

/// The rest of a budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purse {
    until: Option<Instant>,
    bytes_until: Option<u64>,
}

impl Purse {
    /// `bytes` is the count so far.
    pub(super) fn new(budget: Budget, bytes: u64) -> Self {
        let until = budget
            .time_ms
            .and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        Self {
            until,
            bytes_until: budget.bytes.map(|more| bytes.saturating_add(more)),
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self, bytes: u64) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
            || self.bytes_until.is_some_and(|until| bytes >= until)
    }

    /// Bytes that are left, where they are limited.
    pub(super) fn bytes_left(&self, bytes: u64) -> Option<u64> {
        self.bytes_until.map(|until| until.saturating_sub(bytes))
    }

    /// Whether a pause of this length, and a request after it, may still fit. Without a limit of time the
    /// caller decides itself when to try again.
    pub(super) fn outlasts(&self, pause: Duration) -> bool {
        self.until
            .is_some_and(|until| Instant::now() + pause < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn purse_is_empty_when_time_or_bytes_are_spent() {
        let free = Purse::new(Budget::default(), 7);
        assert!(!free.is_empty(u64::MAX) && free.bytes_left(9).is_none());
        assert!(!free.outlasts(Duration::ZERO), "one failure ends it");
        let purse = Purse::new(
            Budget {
                time_ms: Some(1_000),
                bytes: Some(100),
            },
            50,
        );
        assert!(!purse.is_empty(149) && purse.is_empty(150));
        assert_eq!(purse.bytes_left(120), Some(30));
        assert_eq!(purse.bytes_left(900), Some(0));
        assert!(purse.outlasts(Duration::from_millis(999)));
        assert!(!purse.outlasts(Duration::from_secs(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(purse.is_empty(50));
        let never = Budget {
            time_ms: Some(u64::MAX),
            bytes: Some(u64::MAX),
        };
        assert!(!Purse::new(never, 9).is_empty(1 << 60));
    }
}
