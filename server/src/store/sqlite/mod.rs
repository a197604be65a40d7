//! The default backend: one `SQLite` file, one writer with group commit, a pool of readers.
//!
//! `synchronous = FULL` with a write-ahead log puts each commit on the disk before its callers learn of it.
//! Jobs that wait during a commit share the next transaction, so many receipts cost one `fsync`.

mod administration;
mod attachments;
mod bases;
mod convert;
mod copy;
mod envelopes;
mod feed;
mod memo;
mod open;
mod parcels;
mod peek;
mod people;
mod pool;
mod readings;
mod records;
mod seal;
mod signatures;
mod streams;
mod templates;
mod tx;
mod tx_writer;
mod unread;
mod visitors;
mod writing;
mod written;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use copy::SqliteEnd;

use super::{Fate, Job, Reader, SealKey, SealReport, Store, StoreError, StoreResult};
use pool::Pool;
use seal::Sealer;
use tx::Tx;
use writing::WriterThread;

/// Options for opening a store.
#[derive(Debug, Clone, Copy)]
pub struct SqliteOptions {
    /// Connections that read at the same time.
    pub readers: usize,
    /// Page cache of each connection, KiB.
    pub cache_kib: u32,
    /// Limit of the file's size in pages of 4 KiB; `None` sets no limit.
    pub pages_max: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            cache_kib: 8 * 1_024,
            pages_max: None,
        }
    }
}

/// A store in one `SQLite` file.
pub struct SqliteStore {
    path: PathBuf,
    pool: Pool,
    /// Whether this opening made the file, which is counted when its key is there.
    is_new: bool,
    seal_key: Arc<OnceLock<SealKey>>,
    // Dropped after the pool: the last connection merges the log into the file when it closes.
    writer: WriterThread,
}

impl SqliteStore {
    /// Opens the file, creates it if it does not exist, and brings its schema up to date. A store that is sealed
    /// and older needs its key for that ([`Self::open_sealed`]).
    pub fn open(path: &Path, options: SqliteOptions) -> StoreResult<Self> {
        Self::open_with(path, options, None)
    }

    /// Opens the file of a deployment like [`Self::open`], and seals every transaction from now on. A file that
    /// is empty by now is not taken for a new one.
    pub fn open_sealed(path: &Path, options: SqliteOptions, key: &SealKey) -> StoreResult<Self> {
        let store = Self::open_with(path, options, Some(key))?;
        store.seal_with(key)?;
        Ok(store)
    }

    fn open_with(path: &Path, options: SqliteOptions, key: Option<&SealKey>) -> StoreResult<Self> {
        open::create(path);
        let mut connection = open::connect(path, options)?;
        let is_new = open::migrate(&mut connection, key)? && key.is_none();
        let seal_key = Arc::new(OnceLock::new());
        let sealer = Sealer::install(&connection, Arc::clone(&seal_key), is_new)
            .map_err(convert::failure)?;
        let writer = WriterThread::start(connection, sealer)?;
        let pool = Pool::new(path.to_owned(), options);
        Ok(Self {
            path: path.to_owned(),
            pool,
            is_new,
            seal_key,
            writer,
        })
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store for SqliteStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        self.writer.run(job)
    }

    fn run_later(&self, job: Job) {
        self.writer.run_later(job);
    }

    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()> {
        let connection = self.pool.take()?;
        connection
            .execute_batch("BEGIN")
            .map_err(convert::failure)?;
        look(&Tx::new(&connection));
        connection.execute_batch("COMMIT").map_err(convert::failure)
    }

    fn seal_with(&self, key: &SealKey) -> StoreResult<()> {
        // Every key of a deployment is the same.
        self.seal_key.get_or_init(|| key.clone());
        if self.is_new {
            // The first transaction counts what is there.
            self.writer.run(Box::new(|_| Fate::Keep))?;
        }
        Ok(())
    }

    fn seal_report(&self) -> StoreResult<Option<SealReport>> {
        let Some(key) = self.seal_key.get() else {
            return Ok(Some(SealReport::default()));
        };
        let connection = self.pool.take()?;
        connection
            .execute_batch("BEGIN")
            .map_err(convert::failure)?;
        let report = seal::report(&connection, key).map_err(convert::failure)?;
        connection
            .execute_batch("COMMIT")
            .map_err(convert::failure)?;
        Ok(Some(report))
    }
}

impl SqliteStore {
    /// Copies all committed data into a new file, while other work continues.
    pub fn backup(&self, to: &Path) -> StoreResult<()> {
        let from = self.pool.take()?;
        // A read transaction fixes the state that is copied. Without it, every commit of another connection
        // would begin the copy again. The pool ends the transaction when the connection returns.
        from.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
            .map_err(convert::failure)?;
        open::create(to);
        let mut target = Connection::open(to).map_err(convert::failure)?;
        let copy = rusqlite::backup::Backup::new(&from, &mut target).map_err(convert::failure)?;
        copy.run_to_completion(BACKUP_PAGES_A_STEP, Duration::ZERO, None)
            .map_err(convert::failure)?;
        drop(copy);
        target
            .execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")
            .map_err(convert::failure)
    }
}

pub(crate) use peek::{Administration, peek_administration};

/// Reads a note of a database without writing anything to it.
pub(crate) fn peek(path: &Path, note: &str) -> StoreResult<Option<Vec<u8>>> {
    let connection = open_unchanged(path)?;
    administration::meta(&connection, note).map_err(convert::failure)
}

/// Opens a database without writing anything to it. Without a log beside it, the file alone is
/// read.
fn open_unchanged(path: &Path) -> StoreResult<Connection> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let how = if Path::new(&log).exists() {
        "mode=ro"
    } else {
        "immutable=1"
    };
    let name = path.to_string_lossy();
    let name = name
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?{how}"), flags).map_err(convert::failure)
}

/// Whether the rows of a closed database are those that were sealed.
pub(crate) fn is_as_sealed(path: &Path, key: &SealKey) -> StoreResult<bool> {
    let connection = open::connect(path, SqliteOptions::default())?;
    let report = seal::report(&connection, key).map_err(convert::failure)?;
    Ok(report.is_good())
}

/// Checks that every page of a closed database can be read, with the log beside it.
pub(crate) fn check(path: &Path) -> StoreResult<()> {
    let connection = Connection::open(path).map_err(convert::failure)?;
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(convert::failure)?;
    if found == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(std::sync::Arc::from(Box::<
            dyn std::error::Error + Send + Sync,
        >::from(
            found
        ))))
    }
}

/// Seals a closed database as it is. Only an administrator may decide this, about a damaged one that is the best
/// that is left.
pub(crate) fn seal_anew(path: &Path, key: &SealKey) -> StoreResult<()> {
    let mut connection = open::connect(path, SqliteOptions::default())?;
    if seal::is_sealed(&connection).map_err(convert::failure)? {
        connection
            .execute_batch("DELETE FROM seal")
            .map_err(convert::failure)?;
    }
    open::migrate(&mut connection, None)?;
    seal::count(&connection, key).map_err(convert::failure)
}

/// Merges the log beside a closed database into it. Fails while another connection has it open.
pub(crate) fn merge_log(path: &Path) -> StoreResult<()> {
    let connection = Connection::open(path).map_err(convert::failure)?;
    let busy: bool = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(convert::failure)?;
    if busy {
        Err(StoreError::Locked)
    } else {
        Ok(())
    }
}

/// Pages that are copied before other connections get a turn.
const BACKUP_PAGES_A_STEP: i32 = 4_096;
