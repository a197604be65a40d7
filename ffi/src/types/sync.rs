//! Sync: budgets, plans, reports, the status, and changes.

use super::Word;

/// The limits of a sync in the background. The sync ends between two requests once either limit is reached. The
/// exchanged data are kept, and the next sync continues there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct SyncBudget {
    /// Time, ms; without it there is no limit.
    #[uniffi(default = None)]
    pub time_ms: Option<u64>,
    /// Bytes both ways; without it there is no limit.
    #[uniffi(default = None)]
    pub bytes: Option<u64>,
}

/// A number of things, and what they cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct PlannedAmount {
    /// The number of things.
    pub count: u64,
    /// Their bytes on the line.
    pub bytes: u64,
    /// Minutes at the pace of the last exchanges, rounded up; absent while the pace is unknown, as it is before the
    /// first page of a new phone.
    pub minutes: Option<u64>,
}

/// The cost of the next sync, for the question to the person before it begins. Counts and bytes are estimates: the
/// bytes of records differ from the real ones by less than a quarter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, uniffi::Record)]
pub struct SyncPlan {
    /// Everything without photos and recordings, both ways. The count is that of records that are new here. Their
    /// small pictures are included.
    pub records: PlannedAmount,
    /// The part of it that comes first, until every open case and visit is here, and every change.
    pub open: PlannedAmount,
    /// Changes of records that are here; a change of a record of two streams may count twice.
    pub changes: u64,
    /// Envelopes that this phone sends.
    pub uploads: u64,
    /// All photos and recordings of the records that come. A sync brings none of them by itself; the app asks for
    /// those that it wants.
    pub photos: PlannedAmount,
    /// Those of open cases and visits.
    pub photos_open: PlannedAmount,
    /// Photos and recordings that were asked for. The next sync brings them if `FilesPolicy` allows it.
    pub photos_wanted: PlannedAmount,
    /// Photos and recordings that the next sync sends if `FilesPolicy` allows it.
    pub photos_to_send: PlannedAmount,
    /// Whether there is more than the server counts at once. Then every amount is the least one.
    pub at_least: bool,
}

/// The result of one sync.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncReport {
    /// Whether phone and server hold the same, as far as this member may read.
    pub equal: bool,
    /// Whether the budget ended before all data were exchanged.
    pub more: bool,
    /// Own envelopes that got a verdict.
    pub pushed: u32,
    /// Envelopes, packs and entries that were new here.
    pub pulled: u32,
    /// Bytes sent, bodies only.
    pub bytes_up: u64,
    /// Bytes received, bodies only.
    pub bytes_down: u64,
    /// Requests that were answered.
    pub round_trips: u32,
    /// Incidents that should not have happened, with sentences.
    pub incidents: Vec<Word>,
    /// The reason why the server accepted the delivered work and returned nothing, such as a revoked device.
    pub closed: Option<Word>,
}

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum SyncState {
    /// No sync has been tried yet.
    Idle,
    /// The phone talks with the server.
    Syncing,
    /// All data that could be exchanged were exchanged.
    UpToDate,
    /// There is no network, or the server does not answer or refuses. The phone tries again.
    Waiting,
    /// A sync ended before all data were exchanged, because its budget was used up or it was interrupted. The
    /// next one continues there.
    Paused,
    /// The phone is suspended.
    Suspended,
}

/// The state of the connection, for the line at the top of the app.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct SyncStatus {
    /// The state.
    pub state: SyncState,
    /// The reason why the phone waits, or why the last sync returned nothing, with sentences.
    pub reason: Option<Word>,
    /// The number of envelopes here that no server has judged.
    pub pending: u64,
    /// The time when the last sync ended well, ms UTC.
    pub synced_ms: Option<i64>,
    /// The time of the next automatic try, ms UTC.
    pub retry_ms: Option<i64>,
    /// Envelopes, packs and entries that the sync under way has brought so far.
    pub pulled: u64,
    /// Bytes that the sync under way has sent so far.
    pub bytes_up: u64,
    /// Bytes that the sync under way has received so far.
    pub bytes_down: u64,
    /// Photos and recordings that wait to be sent or were asked for.
    pub files_left: u64,
    /// Their bytes that are not transferred yet.
    pub bytes_left: u64,
    /// Minutes until they are transferred, at the mean pace of the last 30 seconds, rounded up; absent while no
    /// sync transfers files, and while the pace is unknown.
    pub minutes_left: Option<u64>,
}

/// The changes since the last call of the listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct RecordChanges {
    /// The records, at most 1,000.
    pub records: Vec<String>,
    /// Whether there were more; then the app reads the lists again.
    pub all: bool,
    /// Whether names, areas, units or categories changed.
    pub directory: bool,
    /// Whether there are new notices.
    pub notices: bool,
}
