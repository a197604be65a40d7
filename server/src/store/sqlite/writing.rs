//! The one writer: a thread that puts all waiting jobs into one transaction and commits them together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::convert::failure;
use super::tx::Tx;
use crate::limits::{JOBS_PER_COMMIT_MAX, JOBS_WAITING_MAX};
use crate::store::{Fate, Job, StoreError, StoreResult};

struct Order {
    job: Job,
    done: Sender<StoreResult<()>>,
}

pub(super) struct WriterThread {
    orders: Option<SyncSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterThread {
    pub(super) fn start(connection: Connection) -> StoreResult<Self> {
        let (orders, incoming) = sync_channel(JOBS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, &incoming))
            .map_err(|error| StoreError::Failed(std::sync::Arc::new(error)))?;
        Ok(Self {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    pub(super) fn run(&self, job: Job) -> StoreResult<()> {
        let (done, outcome) = channel();
        let orders = self.orders.as_ref().ok_or(StoreError::Stopped)?;
        orders
            .send(Order { job, done })
            .map_err(|_| StoreError::Stopped)?;
        outcome.recv().map_err(|_| StoreError::Stopped)?
    }

    /// Without waiting. When too many wait already, what can be made again is left out.
    pub(super) fn run_later(&self, job: Job) {
        let (done, _) = channel();
        if let Some(orders) = &self.orders {
            let _ = orders.try_send(Order { job, done });
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has already failed its jobs.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, incoming: &Receiver<Order>) {
    while let Ok(first) = incoming.recv() {
        let mut orders = vec![first];
        while orders.len() < JOBS_PER_COMMIT_MAX {
            match incoming.try_recv() {
                Ok(order) => orders.push(order),
                Err(_) => break,
            }
        }
        let (jobs, waiting): (Vec<_>, Vec<_>) = orders
            .into_iter()
            .map(|order| (order.job, order.done))
            .unzip();
        let outcome = commit_together(connection, jobs);
        for done in waiting {
            // Who no longer waits will ask again.
            let _ = done.send(outcome.clone());
        }
    }
}

/// Runs the jobs in one transaction. A job that undoes itself is `Ok`: its caller has its own error.
fn commit_together(connection: &Connection, jobs: Vec<Job>) -> StoreResult<()> {
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failure)?;
    let outcome = jobs
        .into_iter()
        .try_for_each(|job| run_one(connection, job));
    let outcome = outcome.and_then(|()| connection.execute_batch("COMMIT").map_err(failure));
    if outcome.is_err() && !connection.is_autocommit() {
        // What cannot even be rolled back is rolled back when the connection closes.
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

fn run_one(connection: &Connection, job: Job) -> StoreResult<()> {
    connection.execute_batch("SAVEPOINT job").map_err(failure)?;
    let fate = catch_unwind(AssertUnwindSafe(|| job(&mut Tx::new(connection))));
    if connection.is_autocommit() {
        // Out of space: SQLite has given up the whole transaction, not only the statement.
        return Err(StoreError::Full);
    }
    let end = match fate {
        Ok(Fate::Keep) => "RELEASE job",
        Ok(Fate::Undo) | Err(_) => "ROLLBACK TO job; RELEASE job",
    };
    connection.execute_batch(end).map_err(failure)?;
    Ok(())
}
