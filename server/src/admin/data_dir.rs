//! The data folder of a deployment: database, keys, photos and recordings, and the lock of the serving process.
//!
//! Administrator commands open the same database while a server runs: the store allows one writer at a time,
//! across processes, and readers see snapshots. Only a command that replaces the database needs a stopped
//! server, so it takes the lock of the server.
//!
//! A second lock, shared by everybody who has the database open, keeps a restore from replacing it under them.
//!
//! The lock of the serving process is a file that exists while a process holds it, and after a
//! process was killed. A serving process writes its address there, so that an invitation can name
//! the real port.
//!
//! **Invariant:** only the owner of the folder can open it or a file in it ([`DataDir::protect`]).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{migrate, remote};
use crate::blobs::files::Files;
use crate::blobs::{BlobCeilings, Blobs};
use crate::config::{Config, DatabaseConfig};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::{LOCK_RETRIES_MAX, LOCK_TRY_WAIT, SERVED_ADDRESS_BYTES_MAX};
use crate::rules::Rules;
use crate::server::Server;
use crate::store::sqlite::{self, SqliteOptions, SqliteStore};
use crate::store::{Hint, Job, Reader, SealKey, SealReport, Store, StoreResult};

/// File name of the database.
pub const DATABASE: &str = "onegrid.db";
/// File name of the server's keys.
pub const KEYS: &str = "server.keys";
/// Name of the folder of photos and recordings.
pub const FILES: &str = "blobs";
const LOCK: &str = "serve.lock";
const USE_LOCK: &str = "use.lock";

/// Path of a data folder, which need not exist yet, and the places that the configuration has outside it.
#[derive(Debug, Clone)]
pub struct DataDir {
    folder: PathBuf,
    /// Folder of photos and recordings, if it is not inside.
    files: Option<PathBuf>,
    /// Database server in place of the database inside.
    remote: Option<DatabaseConfig>,
}

/// Exclusive hold on a data folder. Dropping it, or the end of the process, releases the folder.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Notes the address of the server for [`DataDir::served_at`].
    pub fn note_address(&mut self, url: &str) -> Result<()> {
        let noted = self.file.write_all(url.as_bytes());
        noted.map_err(|error| {
            // Half an address would mislead.
            let _ = self.file.set_len(0);
            unusable(&self.path, &error)
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed under the lock, so it is this process's file. A file that stays does no harm.
        let _ = std::fs::remove_file(&self.path);
        // A process that another thread is starting has a copy of the open file, and with it of the lock,
        // until it runs its own program. So closing the file alone would release the folder too late.
        let _ = self.file.unlock();
    }
}

impl DataDir {
    /// Returns the data folder that the configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            folder: config.store.path.clone(),
            files: config.files.path.clone(),
            remote: config.store.database.clone(),
        }
    }

    /// Wraps a path. The folder need not exist.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            files: None,
            remote: None,
        }
    }

    /// The database server that the configuration names; `None` for the database inside.
    #[must_use]
    pub fn remote(&self) -> Option<&DatabaseConfig> {
        self.remote.as_ref()
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

    /// The folder of photos and recordings.
    #[must_use]
    pub fn files(&self) -> Files {
        match &self.files {
            Some(files) => Files::at(files),
            None => Files::at(&self.folder.join(FILES)),
        }
    }

    /// Whether `init` has completed here: database and keys both exist.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        (self.remote.is_some() || self.database().is_file()) && self.keys().is_file()
    }

    /// Refuses a folder without a deployment, and one that this user cannot read: there `init` would be the wrong
    /// advice.
    fn check_prepared(&self) -> Result<()> {
        let database = self.remote.is_none().then(|| self.database());
        for path in database.into_iter().chain([self.keys()]) {
            match std::fs::metadata(&path) {
                Ok(found) if found.is_file() => {}
                Ok(_) => return Err(self.not_prepared()),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(self.not_prepared());
                }
                Err(error) => return Err(unusable(&path, &error)),
            }
        }
        Ok(())
    }

    /// Lets the owner write the database and the files that `SQLite` keeps beside it. One that is read-only, for
    /// example after a copy, would block every later start.
    fn open_to_owner(&self) {
        #[cfg(unix)]
        for ending in ["", "-wal", "-shm"] {
            use std::os::unix::fs::PermissionsExt as _;

            let path = format!("{}{ending}", self.database().display());
            if let Ok(found) = std::fs::symlink_metadata(&path)
                && found.is_file()
            {
                let mut permissions = found.permissions();
                let mode = permissions.mode();
                if mode & 0o600 != 0o600 {
                    permissions.set_mode(mode | 0o600);
                    // The database tells why it cannot be opened.
                    let _ = std::fs::set_permissions(&path, permissions);
                }
            }
        }
    }

    /// Whether other users of this machine can read the keys. Then they may have copied them already.
    #[must_use]
    pub fn keys_are_open(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(self.keys()).is_ok_and(|file| file.permissions().mode() & 0o044 != 0)
        }
        #[cfg(not(unix))]
        false
    }

    /// Locks the folder for this process. Refused while a server runs from it.
    pub fn lock(&self) -> Result<Lock> {
        let path = self.folder.join(LOCK);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut tries_left = LOCK_RETRIES_MAX;
        loop {
            let opened = options.open(&path);
            let file = opened.map_err(|error| match error.kind() {
                ErrorKind::NotFound => self.not_prepared(),
                _ => self.unusable(&error),
            })?;
            match file.try_lock() {
                // The holder before may have removed the file after it was opened here.
                Ok(()) if !is_at(&file, &path) => {}
                Ok(()) => {
                    // A killed server left its address.
                    file.set_len(0).map_err(|error| self.unusable(&error))?;
                    return Ok(Lock { file, path });
                }
                // A command that only looks holds the file for a moment.
                Err(TryLockError::WouldBlock) if tries_left > 0 => {
                    tries_left -= 1;
                    std::thread::sleep(LOCK_TRY_WAIT);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Problem::new("data.served").with("path", self.folder.display()));
                }
                Err(TryLockError::Error(error)) => return Err(self.unusable(&error)),
            }
        }
    }

    /// The address of the server that runs from this folder; `None` if there is none, or it does not listen
    /// yet.
    pub fn served_at(&self) -> Result<Option<String>> {
        if !self.is_served()? {
            return Ok(None);
        }
        // The server may end between the two looks.
        let Ok(file) = File::open(self.folder.join(LOCK)) else {
            return Ok(None);
        };
        let mut url = String::new();
        file.take(SERVED_ADDRESS_BYTES_MAX)
            .read_to_string(&mut url)
            .map_err(|error| self.unusable(&error))?;
        Ok((!url.is_empty()).then_some(url))
    }

    /// Whether a server runs from this folder.
    pub fn is_served(&self) -> Result<bool> {
        let file = match File::open(self.folder.join(LOCK)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.unusable(&error)),
        };
        // Two looks share the file, so neither takes the other for a server.
        match file.try_lock_shared() {
            Ok(()) => {
                // A process that is being started may have a copy, as in [`Lock`].
                let _ = file.unlock();
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(self.unusable(&error)),
        }
    }

    /// Closes the folder and the files of the deployment to other users of the machine. Returns the paths that
    /// stay open to them. A folder without a deployment is left alone.
    #[must_use]
    pub fn protect(&self) -> Vec<PathBuf> {
        if !self.is_prepared() {
            return Vec::new();
        }
        let listed = std::fs::read_dir(&self.folder);
        let inside = listed.into_iter().flatten().flatten().filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name == FILES || [DATABASE, KEYS].iter().any(|ours| name.starts_with(ours))
        });
        std::iter::once(self.folder.clone())
            .chain(inside.filter(is_no_link).map(|entry| entry.path()))
            .filter(|path| close_to_others(path).is_err())
            .collect()
    }

    /// Reads the keys of the deployment.
    pub fn read_keys(&self) -> Result<Keys> {
        self.check_prepared()?;
        Keys::read(&self.keys())
    }

    /// Opens the existing database.
    pub fn store(&self) -> Result<Arc<dyn Store>> {
        self.store_with(SqliteOptions::default())
    }

    /// Opens the database for the process that has claimed it. On a database server, refused while a node serves.
    pub(super) fn store_alone(&self, _claim: &File, now_ms: i64) -> Result<Arc<dyn Store>> {
        let Some(remote) = &self.remote else {
            return Ok(Arc::new(self.sealed_store(SqliteOptions::default())?));
        };
        let store = remote::open(remote, 1)?;
        migrate::check_rest(store.read(|tx| tx.meta(Server::TRIAL))?, now_ms)?;
        Ok(store)
    }

    fn store_with(&self, options: SqliteOptions) -> Result<Arc<dyn Store>> {
        if let Some(remote) = &self.remote {
            self.check_prepared()?;
            return Ok(remote::open(remote, options.readers)?);
        }
        Ok(Arc::new(self.held_store(options)?))
    }

    /// Copies all committed data into a new file, while other processes work with them.
    pub(super) fn copy_database(&self, to: &Path) -> Result<()> {
        if let Some(remote) = &self.remote {
            return migrate::copy_out(remote, &self.read_keys()?, to);
        }
        let store = self.held_store(SqliteOptions::default())?;
        Ok(store.inner.backup(to)?)
    }

    fn held_store(&self, options: SqliteOptions) -> Result<HeldStore> {
        self.check_prepared()?;
        let hold = self.hold()?;
        Ok(HeldStore {
            inner: self.sealed_store(options)?,
            _hold: hold,
        })
    }

    fn sealed_store(&self, options: SqliteOptions) -> Result<SqliteStore> {
        self.open_to_owner();
        // A sealed store takes no write without its key.
        let key = Keys::read(&self.keys())?.seal_key();
        Ok(SqliteStore::open_sealed(&self.database(), options, &key)?)
    }

    /// Claims the database for this process alone. Refused while another process has it open.
    pub(super) fn claim(&self) -> Result<File> {
        let file = self.use_lock()?;
        for _ in 0..LOCK_RETRIES_MAX {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_TRY_WAIT),
                Err(TryLockError::Error(error)) => return Err(self.unusable(&error)),
            }
        }
        Err(Problem::new("data.in_use").with("path", self.folder.display()))
    }

    /// Holds the database together with other processes, as long as the file is open.
    fn hold(&self) -> Result<File> {
        let file = self.use_lock()?;
        match file.try_lock_shared() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Problem::new("data.restoring").with("path", self.folder.display()))
            }
            Err(TryLockError::Error(error)) => Err(self.unusable(&error)),
        }
    }

    fn use_lock(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(self.folder.join(USE_LOCK));
        opened.map_err(|error| self.unusable(&error))
    }

    /// Opens the deployment with its keys and rules.
    pub fn open(&self, config: &Config) -> Result<Server> {
        let store = self.store_with(SqliteOptions {
            readers: config.store.readers,
            ..SqliteOptions::default()
        })?;
        let rules = Rules::read(config.rules.path.as_deref())?;
        Server::open(store, Keys::read(&self.keys())?, rules)
    }

    /// Opens the photos and recordings of a server that starts to serve.
    pub fn open_files(&self, server: &Server, config: &Config) -> Result<Blobs> {
        let ceilings = BlobCeilings::with_reserve(config.files.free_bytes_min);
        server.open_files(self.files().folder(), ceilings)
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
        // Commits that are still in the log would stay behind.
        sqlite::merge_log(&ready.database())?;
        sync(&ready.database())?;
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

/// A store of this folder. The database stays in place while it is open.
struct HeldStore {
    inner: SqliteStore,
    // Released after the database is closed.
    _hold: File,
}

impl Store for HeldStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        self.inner.run(job)
    }

    fn run_later(&self, job: Job) {
        self.inner.run_later(job);
    }

    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()> {
        self.inner.look(look)
    }

    fn seal_with(&self, key: &SealKey) -> StoreResult<()> {
        self.inner.seal_with(key)
    }

    fn seal_report(&self) -> StoreResult<Option<SealReport>> {
        self.inner.seal_report()
    }

    fn hints(&self) -> Option<tokio::sync::broadcast::Receiver<Hint>> {
        self.inner.hints()
    }
}

/// A link may lead to a file of another program. Its mode is not ours.
fn is_no_link(entry: &std::fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|kind| !kind.is_symlink())
}

/// Takes the access of other users from a file or folder. A path that is gone is no error.
#[cfg(unix)]
fn close_to_others(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let closed = || {
        let mut permissions = std::fs::metadata(path)?.permissions();
        let mode = permissions.mode();
        let for_others = mode & 0o077;
        if for_others == 0 {
            return Ok(());
        }
        if mode & 0o1000 != 0 {
            // A folder that many users share on purpose.
            return Err(ErrorKind::PermissionDenied.into());
        }
        permissions.set_mode(mode & 0o700);
        std::fs::set_permissions(path, permissions)
    };
    match closed() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Other systems have no such mode: access follows from the folder.
#[cfg(not(unix))]
fn close_to_others(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Whether the path still names this open file.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let id = |of: std::io::Result<std::fs::Metadata>| of.ok().map(|of| (of.dev(), of.ino()));
    id(file.metadata()) == id(std::fs::metadata(path))
}

/// Other systems keep an open file under its name.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, _: &Path) -> bool {
    true
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
        assert!(data.lock().is_ok());
        drop(copy);
    }

    /// A file named “lock” that stays would look as if a server ran.
    #[test]
    fn released_lock_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        drop(data.lock().unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn address_is_known_while_its_server_runs() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        // A killed server left this.
        std::fs::write(folder.path().join(LOCK), "http://127.0.0.1:1").unwrap();
        assert_eq!(data.served_at().unwrap(), None);
        std::fs::write(folder.path().join(LOCK), "http://127.0.0.1:2").unwrap();
        let mut lock = data.lock().unwrap();
        assert_eq!(data.served_at().unwrap(), None);
        lock.note_address("http://127.0.0.1:3").unwrap();
        let served = data.served_at().unwrap();
        assert_eq!(served.as_deref(), Some("http://127.0.0.1:3"));
    }

    /// A killed server left its file, and another command looks at it at this moment.
    #[test]
    fn look_of_another_command_is_no_server() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        let path = folder.path().join(LOCK);
        std::fs::write(&path, "http://127.0.0.1:1").unwrap();
        let look = File::open(&path).unwrap();
        look.lock_shared().unwrap();
        assert!(!data.is_served().unwrap());
        let starts = std::thread::spawn(move || data.lock().map(drop));
        look.unlock().unwrap();
        assert!(starts.join().unwrap().is_ok());
    }

    /// The holder before removes its file while another process has it open already.
    #[cfg(unix)]
    #[test]
    fn lock_of_a_removed_file_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK);
        let removed = File::create(&path).unwrap();
        assert!(is_at(&removed, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_at(&removed, &path));
        let _another = File::create(&path).unwrap();
        assert!(!is_at(&removed, &path));
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_files_open_to_others_are_closed() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        let foreign = folder.path().join("notes.txt");
        let ours = [
            data.database(),
            data.keys(),
            folder.path().join("onegrid.db-wal"),
            folder.path().join("onegrid.db-shm"),
            folder.path().join("onegrid.db.before-7"),
            folder.path().join("server.keys.before-7"),
        ];
        for path in ours.iter().chain([&foreign]) {
            std::fs::write(path, "").unwrap();
            set_mode(path, 0o644);
        }
        set_mode(folder.path(), 0o755);
        assert_eq!(data.protect(), Vec::<PathBuf>::new());
        assert_eq!(mode_of(folder.path()), 0o700);
        for path in &ours {
            assert_eq!(mode_of(path), 0o600, "{}", path.display());
        }
        assert_eq!(mode_of(&foreign), 0o644);
    }

    /// `restore` and `status` may be given any folder by mistake.
    #[cfg(unix)]
    #[test]
    fn folder_without_a_deployment_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        assert_eq!(DataDir::at(folder.path()).protect(), Vec::<PathBuf>::new());
        assert_eq!(mode_of(folder.path()), 0o755);
    }

    #[cfg(unix)]
    #[test]
    fn path_that_stays_open_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        for path in [data.database(), data.keys()] {
            std::fs::write(path, "").unwrap();
        }
        // A folder that all users share on purpose is not taken from them.
        set_mode(folder.path(), 0o1777);
        assert_eq!(data.protect(), [folder.path()]);
        assert_eq!(mode_of(folder.path()), 0o1777);
    }

    #[cfg(unix)]
    fn mode_of(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `init` would be the wrong advice for a folder that this user cannot read.
    #[test]
    fn unreadable_folder_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        // Root may read everything, so the path goes through a file.
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let code = |path: &Path| DataDir::at(path).read_keys().unwrap_err().code();
        assert_eq!(code(&file.join("data")), "data.unusable");
        assert_eq!(code(&folder.path().join("absent")), "data.not_prepared");
    }

    /// A copy with the modes of another machine would block every later start.
    #[cfg(unix)]
    #[test]
    fn read_only_files_beside_the_database_are_opened_to_their_owner() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let shared = format!("{}-shm", data.database().display());
        std::fs::write(&shared, vec![0; 32_768]).unwrap();
        let read_only = std::fs::Permissions::from_mode(0o400);
        std::fs::set_permissions(&shared, read_only).unwrap();
        let store = data.store().unwrap();
        let mode = std::fs::metadata(&shared).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(store);
    }

    /// A command runs with the rights of the server, and its caller chooses the folder.
    #[cfg(unix)]
    #[test]
    fn linked_file_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let (other, link) = (
            folder.path().join("other"),
            data.path().join("onegrid.db.x"),
        );
        std::fs::write(&other, "").unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&other, &link).unwrap();
        assert_eq!(data.protect(), [""; 0].map(PathBuf::from));
        let mode = std::fs::metadata(&other).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    fn prepared(folder: &Path) -> DataDir {
        let data = DataDir::at(&folder.join("data"));
        let mut rng: rand_chacha::ChaCha20Rng = rand_core::SeedableRng::seed_from_u64(5);
        let root_key = folder.join("root.key");
        crate::admin::setup::prepare(&data, &root_key, 1_760_000_000_000, &mut rng).unwrap();
        data
    }

    /// A person with the folder, but without its keys, may not get a true seal over other rows.
    #[test]
    fn emptied_database_is_not_sealed_as_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        std::fs::write(data.database(), []).unwrap();
        let store = data.store().unwrap();
        store
            .write::<_, crate::store::StoreError>(|tx| tx.set_meta("a", &[1]))
            .unwrap();
        assert!(!store.seal_report().unwrap().unwrap().is_sealed);
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_could_read_are_named_before_they_are_closed() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::at(folder.path());
        for path in [data.keys(), data.database()] {
            std::fs::write(path, "").unwrap();
        }
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(data.keys(), open).unwrap();
        assert!(data.keys_are_open());
        drop(data.protect());
        assert!(!data.keys_are_open());
    }
}
