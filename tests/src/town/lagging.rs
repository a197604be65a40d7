//! A store that delays or loses unimportant writes, as far as `run_later` permits.
//!
//! A job that was handed over without waiting is done before the next job with a waiting caller, and is lost
//! if the server crashes before that. So the tests find a receipt that left before its transaction was
//! durable.

use std::path::Path;
use std::sync::Mutex;

use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};
use onegrid_server::store::{Job, Reader, SealKey, SealReport, Store, StoreResult};

/// A real `SQLite` store with late writes.
pub struct LaggingStore {
    inner: SqliteStore,
    later: Mutex<Vec<Job>>,
}

impl LaggingStore {
    /// Opens the file.
    pub fn open(path: &Path) -> StoreResult<Self> {
        let options = SqliteOptions {
            readers: 2,
            cache_kib: 2_048,
            ..SqliteOptions::default()
        };
        Ok(Self {
            inner: SqliteStore::open(path, options)?,
            later: Mutex::default(),
        })
    }

    /// Runs the waiting jobs.
    pub fn catch_up(&self) -> StoreResult<()> {
        let jobs = std::mem::take(&mut *self.later.lock().expect("no job panics"));
        jobs.into_iter().try_for_each(|job| self.inner.run(job))
    }

    /// Copies all data into a new file.
    pub fn backup(&self, to: &Path) -> StoreResult<()> {
        self.catch_up()?;
        self.inner.backup(to)
    }

    /// Cuts the power, so the waiting jobs are lost.
    pub fn lose_what_waits(&self) {
        self.later.lock().expect("no job panics").clear();
    }
}

impl Store for LaggingStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        self.catch_up()?;
        self.inner.run(job)
    }

    fn run_later(&self, job: Job) {
        self.later.lock().expect("no job panics").push(job);
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
}
