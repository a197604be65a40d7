//! A store for tests that behaves like one of several nodes: it runs every job twice and undoes the first run, as a
//! backend may do at any time, and it passes on the hints that a test sends.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::{Receiver, Sender, channel};

use super::{Fate, Hint, Job, Reader, SealKey, SealReport, Store, StoreResult};

/// Runs every job twice.
pub(crate) struct TwiceStore {
    inner: Arc<dyn Store>,
    /// Sends the hints of other nodes.
    pub(crate) hints: Sender<Hint>,
}

impl TwiceStore {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Self {
        let (hints, _) = channel(16);
        Self { inner, hints }
    }
}

impl Store for TwiceStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        let job = Arc::new(Mutex::new(job));
        for run in 0..2 {
            let job = Arc::clone(&job);
            self.inner.run(Box::new(move |tx| {
                let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
                let fate = job(tx);
                if run == 0 { Fate::Undo } else { fate }
            }))?;
        }
        Ok(())
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

    fn hints(&self) -> Option<Receiver<Hint>> {
        Some(self.hints.subscribe())
    }
}
