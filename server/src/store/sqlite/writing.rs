//! The single writer: a thread that runs all waiting jobs in one transaction and commits them
//! together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::convert::failure;
use super::open;
use super::seal::{Sealer, Sealing};
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
    pub(super) fn start(connection: Connection, sealer: Sealer) -> StoreResult<Self> {
        let (orders, incoming) = sync_channel(JOBS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, &sealer, &incoming))
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

    /// Queues a job without waiting. If the queue is full, the job is dropped, because its result can
    /// be made again.
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
            // If the writer panicked, its jobs have already failed.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, sealer: &Sealer, incoming: &Receiver<Order>) {
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
        let outcome = commit_together(connection, sealer, jobs);
        for done in waiting {
            // A caller that no longer waits will ask again.
            let _ = done.send(outcome.clone());
        }
    }
}

/// Runs the jobs in one transaction. A job that undoes itself counts as `Ok`, because its caller has
/// its own error.
fn commit_together(connection: &Connection, sealer: &Sealer, jobs: Vec<Job>) -> StoreResult<()> {
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(failure)?;
    let outcome = run_sealed(connection, sealer, jobs).and_then(|sealing| {
        connection.execute_batch("COMMIT").map_err(failure)?;
        sealer.committed(&sealing);
        Ok(())
    });
    if outcome.is_err() && !connection.is_autocommit() {
        // If the rollback fails, the closing connection rolls back.
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

fn run_sealed(connection: &Connection, sealer: &Sealer, jobs: Vec<Job>) -> StoreResult<Sealing> {
    open::check_version(connection)?;
    let sealing = sealer.begin(connection).map_err(failure)?;
    for job in jobs {
        run_one(connection, sealer, job)?;
    }
    sealer.end(connection, &sealing).map_err(failure)?;
    Ok(sealing)
}

fn run_one(connection: &Connection, sealer: &Sealer, mut job: Job) -> StoreResult<()> {
    let before = sealer.snapshot();
    connection.execute_batch("SAVEPOINT job").map_err(failure)?;
    let fate = catch_unwind(AssertUnwindSafe(|| job(&mut Tx::new(connection))));
    if connection.is_autocommit() {
        // Without space, SQLite undoes the whole transaction, not only the statement.
        return Err(StoreError::Full);
    }
    let end = match fate {
        Ok(Fate::Keep) => "RELEASE job",
        Ok(Fate::Undo) | Err(_) => {
            sealer.undo(before);
            "ROLLBACK TO job; RELEASE job"
        }
    };
    connection.execute_batch(end).map_err(failure)?;
    Ok(())
}
