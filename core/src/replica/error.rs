//! What can go wrong with a replica, each with a stable code and what was kept.

use rusqlite::ErrorCode;

/// Why the replica could not do what was asked. Nothing is half written: a write that fails leaves the
/// file as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    /// There is no file at this path.
    #[error("replica.missing")]
    Missing,
    /// The file has no bytes.
    #[error("replica.empty_file")]
    EmptyFile,
    /// The key is not the one that the file was written with. The file was not touched.
    #[error("replica.wrong_key")]
    WrongKey,
    /// The file can not be read whole. It was not touched; see [`super::rescue`].
    #[error("replica.damaged")]
    Damaged,
    /// A newer app wrote the file. It was not touched.
    #[error("replica.newer_schema")]
    NewerSchema,
    /// The storage of the phone is full.
    #[error("replica.disk_full")]
    DiskFull,
    /// Another process has the replica open.
    #[error("replica.in_use")]
    InUse,
    /// The file system refuses to read or write.
    #[error("replica.storage")]
    Storage,
    /// The marker outside the database can not be written; without it nothing may be.
    #[error("replica.marker")]
    Marker(#[source] std::io::Error),
    /// The phone has no certificate yet.
    #[error("replica.not_enrolled")]
    NotEnrolled,
    /// This record is not on the phone.
    #[error("replica.no_record")]
    NoRecord,
    /// This conflict is no longer there: somebody settled it.
    #[error("replica.no_conflict")]
    NoConflict,
    /// There is nothing of this kind to undo.
    #[error("replica.nothing_to_undo")]
    NothingToUndo,
    /// A field is empty, too long or not a value that it can take.
    #[error("replica.bad_input")]
    BadInput,
    /// The content can not be written; the code says why.
    #[error("{0}")]
    BadContent(&'static str),
    /// The rules do not allow this here and now; the code says why.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The record holds something that a newer app wrote: its moves are frozen until the app is updated.
    #[error("replica.needs_newer_app")]
    NeedsNewerApp,
    /// What is stored does not read back as what was stored.
    #[error("replica.inconsistent")]
    Inconsistent,
    /// An unexpected answer of the database.
    #[error("replica.database")]
    Database(#[source] rusqlite::Error),
}

impl ReplicaError {
    /// The stable code, which also names the sentence for a person.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "replica.missing",
            Self::EmptyFile => "replica.empty_file",
            Self::WrongKey => "replica.wrong_key",
            Self::Damaged => "replica.damaged",
            Self::NewerSchema => "replica.newer_schema",
            Self::DiskFull => "replica.disk_full",
            Self::InUse => "replica.in_use",
            Self::Storage => "replica.storage",
            Self::Marker(_) => "replica.marker",
            Self::NotEnrolled => "replica.not_enrolled",
            Self::NoRecord => "replica.no_record",
            Self::NoConflict => "replica.no_conflict",
            Self::NothingToUndo => "replica.nothing_to_undo",
            Self::BadInput => "replica.bad_input",
            Self::NotAllowed(code) | Self::BadContent(code) => code,
            Self::NeedsNewerApp => "replica.needs_newer_app",
            Self::Inconsistent => "replica.inconsistent",
            Self::Database(_) => "replica.database",
        }
    }
}

impl From<rusqlite::Error> for ReplicaError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Storage,
            _ => Self::Database(error),
        }
    }
}
