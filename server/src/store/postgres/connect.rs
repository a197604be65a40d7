//! Connections: how they are opened, the settings of each, and the checks before the first write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use onegrid_core::system::OsRandom;
use rand_core::TryRng as _;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, Connection, NoTls};

use super::PostgresOptions;
use super::address::{Address, Protection};
use super::convert::{Columns as _, failure};
use super::db::{Db, overdue, wait};
use super::tls::Tls;
use crate::store::{StoreError, StoreResult};

/// Pause after the first failed connection; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// Longest time to wait for the lock of the writers, as for a writing process on `SQLite`.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest time that a transaction may do nothing while it holds the lock of the writers.
const IDLE_MAX: Duration = Duration::from_mins(2);
/// Silence of the network after which a connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Opens connections to one database, and keeps the pause after a failure.
pub(super) struct Connector {
    /// Taken out only when dropped.
    runtime: Option<Runtime>,
    address: Address,
    tls: Option<Tls>,
    options: PostgresOptions,
    state: Mutex<Attempts>,
    trips: Arc<AtomicU64>,
    /// Name of this process in its hints and in the list of connections.
    tag: String,
}

#[derive(Default)]
struct Attempts {
    failed: u32,
    /// The newest failure, and the time of the next attempt.
    blocked: Option<(StoreError, Instant)>,
}

impl Connector {
    pub(super) fn new(url: &str, options: PostgresOptions) -> StoreResult<Self> {
        let tag = new_tag();
        let mut address = Address::parse(url)?;
        let config = &mut address.config;
        if let Some(password) = &options.password {
            config.password(password.as_bytes());
        }
        config
            .application_name(format!("onegrid {tag}"))
            .connect_timeout(options.connect_wait)
            .tcp_user_timeout(SILENCE_MAX)
            .keepalives(true)
            .keepalives_idle(SILENCE_MAX)
            .keepalives_interval(SILENCE_MAX / 4)
            .keepalives_retries(3);
        let tls = match address.protection {
            Protection::None => None,
            Protection::Encrypted | Protection::Verified => Some(Tls::of(&address)?),
        };
        // The connections of a node need little: the statements run on the database's machine.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store-postgres")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Failed(Arc::new(error)))?;
        Ok(Self {
            runtime: Some(runtime),
            address,
            tls,
            options,
            state: Mutex::default(),
            trips: Arc::default(),
            tag,
        })
    }

    /// Opens a connection. During the pause after a failure, returns that failure at once.
    pub(super) fn open(&self) -> StoreResult<Db> {
        self.blocked()?;
        let made = self.client().and_then(|client| self.prepare(client));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &made {
            Ok(_) => *state = Attempts::default(),
            Err(error) => {
                let pause = PAUSE_MIN.saturating_mul(1 << state.failed.min(16));
                state.failed += 1;
                state.blocked = Some((error.clone(), Instant::now() + pause.min(PAUSE_MAX)));
            }
        }
        made
    }

    /// The runtime that serves the connections.
    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("it is taken out only when dropped")
    }

    /// How often threads of this node waited for the server of the database.
    pub(super) fn trips(&self) -> u64 {
        self.trips.load(Ordering::Relaxed)
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    /// The parts for a task that makes its own connection.
    pub(super) fn parts(&self) -> (Config, Option<Tls>) {
        (self.address.config.clone(), self.tls.clone())
    }

    fn blocked(&self) -> StoreResult<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.blocked {
            Some((error, until)) if Instant::now() < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Opens a connection whose messages the runtime reads.
    fn client(&self) -> StoreResult<Client> {
        let config = self.address.config.clone();
        let tls = self.tls.clone();
        let handle = self.runtime().handle().clone();
        let opening = self.runtime().spawn(async move {
            if let Some(tls) = tls {
                let (client, connection) = config.connect(tls).await?;
                handle.spawn(serve(connection));
                Ok(client)
            } else {
                let (client, connection) = config.connect(NoTls).await?;
                handle.spawn(serve(connection));
                Ok(client)
            }
        });
        // Each host of the address gets its time.
        let hosts = u32::try_from(self.address.config.get_hosts().len()).unwrap_or(1);
        let at_most = self.options.connect_wait.saturating_mul(hosts) + SILENCE_MAX;
        match wait(opening, at_most) {
            Some(Ok(outcome)) => outcome.map_err(failure),
            Some(Err(panicked)) => Err(StoreError::Failed(Arc::new(panicked))),
            None => Err(StoreError::Unavailable(overdue())),
        }
    }

    fn prepare(&self, client: Client) -> StoreResult<Db> {
        let wait_max = self.options.statement_wait + LOCK_WAIT_MAX;
        let db = Db::new(client, wait_max, Arc::clone(&self.trips));
        // Plans are made once for a connection. Tables begin empty, so a plan that reads a whole table would look
        // cheap on the first day and be slow later; compilation of such plans is off as well.
        db.run(&format!(
            "SET statement_timeout = {};
             SET lock_timeout = {};
             SET idle_in_transaction_session_timeout = {};
             SET client_min_messages = 'warning';
             SET plan_cache_mode = 'force_generic_plan';
             SET enable_seqscan = off;
             SET jit = off;
             SET bytea_output = 'hex';
             SET TimeZone = 'UTC'",
            self.options.statement_wait.as_millis() + LOCK_WAIT_MAX.as_millis(),
            LOCK_WAIT_MAX.as_millis(),
            IDLE_MAX.as_millis()
        ))?;
        check_durability(&db)?;
        Ok(db)
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        // A task of another runtime may drop the last handle, and it must not wait here.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn new_tag() -> String {
    let mut bytes = [0; 8];
    let Ok(()) = OsRandom.try_fill_bytes(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// Reads the messages of one connection until it ends.
async fn serve<S, T>(connection: Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // Each waiting statement learns of the end without a message.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection to the database ended");
    }
}

/// Refuses a server that may lose a commit after it reported success.
fn check_durability(db: &Db) -> StoreResult<()> {
    const SETTINGS: &str = "SELECT current_setting('fsync'), current_setting('full_page_writes'),
         current_setting('synchronous_commit'), current_setting('server_encoding')";
    let row = db.one(SETTINGS, Vec::new())?;
    let row = row.ok_or(StoreError::Row("the settings"))?;
    for (column, name) in ["fsync", "full_page_writes", "synchronous_commit"]
        .into_iter()
        .enumerate()
    {
        if row.text(column)? == "off" {
            return Err(StoreError::Unsuitable(name));
        }
    }
    if row.text(3)? != "UTF8" {
        return Err(StoreError::Unsuitable("server_encoding"));
    }
    Ok(())
}
