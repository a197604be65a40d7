//! One connection, used by one thread at a time.
//!
//! ```text
//!  send(a) ─▶ ─▶ send(b) ─▶ ─▶ one(c) ─▶ ─▶ wait: a, b, then the row of c
//! ```
//!
//! A statement without an answer is sent at once without a wait: a round trip costs a hundred times as
//! much as the statement. The next query, or the end of the job, waits for all of them in order.
//!
//! New rows wait in a [`Batch`] until any other statement is sent, except for the statements *beside*, which
//! concern none of its rows.
//!
//! **Invariant:** the first error stays until [`Db::begin_job`]. After it no query of the job answers, so a job never
//! continues on rows that are not there.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error, Row, Statement};

use super::batch::Batch;
use super::convert::{Value, failure};
use crate::store::{Cause, StoreError, StoreResult};

type Pending = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

/// A sent statement, and the error if it changes no row.
struct Sent {
    answer: Pending,
    missing: Option<&'static str>,
}

/// Sent statements with unread answers.
const SENT_MAX: usize = 256;
/// Longest time for a statement over a whole table.
const LONG_WAIT_MAX: Duration = Duration::from_hours(12);

pub(super) struct Db {
    client: Arc<Client>,
    statements: RefCell<HashMap<String, Statement>>,
    sent: RefCell<VecDeque<Sent>>,
    failed: RefCell<Option<StoreError>>,
    batch: RefCell<Batch>,
    /// Whether a job has changed anything.
    has_written: Cell<bool>,
    /// How often threads of this node waited for the server.
    trips: Arc<AtomicU64>,
    /// Longest time for one answer.
    wait_max: Cell<Duration>,
}

impl Db {
    pub(super) fn new(client: Client, wait_max: Duration, trips: Arc<AtomicU64>) -> Self {
        Self {
            client: Arc::new(client),
            statements: RefCell::default(),
            sent: RefCell::default(),
            failed: RefCell::default(),
            batch: RefCell::default(),
            has_written: Cell::new(false),
            trips,
            wait_max: Cell::new(wait_max),
        }
    }

    /// Whether the connection is lost. A connection whose answer did not come in time counts as lost.
    pub(super) fn is_closed(&self) -> bool {
        self.lost().is_some()
    }

    /// The error if the connection is lost.
    pub(super) fn lost(&self) -> Option<StoreError> {
        let failed = self.failed.borrow();
        match &*failed {
            Some(error @ StoreError::Unavailable(_)) => Some(error.clone()),
            _ if self.client.is_closed() => {
                let ended = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
                Some(StoreError::Unavailable(Arc::new(ended)))
            }
            _ => None,
        }
    }

    /// Forgets the error of the job before, and its rows that were not sent.
    pub(super) fn begin_job(&self) {
        self.failed.borrow_mut().take();
        self.batch.take();
        self.has_written.set(false);
    }

    /// Whether anything was written since the last question.
    pub(super) fn take_written(&self) -> bool {
        self.has_written.replace(false)
    }

    /// Notes a query that writes.
    pub(super) fn note_written(&self) {
        self.has_written.set(true);
    }

    /// Lets new rows wait for others.
    pub(super) fn wait_with<T>(&self, add: impl FnOnce(&mut Batch) -> T) -> StoreResult<T> {
        self.check()?;
        self.has_written.set(true);
        let added = add(&mut self.batch.borrow_mut());
        if self.batch.borrow().is_full() {
            self.flush()?;
        }
        Ok(added)
    }

    /// The rows that wait.
    pub(super) fn waiting(&self) -> Ref<'_, Batch> {
        self.batch.borrow()
    }

    /// Sends the rows that wait.
    pub(super) fn flush(&self) -> StoreResult<()> {
        if self.batch.borrow().is_empty() {
            return Ok(());
        }
        for (sql, values) in self.batch.take().statements() {
            self.queue(sql, values, None)?;
        }
        Ok(())
    }

    /// Sends a statement and does not wait.
    pub(super) fn send(&self, sql: &str, values: Vec<Value>) -> StoreResult<()> {
        self.flush()?;
        self.send_beside(sql, values)
    }

    /// Sends a statement before the rows that wait: it concerns another table, which has no key of theirs.
    pub(super) fn send_beside(&self, sql: &str, values: Vec<Value>) -> StoreResult<()> {
        self.has_written.set(true);
        self.queue(sql, values, None)
    }

    /// Sends a statement that must change a row, and does not wait.
    pub(super) fn send_to(
        &self,
        missing: &'static str,
        sql: &str,
        values: Vec<Value>,
    ) -> StoreResult<()> {
        self.flush()?;
        self.has_written.set(true);
        self.queue(sql, values, Some(missing))
    }

    /// Sends a command without parameters, such as `BEGIN`, and does not wait.
    pub(super) fn command(&self, sql: &str) -> StoreResult<()> {
        self.check()?;
        self.flush()?;
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        let answer = Box::pin(async move { client.batch_execute(&sql).await.map(|()| 0) });
        self.push(Sent {
            answer,
            missing: None,
        })
    }

    /// Runs a command even after an error, and waits for it. The error is forgotten if the command succeeds.
    pub(super) fn recover(&self, sql: &str) -> StoreResult<()> {
        self.sent.borrow_mut().clear();
        self.batch.take();
        self.run(sql)?;
        self.begin_job();
        Ok(())
    }

    /// Runs statements without parameters, and waits for them.
    pub(super) fn run(&self, sql: &str) -> StoreResult<()> {
        self.ask(self.client.batch_execute(sql))
    }

    /// Changes rows and returns their number.
    pub(super) fn change(&self, sql: &str, values: Vec<Value>) -> StoreResult<u64> {
        self.check()?;
        self.flush()?;
        self.has_written.set(true);
        let statement = self.statement(sql)?;
        self.ask(self.client.execute_raw(&statement, values))
    }

    /// The first row of a query.
    pub(super) fn one(&self, sql: &str, values: Vec<Value>) -> StoreResult<Option<Row>> {
        Ok(self.all(sql, values)?.into_iter().next())
    }

    /// All rows of a query.
    pub(super) fn all(&self, sql: &str, values: Vec<Value>) -> StoreResult<Vec<Row>> {
        self.flush()?;
        let mut rows = self.all_beside(vec![(sql, values)])?;
        rows.pop().ok_or(StoreError::Row("an answer"))
    }

    /// All rows of several queries, which are sent together. No waiting row concerns them.
    pub(super) fn all_beside(
        &self,
        queries: Vec<(&str, Vec<Value>)>,
    ) -> StoreResult<Vec<Vec<Row>>> {
        self.check()?;
        let mut questions = Vec::with_capacity(queries.len());
        for (sql, values) in queries {
            let statement = self.statement(sql)?;
            let client = Arc::clone(&self.client);
            let mut question = Box::pin(async move {
                let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
                    values.iter().map(|value| value as _).collect();
                client.query(&statement, &values).await
            });
            // The first poll sends it.
            let early = poll_once(question.as_mut());
            questions.push((question, early));
        }
        self.settle_to(0)?;
        let mut answers = Vec::with_capacity(questions.len());
        for (question, early) in questions {
            let answer = match early {
                Some(outcome) => outcome.map_err(failure),
                None => self.wait(question),
            };
            answers.push(answer.inspect_err(|error| self.fail(error))?);
        }
        Ok(answers)
    }

    /// Runs statements over whole tables, which may take any time, inside a transaction.
    pub(super) fn patiently<T>(&self, work: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        let before = self.wait_max.replace(LONG_WAIT_MAX);
        let outcome = self
            .command("SET LOCAL statement_timeout = 0")
            .and_then(|()| work());
        self.wait_max.set(before);
        outcome
    }

    /// Waits for all sent statements. Returns the first error since the job began.
    pub(super) fn settle(&self) -> StoreResult<()> {
        self.check()?;
        self.flush()?;
        self.settle_to(0)
    }

    /// The first error since the job began.
    pub(super) fn check(&self) -> StoreResult<()> {
        match &*self.failed.borrow() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn fail(&self, error: &StoreError) {
        self.failed
            .borrow_mut()
            .get_or_insert_with(|| error.clone());
    }

    fn queue(
        &self,
        sql: &str,
        values: Vec<Value>,
        missing: Option<&'static str>,
    ) -> StoreResult<()> {
        self.check()?;
        let statement = self.statement(sql)?;
        let client = Arc::clone(&self.client);
        let answer = Box::pin(async move { client.execute_raw(&statement, values).await });
        self.push(Sent { answer, missing })
    }

    fn push(&self, mut sent: Sent) -> StoreResult<()> {
        // The first poll sends the statement.
        if let Some(outcome) = poll_once(sent.answer.as_mut()) {
            return self.judge(outcome.map_err(failure), sent.missing);
        }
        self.sent.borrow_mut().push_back(sent);
        if self.sent.borrow().len() > SENT_MAX {
            self.settle_to(SENT_MAX / 2)?;
        }
        Ok(())
    }

    /// Waits until at most this many statements are without their answer.
    fn settle_to(&self, count: usize) -> StoreResult<()> {
        loop {
            let next = {
                let mut sent = self.sent.borrow_mut();
                if sent.len() <= count {
                    return Ok(());
                }
                sent.pop_front()
            };
            let Some(Sent { answer, missing }) = next else {
                return Ok(());
            };
            let outcome = self.wait(answer);
            self.judge(outcome, missing)?;
        }
    }

    fn judge(&self, outcome: StoreResult<u64>, missing: Option<&'static str>) -> StoreResult<()> {
        let error = match (outcome, missing) {
            (Err(error), _) => error,
            (Ok(0), Some(missing)) => StoreError::Missing(missing),
            (Ok(_), _) => return Ok(()),
        };
        self.fail(&error);
        Err(error)
    }

    /// The statement as the server prepared it for this connection.
    fn statement(&self, sql: &str) -> StoreResult<Statement> {
        if let Some(known) = self.statements.borrow().get(sql) {
            return Ok(known.clone());
        }
        let made = self.ask(self.client.prepare(sql))?;
        self.statements
            .borrow_mut()
            .insert(sql.to_owned(), made.clone());
        Ok(made)
    }

    /// Sends a question, waits for all earlier statements, then for its answer.
    fn ask<T>(&self, question: impl Future<Output = Result<T, Error>>) -> StoreResult<T> {
        let mut question = pin!(question);
        let early = poll_once(question.as_mut()).map(|outcome| outcome.map_err(failure));
        self.settle_to(0)?;
        let outcome = early.unwrap_or_else(|| self.wait(question));
        outcome.inspect_err(|error| self.fail(error))
    }

    /// Waits on this thread. The connection itself is served by a runtime of the store.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> StoreResult<T> {
        self.trips.fetch_add(1, Ordering::Relaxed);
        let waited = wait(answer, self.wait_max.get());
        match waited {
            Some(outcome) => outcome.map_err(failure),
            None => Err(StoreError::Unavailable(overdue())),
        }
    }
}

/// Polls a future, which nobody wakes yet.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    match future.poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Runs a future on this thread; `None` if it has no result after this time.
pub(super) fn wait<F: Future>(future: F, at_most: Duration) -> Option<F::Output> {
    struct Parked(Thread);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return Some(outcome);
        }
        let rest = at_most.checked_sub(begun.elapsed())?;
        std::thread::park_timeout(rest);
    }
}

/// The cause of an error when an answer did not come in time.
pub(super) fn overdue() -> Cause {
    Arc::new(std::io::Error::from(std::io::ErrorKind::TimedOut))
}
