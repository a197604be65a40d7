//! Counting bytes at the socket, and telling from them whether a line is silent.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

use crate::system::now_ms;

/// Time without a byte in either direction after which a connection counts as broken.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// How often a waiting request looks at the line.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes that went over the wire, TLS included, TCP not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Sent.
    pub bytes_up: u64,
    /// Received.
    pub bytes_down: u64,
    /// Requests that were answered.
    pub round_trips: u64,
}

impl Traffic {
    /// Bytes of both directions.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.bytes_up.saturating_add(self.bytes_down)
    }
}

/// The counters. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    up: AtomicU64,
    down: AtomicU64,
    round_trips: AtomicU64,
}

impl Meter {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_up: self.0.up.load(Ordering::Relaxed),
            bytes_down: self.0.down.load(Ordering::Relaxed),
            round_trips: self.0.round_trips.load(Ordering::Relaxed),
        }
    }

    pub(super) fn answered(&self) {
        self.0.round_trips.fetch_add(1, Ordering::Relaxed);
    }
}

/// The last time that one connection moved a byte.
#[derive(Debug, Clone)]
pub(super) struct Pulse(Arc<Mutex<Instant>>);

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent(&self) -> Duration {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// Returns when the line has been silent for [`SILENCE`], or when the device has slept for that long: its
    /// connections are dead then, and a monotonic clock that stops in sleep would not tell. `look` is
    /// called every second.
    pub(super) async fn until_silent(&self, look: impl Fn()) {
        self.until_silent_by(now_ms, look).await;
    }

    async fn until_silent_by(&self, wall_ms: impl Fn() -> i64, look: impl Fn()) {
        let limit = i64::try_from(SILENCE.as_millis()).unwrap_or(i64::MAX);
        self.beat();
        loop {
            let before = wall_ms();
            sleep(LOOK_EVERY).await;
            look();
            let slept = wall_ms().saturating_sub(before) > limit;
            if slept || self.silent() >= SILENCE {
                return;
            }
        }
    }
}

/// A stream whose bytes are counted.
pub(super) struct Metered<S> {
    inner: S,
    meter: Meter,
    pulse: Pulse,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, meter: Meter, pulse: Pulse) -> Self {
        Self {
            inner,
            meter,
            pulse,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let count = buf.filled().len() - before;
        if count > 0 {
            self.meter.0.down.fetch_add(count as u64, Ordering::Relaxed);
            self.pulse.beat();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = polled {
            self.meter.0.up.fetch_add(count as u64, Ordering::Relaxed);
            self.pulse.beat();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::AtomicI64;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Time here is tokio's, which a paused runtime advances, so the test never waits.
    #[tokio::test(start_paused = true)]
    async fn line_that_moves_bytes_is_never_silent() {
        let (near, mut far) = tokio::io::duplex(64);
        let (meter, pulse) = (Meter::default(), Pulse::new());
        let mut near = Metered::new(near, meter.clone(), pulse.clone());
        let start = Instant::now();
        let trickle = async {
            let mut byte = [0];
            // Ten minutes: a byte every 20 s, up and down in turn.
            for turn in 0..30 {
                tokio::time::advance(Duration::from_secs(20)).await;
                if turn % 2 == 0 {
                    near.write_all(b"x").await.unwrap();
                    far.read_exact(&mut byte).await.unwrap();
                } else {
                    far.write_all(b"y").await.unwrap();
                    near.read_exact(&mut byte).await.unwrap();
                }
            }
        };
        tokio::select! {
            () = pulse.until_silent_by(|| 0, || {}) => panic!("silent after {:?}", start.elapsed()),
            () = trickle => {}
        }
        let traffic = meter.traffic();
        assert_eq!((traffic.bytes_up, traffic.bytes_down), (15, 15));
        let quiet = Instant::now();
        pulse.until_silent_by(|| 0, || {}).await;
        let waited = quiet.elapsed();
        assert!(
            waited >= SILENCE && waited <= SILENCE + LOOK_EVERY,
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn device_that_slept_gives_its_connection_up() {
        let (pulse, wall) = (Pulse::new(), AtomicI64::new(0));
        let start = Instant::now();
        let sleep_then = || {
            // Eight hours by the wall, one second by the monotonic clock.
            wall.fetch_add(4 * 3_600_000, Ordering::Relaxed)
        };
        pulse.until_silent_by(sleep_then, || {}).await;
        assert!(start.elapsed() <= LOOK_EVERY * 2, "{:?}", start.elapsed());
        // A clock that is set back is no sleep.
        let back = || wall.fetch_sub(3_600_000, Ordering::Relaxed);
        let start = Instant::now();
        pulse.until_silent_by(back, || {}).await;
        assert!(start.elapsed() >= SILENCE);
    }
}
