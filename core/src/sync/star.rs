//! The phone's side of the sync with a server: session, then requests until both hold the same.
//!
//! ```text
//! loop { match star.next(port, now, rng) {
//!     Send(request) => received(answer) or failed(),
//!     Wait { until_ms } => come back then, or when the network is back (wake()),
//!     Done(report) => until something new is to be said or read,
//! } }
//! ```
//!
//! Each request can be lost, doubled or answered late without harm, and the machine can be thrown away at any
//! moment. Every applied answer is in the replica, and the rest is asked for again. An answer that does not
//! verify changes nothing. A session is kept from one sync to the next.
//!
//! [`Star::begin_plan`] begins a run that only asks how much this replica lacks, and moves nothing.

use rand_core::CryptoRng;

use super::answer::{Answer, AnswerError};
use super::channel::Channel;
use super::exchange::{Run, SentRequest};
use super::pace::Pace;
use super::paths::{SESSION_PATH, SYNC_PATH};
use super::pause::{by_chance, full_ms};
use super::port::{PortError, StarPort};
use super::report::Report;
pub use super::star_error::SyncError;
use crate::limits::{RETRY_MS_CUT, RETRY_MS_MAX};
use crate::trust::request_mac::{MAC_HEADER, RequestMac, RequestTag, SESSION_HEADER};
use crate::trust::session::{ClientAwaiting, ClientHandshake, Session, SessionError};
use crate::wire::cursor::cursor_set_hash;
use crate::wire::measure::Measure;
use crate::wire::message::{CursorsAnswer, Known, SyncRequest, SyncResponse};

/// A request to be sent by POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path.
    pub path: &'static str,
    /// Headers: names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer that came in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// HTTP status.
    pub status: u16,
    /// Value of the header [`MAC_HEADER`].
    pub mac: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// The next action of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, then call [`Star::received`] or [`Star::failed`].
    Send(Request),
    /// An answer is awaited: call [`Star::received`] or [`Star::failed`] first.
    Awaiting,
    /// Come back at this time (milliseconds UTC), or after [`Star::wake`].
    Wait {
        /// Time to come back at, milliseconds UTC.
        until_ms: i64,
    },
    /// All is done. The next call begins anew.
    Done(Report),
}

#[derive(Debug)]
enum Phase {
    Ready,
    Hello(ClientHandshake),
    Prove(ClientAwaiting),
    Sync(Box<SentRequest>, RequestMac),
    Plan(RequestMac),
    Waiting {
        until_ms: i64,
    },
    Done,
    /// The measure is here.
    Planned,
}

/// The question for the measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlanAsk {
    /// With the hash of the cursors, if there are any.
    Short,
    /// With all cursors.
    AllCursors,
}

/// The sync machine of one phone and one server.
#[derive(Debug)]
pub struct Star {
    phase: Phase,
    /// Set between the server's hello and the phone's proof.
    proof: Option<(ClientAwaiting, Vec<u8>)>,
    session: Option<Session>,
    requests: u64,
    run: Run,
    /// Set while this run only asks for the measure.
    plan: Option<PlanAsk>,
    measure: Option<Measure>,
    failures: u32,
    pace: Pace,
    sent_ms: i64,
}

impl Default for Star {
    fn default() -> Self {
        Self::new()
    }
}

impl Star {
    /// A machine without a session.
    #[must_use]
    pub fn new() -> Self {
        Self {
            phase: Phase::Ready,
            proof: None,
            session: None,
            requests: 0,
            run: Run::default(),
            plan: None,
            measure: None,
            failures: 0,
            pace: Pace::default(),
            sent_ms: 0,
        }
    }

    /// Returns the next action of the caller.
    pub fn next(
        &mut self,
        port: &mut dyn StarPort,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Step, SyncError> {
        match &self.phase {
            Phase::Hello(_) | Phase::Prove(_) | Phase::Sync(..) | Phase::Plan(_) => {
                return Ok(Step::Awaiting);
            }
            Phase::Waiting { until_ms } if now_ms < *until_ms => {
                // A clock that was set back must not make the phone wait for years.
                let until_ms = (*until_ms).min(now_ms.saturating_add(RETRY_MS_MAX));
                self.phase = Phase::Waiting { until_ms };
                return Ok(Step::Wait { until_ms });
            }
            Phase::Done => {
                self.phase = Phase::Ready;
                return Ok(Step::Done(std::mem::take(&mut self.run).report));
            }
            Phase::Planned => {
                self.phase = Phase::Ready;
                return Ok(Step::Done(std::mem::take(&mut self.run.report)));
            }
            Phase::Waiting { .. } | Phase::Ready => {}
        }
        self.phase = Phase::Ready;
        let request = self.request(port, now_ms, rng);
        match request {
            Ok(request) => {
                self.run.report.bytes_up += request.body.len() as u64;
                self.sent_ms = now_ms;
                Ok(Step::Send(request))
            }
            Err(error) => {
                self.back_off(now_ms, rng);
                Err(error)
            }
        }
    }

    fn request(
        &mut self,
        port: &mut dyn StarPort,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Request, SyncError> {
        if let Some((awaiting, body)) = self.proof.take() {
            self.phase = Phase::Prove(awaiting);
            return Ok(Request {
                path: SESSION_PATH,
                headers: Vec::new(),
                body,
            });
        }
        let Some(session) = self
            .session
            .as_ref()
            .filter(|session| !session.is_over(now_ms))
        else {
            let identity = port.identity()?;
            let (handshake, body) = ClientHandshake::start(identity.anchors.authority(), rng);
            self.phase = Phase::Hello(handshake);
            return Ok(Request {
                path: SESSION_PATH,
                headers: Vec::new(),
                body,
            });
        };
        if let Some(ask) = self.plan {
            let cursors = port.cursors()?;
            let known = if ask == PlanAsk::AllCursors || cursors.is_empty() {
                Known::All(cursors)
            } else {
                Known::Hash(cursor_set_hash(&cursors))
            };
            let body = SyncRequest::of_measure(known).to_bytes()?;
            self.requests += 1;
            let tag = session.tag(self.requests, "POST", SYNC_PATH, &body);
            self.phase = Phase::Plan(tag.mac);
            return Ok(sync_request(&tag, body));
        }
        let (page_bytes, outbox_bytes) = (self.pace.page_bytes(), self.pace.outbox_bytes());
        let asked = self.run.request(port, page_bytes, outbox_bytes, now_ms)?;
        let body = asked.request.to_bytes()?;
        self.requests += 1;
        let tag = session.tag(self.requests, "POST", SYNC_PATH, &body);
        self.phase = Phase::Sync(Box::new(asked), tag.mac);
        Ok(sync_request(&tag, body))
    }

    /// Applies an answer of the server. An error describes the fault in the answer; nothing has changed then,
    /// and [`Self::next`] says when to try again.
    pub fn received(
        &mut self,
        port: &mut dyn StarPort,
        incoming: Incoming<'_>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), SyncError> {
        let phase = std::mem::replace(&mut self.phase, Phase::Ready);
        let taken = match phase {
            Phase::Ready | Phase::Waiting { .. } | Phase::Done | Phase::Planned => {
                self.phase = phase;
                return Err(SyncError::Unasked);
            }
            _ if incoming.status != 200 => Err(self.refused(&phase, incoming)),
            Phase::Hello(handshake) => self.hello(port, handshake, incoming.body),
            Phase::Prove(awaiting) => self.granted(port, awaiting, incoming.body, now_ms),
            Phase::Sync(asked, mac) => self.answered(port, &asked, mac, incoming, now_ms),
            Phase::Plan(mac) => self.measured(port, mac, incoming, now_ms),
        };
        match taken {
            Ok(()) => {
                self.run.report.round_trips += 1;
                self.run.report.bytes_down += incoming.body.len() as u64;
                Ok(())
            }
            Err(error) => {
                // A session that the server has forgotten is replaced at once, the first time.
                let forgotten = matches!(&error, SyncError::Refused(code) if is_forgotten(code));
                if forgotten && self.failures == 0 {
                    self.failures = 1;
                } else {
                    self.back_off(now_ms, rng);
                }
                Err(error)
            }
        }
    }

    /// No answer arrived for a request that was on its way. The machine waits, longer each time. If answers
    /// arrived before, the line was only cut, so the first wait is short.
    pub fn failed(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        let in_sync = matches!(self.phase, Phase::Sync(..));
        let first = self.failures == 0;
        if in_sync {
            self.pace.lost();
        }
        self.unreached(now_ms, rng);
        if in_sync && first {
            self.wait(RETRY_MS_CUT, now_ms, rng);
        }
    }

    /// No request left the phone: there was no connection. The machine waits, longer each time, and the size
    /// of its requests stays, because the line said nothing about it.
    pub fn unreached(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.proof = None;
        self.back_off(now_ms, rng);
    }

    /// Begins a sync, whatever the last one was doing. A pause ends, an answer that is still awaited is given
    /// up without blame for the line, and an unfetched report is dropped.
    pub fn begin(&mut self) {
        if self.is_awaiting() {
            self.proof = None;
            self.phase = Phase::Ready;
        }
        if matches!(self.phase, Phase::Done) {
            self.run = Run::default();
        }
        if matches!(
            self.phase,
            Phase::Waiting { .. } | Phase::Done | Phase::Planned
        ) {
            self.phase = Phase::Ready;
        }
        (self.plan, self.measure) = (None, None);
    }

    /// Gives up an answer that is still awaited, and begins the same run again.
    pub fn begin_again(&mut self) {
        let plan = self.plan;
        self.begin();
        self.plan = plan;
    }

    /// Begins a run that only asks how much this replica lacks. It sends no work, brings none, and moves no
    /// cursor; when it is done, [`Self::take_measure`] has the answer.
    pub fn begin_plan(&mut self) {
        self.begin();
        self.plan = Some(PlanAsk::Short);
    }

    /// The answer of a run that [`Self::begin_plan`] began; `None` before its end.
    pub fn take_measure(&mut self) -> Option<Measure> {
        self.measure.take()
    }

    /// Ends a sync between two requests, and reports its work so far, with `more`. The next one continues
    /// here. `None` when the sync has ended; then [`Self::next`] reports it.
    pub fn pause(&mut self) -> Option<Report> {
        if matches!(self.phase, Phase::Done) {
            return None;
        }
        Some(Report {
            more: true,
            ..std::mem::take(&mut self.run.report)
        })
    }

    /// Caps the pages of the requests that follow at this number of compressed bytes. `None` sets no cap
    /// beyond the measured one.
    pub fn cap_page(&mut self, bytes_max: Option<u64>) {
        self.pace.cap(bytes_max);
    }

    /// Ends the wait, because the network is back or there is something new.
    pub fn wake(&mut self) {
        if matches!(self.phase, Phase::Waiting { .. }) {
            self.phase = Phase::Ready;
        }
    }

    /// Whether an answer is awaited.
    #[must_use]
    pub fn is_awaiting(&self) -> bool {
        matches!(
            self.phase,
            Phase::Hello(_) | Phase::Prove(_) | Phase::Sync(..) | Phase::Plan(_)
        )
    }

    /// The work of the sync under way so far.
    #[must_use]
    pub fn progress(&self) -> &Report {
        &self.run.report
    }

    /// The open session, for `GET /v1/live`.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Lends the open session to requests beside the sync; `None` where there is none.
    pub fn channel(
        &mut self,
        port: &dyn StarPort,
        now_ms: i64,
    ) -> Result<Option<Channel<'_>>, PortError> {
        let generation = port.generation()?;
        let session = self.session.as_ref();
        let open = session.filter(|session| generation > 0 && !session.is_over(now_ms));
        Ok(open.map(|session| Channel::new(session, &mut self.requests, generation)))
    }

    /// Forgets the session, because the server refused it.
    pub fn forget_session(&mut self) {
        self.session = None;
    }

    /// A number for one more request within the session.
    pub fn request_number(&mut self) -> u64 {
        self.requests += 1;
        self.requests
    }

    fn hello(
        &mut self,
        port: &mut dyn StarPort,
        handshake: ClientHandshake,
        body: &[u8],
    ) -> Result<(), SyncError> {
        let me = port.identity()?;
        self.proof = Some(handshake.prove(body, &me.anchors, &me.key, &me.certificate)?);
        Ok(())
    }

    fn granted(
        &mut self,
        port: &mut dyn StarPort,
        awaiting: ClientAwaiting,
        body: &[u8],
        now_ms: i64,
    ) -> Result<(), SyncError> {
        let (session, welcome) = awaiting.finish(body, now_ms)?;
        if welcome.grant.generation < port.generation()? {
            return Err(AnswerError::OlderGeneration.into());
        }
        self.run.note_generation(port, welcome.grant.generation)?;
        port.welcomed(&welcome)?;
        self.session = Some(session);
        self.failures = 0;
        Ok(())
    }

    fn answered(
        &mut self,
        port: &mut dyn StarPort,
        asked: &SentRequest,
        mac: RequestMac,
        incoming: Incoming<'_>,
        now_ms: i64,
    ) -> Result<(), SyncError> {
        let session = self.session.as_mut().ok_or(SessionError::Unknown)?;
        session.check_answer(&mac, incoming.mac, incoming.body)?;
        let response = SyncResponse::from_bytes(incoming.body)?;
        let anchors = port.identity()?.anchors;
        if !anchors.certifies(response.generation) {
            return Err(SessionError::UncertifiedGeneration.into());
        }
        let (time_ms, expires_ms) = (response.time_ms, response.session_expires_ms);
        let generation = port.generation()?;
        let more = response.more;
        let answer = Answer::verify(asked.request.clone(), response, &anchors, generation)?;
        // Measured before the answer is applied, because the phone's own work says nothing about the line.
        let elapsed_ms = now_ms.saturating_sub(self.sent_ms);
        self.pace
            .answered(elapsed_ms, asked.bundle_bytes(), incoming.body.len(), more);
        if self.run.take(port, &answer, asked, now_ms)? {
            self.phase = Phase::Done;
        }
        if let Some(expires_ms) = expires_ms {
            session.prolong(time_ms, expires_ms, now_ms);
        }
        self.failures = 0;
        Ok(())
    }

    /// Takes the measure of a server that the phone can follow. Nothing of the answer reaches the replica.
    fn measured(
        &mut self,
        port: &dyn StarPort,
        mac: RequestMac,
        incoming: Incoming<'_>,
        now_ms: i64,
    ) -> Result<(), SyncError> {
        let session = self.session.as_mut().ok_or(SessionError::Unknown)?;
        session.check_answer(&mac, incoming.mac, incoming.body)?;
        let response = SyncResponse::from_bytes(incoming.body)?;
        if !port.identity()?.anchors.certifies(response.generation) {
            return Err(SessionError::UncertifiedGeneration.into());
        }
        if response.generation < port.generation()? {
            return Err(AnswerError::OlderGeneration.into());
        }
        if let Some(closed) = response.closed {
            return Err(SyncError::Refused(closed.code().to_owned()));
        }
        match (response.measure, response.cursors, self.plan) {
            (Some(measure), ..) => {
                (self.measure, self.plan) = (Some(measure), None);
                self.phase = Phase::Planned;
            }
            (None, CursorsAnswer::Needed, Some(PlanAsk::Short)) => {
                self.plan = Some(PlanAsk::AllCursors);
            }
            (None, ..) => return Err(AnswerError::Unmeasured.into()),
        }
        if let Some(expires_ms) = response.session_expires_ms {
            session.prolong(response.time_ms, expires_ms, now_ms);
        }
        self.failures = 0;
        Ok(())
    }

    fn refused(&mut self, phase: &Phase, incoming: Incoming<'_>) -> SyncError {
        let code = problem_code(incoming.body)
            .unwrap_or("sync.refused")
            .to_owned();
        match phase {
            Phase::Sync(..) if incoming.status == 413 => {
                self.pace.too_large();
            }
            Phase::Sync(..) if incoming.status == 401 || incoming.status == 403 => {
                self.session = None;
                self.run.unread();
            }
            Phase::Plan(_) if incoming.status == 401 || incoming.status == 403 => {
                self.session = None;
            }
            _ => {}
        }
        SyncError::Refused(code)
    }

    fn back_off(&mut self, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.failures = self.failures.saturating_add(1);
        self.wait(full_ms(self.failures), now_ms, rng);
    }

    fn wait(&mut self, full_ms: i64, now_ms: i64, rng: &mut dyn CryptoRng) {
        self.phase = Phase::Waiting {
            until_ms: now_ms.saturating_add(by_chance(full_ms, rng)),
        };
    }
}

fn sync_request(tag: &RequestTag, body: Vec<u8>) -> Request {
    Request {
        path: SYNC_PATH,
        headers: vec![
            (SESSION_HEADER, tag.session_header()),
            (MAC_HEADER, tag.mac_header()),
        ],
        body,
    }
}

fn is_forgotten(code: &str) -> bool {
    ["session.unknown", "session.expired"].contains(&code)
}

/// The code in a problem document (RFC 9457 with a member `code`). It has no proof, so it decides only when
/// to try again.
pub(crate) fn problem_code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"code\"")?;
    let rest = rest
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    let (code, _) = rest.split_once('"')?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
    (code.len() <= 64 && code.chars().all(good)).then_some(code)
}

#[cfg(test)]
#[path = "star_tests.rs"]
mod tests;
