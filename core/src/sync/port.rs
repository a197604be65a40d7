//! The replica as the sync machines need it.
//!
//! Every method that writes is durable: when it returns `Ok`, its effect survives a power cut; when it
//! returns an error, nothing has changed, except that [`StarPort::apply`] may have applied the first part of
//! an answer. The machines make no calls in parallel.

use std::any::Any;
use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::Arc;

use super::answer::Answer;
use super::file_port::FilePort;
pub use super::port_error::PortError;
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::trust::certificate::{Anchors, Certificate, ServerKeys};
use crate::trust::peer_session::{MeetingDigests, MeetingSecrets};
use crate::trust::session::Welcome;
use crate::trust::sign::SecretKey;
use crate::wire::cursor::Cursor;
use crate::wire::digest::Digest;
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::parcel::{Parcel, ParcelOutcome};
use crate::wire::repair::SettledEnvelope;

/// The keys and the certificate of this replica, and the keys that it trusts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The device's key.
    pub key: SecretKey,
    /// Its newest certificate.
    pub certificate: Arc<Certificate>,
    /// The root key and the server keys.
    pub anchors: Arc<Anchors>,
    /// The secrets that all phones of the deployment share; `None` until a session brings them.
    pub secrets: Option<MeetingSecrets>,
}

/// A record of a stream, as set reconciliation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamItem {
    /// Clock of its Genesis, milliseconds UTC: the same on every replica.
    pub created_ms: i64,
    /// The record.
    pub record: RecordId,
    /// Sum of the ids of its envelopes that count.
    pub digest: Digest,
}

/// How much of the outbox fits into one request.
#[derive(Debug, Clone, Copy)]
pub struct OutboxAsk<'a> {
    /// Bytes of the envelopes, not compressed. The bundle holds at least one envelope, however large it is,
    /// as long as that envelope has no parent that must come along.
    pub bytes_max: usize,
    /// Number of envelopes.
    pub envelopes_max: usize,
    /// Envelopes to leave out, together with all envelopes that build on them. The server said that it lacks
    /// them, and this replica could not give them.
    pub without: &'a BTreeSet<EnvelopeId>,
}

/// A request to hand over whole records, or single envelopes with all of their ancestors that the other side
/// may lack.
#[derive(Debug, Clone, Default)]
pub struct GiveAsk {
    /// Records that the other side lacks entirely.
    pub records: Vec<RecordId>,
    /// Single envelopes that the other side lacks.
    pub envelopes: Vec<EnvelopeId>,
    /// Bytes in all, not compressed.
    pub bytes_max: usize,
    /// Envelopes to leave out, together with all envelopes that build on them. The other side lacks them, and
    /// they cannot be given.
    pub without: BTreeSet<EnvelopeId>,
    /// Envelopes that the other side has. They are given again only where `envelopes` names them.
    pub sent: BTreeSet<EnvelopeId>,
    /// Records whose packs the other side got in an earlier part.
    pub packed: BTreeSet<RecordId>,
}

/// The envelopes, verdicts and packs that a replica hands over.
#[derive(Debug, Clone, Default)]
pub struct Handover {
    /// Signed verdicts of the server on the envelopes handed over, and signed packs where the replica has no
    /// single envelopes.
    pub give_back: GiveBack,
    /// Envelopes, parents before children, with the certificates that they need.
    pub bundle: Bundle,
    /// The remainder that did not fit, to be asked for next.
    pub left: GiveAsk,
    /// Envelopes that this replica lacks too.
    pub absent: Vec<EnvelopeId>,
}

impl GiveAsk {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.envelopes.is_empty()
    }
}

impl Handover {
    /// Whether it hands over nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bundle.is_empty()
            && self.give_back.attestations.is_empty()
            && self.give_back.packs.is_empty()
    }
}

/// How far one answer has been applied, with the state that the port needs for the next slice.
#[derive(Default)]
pub struct ApplyProgress {
    state: Option<Box<dyn Any + Send>>,
    is_done: bool,
}

impl std::fmt::Debug for ApplyProgress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApplyProgress(done: {})", self.is_done)
    }
}

impl ApplyProgress {
    /// Whether all of the answer is applied.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Marks all of the answer as applied.
    pub fn finish(&mut self) {
        self.is_done = true;
        self.state = None;
    }

    /// Takes out the state that the port's last slice left.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        let state = self.state.take()?.downcast().ok()?;
        Some(*state)
    }

    /// Leaves a state for the next slice.
    pub fn put<T: Any + Send>(&mut self, state: T) {
        self.state = Some(Box::new(state));
    }
}

/// The durable changes that an answer made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ApplyCounts {
    /// Own envelopes that now have a verdict of any kind.
    pub settled: u32,
    /// Envelopes, packs and entries that are new to this replica.
    pub pulled: u32,
    /// The growth of [`StarPort::writes`] because of the answer.
    pub writes: u64,
}

impl AddAssign for ApplyCounts {
    fn add_assign(&mut self, more: Self) {
        self.settled = self.settled.saturating_add(more.settled);
        self.pulled = self.pulled.saturating_add(more.pulled);
        self.writes = self.writes.saturating_add(more.writes);
    }
}

/// A replica as the star session sees it.
pub trait StarPort {
    /// Returns the keys and the certificate of the replica.
    fn identity(&self) -> Result<Identity, PortError>;

    /// Stores the result of a new session: a newer list of server keys, the secrets of meetings, and a newer
    /// certificate of this device where the grant holds one that verifies.
    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), PortError>;

    /// Returns how far it has read every stream that it may read. Empty before the first sync.
    fn cursors(&self) -> Result<Vec<Cursor>, PortError>;

    /// A number that grows with every write, for as long as this replica is open.
    fn writes(&self) -> u64;

    /// The highest generation of the server whose answers it has applied; 0 before the first answer.
    fn generation(&self) -> Result<u32, PortError>;

    /// Returns the next part of the envelopes that the replica wrote or carries for others and that have no
    /// verdict. The part is closed: a parent without a verdict precedes its child. Own work appears before the work
    /// of others, each in the order of its writing, so one call after `apply` returns the next part.
    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError>;

    /// Whether the outbox holds more than these envelopes and the envelopes that build on them.
    fn has_more_to_send(&self, without: &BTreeSet<EnvelopeId>) -> Result<bool, PortError>;

    /// Number of envelopes in the outbox: written or carried here, and without a verdict.
    fn pending(&self) -> Result<u64, PortError>;

    /// Bytes of these envelopes, not compressed.
    fn pending_bytes(&self) -> Result<u64, PortError>;

    /// Applies the receipt (outbox entries leave the outbox, attestation kept), the page (records, packs,
    /// verdicts, directory, bulletins, through the same admission as everything else) and the cursors of its
    /// segments and of `streams`. A large answer takes several transactions. A cursor moves only when all
    /// that it covers is durable, so after an error in between the same request brings the rest.
    ///
    /// An answer of a higher generation also puts every envelope that was held or refused back into the
    /// outbox, because no digest covers those.
    fn apply(&mut self, answer: &Answer, now_ms: i64) -> Result<ApplyCounts, PortError> {
        let mut applying = ApplyProgress::default();
        let mut applied = ApplyCounts::default();
        while !applying.is_done() {
            applied += self.apply_slice(answer, &mut applying, now_ms)?;
        }
        Ok(applied)
    }

    /// Applies as much of an answer as takes some 50 ms, so that a write of the person never waits for a
    /// whole answer. A port with several holders lets the next one in after each slice.
    fn apply_slice(
        &mut self,
        answer: &Answer,
        applying: &mut ApplyProgress,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError>;

    /// Sum of the digests of all streams, over settled envelopes. It is compared with the server's sum.
    fn combined_digest(&self) -> Result<Digest, PortError>;

    /// Whether the server came back in a new generation and this replica has not been equal with it since. Until
    /// then it sends nothing of its outbox, because further verdicts of the lost server may arrive and change
    /// what its own work builds on.
    fn is_behind(&self) -> Result<bool, PortError>;

    /// Notes that this replica is as equal with the server as it can be. Own work that became void meanwhile is
    /// written again, or told.
    fn catch_up(&mut self, now_ms: i64) -> Result<(), PortError>;

    /// The member records of a stream with digests over settled envelopes.
    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError>;

    /// The settled envelopes of a record, by id; empty when the replica does not have the record.
    fn settled(&self, record: &RecordId) -> Result<Vec<SettledEnvelope>, PortError>;

    /// The ids of the settled envelopes of a record.
    fn record_ids(&self, record: &RecordId) -> Result<Vec<EnvelopeId>, PortError> {
        let settled = self.settled(record)?;
        Ok(settled.into_iter().map(|settled| settled.id).collect())
    }

    /// Returns the ids that the replica does not have, alone or in a pack.
    fn absent(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, PortError>;

    /// Notes envelopes that neither this replica nor the server has. Work that builds on them stays in the
    /// outbox, and the person is told once of their own words among it.
    fn orphaned(&mut self, parents: &BTreeSet<EnvelopeId>, now_ms: i64) -> Result<(), PortError>;

    /// Hands over the envelopes that the server lacks.
    fn give(&self, ask: &GiveAsk) -> Result<Handover, PortError>;

    /// Signed directory entries that a server restored from a backup may have lost: every revocation that
    /// this replica knows, the newest first.
    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError>;

    /// The server has the record, but not in this stream. This has the effect of a `Withdraw` that was
    /// missed.
    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError>;

    /// Records with verdicts that no stream holds and that the server may have lost. They came by a meeting,
    /// or were here when the server was restored or the file rescued.
    fn strays(&self) -> Result<Vec<RecordId>, PortError>;

    /// Notes that the server has all settled envelopes of a stray record.
    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError>;

    /// Returns the sealed parcels that this replica carries for others, the oldest first: as many as fit
    /// into `bytes_max`, at least one, at most [`crate::limits::PARCELS_PER_REQUEST_MAX`].
    fn parcels(&self, bytes_max: usize, now_ms: i64) -> Result<Vec<Vec<u8>>, PortError>;

    /// Forgets the parcels that the server has answered, and those that are too old. Counts both for the
    /// person.
    fn forget_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), PortError>;

    /// Lets the parcels with these hashes rest, because the server does not take them now.
    fn put_off_parcels(&mut self, parcels: &[Hash], now_ms: i64) -> Result<(), PortError>;
}

/// A replica as a meeting with another phone sees it.
pub trait PeerPort: FilePort {
    /// Returns the keys and the certificate of the replica.
    fn identity(&self) -> Result<Identity, PortError>;

    /// Stores a newer list of server keys, if the root key signed it.
    fn adopt_keys(&mut self, list: &ServerKeys) -> Result<(), PortError>;

    /// Whether the device is known to be revoked.
    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError>;

    /// Signed revocations, the newest first.
    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError>;

    /// Stores revocations that verify; others are left out.
    fn apply_revocations(&mut self, entries: &[Vec<u8>], now_ms: i64) -> Result<(), PortError>;

    /// The records that both this replica's member and the peer's may read, with digests over all of their envelopes,
    /// those without verdict included. Must not load records.
    fn shared_items(
        &self,
        peer: &Certificate,
        digests: &MeetingDigests,
    ) -> Result<Vec<StreamItem>, PortError>;

    /// Ids of all envelopes of a record, those without verdict included, sorted; empty where the record is not one of
    /// [`Self::shared_items`] now.
    fn shared_ids(
        &self,
        record: &RecordId,
        peer: &Certificate,
    ) -> Result<Vec<EnvelopeId>, PortError>;

    /// Hands envelopes of shared records over to the peer. The server withholds some certificates from the
    /// peer's streams: the reporter's, of a case that the peer's unit is responsible for. Such a certificate
    /// is left out; the attestation proves the envelope instead. An attestation that tells more than the peer
    /// may know is left out too, with the envelopes that only it proves. The caller asks for no envelopes of
    /// other records.
    fn give_to_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Handover, PortError>;

    /// Imports the envelopes of the peer, in one durable transaction through the same admission as everything
    /// else. An envelope is provisional until it has a verdict, so one without a verdict goes into the outbox
    /// as well. An envelope that must not be believed, or that finds no room
    /// ([`crate::limits::PEER_UNJUDGED_BYTES_MAX`]), is left out, and the rest is imported.
    fn apply_peer(
        &mut self,
        given: &Handover,
        peer: &Certificate,
        now_ms: i64,
    ) -> Result<ApplyCounts, PortError>;

    /// Returns the undelivered work of this phone that the peer may not read, sealed for the server; `None`
    /// without such work, and while the server is to get nothing of it.
    fn parcel_for(&self, peer: &Certificate) -> Result<Option<Parcel>, PortError>;

    /// Keeps a parcel of another phone until it is at the server. It replaces the earlier one of that phone.
    /// Returns whether it was kept; bytes that are no parcel are not.
    fn take_parcel(
        &mut self,
        parcel: &Parcel,
        from: &Certificate,
        now_ms: i64,
    ) -> Result<bool, PortError>;
}
