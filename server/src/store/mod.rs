//! The store of all data that the server has acknowledged.
//!
//! ```text
//!  ingest, registry ──▶ Store::write (jobs, coalesced into one durable transaction) ──▶ receipts
//!  feed, api        ──▶ Store::read  (a snapshot)
//! ```
//!
//! **Contract** (the conformance suite in `conformance.rs` checks every backend): a job sees the writes of
//! earlier jobs. A job that fails leaves no trace and does not harm other jobs. When `write` returns `Ok`,
//! the job's writes survive a power cut. Positions of a stream are dense, from 1, in the order of commits,
//! and a reader that sees a position sees all earlier ones.
//!
//! **Not here:** the meaning of envelopes, permissions, and SQL outside the folder of a backend.

mod copy;
mod error;
mod hints;
pub mod postgres;
mod reader;
mod rows;
mod seal;
pub mod sqlite;
mod writer;

#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod twice;

use std::sync::{Arc, Mutex, PoisonError};

pub use copy::{Cell, CopyEnd, TABLES, Table};
pub use error::{Cause, StoreError, StoreResult};
pub use hints::Hint;
pub use reader::Reader;
pub use rows::*;
pub use seal::{SealKey, SealReport};
pub use writer::{Ahead, Renewals, Writer};

/// Result of a job for its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The writes are committed.
    Keep,
    /// The writes are undone; the other jobs of the transaction are not affected.
    Undo,
}

/// A function that runs inside a write transaction.
///
/// **Contract:** a backend may run a job again when its transaction came to nothing. So a job changes the store
/// alone, and everything else that it returns replaces the result of its earlier run.
pub type Job = Box<dyn FnMut(&mut dyn Writer) -> Fate + Send>;

/// Interface of a backend.
pub trait Store: Send + Sync {
    /// Runs a job in a write transaction, alone or with others, and returns when it is durable or undone.
    fn run(&self, job: Job) -> StoreResult<()>;

    /// Hands a job over without waiting for it. The caller never learns whether the job became durable, so
    /// this is for hints and caches only.
    fn run_later(&self, job: Job);

    /// Runs `look` on a consistent snapshot.
    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()>;

    /// Seals every transaction from now on, where the backend has a seal. A new store is counted first.
    fn seal_with(&self, key: &SealKey) -> StoreResult<()>;

    /// Compares all rows with the sums that the last transaction sealed; `None` if the backend has no seal.
    fn seal_report(&self) -> StoreResult<Option<SealReport>>;

    /// Hints of other nodes over the same data; `None` if this store has one node.
    fn hints(&self) -> Option<tokio::sync::broadcast::Receiver<Hint>> {
        None
    }
}

impl dyn Store {
    /// Runs `work` inside one transaction, again if a transaction came to nothing. An error of `work` undoes its
    /// writes. Its last run counts.
    pub fn write<T, E>(
        &self,
        mut work: impl FnMut(&mut dyn Writer) -> Result<T, E> + Send + 'static,
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
            // The job's own result is invalid if its transaction did not become durable.
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
