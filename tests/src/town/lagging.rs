//! A store that delays or loses unimportant writes, as far as `run_later` permits.
//!
//! A job that was handed over without waiting is done before the next job with a waiting caller, and is lost
//! if the server crashes before that. So the tests find a receipt that left before its transaction was
//! durable.

use std::sync::{Arc, Mutex};

use onegrid_server::store::{Job, Reader, SealKey, SealReport, Store, StoreResult};

/// A real store with late writes.
pub struct LaggingStore {
    inner: Arc<dyn Store>,
    later: Mutex<Vec<Job>>,
}

impl LaggingStore {
    /// Delays the writes of this store.
    #[must_use]
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            later: Mutex::default(),
        }
    }

    /// Runs the waiting jobs.
    pub fn catch_up(&self) -> StoreResult<()> {
        let jobs = std::mem::take(&mut *self.later.lock().expect("no job panics"));
        jobs.into_iter().try_for_each(|job| self.inner.run(job))
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
