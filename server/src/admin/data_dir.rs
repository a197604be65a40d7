//! The data folder of a deployment: database, keys, and the lock of whoever serves from it.
//!
//! Commands of the administrator open the same database beside a running server: the store allows one writer
//! at a time, across processes, and readers see snapshots. Only what puts another database in place needs the
//! server to be stopped: it takes the lock.

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

/// Name of the database in the folder.
pub const DATABASE: &str = "onegrid.db";
/// Name of the file of the server's keys.
pub const KEYS: &str = "server.keys";
const LOCK: &str = "serve.lock";

/// A data folder.
#[derive(Debug, Clone)]
pub struct DataDir {
    folder: PathBuf,
}

/// Holds the folder for one process; free again when dropped, also when the process is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// The folder of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self::at(&config.store.path)
    }

    /// A folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Makes the folder, for its owner alone.
    pub fn make(&self) -> Result<()> {
        make_private(&self.folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// The file of the server's keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join(KEYS)
    }

    /// Whether `init` was here.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        self.database().is_file() && self.keys().is_file()
    }

    /// Takes the folder for this process alone; refused while a server runs from it.
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
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(Problem::new("data.served").with("path", self.folder.display()))
            }
            Err(TryLockError::Error(error)) => Err(self.unusable(&error)),
        }
    }

    /// Whether a server runs from it.
    pub fn is_served(&self) -> Result<bool> {
        match self.lock() {
            Ok(_) => Ok(false),
            Err(problem) if problem.code() == "data.served" => Ok(true),
            Err(problem) => Err(problem),
        }
    }

    /// Opens the database, which must be there.
    pub fn store(&self) -> Result<Arc<dyn Store>> {
        if !self.is_prepared() {
            return Err(self.not_prepared());
        }
        Ok(Arc::new(SqliteStore::open(
            &self.database(),
            SqliteOptions::default(),
        )?))
    }

    /// Opens the deployment.
    pub fn open(&self, config: &Config) -> Result<Server> {
        let store = self.store()?;
        let rules = Rules::read(config.rules.path.as_deref())?;
        Server::open(store, Keys::read(&self.keys())?, rules)
    }

    /// Makes the folder empty: what a command that was broken off left in it is of no use.
    pub(super) fn make_anew(&self) -> Result<()> {
        if self.folder.exists() {
            std::fs::remove_dir_all(&self.folder).map_err(|error| self.unusable(&error))?;
        }
        self.make()
    }

    /// Puts what was made ready in a folder inside in its place. The database comes last: without it nothing
    /// starts, and this can be done again.
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

    /// A problem with the folder itself.
    pub(super) fn unusable(&self, error: &std::io::Error) -> Problem {
        unusable(&self.folder, error)
    }
}

/// Makes a folder that only its owner may enter.
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

/// A path beside this one: its name, a dot, and the suffix.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// Waits until a file, or what a folder lists, is on the disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| unusable(path, &error))
}

/// The same for the folder that lists this path.
pub(super) fn sync_parent(path: &Path) -> Result<()> {
    let whole = path.canonicalize().ok();
    whole
        .and_then(|whole| whole.parent().map(sync))
        .transpose()
        .map(drop)
}
