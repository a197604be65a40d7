//! Test doubles of both ends: a replica and a server in memory, without any meaning of envelopes.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use super::answer::Answer;
use super::port::{
    ApplyCounts, ApplyProgress, GiveAsk, Handover, Identity, OutboxAsk, PeerPort, PortError,
    StarPort, StreamItem,
};
use crate::domain::stream::StreamId;
use crate::fixtures::{Deployment, facts, header};
use crate::id::{EnvelopeId, Hash, MemberId, RecordId, UnitId};
use crate::trust::certificate::{Certificate, ServerKeys};
use crate::trust::session::Welcome;
use crate::trust::sign::SecretKey;
use crate::wire::body::Body;
use crate::wire::cursor::{Cursor, CursorAt};
use crate::wire::digest::Digest;
use crate::wire::envelope::{Envelope, Header, RawEnvelope};
use crate::wire::message::Bundle;
use crate::wire::page::FeedEntry;
use crate::wire::parcel::Parcel;
use crate::wire::repair::SettledEnvelope;
use crate::wire::verdict::{Attestation, Status, Verdict};

mod files;
mod ports;

pub(crate) use files::{FileState, MemoryFiles, SALT};

/// The two streams of the test world; a record is in one of them, or in both.
pub(crate) const STREAMS: [StreamId; 2] = [
    StreamId::Unit(UnitId([1; 16])),
    StreamId::Member(MemberId([2; 16])),
];

pub(crate) fn streams_of(record: &RecordId) -> Vec<StreamId> {
    match record.0[0] % 3 {
        0 => vec![STREAMS[0]],
        1 => vec![STREAMS[1]],
        _ => STREAMS.to_vec(),
    }
}

pub(crate) fn header_of(raw: &RawEnvelope) -> Header {
    minicbor::decode(&raw.header).unwrap()
}

impl Deployment {
    /// A phone of the one member, with a random key.
    pub(crate) fn identity(&self, rng: &mut ChaCha20Rng) -> Identity {
        let key = SecretKey::generate(rng);
        let member = MemberId([2; 16]);
        Identity {
            certificate: Arc::new(self.certify(&facts(&key.public(), member, Vec::new()))),
            key,
            anchors: Arc::clone(&self.anchors),
            secrets: Some(self.secrets.clone()),
        }
    }
}

/// One envelope that a replica holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) raw: RawEnvelope,
    pub(crate) record: RecordId,
    pub(crate) verdict: Option<Verdict>,
}

/// A replica in memory.
#[derive(Clone)]
pub(crate) struct MemoryReplica {
    pub(crate) identity: Identity,
    pub(crate) held: BTreeMap<EnvelopeId, Held>,
    pub(crate) order: Vec<EnvelopeId>,
    pub(crate) cursors: BTreeMap<StreamId, CursorAt>,
    pub(crate) attestations: Vec<Attestation>,
    pub(crate) generation: u32,
    pub(crate) behind: bool,
    pub(crate) revocations: Vec<Vec<u8>>,
    pub(crate) detached: BTreeSet<(StreamId, RecordId)>,
    pub(crate) strays: BTreeSet<RecordId>,
    /// Parcels of other phones.
    pub(crate) parcels: Vec<Parcel>,
    /// Parcels that the server does not take now.
    pub(crate) resting: BTreeSet<Hash>,
    /// Envelopes that neither side has, as the last sync found.
    pub(crate) orphaning: BTreeSet<EnvelopeId>,
    /// The next `apply` fails before it commits.
    pub(crate) broken: bool,
    /// Every answer panics.
    pub(crate) panics: bool,
    pub(crate) writes: u64,
    pub(crate) files: MemoryFiles,
}

impl MemoryReplica {
    pub(crate) fn new(deployment: &Deployment, rng: &mut ChaCha20Rng) -> Self {
        Self {
            identity: deployment.identity(rng),
            held: BTreeMap::new(),
            order: Vec::new(),
            cursors: BTreeMap::new(),
            attestations: Vec::new(),
            generation: 0,
            behind: false,
            revocations: Vec::new(),
            detached: BTreeSet::new(),
            strays: BTreeSet::new(),
            parcels: Vec::new(),
            resting: BTreeSet::new(),
            orphaning: BTreeSet::new(),
            broken: false,
            panics: false,
            writes: 0,
            files: MemoryFiles::default(),
        }
    }

    /// Writes an envelope on a record, on top of what it holds of it.
    pub(crate) fn write(&mut self, record: RecordId, rng: &mut ChaCha20Rng) -> EnvelopeId {
        let mut parents: Vec<EnvelopeId> = self.ids(&record).into_iter().collect();
        let seen: BTreeSet<EnvelopeId> = parents
            .iter()
            .flat_map(|id| header_of(&self.held[id].raw).parents)
            .collect();
        parents.retain(|id| !seen.contains(id));
        parents.truncate(crate::limits::PARENTS_MAX);
        if parents.is_empty() {
            parents.push(EnvelopeId([0; 16]));
        }
        let header = header(&self.identity.certificate, Some(record), &parents, 1_000);
        let mut text = [0; 24];
        rng.fill_bytes(&mut text);
        let body = Body::Unknown(
            9,
            minicbor::to_vec(minicbor::bytes::ByteVec::from(text.to_vec())).unwrap(),
        );
        let authority = self.identity.anchors.authority();
        let sealed = Envelope::seal(header, &body, &self.identity.key, authority).unwrap();
        self.insert(sealed.raw().clone(), None);
        sealed.id()
    }

    pub(crate) fn insert(&mut self, raw: RawEnvelope, verdict: Option<Verdict>) -> bool {
        self.writes += 1;
        let id = raw.hash().envelope_id();
        let record = header_of(&raw).record.unwrap();
        if let Some(held) = self.held.get_mut(&id) {
            let later = |verdict: &Verdict| {
                held.verdict
                    .is_none_or(|known| verdict.is_later_than(&known))
            };
            let news = verdict.as_ref().is_some_and(later);
            if news {
                held.verdict = verdict;
            }
            return news;
        }
        self.order.push(id);
        self.held.insert(
            id,
            Held {
                raw,
                record,
                verdict,
            },
        );
        true
    }

    pub(crate) fn ids(&self, record: &RecordId) -> BTreeSet<EnvelopeId> {
        self.held
            .iter()
            .filter(|(_, held)| held.record == *record)
            .map(|(id, _)| *id)
            .collect()
    }

    fn settled(&self, stream: &StreamId) -> BTreeMap<RecordId, Digest> {
        let mut records = BTreeMap::new();
        for (id, held) in &self.held {
            let settled = held
                .verdict
                .is_some_and(|verdict| verdict.status.is_settled());
            if settled && streams_of(&held.record).contains(stream) {
                let line = held.verdict.map(|verdict| Digest::line(*id, &verdict));
                let sum = records.entry(held.record).or_insert(Digest::EMPTY);
                *sum = sum.plus(line.unwrap_or_default());
            }
        }
        records
    }

    fn bundle(&self, ids: &[EnvelopeId], bytes_max: usize) -> (Bundle, Vec<EnvelopeId>) {
        let mut bundle = Bundle::default();
        let (mut bytes, mut left) = (0, Vec::new());
        for id in ids {
            let raw = &self.held[id].raw;
            if bytes > 0 && bytes + raw.len() > bytes_max {
                left.push(*id);
                continue;
            }
            bytes += raw.len();
            bundle.envelopes.push(raw.clone());
        }
        (bundle, left)
    }

    fn handed(&self, ask: &GiveAsk) -> Handover {
        let wanted = |id: &&EnvelopeId| {
            ask.envelopes.contains(id) || ask.records.contains(&self.held[*id].record)
        };
        let mut without = ask.without.clone();
        let mut ids: Vec<EnvelopeId> = self.order.iter().filter(wanted).copied().collect();
        ids.retain(|id| {
            let parents = header_of(&self.held[id].raw).parents;
            let out = without.contains(id) || parents.iter().any(|id| without.contains(id));
            if out {
                without.insert(*id);
            }
            !out
        });
        let (bundle, left) = self.bundle(&ids, ask.bytes_max);
        let mut given = Handover {
            bundle,
            ..Handover::default()
        };
        given.give_back.attestations = self
            .attestations
            .iter()
            .filter(|a| {
                given
                    .bundle
                    .envelopes
                    .iter()
                    .any(|raw| a.verdict_on(raw.hash().envelope_id()).is_some())
            })
            .cloned()
            .collect();
        given.left.envelopes = left;
        given.absent = ask
            .envelopes
            .iter()
            .filter(|id| !self.held.contains_key(id))
            .copied()
            .collect();
        given
    }
}

pub(crate) fn accepted(at_ms: i64, generation: u32) -> Verdict {
    Verdict {
        status: Status::Accepted,
        at_ms,
        generation,
    }
}

pub(crate) fn record(rng: &mut ChaCha20Rng, count: u32) -> RecordId {
    let number = rng.next_u32() % count;
    RecordId(Hash::of(&[&number.to_le_bytes()]).first16())
}
