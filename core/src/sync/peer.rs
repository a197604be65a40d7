//! Two phones that meet: the same envelopes on both afterwards, as far as both may read them.
//!
//! ```text
//! caller                                 listener
//!   ── hello ──▶ ◀── reply                  fresh keys; all that follows is encrypted
//!   ══ introduction ══▶ ◀══ introduction    both certificates checked, the caller's first
//!   ══ revocations ══▶ ◀══ revocations      before anything else; a revoked phone is refused here
//!   ══ reconcile ══▶ ◀══ reconcile          which of the shared records differ
//!   ══ compare ══▶ ◀══ found                ids of those; the answer brings what the caller lacks
//!   ══ give ══▶ ◀══ taken                   what the listener lacks
//!   ══ parcel ══▶ ◀══ parcel                work for the server that the other may not read, sealed
//!   ══ file ══▶ ◀══ file                    pieces of the photos that either wants and the other has
//!   ══ done ══▶ ◀══ done
//! ```
//!
//! Envelopes that arrive go through the same admission as everything else and stay provisional until the server
//! has judged them. A parcel is carried to the server unopened. The machine moves no bytes: the host feeds it
//! what the pipe brings and drains its output. A broken pipe costs nothing; the next meeting continues with the
//! remaining differences.
//!
//! **Invariant:** neither side learns of a record that it may not read whether the other side has it.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use minicbor::bytes::ByteVec;
use rand_core::CryptoRng;

use super::file_port::Download;
pub use super::peer_error::{PeerError, PeerReport};
use super::peer_message::{Inbox, PeerMessage, RecordIds, write_to};
use super::port::{GiveAsk, Handover, Identity, PeerPort, PortError, StreamItem};
use super::reconcile::{Initiator, respond};
use crate::id::{EnvelopeId, RecordId};
use crate::limits::{
    GIVE_BACK_DIRECTORY_MAX, PEER_GIVE_BYTES, PEER_MESSAGE_BYTES_MAX, PEER_MESSAGES_MAX,
    PEER_RECORDS_MAX, REPAIR_IDS_MAX, SESSION_MESSAGE_BYTES_MAX,
};
use crate::trust::certificate::Certificate;
use crate::trust::channel::MAC_BYTES;
use crate::trust::meeting_key::{Commitment, MeetingKey};
use crate::trust::peer_session::{Caller, CallerIntroduced, Listener, Me, PeerChannel};
use crate::trust::session::SessionError;
use crate::wire::frame::{self, FrameError};
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::parcel::Parcel;
use crate::wire::transfer::FileName;

mod exchange;
mod files;

#[derive(Debug)]
enum State {
    CallerHello(Caller),
    CallerIntroduced(Box<CallerIntroduced>),
    ListenerHello(Option<Arc<MeetingKey>>),
    ListenerIntroduction(Listener),
    CallerRevocations,
    CallerReconcile(Box<Initiator>),
    CallerCompare(Vec<RecordIds>),
    CallerGive(GiveAsk),
    CallerParcel,
    CallerFile,
    CallerFilesOfOther,
    CallerDone,
    ListenerRevocations,
    Listening(Box<Shared>),
    Closed,
}

/// The records that both may read, as the listener had them when the meeting began. The envelopes that the
/// caller brings change none of its answers, so the caller cannot ask twice to find out which of them were
/// here before.
#[derive(Debug)]
struct Shared {
    items: Vec<StreamItem>,
    records: HashSet<RecordId>,
    /// Whether the parcels were exchanged.
    parcels_done: bool,
}

impl Shared {
    fn new(items: Vec<StreamItem>) -> Self {
        let records = items.iter().map(|item| item.record).collect();
        Self {
            items,
            records,
            parcels_done: false,
        }
    }
}

/// Whether the other phone still reads. The expiry of a certificate limits reading and never late
/// writing, so a phone whose certificate has run out gives its work and gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Allowed,
    Expired,
}

impl Reading {
    fn of(peer: &Certificate, now_ms: i64) -> Self {
        if peer.facts().expires_ms > now_ms {
            Self::Allowed
        } else {
            Self::Expired
        }
    }
}

/// The files that this side asks for.
#[derive(Debug, Default)]
struct Wanted {
    /// The file under way.
    current: Option<Download>,
    /// Files that the other side does not have, or that arrived damaged.
    without: BTreeSet<FileName>,
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
    /// The records that both may read, as they were when the meeting began.
    shared: HashSet<RecordId>,
    reading: Reading,
    wanted: Wanted,
    report: PeerReport,
}

impl Peer {
    /// The phone that begins.
    pub fn call(port: &dyn PeerPort, rng: &mut dyn CryptoRng) -> Result<Self, PeerError> {
        Self::call_to(port, None, rng)
    }

    /// The phone that begins, and that meets only the phone which showed this commitment, where there is one.
    pub fn call_to(
        port: &dyn PeerPort,
        expected: Option<Commitment>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, PeerError> {
        let mut peer = Self::new(port.identity()?, State::Closed);
        let (mut caller, hello) = Caller::start(rng);
        if let Some(commitment) = expected {
            caller = caller.expecting(commitment);
        }
        peer.send_as_is(&hello);
        peer.state = State::CallerHello(caller);
        Ok(peer)
    }

    /// The phone that is called.
    pub fn listen(port: &dyn PeerPort) -> Result<Self, PeerError> {
        Self::listen_with(port, None)
    }

    /// The phone that is called, with the key whose commitment it shows.
    pub fn listen_with(
        port: &dyn PeerPort,
        key: Option<Arc<MeetingKey>>,
    ) -> Result<Self, PeerError> {
        Ok(Self::new(port.identity()?, State::ListenerHello(key)))
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
            shared: HashSet::new(),
            reading: Reading::Expired,
            wanted: Wanted::default(),
            report: PeerReport::default(),
        }
    }

    /// Reads bytes from the pipe, cut anywhere. After an error the caller closes the pipe.
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

    /// Bytes to write into the pipe.
    pub fn output(&mut self) -> Vec<u8> {
        self.report.bytes_up += self.outbox.len() as u64;
        std::mem::take(&mut self.outbox)
    }

    /// Whether the meeting has ended properly. The caller can close the pipe when it is drained.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.complete
    }

    /// The certificate of the other phone, once that phone has proved its key.
    #[must_use]
    pub fn peer(&self) -> Option<&Certificate> {
        self.channel.as_ref().map(PeerChannel::peer)
    }

    /// Counts so far.
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
        while let Some(message) = self
            .inbox
            .next(self.message_bytes_max())
            .map_err(|()| FrameError::TooLarge)?
        {
            self.report.messages += 1;
            if self.report.messages > PEER_MESSAGES_MAX {
                return Err(PeerError::OutOfTurn);
            }
            let state = std::mem::replace(&mut self.state, State::Closed);
            self.state = self.take(port, state, &message, now_ms, rng)?;
        }
        Ok(())
    }

    /// The other side may fill little memory until it has proved its key.
    fn message_bytes_max(&self) -> usize {
        match self.channel {
            Some(_) => PEER_MESSAGE_BYTES_MAX,
            None => SESSION_MESSAGE_BYTES_MAX,
        }
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
                let (caller, introduction) = caller.introduce(message, me(&self.me)?)?;
                self.send_as_is(&introduction);
                Ok(State::CallerIntroduced(Box::new(caller)))
            }
            State::CallerIntroduced(caller) => {
                let admit = |peer: &Certificate| admitted(port, peer);
                let channel = caller.finish(message, me(&self.me)?, admit)?;
                self.reading = Reading::of(channel.peer(), now_ms);
                self.channel = Some(channel);
                self.adopt_keys(port)?;
                self.send(&revocations(port)?)?;
                Ok(State::CallerRevocations)
            }
            State::ListenerHello(key) => {
                let me = me(&self.me)?;
                let (listener, reply) = match key {
                    Some(key) => Listener::answer_with(message, me, &key, rng)?,
                    None => Listener::answer(message, me, rng)?,
                };
                self.send_as_is(&reply);
                Ok(State::ListenerIntroduction(listener))
            }
            State::ListenerIntroduction(listener) => {
                let admit = |peer: &Certificate| admitted(port, peer);
                let (channel, introduction) = listener.finish(message, me(&self.me)?, admit)?;
                self.reading = Reading::of(channel.peer(), now_ms);
                self.channel = Some(channel);
                self.adopt_keys(port)?;
                self.send_as_is(&introduction);
                Ok(State::ListenerRevocations)
            }
            state => {
                let message = self.open(message)?;
                match state {
                    State::ListenerRevocations => self.begin(port, message, now_ms),
                    State::Listening(shared) => self.listening(port, shared, message, now_ms),
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
                let items = self.shared_items(port)?;
                self.shared = items.iter().map(|item| item.record).collect();
                let initiator = Initiator::new(&items)?;
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
                let mut sent: BTreeSet<EnvelopeId> =
                    said.into_iter().flat_map(|record| record.ids).collect();
                let mut envelopes = lacks;
                envelopes.retain(|id| sent.remove(id));
                let ask = GiveAsk {
                    envelopes,
                    sent,
                    ..GiveAsk::default()
                };
                if ask.is_empty() || self.reading == Reading::Expired {
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
            (state, message) => self.calling_for_files(port, state, message, now_ms),
        }
    }

    /// The end of a meeting, once both have the same envelopes.
    fn calling_for_files(
        &mut self,
        port: &mut dyn PeerPort,
        state: State,
        message: PeerMessage,
        now_ms: i64,
    ) -> Result<State, PeerError> {
        match (state, message) {
            (State::CallerParcel, PeerMessage::Parcel(parcel)) => {
                self.take_parcel(port, parcel, now_ms)?;
                self.ask_for_files(port)
            }
            (State::CallerFile, PeerMessage::Piece(piece)) => {
                self.take_piece(port, &piece, now_ms)?;
                self.ask_for_files(port)
            }
            (State::CallerFilesOfOther, PeerMessage::AskFile { record, id, offset }) => {
                self.send_piece(port, &FileName { record, id }, offset)?;
                Ok(State::CallerFilesOfOther)
            }
            (State::CallerFilesOfOther, PeerMessage::YourFiles) => {
                self.send(&PeerMessage::Done)?;
                Ok(State::CallerDone)
            }
            (State::CallerDone, PeerMessage::Done) => {
                self.complete = true;
                Ok(State::Closed)
            }
            _ => Err(PeerError::OutOfTurn),
        }
    }

    /// Sends the first message to the listener. It is sent once, because it fixes the records that are
    /// shared.
    fn begin(
        &mut self,
        port: &mut dyn PeerPort,
        message: PeerMessage,
        now_ms: i64,
    ) -> Result<State, PeerError> {
        let PeerMessage::Revocations(entries) = message else {
            return Err(PeerError::OutOfTurn);
        };
        self.revoke(port, &entries, now_ms)?;
        self.send(&revocations(port)?)?;
        let shared = Shared::new(self.shared_items(port)?);
        self.shared.clone_from(&shared.records);
        Ok(State::Listening(Box::new(shared)))
    }

    fn listening(
        &mut self,
        port: &mut dyn PeerPort,
        mut shared: Box<Shared>,
        message: PeerMessage,
        now_ms: i64,
    ) -> Result<State, PeerError> {
        match message {
            PeerMessage::Reconcile(asked) => {
                let answer = respond(&shared.items, &asked)?;
                self.send(&PeerMessage::Reconcile(answer.into()))?;
            }
            PeerMessage::Compare(theirs) => {
                let found = self.found(port, &shared.records, &theirs)?;
                self.send(&found)?;
            }
            PeerMessage::Give { give_back, bundle } => {
                self.accept(port, give_back, bundle, now_ms)?;
                self.send(&PeerMessage::Taken)?;
            }
            PeerMessage::Parcel(parcel) if !shared.parcels_done => {
                self.take_parcel(port, parcel, now_ms)?;
                self.give_parcel(port)?;
                shared.parcels_done = true;
            }
            PeerMessage::AskFile { record, id, offset } => {
                self.send_piece(port, &FileName { record, id }, offset)?;
            }
            PeerMessage::YourFiles => self.ask_back(port)?,
            PeerMessage::Piece(piece) => {
                self.take_piece(port, &piece, now_ms)?;
                self.ask_back(port)?;
            }
            PeerMessage::Done => {
                self.send(&PeerMessage::Done)?;
                self.complete = true;
                return Ok(State::Closed);
            }
            _ => return Err(PeerError::OutOfTurn),
        }
        Ok(State::Listening(shared))
    }

    fn revoke(
        &mut self,
        port: &mut dyn PeerPort,
        entries: &[ByteVec],
        now_ms: i64,
    ) -> Result<(), PeerError> {
        let entries: Vec<Vec<u8>> = entries.iter().map(|entry| entry.to_vec()).collect();
        if !entries.is_empty() {
            port.apply_revocations(&entries, now_ms)?;
        }
        // The peer itself may have brought the news of its own revocation.
        Ok(admitted(port, self.known_peer()?)?)
    }

    fn adopt_keys(&mut self, port: &mut dyn PeerPort) -> Result<(), PeerError> {
        let newer = self.channel.as_ref().and_then(PeerChannel::newer_keys);
        if let Some(list) = newer {
            port.adopt_keys(list)?;
        }
        Ok(())
    }

    fn known_peer(&self) -> Result<&Certificate, PeerError> {
        self.peer().ok_or(PeerError::OutOfTurn)
    }

    /// The records of the reconciliation. A phone that reads no more learns of none.
    fn shared_items(&self, port: &dyn PeerPort) -> Result<Vec<StreamItem>, PeerError> {
        let channel = self.channel.as_ref().ok_or(PeerError::OutOfTurn)?;
        if self.reading == Reading::Expired {
            return Ok(Vec::new());
        }
        Ok(port.shared_items(channel.peer(), channel.digests())?)
    }

    fn open(&mut self, message: &[u8]) -> Result<PeerMessage, PeerError> {
        let channel = self.channel.as_mut().ok_or(PeerError::OutOfTurn)?;
        let body = channel.open(message)?;
        Ok(frame::decode(&body, PEER_MESSAGE_BYTES_MAX)?)
    }

    fn send(&mut self, message: &PeerMessage) -> Result<(), PeerError> {
        let channel = self.channel.as_mut().ok_or(PeerError::OutOfTurn)?;
        let body = frame::encode(message, PEER_MESSAGE_BYTES_MAX - MAC_BYTES)?;
        let sealed = channel.seal(&body);
        self.send_as_is(&sealed);
        Ok(())
    }

    fn send_as_is(&mut self, message: &[u8]) {
        write_to(&mut self.outbox, message);
    }
}

fn me(identity: &Identity) -> Result<Me<'_>, PeerError> {
    Ok(Me {
        key: &identity.key,
        certificate: &identity.certificate,
        anchors: &identity.anchors,
        secrets: identity.secrets.as_ref().ok_or(PeerError::NoSecret)?,
    })
}

fn admitted(port: &dyn PeerPort, peer: &Certificate) -> Result<(), SessionError> {
    // A replica that cannot say whether the phone is revoked refuses the phone.
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
