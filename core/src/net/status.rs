//! The state of the connection, as the host app shows it.

use super::meter::Traffic;
use crate::sync::report::Report;
use crate::sync::transfer::FilesProgress;

/// Whether syncs transfer files. A host chooses by the network, the battery and the wish of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilesPolicy {
    /// Files follow the records of each sync.
    #[default]
    Always,
    /// Only [`super::Driver::sync_files_within`] transfers files.
    Never,
}

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing has been tried yet.
    #[default]
    Starting,
    /// Talking with the server.
    Syncing,
    /// All that could be exchanged was exchanged.
    UpToDate,
    /// No network, or the server does not answer or refuses. Work continues; sending is tried again.
    Waiting,
    /// A sync ended because its budget was used up. The next one continues there.
    Paused,
    /// Stopped by the host app.
    Stopped,
}

/// How far the sync under way, or else the last one, has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Envelopes, packs and entries that were new here.
    pub pulled: u64,
    /// Own envelopes that got a verdict.
    pub pushed: u64,
    /// Envelopes that still have to be sent.
    pub pending: u64,
    /// Bytes sent, TLS included, TCP not, lost requests included.
    pub bytes_up: u64,
    /// Bytes received.
    pub bytes_down: u64,
    /// Whether there is more to exchange.
    pub more: bool,
    /// Photos and recordings that are still to be transferred.
    pub files: FilesProgress,
}

/// The connection, as the host app shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The state of the connection.
    pub state: State,
    /// Why it waits: a stable code.
    pub code: Option<String>,
    /// Time of the next automatic try, milliseconds UTC.
    pub retry_ms: Option<i64>,
    /// When the last sync ended well, milliseconds UTC; never reset by a failure.
    pub synced_ms: Option<i64>,
    /// The report of that sync.
    pub report: Option<Report>,
    /// How far the sync under way, or else the last one, has come.
    pub progress: Progress,
}

impl Status {
    /// Milliseconds since the last sync that ended well; `None` before the first. A clock that was set back
    /// since gives zero.
    #[must_use]
    pub fn age_ms(&self, now_ms: i64) -> Option<u64> {
        let synced_ms = self.synced_ms?;
        Some(u64::try_from(now_ms.saturating_sub(synced_ms)).unwrap_or(0))
    }
}

impl Progress {
    /// The progress of a sync that began with these counters.
    pub(super) fn of(report: &Report, pending: u64, began: Traffic, now: Traffic) -> Self {
        Self {
            pulled: u64::from(report.pulled),
            pushed: u64::from(report.pushed),
            pending,
            more: true,
            ..Self::default()
        }
        .with_traffic(began, now)
    }

    pub(super) fn with_traffic(self, began: Traffic, now: Traffic) -> Self {
        Self {
            bytes_up: now.bytes_up.saturating_sub(began.bytes_up),
            bytes_down: now.bytes_down.saturating_sub(began.bytes_down),
            ..self
        }
    }
}
