//! Drives the star session of one replica: when to sync, how to wait, how to show it.
//!
//! One sync runs at a time. A call that meets another one under way waits for its turn, in the order of
//! arrival; it never disturbs the other. A call that is cancelled or dropped leaves the machine in the middle
//! of a request, and the next turn gives that request up.
//!
//! Records come first. The files follow, the smallest upload first, then the downloads that were asked for.

mod files;
mod plan;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Mutex as Turnstile, Notify, watch};
use tokio::time::{Instant, timeout};

use super::budget::{Budget, Purse};
use super::cancel::Cancel;
use super::error::NetError;
use super::http::{Http, NetConfig, Unanswered};
use super::line_rate::LineRate;
use super::live::{Listener, LiveEnd, keep, listen};
use super::meter::Traffic;
use super::status::{FilesPolicy, Progress, State, Status};
use crate::sync::file_port::FilePort;
use crate::sync::paths::{LIVE_PATH, MEDIA_CBOR, MEDIA_SYNC, SYNC_PATH};
use crate::sync::port::StarPort;
use crate::sync::report::Report;
use crate::sync::star::{Incoming, Request, Star, Step};
use crate::sync::transfer::Transfer;
use crate::system::{OsRandom, now_ms};
use crate::trust::request_mac::RequestTag;

pub use plan::{PlannedAmount, SyncPlan};

/// Longest time without asking the server, when no wake-up comes.
const ASK_ANYWAY: Duration = Duration::from_mins(5);
/// Longest sleep without a look at the wall clock.
const NAP: Duration = Duration::from_secs(15);

struct Shared<P> {
    machine: Mutex<Machine<P>>,
    /// The holder syncs.
    turn: Turnstile<()>,
    http: Http,
    wake: Notify,
    live: Notify,
    /// The token of the calls that begin now; [`Driver::resume`] lays out a new one.
    cancel: Mutex<Cancel>,
    status: watch::Sender<Status>,
    files: Mutex<FilesPolicy>,
    noted: Mutex<Noted>,
    rate: LineRate,
}

struct Machine<P> {
    star: Star,
    transfer: Transfer,
    port: P,
}

/// The facts about the last sync of records that came to its end.
#[derive(Debug, Clone, Copy, Default)]
struct Noted {
    /// Envelopes that had no verdict at its end.
    pending: u64,
    at: Option<Instant>,
}

/// The driver. Clones drive the same replica.
pub struct Driver<P>(Arc<Shared<P>>);

impl<P> Clone for Driver<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Shows that a sync was given up by its caller; the exchanged part stays.
struct Interruption<'a>(&'a watch::Sender<Status>);

impl Drop for Interruption<'_> {
    fn drop(&mut self) {
        self.0.send_if_modified(|status| {
            let given_up = status.state == State::Syncing;
            if given_up {
                status.state = State::Paused;
            }
            given_up
        });
    }
}

/// How a sync ended that did not fail.
enum End {
    Done(Report),
    /// Its budget is used up.
    Paused(Report),
    /// It has to wait until this time, milliseconds UTC.
    Wait {
        until_ms: i64,
        error: NetError,
    },
}

/// How a transfer ended that did not fail.
enum FilesEnd {
    Done,
    /// The budget is used up, or the host wants no files now.
    Paused,
    /// It has to wait until this time, milliseconds UTC.
    Wait {
        until_ms: i64,
        error: NetError,
    },
}

/// Why files are transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// The policy of the host allows it, before each piece.
    Policy,
    /// The person asked for the files now.
    Now,
}

impl<P: StarPort + FilePort + Send + 'static> Driver<P> {
    /// A driver for a replica. `port` is a handle of it that this driver owns.
    pub fn new(port: P, config: &NetConfig) -> Result<Self, NetError> {
        Ok(Self(Arc::new(Shared {
            machine: Mutex::new(Machine {
                star: Star::new(),
                transfer: Transfer::default(),
                port,
            }),
            turn: Turnstile::new(()),
            http: Http::new(config)?,
            wake: Notify::new(),
            live: Notify::new(),
            cancel: Mutex::default(),
            status: watch::Sender::default(),
            files: Mutex::default(),
            noted: Mutex::default(),
            rate: LineRate::default(),
        })))
    }

    /// Says whether syncs transfer files too. A piece that is under way still ends.
    pub fn set_files(&self, policy: FilesPolicy) {
        *self.0.files.lock().unwrap_or_else(PoisonError::into_inner) = policy;
        if policy == FilesPolicy::Always {
            self.notify();
        }
    }

    /// There is something to send, or the network is back: sync now.
    pub fn notify(&self) {
        self.0.wake.notify_one();
    }

    /// Ends [`Self::run`] and every sync under way, within a second, also in the middle of a request. Calls
    /// that begin later end at once, until [`Self::resume`]. Unacknowledged work is sent another
    /// time.
    pub fn cancel(&self) {
        self.token().cancel();
        self.set_state(State::Stopped);
    }

    /// Lets calls begin again after [`Self::cancel`]. Those that were cancelled stay so.
    pub fn resume(&self) {
        let mut token = self.token();
        if token.is_cancelled() {
            *token = Cancel::new();
        }
    }

    /// The state of the connection, now and at each change.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Bytes on the wire so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.0.http.traffic()
    }

    /// One sync: until both hold the same, or until the first failure. A failed one is tried again by the
    /// next call.
    pub async fn sync_once(&self) -> Result<Report, NetError> {
        self.sync_within(Budget::default(), &Cancel::new()).await
    }

    /// One sync within a budget: records, then files as [`Self::set_files`] allows. When the budget is used up,
    /// the report says `more`, and the next call continues there. With a limit of time, a lost connection is made
    /// again while there is time. Files never make a sync fail: if the line is lost while they are transferred,
    /// the report says `more`, and the status tells the reason.
    pub async fn sync_within(&self, budget: Budget, cancel: &Cancel) -> Result<Report, NetError> {
        self.within(budget, cancel, Wish::Policy).await
    }

    /// One sync within a budget, with files also where [`Self::set_files`] forbids them, because the person
    /// asked for them.
    pub async fn sync_files_within(
        &self,
        budget: Budget,
        cancel: &Cancel,
    ) -> Result<Report, NetError> {
        self.within(budget, cancel, Wish::Now).await
    }

    async fn within(
        &self,
        budget: Budget,
        cancel: &Cancel,
        wish: Wish,
    ) -> Result<Report, NetError> {
        let stop = self.token().clone();
        let purse = Purse::new(budget, self.traffic().bytes());
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(NetError::Cancelled),
            () = cancel.cancelled() => Err(NetError::Cancelled),
            synced = self.records_and_files(purse, wish) => synced,
        }
    }

    async fn records_and_files(&self, purse: Purse, wish: Wish) -> Result<Report, NetError> {
        let mut report = loop {
            let turn = self.0.turn.lock().await;
            let end = self.sync(purse).await?;
            drop(turn);
            match end {
                End::Done(report) => break report,
                End::Paused(report) => return Ok(report),
                End::Wait { until_ms, error } => {
                    let pause = until(until_ms);
                    if !matches!(error, NetError::Offline) || !purse.outlasts(pause) {
                        return Err(error);
                    }
                    self.pause(pause).await;
                }
            }
        };
        loop {
            match self.files(purse, wish, &mut report).await? {
                FilesEnd::Done => return Ok(report),
                FilesEnd::Paused => report.more = true,
                FilesEnd::Wait { until_ms, error } => {
                    let pause = until(until_ms);
                    let is_offline = matches!(error, NetError::Offline);
                    if is_offline && purse.outlasts(pause) {
                        self.pause(pause).await;
                        continue;
                    }
                    report.more = is_offline;
                }
            }
            return Ok(report);
        }
    }

    /// Syncs whenever there is a reason, until [`Self::cancel`].
    pub async fn run(&self) {
        let stop = self.token().clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.run_for_ever() => {}
            () = keep(self) => {}
        }
        self.set_state(State::Stopped);
    }

    async fn run_for_ever(&self) {
        let free = Purse::new(Budget::default(), 0);
        loop {
            let ended = AssertUnwindSafe(self.round(free)).catch_unwind().await;
            match ended {
                Ok(Ok(())) => {}
                // Unreachable, because every error makes the machine wait; a pause costs nothing.
                Ok(Err(_)) => {
                    self.pause(NAP).await;
                }
                Err(_) => {
                    // One bad record or answer must not end live sync for good.
                    tracing::error!(code = "phone.bug", "a sync panicked");
                    self.0.status.send_modify(|status| {
                        status.state = State::Waiting;
                        status.code = Some("phone.bug".to_owned());
                    });
                    self.pause(NAP).await;
                }
            }
        }
    }

    /// One sync of live sync, and the wait for the reason of the next one.
    async fn round(&self, free: Purse) -> Result<(), NetError> {
        let turn = self.0.turn.lock().await;
        let end = self.sync(free).await?;
        drop(turn);
        match end {
            End::Wait { until_ms, .. } => {
                self.pause(until(until_ms)).await;
            }
            End::Done(_) => self.files_live(free).await?,
            End::Paused(_) => {
                self.pause(ASK_ANYWAY).await;
            }
        }
        Ok(())
    }

    /// One sync, for the holder of the turn: until its end, the end of the purse, or a failure. The status
    /// shows its outcome.
    async fn sync(&self, purse: Purse) -> Result<End, NetError> {
        let began = self.traffic();
        self.with_machine(|star, _| star.begin()).await;
        let (_, progress) = self.progress(began).await;
        self.0.status.send_modify(|status| {
            status.state = State::Syncing;
            status.progress = progress;
        });
        let _interruption = Interruption(&self.0.status);
        let end = self.steps(purse, began).await?;
        let (pending, progress) = self.progress(began).await;
        self.0.status.send_modify(|status| {
            status.code = None;
            status.retry_ms = None;
            match &end {
                End::Done(report) => {
                    status.state = State::UpToDate;
                    status.code = report.closed.map(|closed| closed.code().to_owned());
                    status.synced_ms = Some(now_ms());
                    status.report = Some(report.clone());
                    // The machine has handed its counts over to the report.
                    status.progress = Progress {
                        more: pending > 0,
                        files: progress.files,
                        ..Progress::of(report, pending, began, self.traffic())
                    };
                }
                End::Paused(report) => {
                    status.state = State::Paused;
                    status.progress = Progress {
                        files: progress.files,
                        ..Progress::of(report, pending, began, self.traffic())
                    };
                }
                End::Wait { until_ms, error } => {
                    status.state = State::Waiting;
                    status.code = Some(error.code().to_owned());
                    status.retry_ms = Some(*until_ms);
                    status.progress = progress;
                }
            }
        });
        if matches!(end, End::Done(_)) {
            *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner) = Noted {
                pending,
                at: Some(Instant::now()),
            };
            self.0.live.notify_one();
        }
        Ok(end)
    }

    async fn steps(&self, purse: Purse, began: Traffic) -> Result<End, NetError> {
        // A session that the server has forgotten fails once and is replaced at once: only when the machine
        // begins to wait, an error is the end.
        let mut error = NetError::Offline;
        loop {
            let bytes = self.traffic().bytes();
            if purse.is_empty(bytes)
                && let Some(report) = self.with_machine(|star, _| star.pause()).await
            {
                return Ok(End::Paused(report));
            }
            let left = purse.bytes_left(bytes);
            let step = self.with_machine(move |star, port| {
                star.cap_page(left);
                star.next(port, now_ms(), &mut OsRandom)
            });
            match step.await {
                Ok(Step::Done(report)) => return Ok(End::Done(report)),
                Ok(Step::Send(request)) => {
                    if let Err(failed) = self.exchange(request, began).await {
                        error = failed;
                    }
                    let (_, progress) = self.progress(began).await;
                    self.0
                        .status
                        .send_modify(|status| status.progress = progress);
                }
                Ok(Step::Wait { until_ms }) => return Ok(End::Wait { until_ms, error }),
                // Unreachable, because the turn is ours and every request is ended by its exchange.
                Ok(Step::Awaiting) => self.with_machine(|star, _| star.begin()).await,
                Err(failed) => error = failed.into(),
            }
        }
    }

    async fn exchange(&self, request: Request, began: Traffic) -> Result<(), NetError> {
        let Request {
            path,
            headers,
            body,
        } = request;
        let media_type = if path == SYNC_PATH {
            MEDIA_SYNC
        } else {
            MEDIA_CBOR
        };
        if let Err(error) = self.0.http.warm_up().await {
            self.with_machine(|star, _| star.unreached(now_ms(), &mut OsRandom))
                .await;
            return Err(error);
        }
        let (bytes, at) = (self.traffic().bytes(), Instant::now());
        let show = || self.show_traffic(began);
        let posted = self.0.http.post(path, media_type, &headers, body, show);
        match posted.await {
            Ok(reply) => {
                let came_ms = now_ms();
                let taken = self.with_machine(move |star, port| {
                    let incoming = Incoming {
                        status: reply.status,
                        mac: reply.mac.as_deref(),
                        body: &reply.body,
                    };
                    star.received(port, incoming, came_ms, &mut OsRandom)
                });
                taken.await?;
                // The work of the phone on the answer counts, because the next request waits for it.
                let moved = self.traffic().bytes().saturating_sub(bytes);
                self.0.rate.moved(moved, at.elapsed());
                Ok(())
            }
            Err(Unanswered::Stale) => {
                self.with_machine(|star, _| star.begin_again()).await;
                Ok(())
            }
            Err(Unanswered::Failed(error)) => {
                self.with_machine(|star, _| star.failed(now_ms(), &mut OsRandom))
                    .await;
                Err(error)
            }
        }
    }

    /// Envelopes that still have to be sent, and how far the sync has come.
    async fn progress(&self, began: Traffic) -> (u64, Progress) {
        let now = self.traffic();
        self.with_all(move |star, transfer, port| {
            // A replica that fails to count says so at its next step.
            let pending = port.pending().unwrap_or_default();
            let files = transfer.left(port, now_ms()).unwrap_or_default();
            let progress = Progress {
                files,
                ..Progress::of(star.progress(), pending, began, now)
            };
            (pending, progress)
        })
        .await
    }

    fn show_traffic(&self, began: Traffic) {
        let now = self.traffic();
        self.0.status.send_modify(|status| {
            status.progress = status.progress.with_traffic(began, now);
        });
    }

    /// Waits for a wake-up, at most so long by either clock: the monotonic one may stop while the
    /// device sleeps, and the wall clock may be set. Returns whether a wake-up ended it.
    async fn pause(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let long_ms = i64::try_from(at_most.as_millis()).unwrap_or(i64::MAX);
        let until_ms = now_ms().saturating_add(long_ms);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || now_ms() >= until_ms {
                return false;
            }
            if timeout(left.min(NAP), self.0.wake.notified()).await.is_ok() {
                return true;
            }
        }
    }

    fn token(&self) -> MutexGuard<'_, Cancel> {
        self.0.cancel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files_policy(&self) -> FilesPolicy {
        *self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self) -> Noted {
        *self.0.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_state(&self, state: State) {
        self.0.status.send_if_modified(|status| {
            let changed = status.state != state;
            status.state = state;
            changed
        });
    }

    async fn with_machine<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Star, &mut P) -> T + Send + 'static,
    ) -> T {
        self.with_all(|star, _, port| work(star, port)).await
    }

    /// Runs a step on a thread for blocking work: the replica reads and writes a disk.
    async fn with_all<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Star, &mut Transfer, &mut P) -> T + Send + 'static,
    ) -> T {
        let shared = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // A panic inside a step is our bug; the machine itself can be used on, and the replica's
            // transaction was rolled back.
            let mut machine = shared
                .machine
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let Machine {
                star,
                transfer,
                port,
            } = &mut *machine;
            work(star, transfer, port)
        });
        match done.await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, so the answer has no reader.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl<P: StarPort + FilePort + Send + 'static> Listener for Driver<P> {
    type Tag = RequestTag;

    async fn tag(&self) -> Option<RequestTag> {
        self.with_machine(|star, _| {
            let number = star.request_number();
            let session = star
                .session()
                .filter(|session| !session.is_over(now_ms()))?;
            Some(session.tag(number, "GET", LIVE_PATH, &[]))
        })
        .await
    }

    async fn listen(&self, tag: RequestTag) -> LiveEnd {
        listen(&self.0.http, &tag, || self.wake()).await
    }

    async fn synced(&self) {
        self.0.live.notified().await;
    }

    fn wake(&self) {
        self.0.wake.notify_one();
    }
}

/// The time until then by the wall clock; none when it is past.
fn until(until_ms: i64) -> Duration {
    let wait = until_ms.saturating_sub(now_ms());
    Duration::from_millis(u64::try_from(wait).unwrap_or(0))
}
