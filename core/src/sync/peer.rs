//! Two phones that meet: the same envelopes on both afterwards, as far as both may read them.
//!
//! ```text
//! caller                                listener
//!   ── hello, proof ◀──▶ reply ──         both certificates checked, every later message under a code
//!   ── revocations ──▶ ◀── revocations    before anything else; a revoked phone is refused here
//!   ── reconcile ──▶ ◀── reconcile        which of the shared records differ
//!   ── compare ──▶ ◀── found              ids of those; what the caller lacks comes with the answer
//!   ── give ──▶ ◀── taken                 what the listener lacks
//!   ── done ──▶ ◀── done
//! ```
//!
//! What is received goes through the same admission as everything else and stays provisional until the server
//! has judged it. The machine moves no bytes: it is fed what the pipe brings and drained of what is to be
//! sent. A broken pipe costs nothing; the next meeting goes on with what is still different.

use std::collections::{BTreeSet, VecDeque};

use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

pub use super::peer_error::{PeerError, PeerReport};
use super::peer_message::{Inbox, PeerMessage, RecordIds, write_to};
use super::port::{GiveAsk, Given, Identity, PeerPort, PortError, StreamItem};
use super::reconcile::{Initiator, respond};
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{
    GIVE_BACK_DIRECTORY_MAX, PEER_GIVE_BYTES, PEER_MESSAGE_BYTES_MAX, PEER_MESSAGES_MAX,
    PEER_RECORDS_MAX,
};
use crate::trust::certificate::Certificate;
use crate::trust::channel::MAC_BYTES;
use crate::trust::peer_session::{Caller, Listener, Me, PeerChannel};
use crate::trust::session::SessionError;
use crate::wire::frame::{self, FrameError};
use crate::wire::message::{Bundle, GiveBack};

mod exchange;

#[derive(Debug)]
enum State {
    CallerHello(Caller),
    ListenerHello,
    ListenerProof(Listener),
    CallerRevocations,
    CallerReconcile(Box<Initiator>),
    CallerCompare(Vec<RecordIds>),
    CallerGive(GiveAsk),
    CallerDone,
    Listening(Vec<StreamItem>),
    Closed,
}

/// One end of a meeting.
#[derive(Debug)]
pub struct Peer {
    state: State,
    me: Identity,
    channel: Option<PeerChannel>,
    inbox: Inbox,
    outbox: Vec<u8>,
    differing: VecDeque<RecordId>,
    complete: bool,
    report: PeerReport,
}

impl Peer {
    /// The phone that begins.
    pub fn call(port: &dyn PeerPort, rng: &mut dyn CryptoRng) -> Result<Self, PeerError> {
        let mut peer = Self::new(port.identity()?, State::Closed);
        let (caller, hello) = Caller::start(me(&peer.me), rng);
        peer.send_plain(&hello);
        peer.state = State::CallerHello(caller);
        Ok(peer)
    }

    /// The phone that is called.
    pub fn listen(port: &dyn PeerPort) -> Result<Self, PeerError> {
        Ok(Self::new(port.identity()?, State::ListenerHello))
    }

    fn new(me: Identity, state: State) -> Self {
        Self {
            state,
            me,
            channel: None,
            inbox: Inbox::default(),
            outbox: Vec::new(),
            differing: VecDeque::new(),
            complete: false,
            report: PeerReport::default(),
        }
    }

    /// Bytes came out of the pipe, cut anyhow. After an error the pipe is to be closed.
    pub fn received(
        &mut self,
        port: &mut dyn PeerPort,
        bytes: &[u8],
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), PeerError> {
        self.report.bytes_down += bytes.len() as u64;
        self.inbox.push(bytes);
        let taken = self.take_all(port, now_ms, rng);
        if taken.is_err() {
            self.state = State::Closed;
        }
        taken
    }

    /// What is to be written into the pipe.
    pub fn output(&mut self) -> Vec<u8> {
        self.report.bytes_up += self.outbox.len() as u64;
        std::mem::take(&mut self.outbox)
    }

    /// Whether the meeting has come to its proper end, and the pipe can be closed when it is drained.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.complete
    }

    /// The other phone, once it has proved who it is.
    #[must_use]
    pub fn peer(&self) -> Option<&Certificate> {
        self.channel.as_ref().map(PeerChannel::peer)
    }

    /// What it did so far.
    #[must_use]
    pub fn report(&self) -> PeerReport {
        self.report
    }

    fn take_all(
        &mut self,
        port: &mut dyn PeerPort,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), PeerError> {
        while let Some(message) = self.inbox.next().map_err(|()| FrameError::TooLarge)? {
            self.report.messages += 1;
            if self.report.messages > PEER_MESSAGES_MAX {
                return Err(PeerError::OutOfTurn);
            }
            let state = std::mem::replace(&mut self.state, State::Closed);
            self.state = self.take(port, state, &message, now_ms, rng)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        port: &mut dyn PeerPort,
        state: State,
        message: &[u8],
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<State, PeerError> {
        match state {
            State::Closed => Err(PeerError::OutOfTurn),
            State::CallerHello(caller) => {
                let admit = |peer: &Certificate| admitted(port, peer);
                let (channel, proof) = caller.prove(message, me(&self.me), admit)?;
                self.channel = Some(channel);
                self.send_plain(&proof);
                self.send(&revocations(port)?)?;
                Ok(State::CallerRevocations)
            }
            State::ListenerHello => {
                let (listener, reply) = Listener::answer(message, me(&self.me), rng)?;
                self.send_plain(&reply);
                Ok(State::ListenerProof(listener))
            }
            State::ListenerProof(listener) => {
                let admit = |peer: &Certificate| admitted(port, peer);
                self.channel = Some(listener.finish(message, me(&self.me), admit)?);
                Ok(State::Listening(Vec::new()))
            }
            state => {
                let message = self.open(message)?;
                match state {
                    State::Listening(items) => self.listening(port, items, message, now_ms),
                    state => self.calling(port, state, message, now_ms),
                }
            }
        }
    }

    fn calling(
        &mut self,
        port: &mut dyn PeerPort,
        state: State,
        message: PeerMessage,
        now_ms: i64,
    ) -> Result<State, PeerError> {
        match (state, message) {
            (State::CallerRevocations, PeerMessage::Revocations(entries)) => {
                self.revoke(port, &entries, now_ms)?;
                let initiator = Initiator::new(&port.shared_items(self.known_peer()?)?)?;
                self.send(&PeerMessage::Reconcile(initiator.message().to_vec().into()))?;
                Ok(State::CallerReconcile(Box::new(initiator)))
            }
            (State::CallerReconcile(mut initiator), PeerMessage::Reconcile(answer)) => {
                let Some(differences) = initiator.received(&answer)? else {
                    self.send(&PeerMessage::Reconcile(initiator.message().to_vec().into()))?;
                    return Ok(State::CallerReconcile(initiator));
                };
                let all = differences.ours.union(&differences.theirs);
                let records: BTreeSet<RecordId> = all.map(|element| element.record).collect();
                self.differing = records.into_iter().collect();
                self.compare(port)
            }
            (
                State::CallerCompare(said),
                PeerMessage::Found {
                    give_back,
                    bundle,
                    lacks,
                    more,
                },
            ) => {
                let news = self.accept(port, give_back, bundle, now_ms)?;
                if more && news > 0 {
                    return self.compare_again(port, &said);
                }
                let offered: BTreeSet<&EnvelopeId> =
                    said.iter().flat_map(|record| &record.ids).collect();
                let envelopes = lacks
                    .into_iter()
                    .filter(|id| offered.contains(id))
                    .collect();
                let ask = GiveAsk {
                    envelopes,
                    ..GiveAsk::default()
                };
                if ask.is_empty() {
                    self.compare(port)
                } else {
                    self.give(port, ask)
                }
            }
            (State::CallerGive(left), PeerMessage::Taken) => {
                if left.is_empty() {
                    self.compare(port)
                } else {
                    self.give(port, left)
                }
            }
            (State::CallerDone, PeerMessage::Done) => {
                self.complete = true;
                Ok(State::Closed)
            }
            _ => Err(PeerError::OutOfTurn),
        }
    }

    fn listening(
        &mut self,
        port: &mut dyn PeerPort,
        items: Vec<StreamItem>,
        message: PeerMessage,
        now_ms: i64,
    ) -> Result<State, PeerError> {
        match message {
            PeerMessage::Revocations(entries) => {
                self.revoke(port, &entries, now_ms)?;
                self.send(&revocations(port)?)?;
                return Ok(State::Listening(port.shared_items(self.known_peer()?)?));
            }
            PeerMessage::Reconcile(asked) => {
                let answer = respond(&items, &asked)?;
                self.send(&PeerMessage::Reconcile(answer.into()))?;
            }
            PeerMessage::Compare(theirs) if theirs.len() <= PEER_RECORDS_MAX => {
                let found = self.found(port, &items, &theirs)?;
                self.send(&found)?;
            }
            PeerMessage::Give { give_back, bundle } => {
                self.accept(port, give_back, bundle, now_ms)?;
                self.send(&PeerMessage::Taken)?;
            }
            PeerMessage::Done => {
                self.send(&PeerMessage::Done)?;
                self.complete = true;
                return Ok(State::Closed);
            }
            _ => return Err(PeerError::OutOfTurn),
        }
        Ok(State::Listening(items))
    }

    fn revoke(
        &mut self,
        port: &mut dyn PeerPort,
        entries: &[ByteVec],
        now_ms: i64,
    ) -> Result<(), PeerError> {
        let entries: Vec<Vec<u8>> = entries
            .iter()
            .take(GIVE_BACK_DIRECTORY_MAX)
            .map(|entry| entry.to_vec())
            .collect();
        if !entries.is_empty() {
            port.apply_revocations(&entries, now_ms)?;
        }
        // The peer itself may have brought the news of its own revocation.
        Ok(admitted(port, self.known_peer()?)?)
    }

    fn known_peer(&self) -> Result<&Certificate, PeerError> {
        self.peer().ok_or(PeerError::OutOfTurn)
    }

    fn open(&mut self, message: &[u8]) -> Result<PeerMessage, PeerError> {
        let channel = self.channel.as_mut().ok_or(PeerError::OutOfTurn)?;
        let (code, body) = message
            .split_at_checked(MAC_BYTES)
            .ok_or(SessionError::Malformed)?;
        channel.open(body, code)?;
        Ok(frame::decode(body, PEER_MESSAGE_BYTES_MAX)?)
    }

    fn send(&mut self, message: &PeerMessage) -> Result<(), PeerError> {
        let channel = self.channel.as_mut().ok_or(PeerError::OutOfTurn)?;
        let body = frame::encode(message, PEER_MESSAGE_BYTES_MAX - MAC_BYTES)?;
        let code = channel.seal(&body);
        write_to(&mut self.outbox, &[&code, &body]);
        Ok(())
    }

    fn send_plain(&mut self, message: &[u8]) {
        write_to(&mut self.outbox, &[message]);
    }
}

fn me(identity: &Identity) -> Me<'_> {
    Me {
        key: &identity.key,
        certificate: &identity.certificate,
        anchors: &identity.anchors,
    }
}

fn admitted(port: &dyn PeerPort, peer: &Certificate) -> Result<(), SessionError> {
    // A replica that can not say whether the phone is revoked lets nobody in.
    if port.is_revoked(peer).unwrap_or(true) {
        Err(SessionError::Revoked)
    } else {
        Ok(())
    }
}

fn revocations(port: &dyn PeerPort) -> Result<PeerMessage, PortError> {
    let entries = port
        .revocations()?
        .into_iter()
        .take(GIVE_BACK_DIRECTORY_MAX);
    Ok(PeerMessage::Revocations(
        entries.map(ByteVec::from).collect(),
    ))
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
