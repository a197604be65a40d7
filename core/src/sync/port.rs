//! What the sync machines need of a replica.
//!
//! Every method that writes is one durable transaction: when it returns `Ok`, its effect survives a power
//! cut; when it returns an error, nothing has changed. The machines call nothing in parallel.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::answer::Answer;
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, RecordId};
use crate::trust::certificate::{Anchors, Certificate};
use crate::trust::session::SessionGrant;
use crate::trust::sign::SecretKey;
use crate::wire::cursor::Cursor;
use crate::wire::digest::Digest;
use crate::wire::message::{Bundle, GiveBack};
use crate::wire::repair::Settled;

/// The replica could not do what was asked of it. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct PortError {
    /// The replica's stable code.
    pub code: &'static str,
}

/// Who this replica is and whom it trusts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The device's key.
    pub key: SecretKey,
    /// Its newest certificate.
    pub certificate: Arc<Certificate>,
    /// The root key and the server keys.
    pub anchors: Arc<Anchors>,
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
    /// Bytes of the envelopes, not compressed. At least one envelope is given however large it is, as long
    /// as it has no parent that must come along.
    pub bytes_max: usize,
    /// Number of envelopes.
    pub envelopes_max: usize,
    /// Leave out what is, or builds on, one of these: the server said that it lacks them and this replica
    /// could not give them.
    pub without: &'a BTreeSet<EnvelopeId>,
}

/// What is to be handed over: whole records, or single envelopes with all of their ancestors that the other
/// side may lack.
#[derive(Debug, Clone, Default)]
pub struct GiveAsk {
    /// Records of which the other side has nothing.
    pub records: Vec<RecordId>,
    /// Envelopes that it lacks.
    pub envelopes: Vec<EnvelopeId>,
    /// Bytes in all, not compressed.
    pub bytes_max: usize,
}

/// What a replica hands over.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Verdicts that the server signed about what is handed over, and signed packs of what the replica has no
    /// single envelopes of.
    pub give_back: GiveBack,
    /// Envelopes, parents before children, with the certificates that they need.
    pub bundle: Bundle,
    /// What did not fit: to be asked for next.
    pub left: GiveAsk,
    /// What this replica has not got either.
    pub absent: Vec<EnvelopeId>,
}

impl GiveAsk {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.envelopes.is_empty()
    }
}

impl Given {
    /// Whether nothing is handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bundle.is_empty()
            && self.give_back.attestations.is_empty()
            && self.give_back.packs.is_empty()
    }
}

/// What an answer has changed, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Own envelopes that now have a verdict of any kind.
    pub settled: u32,
    /// Envelopes, packs and entries that are new to this replica.
    pub pulled: u32,
}

/// A replica as the star session sees it.
pub trait StarPort {
    /// Who it is.
    fn identity(&self) -> Result<Identity, PortError>;

    /// A session was opened. Stores server keys that are new (they verify under the root, or they are left
    /// out) and a newer certificate of this device where the grant holds one that verifies.
    fn welcomed(&mut self, grant: &SessionGrant) -> Result<(), PortError>;

    /// How far it has read every stream that it may read. Empty before the first sync.
    fn cursors(&self) -> Result<Vec<Cursor>, PortError>;

    /// A number that grows with every write, for as long as this replica is open.
    fn writes(&self) -> u64;

    /// The highest generation of the server that it has applied an answer of; 0 before the first.
    fn generation(&self) -> Result<u32, PortError>;

    /// The next part of what it wrote, or carries for others, and has no verdict for. Closed: a parent that
    /// has no verdict stands before its child. In the order in which it was written, so that one call after
    /// `apply` gives the next part.
    fn outbox(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, PortError>;

    /// One durable transaction: the receipt (outbox entries leave the outbox, attestation kept), the page
    /// (records, packs, verdicts, directory, bulletins, through the same admission as everything else) and
    /// the cursors of its segments and of `streams`.
    ///
    /// An answer of a higher generation also puts every envelope that was held or refused back into the
    /// outbox: no digest speaks for those.
    fn apply(&mut self, answer: &Answer, now_ms: i64) -> Result<Applied, PortError>;

    /// Sum of the digests of all streams, over settled envelopes: compared with the server's.
    fn combined_digest(&self) -> Result<Digest, PortError>;

    /// The member records of a stream with digests over settled envelopes.
    fn stream_items(&self, stream: &StreamId) -> Result<Vec<StreamItem>, PortError>;

    /// The settled envelopes of a record, by id; empty when it has not got the record.
    fn settled(&self, record: &RecordId) -> Result<Vec<Settled>, PortError>;

    /// Their ids.
    fn record_ids(&self, record: &RecordId) -> Result<Vec<EnvelopeId>, PortError> {
        let settled = self.settled(record)?;
        Ok(settled.into_iter().map(|settled| settled.id).collect())
    }

    /// Hands over what the server lacks.
    fn give(&self, ask: &GiveAsk) -> Result<Given, PortError>;

    /// Signed directory entries that a server restored from a backup may have lost: every revocation that
    /// this replica knows, the newest first.
    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError>;

    /// The server has the record, and not in this stream: the same as a `Withdraw` that was missed.
    fn detach(
        &mut self,
        stream: &StreamId,
        record: &RecordId,
        now_ms: i64,
    ) -> Result<(), PortError>;

    /// Records with verdicts that no stream holds, and of which it is not known whether the server still has them:
    /// they came by a meeting, or were here when the server was restored or the file rescued.
    fn strays(&self) -> Result<Vec<RecordId>, PortError>;

    /// The server has all that is settled of a stray record.
    fn settle_stray(&mut self, record: &RecordId, now_ms: i64) -> Result<(), PortError>;
}

/// A replica as a meeting with another phone sees it.
pub trait PeerPort {
    /// Who it is.
    fn identity(&self) -> Result<Identity, PortError>;

    /// Whether the device is known to be revoked.
    fn is_revoked(&self, peer: &Certificate) -> Result<bool, PortError>;

    /// Signed revocations, the newest first.
    fn revocations(&self) -> Result<Vec<Vec<u8>>, PortError>;

    /// Takes over revocations that verify; others are left out.
    fn apply_revocations(&mut self, entries: &[Vec<u8>], now_ms: i64) -> Result<(), PortError>;

    /// The records in the streams that both this replica's certificate and the peer's may read, with digests
    /// over all of their envelopes, those without verdict included.
    fn shared_items(&self, peer: &Certificate) -> Result<Vec<StreamItem>, PortError>;

    /// Ids of all envelopes of a record, those without verdict included.
    fn all_record_ids(&self, record: &RecordId) -> Result<Vec<EnvelopeId>, PortError>;

    /// Hands over to the peer. Asked only for envelopes of shared records. A certificate that the server
    /// withholds from the peer's streams (the reporter's, of a case that the peer's unit is responsible for)
    /// stays out; the attestation vouches instead.
    fn give_to_peer(&self, ask: &GiveAsk, peer: &Certificate) -> Result<Given, PortError>;

    /// Takes over from the peer: one durable transaction through the same admission as everything else.
    /// Provisional until a verdict; what has none goes into the outbox as well. What is not to be believed is
    /// left out, and the rest is taken.
    fn apply_peer(
        &mut self,
        given: &Given,
        peer: &Certificate,
        now_ms: i64,
    ) -> Result<Applied, PortError>;
}
