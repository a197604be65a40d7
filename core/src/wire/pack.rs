//! Packs: the compacted past of a record, signed by the server once for many records.
//!
//! A pack replaces the single envelopes and their signatures. It holds header facts, the saved
//! content document, the id of every settled envelope, and every event. It holds no salts and no
//! signatures. The reader recomputes its digest from the ids. `pack_codec` defines its
//! bytes.

use std::collections::HashMap;

use minicbor::{Decode, Encode};

use super::columns::ColumnError;
use super::digest::Digest;
use super::verdict::Verdict;
use crate::cbor::list::list;
use crate::domain::case::{GenesisFacts, OnBehalfOf};
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::PACKS_MAX;
use crate::trust::certificate::{Anchors, ServerPurpose, Stamp};
use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

coded_error! {
    /// Why bytes are no pack, or a pack is not the server's.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum PackError {
        /// The bytes are damaged, over a limit, or written by a newer server.
        #[error("wire.bad_pack")]
        Malformed,
        /// The signed list does not name this pack.
        #[error("wire.pack_not_listed")]
        NotListed,
        /// The signature is not the server's.
        #[error(transparent)]
        Signature(#[from] SignatureError),
    }
}

impl From<ColumnError> for PackError {
    fn from(_: ColumnError) -> Self {
        Self::Malformed
    }
}

/// The compacted past of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// The facts of the Genesis without its nonce and its content.
    pub genesis: GenesisFacts,
    /// The saved Automerge document (uncompressed); empty where no content is accepted.
    pub document: Vec<u8>,
    /// Every settled envelope, the Genesis first, parents before children.
    pub entries: Vec<PackEntry>,
}

/// One settled envelope of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEntry {
    /// Its id.
    pub id: EnvelopeId,
    /// Its parents: indices of earlier entries, ascending. Empty for the Genesis alone.
    pub parents: Vec<u32>,
    /// The device that wrote it.
    pub author: DeviceId,
    /// Hash of the certificate that it acts under.
    pub certificate: Hash,
    /// The grant of that certificate.
    pub grant: u8,
    /// The device's clock, milliseconds UTC.
    pub clock_ms: i64,
    /// The server's verdict: accepted or void.
    pub verdict: Verdict,
    /// The kind of the envelope, with its facts.
    pub content: PackContent,
}

/// The kind of a packed envelope, with its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackContent {
    /// The Genesis; its change is in the document.
    Genesis {
        /// Index of its actor among the document's actors.
        actor: u32,
    },
    /// A change of the content that is in the document.
    Change {
        /// Index of its actor in the document's list of actors, in saved order.
        actor: u32,
        /// Its sequence number, from 1.
        seq: u64,
        /// The void envelope that it writes again.
        replaces: Option<EnvelopeId>,
    },
    /// An event.
    Event(PackEvent),
    /// An envelope without effect: void, or of a kind that the server does not judge.
    Stub {
        /// The kind of its body.
        body_kind: u8,
        /// The Automerge hash of a change, so that readers recognise later changes that build on it
        /// as built on a void change.
        change: Option<Hash>,
    },
}

/// An event, without its salt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackEvent {
    /// Which event.
    pub code: u16,
    /// Version of the fold that its author ran.
    pub fold_version: u8,
    /// The event's own data, CBOR.
    pub data: Vec<u8>,
    /// The person on whose behalf the author acts.
    pub on_behalf_of: Option<OnBehalfOf>,
    /// The void envelope that it says again.
    pub replaces: Option<EnvelopeId>,
}

impl PackEntry {
    /// Whether the pack holds the content of the envelope.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !matches!(self.content, PackContent::Stub { .. })
    }
}

impl Pack {
    /// The record, as the id of the Genesis makes it.
    #[must_use]
    pub fn record(&self) -> Option<RecordId> {
        let mut hash = Hash([0; 32]);
        hash.0[..16].copy_from_slice(&self.entries.first()?.id.0);
        Some(RecordId::v8(&hash))
    }

    /// Sum of its lines: ids with verdicts.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let lines = self.entries.iter().map(|entry| (entry.id, entry.verdict));
        lines.collect()
    }

    /// Whether it lists everything that another pack of the same record lists, with verdicts of no lower
    /// rank, and is whole wherever the other is whole. Only then can it take the other's place.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let here: HashMap<EnvelopeId, &PackEntry> =
            self.entries.iter().map(|entry| (entry.id, entry)).collect();
        other.entries.iter().all(|theirs| {
            here.get(&theirs.id).is_some_and(|ours| {
                !theirs.verdict.is_later_than(&ours.verdict)
                    && (ours.is_whole() || !theirs.is_whole())
            })
        })
    }
}

/// The server's signature over the hashes of packs, so that each pack can be proven alone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PackProof {
    /// The server key that signed.
    #[n(0)]
    pub signer: DeviceId,
    /// The server's generation.
    #[n(1)]
    pub generation: u32,
    /// Server time, milliseconds UTC.
    #[n(2)]
    pub time_ms: i64,
    /// SHA-256 of the packs' bytes.
    #[cbor(n(3), decode_with = "list::<PACKS_MAX, _, _>")]
    pub hashes: Vec<Hash>,
    /// Signature over the four fields before, as CBOR array.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl PackProof {
    /// The server signs packs.
    #[must_use]
    pub fn sign(
        generation: u32,
        time_ms: i64,
        packs: &[Vec<u8>],
        key: &SecretKey,
        authority: &Authority,
    ) -> Self {
        let hashes = packs.iter().map(|pack| Hash::of(&[pack])).collect();
        let signer = key.public().device();
        let mut proof = Self {
            signer,
            generation,
            time_ms,
            hashes,
            signature: [0; 64],
        };
        proof.signature = key.sign(Purpose::Pack, authority, &[&proof.signed_bytes()]);
        proof
    }

    /// Checks the server's signature over the list, and that the key vouches for this time and generation.
    pub fn verify(&self, anchors: &Anchors) -> Result<(), PackError> {
        let stamp = Stamp {
            time_ms: self.time_ms,
            generation: self.generation,
        };
        let key = anchors.signer(ServerPurpose::Packs, self.signer, stamp)?;
        key.verify(
            Purpose::Pack,
            anchors.authority(),
            &[&self.signed_bytes()],
            &self.signature,
        )?;
        Ok(())
    }

    /// Whether every verdict in the pack has at most the generation of the proof. A higher one
    /// would evade the bound of the key.
    #[must_use]
    pub fn bounds(&self, pack: &Pack) -> bool {
        let mut entries = pack.entries.iter();
        entries.all(|entry| entry.verdict.generation <= self.generation)
    }

    /// Whether the list names these bytes of a pack.
    #[must_use]
    pub fn covers(&self, pack: &[u8]) -> bool {
        self.hashes.contains(&Hash::of(&[pack]))
    }

    fn signed_bytes(&self) -> Vec<u8> {
        minicbor::to_vec((self.signer, self.generation, self.time_ms, &self.hashes))
            .expect("writing CBOR to memory does not fail")
    }
}

/// Packs under one signature, or some of them. Encoded by columns over all packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackBatch {
    /// The signature and the hashes that it covers; these are more than `packs` when only some are
    /// passed on.
    pub proof: PackProof,
    /// The bytes of the packs: see [`Pack::from_bytes`].
    pub packs: Vec<Vec<u8>>,
}

impl PackBatch {
    /// The server signs packs.
    #[must_use]
    pub fn sign(
        packs: Vec<Vec<u8>>,
        generation: u32,
        time_ms: i64,
        key: &SecretKey,
        authority: &Authority,
    ) -> Self {
        let proof = PackProof::sign(generation, time_ms, &packs, key, authority);
        Self { proof, packs }
    }

    /// Checks the signature, and that it covers every pack of the batch.
    pub fn verify(&self, anchors: &Anchors) -> Result<(), PackError> {
        let listed: std::collections::HashSet<&Hash> = self.proof.hashes.iter().collect();
        if !self
            .packs
            .iter()
            .all(|pack| listed.contains(&Hash::of(&[pack])))
        {
            return Err(PackError::NotListed);
        }
        self.proof.verify(anchors)
    }
}
