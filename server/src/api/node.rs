//! State that the routes of the protocol share: the server, its limits, and its workers.

use std::sync::Arc;

use onegrid_core::id::DeviceId;
use tokio::sync::Semaphore;

use super::body::Bodies;
use super::meters::Meters;
use super::patience::Pace;
use super::peer::Caller;
use super::quiet::QuietLog;
use super::rates::Rates;
use super::seats::Seats;
use super::shell::share_of_address;
use super::shutdown::Shutdown;
use crate::admin::schedule::Backups;
use crate::blobs::Blobs;
use crate::config::Config;
use crate::error::{Problem, Result};
use crate::limits::{
    BODIES_AT_ONCE_MAX, CHECKS_AT_ONCE_MAX, LIVE_PER_DEVICE_MAX, STRANGER_BODIES_BYTES_MAX,
    SYNCS_PER_DEVICE_MAX, TRANSFERS_MAX, TRANSFERS_PER_DEVICE_MAX,
};
use crate::metrics::Metrics;
use crate::server::Server;

/// A server behind HTTP; clones share the same server.
#[derive(Clone)]
pub struct Node(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) server: Arc<Server>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) backups: Backups,
    pub(super) shutdown: Shutdown,
    pub(super) meters: Meters,
    pub(super) quiet: QuietLog,
    /// Bodies of phones with a session.
    pub(super) bodies: Bodies,
    /// Bodies of callers that have proved nothing: enrolments and handshakes. They are small, and
    /// take nothing from the phones.
    pub(super) strangers: Bodies,
    /// Syncs of each device, from the first byte of the request to the last byte of the answer.
    pub(super) syncs: Seats<DeviceId>,
    /// Refused uploads whose rest is still read, so that the phone hears the answer.
    pub(super) refusals: Seats<Caller>,
    pub(super) seats: Seats<DeviceId>,
    pub(super) transfers: Seats<DeviceId>,
    pub(super) body_bytes_max: usize,
    pub(super) by_device: Rates<DeviceId>,
    pub(super) enrolments: Rates<Caller>,
    // The store blocks its thread, so only this many requests work at once. The others wait.
    workers: Arc<Semaphore>,
    /// Checks of whole files follow one another, so they wait here and not on the threads of the
    /// others.
    checks: Arc<Semaphore>,
}

impl Node {
    /// Puts a server and its files behind HTTP.
    #[must_use]
    pub fn new(
        server: Arc<Server>,
        blobs: Arc<Blobs>,
        config: &Config,
        metrics: &Metrics,
        shutdown: Shutdown,
    ) -> Self {
        let limits = &config.limits;
        Self(Arc::new(Inner {
            server,
            blobs,
            backups: Backups::new(config, metrics),
            shutdown,
            meters: Meters::register(metrics),
            quiet: QuietLog::default(),
            bodies: Bodies::new(
                limits.body_bytes_max.saturating_mul(BODIES_AT_ONCE_MAX),
                Pace::default(),
            ),
            strangers: Bodies::new(STRANGER_BODIES_BYTES_MAX, Pace::default()),
            syncs: Seats::new(limits.requests_max, SYNCS_PER_DEVICE_MAX),
            refusals: Seats::new(limits.requests_max, share_of_address(limits.requests_max)),
            seats: Seats::new(limits.live_max, LIVE_PER_DEVICE_MAX),
            transfers: Seats::new(TRANSFERS_MAX, TRANSFERS_PER_DEVICE_MAX),
            body_bytes_max: limits.body_bytes_max,
            by_device: Rates::per_minute(limits.device_per_minute),
            enrolments: Rates::per_minute(limits.enrolments_per_minute),
            workers: Arc::new(Semaphore::new(
                limits.workers_max.min(Semaphore::MAX_PERMITS),
            )),
            checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE_MAX)),
        }))
    }

    /// The server behind HTTP.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.0.server
    }

    /// The backups that this node makes.
    #[must_use]
    pub fn backups(&self) -> &Backups {
        &self.0.backups
    }

    /// Runs blocking work on a thread of its own as soon as a worker is free. Work that has begun
    /// runs to its end and keeps its worker, even if the caller is gone.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Server) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.work_with(&self.0.workers, work).await
    }

    /// Like [`Self::work`] for the check of a whole file.
    pub(super) async fn check<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Server) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.work_with(&self.0.checks, work).await
    }

    async fn work_with<T: Send + 'static>(
        &self,
        permits: &Arc<Semaphore>,
        work: impl FnOnce(&Server) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(permits)
            .acquire_owned()
            .await
            .map_err(|_| Problem::new("server.stopping"))?;
        let server = Arc::clone(&self.0.server);
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work(&server);
            drop(turn);
            outcome
        });
        match done.await {
            Ok(outcome) => outcome,
            // A bug fails one request only: the guard around every route counts it and answers.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Problem::new("server.stopping")),
            },
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}
