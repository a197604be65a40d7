//! Drives the star session of one replica: when to sync, how to wait, what to show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::error::NetError;
use super::http::{Http, NetConfig, Traffic};
use super::live::listen;
use super::system::{OsRandom, now_ms};
use crate::sync::paths::{LIVE_PATH, MEDIA_CBOR, MEDIA_SYNC, SYNC_PATH};
use crate::sync::port::StarPort;
use crate::sync::report::Report;
use crate::sync::star::{Incoming, Request, Star, Step, SyncError};
use crate::trust::request_mac::RequestTag;

/// Longest time without asking the server, when no wake-up comes.
const ASK_ANYWAY: Duration = Duration::from_mins(5);
/// First and longest pause before the wake-up connection is made again.
const LIVE_PAUSE_FIRST: Duration = Duration::from_secs(2);
const LIVE_PAUSE_MAX: Duration = Duration::from_mins(1);

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing has been tried yet.
    #[default]
    Starting,
    /// Talking with the server.
    Syncing,
    /// All that could be exchanged was exchanged.
    UpToDate,
    /// No network, or the server does not answer or refuses. Work goes on; sending is tried again.
    Waiting,
    /// Stopped by the host app.
    Stopped,
}

/// What the host app shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// How the connection stands.
    pub state: State,
    /// Why it waits: a stable code.
    pub code: Option<String>,
    /// When it tries again by itself, milliseconds UTC.
    pub retry_ms: Option<i64>,
    /// When the last sync ended well, milliseconds UTC.
    pub synced_ms: Option<i64>,
    /// What that sync did.
    pub report: Option<Report>,
}

struct Shared<P> {
    // Star and port together: one sync at a time.
    machine: Mutex<(Star, P)>,
    http: Http,
    wake: Notify,
    live: Notify,
    stop: watch::Sender<bool>,
    status: watch::Sender<Status>,
}

/// The driver. Clones drive the same replica.
pub struct Driver<P>(Arc<Shared<P>>);

impl<P> Clone for Driver<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: StarPort + Send + 'static> Driver<P> {
    /// A driver for a replica. `port` is a handle of it that this driver owns.
    pub fn new(port: P, config: &NetConfig) -> Result<Self, NetError> {
        Ok(Self(Arc::new(Shared {
            machine: Mutex::new((Star::new(), port)),
            http: Http::new(config)?,
            wake: Notify::new(),
            live: Notify::new(),
            stop: watch::Sender::new(false),
            status: watch::Sender::default(),
        })))
    }

    /// There is something to send, or the network is back: sync now.
    pub fn notify(&self) {
        self.0.wake.notify_one();
    }

    /// Ends [`Self::run`] and any sync under way. What was not yet acknowledged is sent another time.
    pub fn cancel(&self) {
        self.0.stop.send_replace(true);
        self.0
            .status
            .send_modify(|status| status.state = State::Stopped);
    }

    /// How the connection stands, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// Bytes on the wire so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.0.http.traffic()
    }

    /// One sync: until both hold the same, or until the first failure. What failed is tried again by the
    /// next call.
    pub async fn sync_once(&self) -> Result<Report, NetError> {
        let mut stop = self.0.stop.subscribe();
        // The guard of the value is dropped at once: a host may spawn this future on any thread.
        let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
        tokio::select! {
            done = self.once() => done,
            () = stopped => {
                self.lose_request().await;
                Err(NetError::Cancelled)
            }
        }
    }

    async fn once(&self) -> Result<Report, NetError> {
        self.with_machine(|star, _| star.wake()).await;
        // A session that the server has forgotten fails once and is replaced at once: only when the machine
        // begins to wait is the refusal the end.
        let mut refused = NetError::Offline;
        loop {
            match self.step().await? {
                Step::Done(report) => return Ok(report),
                Step::Send(request) => match self.exchange(request).await {
                    Err(error @ NetError::Sync(SyncError::Refused(_))) => refused = error,
                    other => other?,
                },
                Step::Awaiting => self.lose_request().await,
                Step::Wait { .. } => return Err(refused),
            }
        }
    }

    /// Syncs whenever there is a reason, until [`Self::cancel`].
    pub async fn run(&self) {
        let mut stop = self.0.stop.subscribe();
        tokio::select! {
            () = self.run_for_ever() => {}
            () = self.listen_for_ever() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        self.lose_request().await;
        self.0
            .status
            .send_modify(|status| status.state = State::Stopped);
    }

    async fn run_for_ever(&self) {
        let mut code = None;
        loop {
            match self.step().await {
                Ok(Step::Send(request)) => {
                    self.set_state(State::Syncing);
                    code = self
                        .exchange(request)
                        .await
                        .err()
                        .map(|e| e.code().to_owned());
                }
                Ok(Step::Done(report)) => {
                    self.0.live.notify_one();
                    self.0.status.send_replace(Status {
                        state: State::UpToDate,
                        code: report.closed.map(|closed| closed.code().to_owned()),
                        synced_ms: Some(now_ms()),
                        report: Some(report),
                        ..Status::default()
                    });
                    self.pause(ASK_ANYWAY).await;
                }
                Ok(Step::Wait { until_ms }) => {
                    self.0.status.send_modify(|status| {
                        status.state = State::Waiting;
                        status.code.clone_from(&code);
                        status.retry_ms = Some(until_ms);
                    });
                    let wait = u64::try_from(until_ms.saturating_sub(now_ms())).unwrap_or(0);
                    self.pause(Duration::from_millis(wait)).await;
                    self.with_machine(|star, _| star.wake()).await;
                }
                Ok(Step::Awaiting) => self.lose_request().await,
                Err(error) => code = Some(error.code().to_owned()),
            }
        }
    }

    /// Keeps the wake-up connection while there is a session.
    async fn listen_for_ever(&self) {
        let mut pause = LIVE_PAUSE_FIRST;
        loop {
            let Some(tag) = self.live_tag().await else {
                self.0.live.notified().await;
                continue;
            };
            let began = tokio::time::Instant::now();
            listen(&self.0.http, &tag, || self.0.wake.notify_one()).await;
            pause = if began.elapsed() > LIVE_PAUSE_MAX {
                LIVE_PAUSE_FIRST
            } else {
                (pause * 2).min(LIVE_PAUSE_MAX)
            };
            sleep(pause).await;
            // The session may be over: a sync makes a new one.
            self.0.wake.notify_one();
            self.0.live.notified().await;
        }
    }

    async fn live_tag(&self) -> Option<RequestTag> {
        self.with_machine(|star, _| {
            let number = star.request_number();
            let session = star
                .session()
                .filter(|session| !session.is_over(now_ms()))?;
            Some(session.tag(number, "GET", LIVE_PATH, &[]))
        })
        .await
    }

    async fn step(&self) -> Result<Step, NetError> {
        let step = self
            .with_machine(|star, port| star.next(port, now_ms(), &mut OsRandom))
            .await;
        Ok(step?)
    }

    async fn exchange(&self, request: Request) -> Result<(), NetError> {
        let media_type = if request.path == SYNC_PATH {
            MEDIA_SYNC
        } else {
            MEDIA_CBOR
        };
        let Request {
            path,
            headers,
            body,
        } = request;
        match self.0.http.post(path, media_type, &headers, body).await {
            Ok(reply) => {
                let taken = self.with_machine(move |star, port| {
                    let (mac, body) = (reply.mac.as_deref(), reply.body.as_slice());
                    let incoming = Incoming {
                        status: reply.status,
                        mac,
                        body,
                    };
                    star.received(port, incoming, now_ms(), &mut OsRandom)
                });
                Ok(taken.await?)
            }
            Err(error) => {
                self.lose_request().await;
                Err(error)
            }
        }
    }

    /// Tells the machine that no answer comes any more.
    async fn lose_request(&self) {
        self.with_machine(|star, _| {
            if star.is_awaiting() {
                star.failed(now_ms(), &mut OsRandom);
            }
        })
        .await;
    }

    async fn pause(&self, at_most: Duration) {
        tokio::select! {
            () = self.0.wake.notified() => {}
            () = sleep(at_most) => {}
        }
    }

    fn set_state(&self, state: State) {
        self.0.status.send_if_modified(|status| {
            let changed = status.state != state;
            status.state = state;
            changed
        });
    }

    /// Runs a step on a thread for blocking work: the replica reads and writes a disk.
    async fn with_machine<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Star, &mut P) -> T + Send + 'static,
    ) -> T {
        let shared = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // A panic inside a step is our bug; the machine itself can be used on, and the replica's
            // transaction was rolled back.
            let mut machine = shared
                .machine
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (star, port) = &mut *machine;
            work(star, port)
        });
        match done.await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: nobody is left to hear the answer.
                Err(_) => std::future::pending().await,
            },
        }
    }
}
