//! The backend for several nodes: one `PostgreSQL` database, one writing transaction at a time over all nodes, and
//! readers on snapshots.
//!
//! ```text
//!  node A: jobs ─▶ writer ─┐ lock of the writers          ┌─▶ NOTIFY ─▶ hints of node B
//!  node B: jobs ─▶ writer ─┴──▶ one transaction ──COMMIT──┘
//! ```
//!
//! Docs: `docs/decisions/0026-postgresql.md`.

mod address;
mod administration;
mod attachments;
mod bases;
mod batch;
mod connect;
mod convert;
mod copy;
mod db;
mod envelopes;
mod feed;
mod foresight;
mod hints;
mod memo;
mod parcels;
mod people;
mod pool;
mod readings;
mod records;
mod schema;
mod signatures;
mod streams;
mod templates;
#[cfg(test)]
mod tests;
mod tls;
mod tx;
mod tx_writer;
mod unread;
mod visitors;
mod writing;
mod written;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::broadcast::{Receiver, Sender};

use super::{Hint, Job, Reader, SealKey, SealReport, Store, StoreResult};
use connect::Connector;
use memo::Memo;
use pool::Pool;
use tx::Tx;
use writing::{Desk, WriterThread};

/// Options for opening a store.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Connections that read at the same time.
    pub readers: usize,
    /// Longest time to open a connection to one host.
    pub connect_wait: Duration,
    /// Longest time of a statement, without its wait for other nodes.
    pub statement_wait: Duration,
    /// Password in place of the one in the address.
    pub password: Option<String>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 8,
            connect_wait: Duration::from_secs(5),
            statement_wait: Duration::from_secs(30),
            password: None,
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("readers", &self.readers)
            .field("connect_wait", &self.connect_wait)
            .field("statement_wait", &self.statement_wait)
            .finish_non_exhaustive()
    }
}

/// A store in a `PostgreSQL` database. Several nodes may use one database.
pub struct PostgresStore {
    pool: Pool,
    writer: WriterThread,
    hints: OnceLock<Sender<Hint>>,
    connector: Arc<Connector>,
}

impl PostgresStore {
    /// Connects to the database, and brings its schema up to date.
    ///
    /// The address has the form `postgres://user@host:port/database`. `sslmode` is `verify-full` for another machine;
    /// `sslrootcert` names a file with the certificates that may sign the server's.
    pub fn open(url: &str, options: PostgresOptions) -> StoreResult<Self> {
        let readers = options.readers;
        let connector = Arc::new(Connector::new(url, options)?);
        let db = connector.open().map_err(convert::at_start)?;
        schema::migrate(&db)?;
        let desk = Desk {
            connector: Arc::clone(&connector),
            tag: connector.tag().to_owned(),
        };
        Ok(Self {
            pool: Pool::new(Arc::clone(&connector), readers),
            writer: WriterThread::start(desk, db)?,
            hints: OnceLock::new(),
            connector,
        })
    }

    /// How often this node has waited for the server of the database. Each wait costs a round trip.
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.connector.trips()
    }
}

impl Store for PostgresStore {
    fn run(&self, job: Job) -> StoreResult<()> {
        self.writer.run(job)
    }

    fn run_later(&self, job: Job) {
        self.writer.run_later(job);
    }

    fn look(&self, look: &mut dyn FnMut(&dyn Reader)) -> StoreResult<()> {
        let db = self.pool.take()?;
        db.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        let memo = Memo::default();
        look(&Tx {
            db: &db,
            memo: &memo,
        });
        // The reader has the answers already. The pool ends the transaction.
        Ok(())
    }

    /// Sums that a trigger in the database keeps are those of whoever owns the database, and the key must not be
    /// there. So this backend has no seal.
    fn seal_with(&self, _key: &SealKey) -> StoreResult<()> {
        Ok(())
    }

    fn seal_report(&self) -> StoreResult<Option<SealReport>> {
        Ok(None)
    }

    fn hints(&self) -> Option<Receiver<Hint>> {
        let sender = self.hints.get_or_init(|| {
            let (sender, _) = tokio::sync::broadcast::channel(hints::HINTS_WAITING_MAX);
            hints::listen(&self.connector, sender.clone());
            sender
        });
        Some(sender.subscribe())
    }
}
