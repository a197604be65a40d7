//! Photos and recordings: files beside the database, received and read piece by piece.
//!
//! ```text
//!  begin ─▶ staging file ─▶ pieces, each durable before its offset is told ─▶ hash, check of content
//!                                                                          ─▶ file in place ─▶ row
//!  open ─▶ rights of the reader now ─▶ reading log ─▶ pieces
//! ```
//!
//! An event of the record describes each file before its first byte arrives: record, id, type and length. The
//! description alone opens no file, because a device proves for each record that it has the bytes.
//!
//! **Invariants.** An offset that was told survives a power cut. A row of a file is written only after the file
//! is in place, with the right hash and clean content. Staging files belong to one device, so no device can
//! spoil the upload of another.
//!
//! **Not here:** HTTP, the judgement of descriptions (`ingest`), and backups (`admin`).

mod adopt;
mod clean_up;
mod download;
pub mod files;
mod needed;
pub mod reserve;
mod rights;
mod turns;
mod upload;

#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use clean_up::CleanedUp;
pub use download::Download;
pub use turns::Turn;
pub use upload::{Progress, Receiver, Resumption};

use crate::error::{Problem, Result};
use crate::limits::{
    DEVICE_DAY_ATTACHMENT_BYTES_MAX, DEVICE_DAY_ATTACHMENTS_MAX, DISK_FREE_BYTES_MIN,
    TAKE_OVER_AGAIN_S, UPLOADS_OPEN_PER_DEVICE_MAX,
};
use crate::shared::Shared;
use crate::store::StoreError;
use clean_up::CleanUpPlace;
use files::Files;
use reserve::Reserve;
use turns::Turns;

/// The files of a node.
pub struct Blobs {
    pub(crate) shared: Arc<Shared>,
    files: Files,
    reserve: Reserve,
    ceilings: BlobCeilings,
    turns: Turns,
    /// A check holds a whole file in memory, so checks follow one another ([`Blobs::alone`]).
    checking: Mutex<()>,
    place: Mutex<CleanUpPlace>,
    _hold: std::fs::File,
}

/// The amounts that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobCeilings {
    /// Free space of the disk below which no byte is taken.
    pub free_bytes_min: u64,
    /// Bytes of one device in a day.
    pub device_day_bytes: u64,
    /// New uploads of one device in a day.
    pub device_day_files: u64,
    /// Open uploads of one device.
    pub open_per_device: usize,
}

impl BlobCeilings {
    /// The usual amounts, with this reserve of free space.
    #[must_use]
    pub const fn with_reserve(free_bytes_min: u64) -> Self {
        Self {
            free_bytes_min,
            device_day_bytes: DEVICE_DAY_ATTACHMENT_BYTES_MAX,
            device_day_files: DEVICE_DAY_ATTACHMENTS_MAX,
            open_per_device: UPLOADS_OPEN_PER_DEVICE_MAX,
        }
    }
}

impl Blobs {
    /// Opens the folder of files for a serving process, which may share it with other nodes. The first one brings
    /// staging files and their rows together again.
    pub fn open(shared: Arc<Shared>, folder: &Path, ceilings: BlobCeilings) -> Result<Self> {
        let files = Files::at(folder);
        files.make().map_err(failed)?;
        // The staging files of other nodes are in use, so only a node alone may tidy them up.
        let hold = files.hold(failed, || upload::recover(&shared.store, &files))?;
        Ok(Self {
            shared,
            _hold: hold,
            reserve: Reserve::of(folder),
            files,
            ceilings,
            turns: Turns::default(),
            checking: Mutex::default(),
            place: Mutex::default(),
        })
    }

    /// Keeps every file in its place: among all nodes, one at a time puts a file there or takes one away.
    fn alone(&self) -> Result<Alone<'_>> {
        let here = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Alone {
            _over_nodes: self.files.lock_places().map_err(failed)?,
            _here: here,
        })
    }

    /// Checks that the disk has room for records, keeps the reserve, and stops uploads without room.
    pub fn check_room(&self) -> Result<()> {
        let free_bytes = self.files.free_bytes();
        if let Ok(free_bytes) = free_bytes
            && let Err(error) = self.reserve.keep(free_bytes)
        {
            tracing::warn!(%error, "the reserve on the disk could not be made");
        }
        let room = check_free(&free_bytes, self.reserve.lacking_bytes());
        self.shared.gate.set_full(room.is_err());
        room
    }
}

/// The turn of a thread to put files in place and to remove them.
struct Alone<'a> {
    // Released first, so that a thread that waits here does not wait for its own node.
    _over_nodes: std::fs::File,
    _here: MutexGuard<'a, ()>,
}

/// Refuses a disk that is nearly full. A disk that does not tell its room counts as having some. The room that the
/// reserve lacks is of revocations.
fn check_free(free_bytes: &std::io::Result<u64>, lacking_bytes: u64) -> Result<()> {
    let needed = DISK_FREE_BYTES_MIN + lacking_bytes;
    match free_bytes {
        Ok(free_bytes) if *free_bytes < needed => Err(StoreError::Full.into()),
        _ => Ok(()),
    }
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

/// The problem of a file operation. A full disk has a code of its own, and so has a file that another node writes.
fn failed(error: std::io::Error) -> Problem {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull, WouldBlock};
    match error.kind() {
        WouldBlock => Problem::new("attachment.locked")
            .because(&error)
            .retry_after(TAKE_OVER_AGAIN_S),
        StorageFull | QuotaExceeded => Problem::new("attachment.server_full").because(&error),
        _ => StoreError::Failed(Arc::new(error)).into(),
    }
}
