//! The default backend: one `SQLite` file, one writer with group commit, a pool of readers.
//!
//! `synchronous = FULL` with a write-ahead log puts each commit on the disk before its callers learn of it.
//! Jobs that wait during a commit share the next transaction, so many receipts cost one `fsync`.

mod administration;
mod attachments;
mod bases;
mod convert;
mod envelopes;
mod feed;
mod memo;
mod open;
mod parcels;
mod people;
mod pool;
mod readings;
mod records;
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
use std::time::Duration;

use rusqlite::Connection;

use super::{Job, Reader, Store, StoreError, StoreResult};
use pool::Pool;
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
    // Dropped after the pool: the last connection merges the log into the file when it closes.
    writer: WriterThread,
}

impl SqliteStore {
    /// Opens the file, creates it if it does not exist, and brings its schema up to date.
    pub fn open(path: &Path, options: SqliteOptions) -> StoreResult<Self> {
        open::create(path);
        let mut connection = open::connect(path, options)?;
        open::migrate(&mut connection)?;
        let writer = WriterThread::start(connection)?;
        let pool = Pool::new(path.to_owned(), options);
        Ok(Self {
            path: path.to_owned(),
            pool,
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

    fn backup(&self, to: &Path) -> StoreResult<()> {
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
