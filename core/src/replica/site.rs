//! The place of a replica: its key, the names of its files, and the lock that keeps all others out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use super::disk::{Disk, DiskLock};
use super::error::ReplicaError;
use crate::id::{DeviceId, Hash};

/// Endings of the logs that `SQLite` keeps beside a file, and uses for any file at that place. The file
/// itself is the last, so a file at its place shows that the move is not complete.
pub(super) const LOGS_AND_FILE: [&str; 4] = ["-wal", "-journal", "-shm", ""];

/// The key of the file: 32 random bytes that the host keeps in its key store. Wiped when dropped.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; 32]>);

impl FileKey {
    /// The key as the key store hands it out.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A value that shows only whether a key is the one that was used.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 16] {
        Hash::of(&[b"onegrid.replica.key", self.0.as_slice()]).first16()
    }

    /// `PRAGMA key` with the raw key, so that no passphrase is stretched at every start.
    pub(super) fn pragma(&self) -> Zeroizing<String> {
        let mut sql = Zeroizing::new(String::with_capacity(96));
        sql.push_str("PRAGMA key = \"x'");
        for byte in self.0.iter() {
            let mut digits = [hex_digit(byte >> 4), hex_digit(byte & 15)];
            sql.extend(digits);
            digits.zeroize();
        }
        sql.push_str("'\";");
        sql
    }
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// The place of a replica, and the things needed to reach it.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) path: PathBuf,
    pub(super) key: FileKey,
    pub(super) disk: Arc<dyn Disk>,
    /// The phone that the replica belongs to.
    pub(super) device: DeviceId,
}

/// Keeps a replica from being opened, by this process or another one, while its files are moved or deleted.
#[derive(Debug)]
pub struct ReplicaLock {
    _lock: DiskLock,
}

impl ReplicaLock {
    /// Locks the replica of this file. The folder of the file exists.
    ///
    /// # Errors
    /// [`ReplicaError::InUse`] where it is open.
    pub fn take(path: &Path, disk: &dyn Disk) -> Result<Self, ReplicaError> {
        Ok(Self {
            _lock: lock(path, disk)?,
        })
    }
}

fn lock(path: &Path, disk: &dyn Disk) -> Result<DiskLock, ReplicaError> {
    let lock = disk.lock(&with_suffix(path, ".lock"));
    lock.map_err(|_| ReplicaError::Storage)?
        .ok_or(ReplicaError::InUse)
}

impl Site {
    /// Locks the replica, so only one process, and one part of it, has it open. The file `<path>.lock` is
    /// never removed, because a process that is about to lock it may hold it open.
    pub(super) fn lock(&self) -> Result<DiskLock, ReplicaError> {
        lock(&self.path, self.disk.as_ref())
    }

    /// Bytes of a file, `None` where there is none.
    pub(super) fn len(&self, path: &Path) -> Result<Option<u64>, ReplicaError> {
        self.disk.len(path).map_err(|_| ReplicaError::Storage)
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool, ReplicaError> {
        Ok(self.len(path)?.is_some())
    }

    /// Moves a file, durably.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), ReplicaError> {
        self.disk
            .rename(from, to)
            .and_then(|()| self.disk.sync_folder(to))
            .map_err(|_| ReplicaError::Storage)
    }
}

/// The path of the copy of a replica.
pub(super) fn outbox_copy_path(replica: &Path) -> PathBuf {
    with_suffix(replica, ".outbox")
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}
