//! Times that a connection may be silent, and that an upload may take.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Problem, Result};
use crate::limits::{
    ANSWER_SILENCE_MAX, BODY_BYTES_A_SECOND_MIN, BODY_GRACE, FAREWELL_WAIT_MAX, HANDSHAKE_WAIT_MAX,
    HEAD_WAIT_MAX, TRANSFER_SILENCE_MAX,
};

/// Times after which a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time without a running request until the whole head of the next request has arrived.
    pub head: Duration,
    /// How long a peer may take no byte while bytes wait for it.
    pub answer: Duration,
    /// Time of a connection of HTTP/2 to end after it was told so.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: HANDSHAKE_WAIT_MAX,
            head: HEAD_WAIT_MAX,
            answer: ANSWER_SILENCE_MAX,
            farewell: FAREWELL_WAIT_MAX,
        }
    }
}

/// The lowest rate at which a body may arrive. Each byte moves the deadline, so a slow phone may
/// take as long as it needs, and a stalled upload ends after the grace time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    grace: Duration,
    bytes_a_second_min: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            grace: BODY_GRACE,
            bytes_a_second_min: BODY_BYTES_A_SECOND_MIN,
        }
    }
}

impl Pace {
    /// Returns the rate of photos and recordings.
    pub(super) fn of_transfers() -> Self {
        Self {
            grace: TRANSFER_SILENCE_MAX,
            ..Self::default()
        }
    }

    /// Makes a rate of its own, for tests.
    #[cfg(test)]
    pub(super) const fn new(grace: Duration, bytes_a_second_min: u32) -> Self {
        Self {
            grace,
            bytes_a_second_min,
        }
    }

    /// Begins with the first byte, which is due within the grace time.
    pub(super) fn start(self) -> Clock {
        let now = Instant::now();
        Clock {
            pace: self,
            deadline: now + self.grace,
        }
    }
}

/// The deadline of one body.
#[derive(Debug)]
pub(super) struct Clock {
    pace: Pace,
    deadline: Instant,
}

impl Clock {
    /// Waits for the next part, or refuses a body that stalls.
    pub(super) async fn wait<T>(&self, part: impl Future<Output = T>) -> Result<T> {
        timeout_at(self.deadline, part)
            .await
            .map_err(|_| Problem::new("http.timeout"))
    }

    /// Moves the deadline for bytes that arrived. A fast sender gains no more than one grace time,
    /// so it cannot stall for long after a good start.
    pub(super) fn arrived(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let earned = Duration::from_secs(u64::from(bytes)) / self.pace.bytes_a_second_min;
        self.deadline = (self.deadline + earned).min(Instant::now() + self.pace.grace);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    fn left_ms(clock: &Clock) -> u128 {
        clock.deadline.duration_since(Instant::now()).as_millis()
    }

    #[tokio::test(start_paused = true)]
    async fn slow_body_lives_and_trickle_ends() {
        let pace = Pace::new(Duration::from_secs(20), 100);
        let mut slow = pace.start();
        for _ in 0..1_000 {
            tokio::time::advance(Duration::from_secs(10)).await;
            slow.arrived(1_000);
            assert_eq!(left_ms(&slow), 20_000);
        }
        let mut trickle = pace.start();
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(1)).await;
            trickle.arrived(1);
        }
        let ended = trickle.wait(std::future::pending::<()>()).await;
        assert_eq!(ended.unwrap_err().code(), "http.timeout");
        assert!(left_ms(&trickle) == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn fast_start_earns_no_long_stall() {
        let mut clock = Pace::new(Duration::from_secs(20), 100).start();
        clock.arrived(4_000_000);
        assert_eq!(left_ms(&clock), 20_000);
    }
}
