//! The watch beside a meeting: it decides when a pipe is closed from outside.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::error::MeetingError;
use crate::limits::{
    MEETING_BYTES_MAX, MEETING_CONNECT_MS_MAX, MEETING_HANDSHAKE_MS_MAX, MEETING_MS_MAX,
    MEETING_PAUSE_MS_MAX, MEETING_SILENCE_MS_MAX, MEETING_TRIES_MAX,
};
use crate::net::cancel::Cancel;

/// The limits of a meeting. Tests use shorter ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Time without a byte, milliseconds.
    pub silence_ms_max: u64,
    /// Time until the other phone has proved its key, milliseconds.
    pub handshake_ms_max: u64,
    /// Time of one meeting, milliseconds.
    pub meeting_ms_max: u64,
    /// Time for a connection to one address, milliseconds.
    pub connect_ms_max: u64,
    /// Bytes of one meeting, both ways.
    pub bytes_max: u64,
    /// Failed calls in a row before a listener pauses between calls.
    pub tries_max: u32,
    /// Longest pause of a listener between calls, milliseconds.
    pub pause_ms_max: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            silence_ms_max: MEETING_SILENCE_MS_MAX,
            handshake_ms_max: MEETING_HANDSHAKE_MS_MAX,
            meeting_ms_max: MEETING_MS_MAX,
            connect_ms_max: MEETING_CONNECT_MS_MAX,
            bytes_max: MEETING_BYTES_MAX,
            tries_max: MEETING_TRIES_MAX,
            pause_ms_max: MEETING_PAUSE_MS_MAX,
        }
    }
}

/// The last sign of life of a meeting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pulse {
    /// When bytes moved.
    pub(super) moved: Instant,
    /// Whether the other phone has proved its key.
    pub(super) is_introduced: bool,
}

/// Waits for a reason to end the meeting early.
pub(super) async fn watch(
    mut pulse: watch::Receiver<Pulse>,
    cancel: &Cancel,
    pace: Pace,
) -> MeetingError {
    let began = Instant::now();
    loop {
        let Pulse {
            moved,
            is_introduced,
        } = *pulse.borrow_and_update();
        let mut ends = vec![
            (after(moved, pace.silence_ms_max), MeetingError::Silent),
            (after(began, pace.meeting_ms_max), MeetingError::TooLong),
        ];
        if !is_introduced {
            ends.push((after(began, pace.handshake_ms_max), MeetingError::Silent));
        }
        let Some((end, error)) = ends.into_iter().min_by_key(|(end, _)| *end) else {
            return MeetingError::Bug;
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => return MeetingError::Cancelled,
            moved = pulse.changed() => if moved.is_err() {
                // The thread of the meeting is gone, and its result is on the way.
                std::future::pending::<()>().await;
            },
            () = sleep_until(end) => return error,
        }
    }
}

fn after(begin: Instant, ms: u64) -> Instant {
    begin + Duration::from_millis(ms)
}
