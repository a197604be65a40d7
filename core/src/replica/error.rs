//! Everything that can go wrong with a replica, each with a stable code and the data that was kept.

use rusqlite::ErrorCode;

use crate::domain::case::InputError;
use crate::domain::form::{ItemId, RowId};
use crate::domain::walk::checkpoint::CheckpointError;
use crate::domain::walk::track::TrackError;
use crate::media::MediaError;
use crate::media::sealed::Unreadable;
use crate::wire::join_code::JoinError;

coded_error! {
    /// The reason why a call on the replica failed. Nothing is half written: a failed write leaves the file as
    /// it was.
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
        /// The file cannot be read whole. It was not touched; see `rescue`.
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
        /// The host has suspended the replica. All that was written is kept.
        #[error("replica.suspended")]
        Suspended,
        /// A lent reader has not been returned, so a file is still open.
        #[error("replica.readers_open")]
        ReadersOpen,
        /// The file is lost, but the second file beside it is there and holds the undelivered work. See
        /// [`super::Replica::open_or_recover`].
        #[error("replica.lost")]
        Lost,
        /// The file system refuses to read or write.
        #[error("replica.storage")]
        Storage,
        /// The marker outside the database cannot be written, and without it no write may happen.
        #[error("replica.marker")]
        Marker(#[source] std::io::Error),
        /// The phone has no certificate yet.
        #[error("replica.not_enrolled")]
        NotEnrolled,
        /// This record is not on the phone.
        #[error("replica.no_record")]
        NoRecord,
        /// This conflict is no longer open, because it was settled.
        #[error("replica.no_conflict")]
        NoConflict,
        /// No write of this kind can be undone.
        #[error("replica.nothing_to_undo")]
        NothingToUndo,
        /// A field is empty, too long, or has a value that is not allowed.
        #[error("replica.bad_input")]
        BadInput,
        /// The content cannot be written; the code says why.
        #[error("{0}")]
        BadContent(&'static str),
        /// A person's entry makes no valid move; the error names the field.
        #[error(transparent)]
        Input(#[from] InputError),
        /// The page token belongs to another query, or is no token.
        #[error("list.bad_token")]
        BadToken,
        /// The form has missing answers, or answers with a problem.
        #[error("form.incomplete")]
        FormIncomplete(Vec<FormProblem>),
        /// The bytes are no photo or recording that can be kept.
        #[error(transparent)]
        Media(#[from] MediaError),
        /// The storage of the phone has no room for a photo or recording. Records can still be written.
        #[error("media.disk_full")]
        MediaDiskFull,
        /// The sealed file of a photo or recording is damaged or gone.
        #[error("media.unreadable")]
        MediaUnreadable,
        /// The photo or recording is not on this phone.
        #[error("media.absent")]
        MediaAbsent,
        /// The bytes of a download do not continue where the file ends.
        #[error("media.offset")]
        MediaOffset,
        /// A code that takes people into a record cannot be made, or does not let this person in.
        #[error(transparent)]
        Join(#[from] JoinError),
        /// The scanned text is no checkpoint here. Nothing was written.
        #[error(transparent)]
        Checkpoint(#[from] CheckpointError),
        /// The points are no part of a track. Nothing was written.
        #[error(transparent)]
        Track(#[from] TrackError),
        /// The rules do not allow this now; the code says why.
        #[error("{0}")]
        NotAllowed(&'static str),
        /// The record holds work of a newer app, so its moves are frozen until the app is updated.
        #[error("replica.needs_newer_app")]
        NeedsNewerApp,
        /// Stored data reads back differently from the data that was stored.
        #[error("replica.inconsistent")]
        Inconsistent,
        /// An unexpected answer of the database.
        #[error("replica.database")]
        Database(#[source] rusqlite::Error),
    }
}

/// A problem of one question that keeps a form from its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    /// The question.
    pub item: ItemId,
    /// The row, inside a repeat.
    pub row: Option<RowId>,
    /// The stable code.
    pub code: &'static str,
    /// The words of the question, Chinese and English.
    pub question: (String, String),
    /// The problem and its remedy in Chinese.
    pub zh: String,
    /// The problem and its remedy in English.
    pub en: String,
}

impl From<Unreadable> for ReplicaError {
    fn from(_: Unreadable) -> Self {
        Self::MediaUnreadable
    }
}

impl From<rusqlite::Error> for ReplicaError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::OperationInterrupted) => Self::Suspended,
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
