//! The storage under a replica: every file operation outside `SQLite`.
//!
//! [`StdDisk`] is the file system of the operating system. A host with another one (a browser, say)
//! provides its own.

use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
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

    /// Makes a folder where there is none. [`Disk::sync_folder`] of its path makes its name durable.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Names of the files in a folder; none where there is no folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Writes bytes at an offset, and cuts the file behind them. Makes the file where there is
    /// none. The offset is at most the length of the file.
    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads bytes from an offset, at most `bytes_max`; fewer only at the end of the file.
    fn read_at(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Makes the content of a file durable.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Bytes that the app may still write on the disk that holds a folder.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;

    /// Locks a file until the value is dropped, and makes the file where there is none. `None`
    /// while another process, or another part of this one, holds the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<DiskLock>>;
}

/// A lock on a file. Dropping it releases the lock.
pub type DiskLock = Box<dyn Any + Send + Sync>;

/// A locked file. The lock is released before the file is closed, because a process that another
/// thread is starting has a copy of the open file, and with it of the lock, until it runs its own
/// program.
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

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is no text is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn write_at(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let length = file.metadata()?.len();
        if length < offset {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if length > offset {
            file.set_len(offset)?;
        }
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn read_at(&self, path: &Path, offset: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::with_capacity(bytes_max);
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
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
