//! Where the server keeps what it acknowledged.
//!
//! ```text
//!  ingest, registry ──▶ Store::write (jobs, coalesced into one durable transaction) ──▶ receipts
//!  feed, api        ──▶ Store::read  (a snapshot)
//! ```
//!
//! **Contract** (the conformance suite in `conformance.rs` runs on every backend):
//! a job sees what earlier jobs wrote; a job that fails leaves nothing behind and fails alone; when `write`
//! returns `Ok`, the job survives a power cut. Positions of a stream are dense, from 1, in the order of commits,
//! and a reader that sees a position sees every one before it.
//!
//! **Not here:** what an envelope means, who may do what, and any SQL outside a backend's own folder.

mod error;
mod reader;
mod rows;
pub mod sqlite;
mod writer;

#[cfg(test)]
mod conformance;

use std::sync::{Arc, Mutex, PoisonError};

pub use error::{Cause, StoreError, StoreResult};
pub use reader::Reader;
pub use rows::*;
pub use writer::Writer;

/// What becomes of a job's writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are committed.
    Keep,
    /// They are undone; the jobs around it are not touched.
    Undo,
}

/// A piece of work for the writer.
pub type Job = Box<dyn FnOnce(&mut dyn Writer) -> Fate + Send>;

/// A backend.
pub trait Store: Send + Sync {
    /// Runs a job in a write transaction, alone or with others, and returns when it is durable or undone.
    fn run(&self, job: Job) -> StoreResult<()>;

    /// Hands a job over without waiting for it. Whether it is ever durable stays unknown: for hints and
    /// caches only.
    fn run_later(&self, job: Job);

    /// Runs `look` on a consistent snapshot.
    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()>;

    /// Copies everything that is committed into a new file, while others go on working.
    fn backup(&self, to: &std::path::Path) -> StoreResult<()>;
}

impl dyn Store {
    /// Writes: `work` runs inside one transaction. Its error undoes it.
    pub fn write<T, E>(
        &self,
        work: impl FnOnce(&mut dyn Writer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let slot = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&slot);
        let done = self.run(Box::new(move |tx| {
            let outcome = work(tx);
            let fate = if outcome.is_ok() {
                Fate::Keep
            } else {
                Fate::Undo
            };
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            fate
        }));
        let outcome = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (done, outcome) {
            (Ok(()), Some(outcome)) => outcome,
            // What the job said is worth nothing when its transaction did not become durable.
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(StoreError::Stopped.into()),
        }
    }

    /// Reads from one consistent snapshot.
    pub fn read<T, E: From<StoreError>>(
        &self,
        look: impl FnOnce(&dyn Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut look = Some(look);
        let mut outcome = None;
        self.look(&mut |reader| {
            if let Some(look) = look.take() {
                outcome = Some(look(reader));
            }
        })?;
        outcome.unwrap_or_else(|| Err(StoreError::Stopped.into()))
    }
}
