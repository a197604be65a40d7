//! Moves the bytes of a meeting between its machine and its pipe.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::error::MeetingError;
use super::pipe::BytePipe;
use super::watch::{Pace, Pulse};
use crate::id::{DeviceId, MemberId};
use crate::limits::MEETING_PIECE_BYTES;
use crate::net::cancel::Cancel;
use crate::sync::peer::{Peer, PeerError, PeerReport};
use crate::sync::port::PeerPort;
use crate::system::{OsRandom, now_ms};
use crate::trust::meeting_key::{Commitment, MeetingKey};

/// Time for the thread of a meeting to end after its pipe was closed from outside.
const GRACE: Duration = Duration::from_millis(500);

/// The end of a pipe that this phone is.
#[derive(Debug, Clone)]
pub enum Side {
    /// The phone that begins. With a commitment it meets only the phone that showed it.
    Caller(Option<Commitment>),
    /// The phone that is called, with the key whose commitment it shows, if it shows one.
    Listener(Option<Arc<MeetingKey>>),
}

/// How far a meeting has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeetingProgress {
    /// Whether the other phone has proved its key in the meeting under way.
    pub is_introduced: bool,
    /// Counts of the meeting under way, or of the last one.
    pub report: PeerReport,
}

/// The result of a meeting that ended properly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingReport {
    /// The person of the other phone; the phone of a server has none.
    pub member: Option<MemberId>,
    /// The other phone.
    pub device: DeviceId,
    /// Counts of the meeting.
    pub report: PeerReport,
}

/// Meets other phones for one replica. `P` is a handle of the replica, and each meeting takes a clone.
#[derive(Clone)]
pub struct MeetingDriver<P> {
    pub(super) port: P,
    pub(super) cancel: Cancel,
    pub(super) progress: watch::Sender<MeetingProgress>,
    pub(super) pace: Pace,
}

impl<P: PeerPort + Clone + Send + 'static> MeetingDriver<P> {
    /// A driver whose calls end when `cancel` is cancelled.
    #[must_use]
    pub fn new(port: P, cancel: Cancel) -> Self {
        Self {
            port,
            cancel,
            progress: watch::Sender::default(),
            pace: Pace::default(),
        }
    }

    /// Uses other limits.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Shows the progress in this place.
    #[must_use]
    pub fn with_progress(mut self, progress: watch::Sender<MeetingProgress>) -> Self {
        self.progress = progress;
        self
    }

    /// How far the meeting under way has come, now and at each change.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<MeetingProgress> {
        self.progress.subscribe()
    }

    /// Meets the phone at the other end of a pipe of the host. The pipe is closed afterwards.
    pub async fn over(
        &self,
        pipe: Arc<dyn BytePipe>,
        side: Side,
    ) -> Result<MeetingReport, MeetingError> {
        self.progress.send_replace(MeetingProgress::default());
        let (pulse, beats) = watch::channel(Pulse {
            moved: Instant::now(),
            is_introduced: false,
        });
        let mut meeting = Meeting {
            port: self.port.clone(),
            pipe: Arc::clone(&pipe),
            pulse,
            progress: self.progress.clone(),
            bytes_max: self.pace.bytes_max,
        };
        let closing = Arc::clone(&pipe);
        let mut ended = on_a_thread(move || {
            let ended = catch_unwind(AssertUnwindSafe(|| meeting.exchange(side)));
            closing.close();
            ended.unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        tokio::select! {
            biased;
            ended = &mut ended => ended.unwrap_or(Err(MeetingError::Bug)),
            error = super::watch::watch(beats, &self.cancel, self.pace) => {
                // A host's pipe may hang in its `close` too.
                drop(on_a_thread(move || {
                    pipe.close();
                    Ok(())
                }));
                match timeout(GRACE, ended).await {
                    Ok(Ok(Ok(report))) => Ok(report),
                    _ => Err(error),
                }
            }
        }
    }
}

/// Runs blocking work on a thread of its own. Its panic is a bug of ours or of the host.
fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, MeetingError> + Send + 'static,
) -> Result<oneshot::Receiver<Result<T, MeetingError>>, MeetingError> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("onegrid-meeting".to_owned());
    let started = thread.spawn(move || {
        let ended = catch_unwind(AssertUnwindSafe(work));
        if ended.is_err() {
            tracing::error!(code = "phone.bug", "a meeting panicked");
        }
        // A caller that has gone away needs no result.
        drop(tell.send(ended.unwrap_or(Err(MeetingError::Bug))));
    });
    started.map(|_| told).map_err(|_| MeetingError::Bug)
}

/// One meeting on its thread.
struct Meeting<P> {
    port: P,
    pipe: Arc<dyn BytePipe>,
    pulse: watch::Sender<Pulse>,
    progress: watch::Sender<MeetingProgress>,
    bytes_max: u64,
}

impl<P: PeerPort> Meeting<P> {
    fn exchange(&mut self, side: Side) -> Result<MeetingReport, MeetingError> {
        let mut peer = match side {
            Side::Caller(expected) => Peer::call_to(&self.port, expected, &mut OsRandom)?,
            Side::Listener(key) => Peer::listen_with(&self.port, key)?,
        };
        loop {
            for piece in peer.output().chunks(MEETING_PIECE_BYTES) {
                self.pipe.write(piece)?;
                self.moved(&peer);
            }
            if peer.is_done() {
                return report(&peer);
            }
            let bytes = self.pipe.read(MEETING_PIECE_BYTES)?;
            if bytes.is_empty() || bytes.len() > MEETING_PIECE_BYTES {
                return Err(MeetingError::Broken);
            }
            self.moved(&peer);
            let taken = peer.received(&mut self.port, &bytes, now_ms(), &mut OsRandom);
            self.moved(&peer);
            taken?;
            let counts = peer.report();
            if counts.bytes_up + counts.bytes_down > self.bytes_max {
                return Err(MeetingError::TooLarge);
            }
        }
    }

    /// Shows a sign of life.
    fn moved(&self, peer: &Peer) {
        let is_introduced = peer.peer().is_some();
        self.pulse.send_replace(Pulse {
            moved: Instant::now(),
            is_introduced,
        });
        self.progress.send_replace(MeetingProgress {
            is_introduced,
            report: peer.report(),
        });
    }
}

fn report(peer: &Peer) -> Result<MeetingReport, MeetingError> {
    let facts = peer.peer().ok_or(PeerError::OutOfTurn)?.facts();
    Ok(MeetingReport {
        member: facts.member,
        device: facts.device,
        report: peer.report(),
    })
}
