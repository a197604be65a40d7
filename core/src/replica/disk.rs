//! The storage under a replica: every file operation outside `SQLite`.
//!
//! [`StdDisk`] is the file system of the operating system. A host with another one (a browser, say)
//! provides its own.

use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::marker::Marker;

/// Files by path. The database itself is opened by `SQLite` under the same paths.
pub trait Disk: Debug + Send + Sync {
    /// Bytes of a file; `None` where there is none.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Moves a file within its folder, and replaces a file that is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes every rename in the folder of this file durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Locks a file until the value is dropped, and makes the file where there is none. `None` while
    /// another process, or another part of this one, holds the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>>;
}

/// A lock on a file. Dropping it releases the lock.
pub type DiskLock = Box<dyn Any + Send + Sync>;

/// A locked file. The lock is released before the file is closed, because a process that another thread is
/// starting has a copy of the open file, and with it of the lock, until it runs its own program.
struct LockedFile(File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Closing the file releases the lock too, once no copy of it is open.
        let _ = self.0.unlock();
    }
}

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct StdDisk;

impl Disk for StdDisk {
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>> {
        let mut options = File::options();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(LockedFile(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A marker in a file of its own, outside the folder of the database.
#[derive(Debug, Clone)]
pub struct MarkerFile {
    path: PathBuf,
}

impl MarkerFile {
    /// The file need not exist; its folder must.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Marker for MarkerFile {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&next, &self.path)?;
        StdDisk.sync_folder(&self.path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A process that is being started holds copies of all open files for a moment.
    #[test]
    fn released_lock_is_free_while_a_copy_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replica.lock");
        let lock = StdDisk.lock(&path).unwrap().unwrap();
        assert!(StdDisk.lock(&path).unwrap().is_none());
        let locked = lock.downcast_ref::<LockedFile>().unwrap();
        let copy = locked.0.try_clone().unwrap();
        drop(lock);
        assert!(StdDisk.lock(&path).unwrap().is_some());
        drop(copy);
    }
}
