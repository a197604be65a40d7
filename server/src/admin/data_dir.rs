//! The data folder of a deployment: database, keys, and the lock of the serving process.
//!
//! Administrator commands open the same database while a server runs: the store allows one writer at a time,
//! across processes, and readers see snapshots. Only a command that replaces the database needs a stopped
//! server, so it takes the lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::rules::Rules;
use crate::server::Server;
use crate::store::Store;
use crate::store::sqlite::{SqliteOptions, SqliteStore};

/// File name of the database.
pub const DATABASE: &str = "onegrid.db";
/// File name of the server's keys.
pub const KEYS: &str = "server.keys";
const LOCK: &str = "serve.lock";

/// Path of a data folder, which need not exist yet.
#[derive(Debug, Clone)]
pub struct DataDir {
    folder: PathBuf,
}

/// Exclusive hold on a data folder. Dropping it, or the end of the process, releases the folder.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that another thread is starting has a copy of the open file, and with it of the lock,
        // until it runs its own program. So closing the file alone would release the folder too late.
        let _ = self.file.unlock();
    }
}

impl DataDir {
    /// Returns the data folder that the configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::at(&config.store.path)
    }

    /// Wraps a path. The folder need not exist.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Creates the folder with access for its owner alone.
    pub fn make(&self) -> Result<()> {
        make_private(&self.folder)
    }

    /// Path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Path of the database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// Path of the server's key file.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join(KEYS)
    }

    /// Whether `init` has completed here: database and keys both exist.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.database().is_file() && self.keys().is_file()
    }

    /// Locks the folder for this process. Refused while a server runs from it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.folder.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => self.not_prepared(),
                _ => self.unusable(&error),
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { file }),
            Err(TryLockError::WouldBlock) => {
                Err(Problem::new("data.served").with("path", self.folder.display()))
            }
            Err(TryLockError::Error(error)) => Err(self.unusable(&error)),
        }
    }

    /// Whether a server runs from this folder.
    pub fn is_served(&self) -> Result<bool> {
        match self.lock() {
            Ok(_) => Ok(false),
            Err(problem) if problem.code() == "data.served" => Ok(true),
            Err(problem) => Err(problem),
        }
    }

    /// Opens the existing database.
    pub fn store(&self) -> Result<Arc<dyn Store>> {
        if !self.is_prepared() {
            return Err(self.not_prepared());
        }
        Ok(Arc::new(SqliteStore::open(
            &self.database(),
            SqliteOptions::default(),
        )?))
    }

    /// Opens the deployment with its keys and rules.
    pub fn open(&self, config: &Config) -> Result<Server> {
        let store = self.store()?;
        let rules = Rules::read(config.rules.path.as_deref())?;
        Server::open(store, Keys::read(&self.keys())?, rules)
    }

    /// Creates the folder, and deletes any contents that an interrupted command left in it.
    pub(super) fn make_anew(&self) -> Result<()> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).map_err(|error| self.unusable(&error))?;
        }
        self.make()
    }

    /// Moves the prepared keys and database from the inner folder `ready` into place. The database moves
    /// last: no server starts without it, so an interrupted move can be repeated.
    pub(super) fn take(&self, ready: &Self) -> Result<()> {
        if !self.keys().exists() {
            std::fs::rename(ready.keys(), self.keys()).map_err(|error| self.unusable(&error))?;
        }
        std::fs::rename(ready.database(), self.database())
            .map_err(|error| self.unusable(&error))?;
        std::fs::remove_dir_all(ready.path()).map_err(|error| ready.unusable(&error))?;
        sync(self.path())
    }

    fn not_prepared(&self) -> Problem {
        Problem::new("data.not_prepared").with("path", self.folder.display())
    }

    pub(super) fn unusable(&self, error: &std::io::Error) -> Problem {
        unusable(&self.folder, error)
    }
}

/// Creates a folder that only its owner may enter.
pub(super) fn make_private(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| unusable(folder, &error))
}

pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new("data.unusable")
        .with("path", path.display())
        .because(error)
}

/// Appends a dot and the suffix to the file name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// Waits until a file's contents, or a folder's list of files, are on the disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| unusable(path, &error))
}

/// Waits until the entry of this path in its folder is on the disk.
pub(super) fn sync_parent(path: &Path) -> Result<()> {
    let whole = path.canonicalize().ok();
    whole
        .and_then(|whole| whole.parent().map(sync))
        .transpose()
        .map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// A process that is being started holds copies of all open files for a moment.
    #[test]
    fn released_folder_is_free_while_a_copy_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        let lock = data.lock().unwrap();
        assert!(data.is_served().unwrap());
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(!data.is_served().unwrap());
        drop(copy);
    }
}
