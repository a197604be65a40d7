//! Room on the disk that is given up when the disk is full, so that a phone can still be revoked.
//!
//! **Invariant:** the file is made only where enough room is left beside it, and nothing reads it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::limits::{DISK_FREE_BYTES_MIN, DISK_RESERVE_BYTES};

/// Name of the file in the folder of photos and recordings.
const NAME: &str = "reserve";
/// Bytes that are written at once where the disk cannot allocate.
const STEP_BYTES: usize = 64 * 1_024;

/// The reserve beside the photos of a deployment. It may be missing.
#[derive(Debug, Clone)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Returns the reserve in this folder.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self {
            path: folder.join(NAME),
        }
    }

    /// Bytes that the reserve lacks.
    #[must_use]
    pub fn lacking_bytes(&self) -> u64 {
        let held = self.path.symlink_metadata().map_or(0, |file| file.len());
        DISK_RESERVE_BYTES.saturating_sub(held)
    }

    /// Makes the file if it is missing and the disk has room for it. `free_bytes` is the free space.
    pub fn keep(&self, free_bytes: u64) -> io::Result<()> {
        let needed = self.lacking_bytes() + 2 * DISK_FREE_BYTES_MIN;
        if self.lacking_bytes() == 0 || free_bytes < needed {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let made = options.open(&self.path).and_then(|file| fill(&file));
        if made.is_err() {
            // Half a reserve would take the room that it is meant to keep.
            let _ = self.release();
        }
        made
    }

    /// Gives the room back, and returns whether there was any.
    #[must_use = "without room another attempt is in vain"]
    pub fn release(&self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }
}

/// Takes the room on the disk. A file of holes takes none.
fn fill(mut file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, DISK_RESERVE_BYTES) {
        Ok(()) => return file.sync_all(),
        Err(error) if io::Error::from(error).kind() == ErrorKind::StorageFull => {
            return Err(error.into());
        }
        Err(_) => {}
    }
    let zeros = vec![0; STEP_BYTES];
    let mut left = DISK_RESERVE_BYTES;
    while left > 0 {
        let bytes = left.min(STEP_BYTES as u64);
        file.write_all(&zeros[..usize::try_from(bytes).unwrap_or(STEP_BYTES)])?;
        left -= bytes;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const PLENTY: u64 = 1 << 40;

    #[test]
    fn reserve_takes_its_room_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(folder.path());
        assert_eq!(reserve.lacking_bytes(), DISK_RESERVE_BYTES);
        assert!(!reserve.release(), "there is none");
        reserve.keep(PLENTY).unwrap();
        let file = folder.path().join(NAME).metadata().unwrap();
        assert!(file.blocks() * 512 >= DISK_RESERVE_BYTES, "no holes");
        assert_eq!(file.mode() & 0o077, 0);
        assert_eq!(reserve.lacking_bytes(), 0);
        assert!(reserve.release());
        assert_eq!(reserve.lacking_bytes(), DISK_RESERVE_BYTES);
    }

    /// Otherwise a server on a full disk takes back the room that a revocation was just given.
    #[test]
    fn reserve_is_made_only_beside_enough_room() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(folder.path());
        let enough = DISK_RESERVE_BYTES + 2 * DISK_FREE_BYTES_MIN;
        reserve.keep(enough - 1).unwrap();
        assert_eq!(reserve.lacking_bytes(), DISK_RESERVE_BYTES);
        reserve.keep(enough).unwrap();
        assert_eq!(reserve.lacking_bytes(), 0);
    }
}
