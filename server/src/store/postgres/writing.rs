//! The single writer of a node: a thread that runs all waiting jobs in one transaction and commits them together.
//!
//! Every transaction first takes the lock of the writers, so one node writes at a time and a job sees the writes of all
//! earlier jobs on every node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::connect::Connector;
use super::db::Db;
use super::memo::Memo;
use super::tx::Tx;
use super::{hints, schema};
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

/// The parts of the writer that stay while connections come and go.
pub(super) struct Desk {
    pub(super) connector: Arc<Connector>,
    /// Name of this node in its hints.
    pub(super) tag: String,
}

impl WriterThread {
    pub(super) fn start(desk: Desk, db: Db) -> StoreResult<Self> {
        let (orders, incoming) = sync_channel(JOBS_WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&desk, db, &incoming))
            .map_err(|error| StoreError::Failed(Arc::new(error)))?;
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

fn serve(desk: &Desk, db: Db, incoming: &Receiver<Order>) {
    let mut db = Some(db);
    while let Ok(first) = incoming.recv() {
        let mut orders = vec![first];
        while orders.len() < JOBS_PER_COMMIT_MAX {
            match incoming.try_recv() {
                Ok(order) => orders.push(order),
                Err(_) => break,
            }
        }
        let (mut jobs, waiting): (Vec<_>, Vec<_>) = orders
            .into_iter()
            .map(|order| (order.job, order.done))
            .unzip();
        let outcomes = commit_and_retry(desk, &mut db, &mut jobs);
        for (done, outcome) in waiting.into_iter().zip(outcomes) {
            // A caller that no longer waits will ask again.
            let _ = done.send(outcome);
        }
    }
}

/// How far a transaction came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was committed, so the jobs may run again.
    Before,
    /// The commit was sent, so its outcome is unknown if the connection is lost.
    Committing,
}

/// Runs the jobs once more if the connection was lost before the commit was sent, as after a restart of the server.
fn commit_and_retry(desk: &Desk, db: &mut Option<Db>, jobs: &mut [Job]) -> Vec<StoreResult<()>> {
    let mut phase = Phase::Before;
    let mut outcome = commit_on(desk, db, jobs, &mut phase);
    if phase == Phase::Before && matches!(outcome, Err(StoreError::Unavailable(_))) {
        outcome = commit_on(desk, db, jobs, &mut phase);
    }
    outcome.unwrap_or_else(|error| vec![Err(error); jobs.len()])
}

fn commit_on(
    desk: &Desk,
    kept: &mut Option<Db>,
    jobs: &mut [Job],
    phase: &mut Phase,
) -> StoreResult<Vec<StoreResult<()>>> {
    let db = match kept.take().filter(|db| !db.is_closed()) {
        Some(db) => db,
        None => desk.connector.open()?,
    };
    db.begin_job();
    let outcome = commit_together(desk, &db, jobs, phase);
    if outcome.is_ok() || db.recover("ROLLBACK").is_ok() {
        *kept = Some(db);
    }
    outcome
}

/// Runs the jobs in one transaction, and returns the outcome of each. A job that undoes itself counts as `Ok`, because
/// its caller has its own error.
///
/// Nearly all jobs keep what they write, and the database refuses nearly none. So the jobs first share one batch of
/// rows and wait for no answer. If one of them has to be undone alone, all of them run again, each behind a savepoint.
fn commit_together(
    desk: &Desk,
    db: &Db,
    jobs: &mut [Job],
    phase: &mut Phase,
) -> StoreResult<Vec<StoreResult<()>>> {
    if let Some(outcomes) = commit_hopefully(desk, db, jobs, phase)? {
        return Ok(outcomes);
    }
    let memo = begin(db)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        outcomes.push(run_carefully(db, &memo, job)?);
    }
    commit(desk, db, &memo, phase)?;
    Ok(outcomes)
}

/// Runs the jobs as if none of them fails; `None` if one has to be undone alone. Then nothing was written.
fn commit_hopefully(
    desk: &Desk,
    db: &Db,
    jobs: &mut [Job],
    phase: &mut Phase,
) -> StoreResult<Option<Vec<StoreResult<()>>>> {
    let memo = begin(db)?;
    let is_alone = jobs.len() == 1;
    for job in jobs.iter_mut() {
        db.take_written();
        let fate = catch_unwind(AssertUnwindSafe(|| job(&mut Tx { db, memo: &memo })));
        // Another job may have written what the database refuses, and this one only met its error.
        let is_sound = db.check().is_ok();
        if is_sound && (matches!(fate, Ok(Fate::Keep)) || !db.take_written()) {
            continue;
        }
        if let Some(error) = db.lost() {
            return Err(error);
        }
        db.recover("ROLLBACK")?;
        return Ok((is_sound && is_alone).then(|| vec![Ok(())]));
    }
    if let Err(error) = db.settle() {
        if db.lost().is_some() {
            return Err(error);
        }
        db.recover("ROLLBACK")?;
        return Ok(None);
    }
    commit(desk, db, &memo, phase)?;
    Ok(Some(vec![Ok(()); jobs.len()]))
}

fn begin(db: &Db) -> StoreResult<Memo> {
    db.command("BEGIN")?;
    db.send(schema::LOCK, Vec::new())?;
    Ok(Memo::default())
}

/// Sends the commit only when every statement has succeeded, because the commit of a failed transaction rolls it back
/// and reports success.
fn commit(desk: &Desk, db: &Db, memo: &Memo, phase: &mut Phase) -> StoreResult<()> {
    hints::notify(db, &desk.tag, &memo.grown())?;
    *phase = Phase::Committing;
    db.command("COMMIT")?;
    db.settle()
}

/// Runs one job behind a savepoint, and waits for all of its writes. The outer error is about the whole transaction.
fn run_carefully(db: &Db, memo: &Memo, job: &mut Job) -> StoreResult<StoreResult<()>> {
    db.command("SAVEPOINT job")?;
    let fate = catch_unwind(AssertUnwindSafe(|| job(&mut Tx { db, memo })));
    let outcome = match fate {
        Ok(Fate::Keep) => match db.settle() {
            Ok(()) => {
                db.command("RELEASE SAVEPOINT job")?;
                return Ok(Ok(()));
            }
            Err(error) => Err(error),
        },
        Ok(Fate::Undo) | Err(_) => Ok(()),
    };
    if let Some(error) = db.lost() {
        return Err(error);
    }
    memo.undo();
    db.recover("ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job")?;
    Ok(outcome)
}
