//! A store that stops writing at a chosen moment, as on a full disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::store::{Job, Reader, SealKey, SealReport, Store, StoreError, StoreResult};

pub(super) struct FailingStore {
    pub(super) inner: Arc<dyn Store>,
    /// Transactions that still go through.
    pub(super) left: AtomicUsize,
}

impl Store for FailingStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return Err(StoreError::Full);
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.inner.run(job)
    }

    fn run_later(&self, _: Job) {}

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
