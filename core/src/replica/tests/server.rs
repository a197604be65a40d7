//! A small server: it judges by the same admission, and publishes everything in the stream of one village.

use std::collections::BTreeMap;

use super::*;
use crate::crdt::ActorId;
use crate::domain::directory::DirectoryEntry;
use crate::domain::stream::StreamId;
use crate::id::{EnvelopeId, RecordId};
use crate::record::{Admission, Record};
use crate::sync::answer::Answer;
use crate::sync::port::{ApplyCounts, OutboxAsk, StarPort};
use crate::trust::certificate::RawCertificate;
use crate::wire::cursor::CursorAt;
use crate::wire::digest::Digest;
use crate::wire::envelope::{Envelope, RawEnvelope, VerifiedEnvelope};
use crate::wire::message::{Bundle, CursorsAnswer, Known, SyncRequest, SyncResponse};
use crate::wire::pack::PackBatch;
use crate::wire::page::{FeedEntry, Page, Segment};
use crate::wire::receipt::Receipt;
use crate::wire::signed_entry::SignedEntry;
use crate::wire::verdict::{
    Attestation, AttestedEnvelope, HeldReason, RefusedReason, Status, Verdict, VoidReason,
};

pub(super) const VILLAGE_STREAM: StreamId = StreamId::AreaStaff(VILLAGE);

/// One entry of the feed.
#[derive(Clone)]
pub(super) enum Entry {
    Envelope(Box<RawEnvelope>, Verdict),
    Add(RecordId),
    Withdraw(RecordId),
    Verdict(crate::id::Hash, Verdict),
    Directory(Vec<u8>),
}

pub(super) struct Server<'a> {
    pub(super) town: &'a Deployment,
    pub(super) records: BTreeMap<RecordId, Record>,
    pub(super) feed: Vec<Entry>,
    pub(super) time_ms: i64,
    pub(super) generation: u32,
    /// Whether answers bring a page, which sends everything back.
    pub(super) pages: bool,
    /// Whether answers bring the certificates of authors.
    pub(super) names: bool,
    certificates: BTreeMap<crate::id::Hash, Arc<Certificate>>,
    /// The verdicts for the next upload, by envelope, where only a server has the reasons.
    pub(super) verdicts: BTreeMap<EnvelopeId, Status>,
    clones: BTreeMap<(ActorId, u64, RecordId), EnvelopeId>,
}

impl<'a> Server<'a> {
    pub(super) fn new(town: &'a Deployment) -> Self {
        Self {
            town,
            records: BTreeMap::new(),
            feed: Vec::new(),
            time_ms: NOW,
            generation: 1,
            pages: true,
            names: true,
            certificates: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            clones: BTreeMap::new(),
        }
    }

    /// Returns a server with the same contents, to continue from here in another way.
    pub(super) fn again(&self, town: &'a Deployment) -> Self {
        Self {
            town,
            records: self.records.clone(),
            feed: self.feed.clone(),
            time_ms: self.time_ms,
            generation: self.generation,
            pages: self.pages,
            names: self.names,
            certificates: self.certificates.clone(),
            verdicts: self.verdicts.clone(),
            clones: self.clones.clone(),
        }
    }

    /// One exchange: upload of the outbox, receipt, and everything new.
    pub(super) fn sync(&mut self, phone: &mut FilePhone) -> ApplyCounts {
        let answer = self.exchange(phone);
        let now_ms = self.time_ms;
        phone.replica().apply(&answer, now_ms).unwrap()
    }

    /// Until nothing is left to send or read.
    pub(super) fn settle(&mut self, phone: &mut FilePhone) {
        for _ in 0..10 {
            self.sync(phone);
            if phone.replica().undelivered().unwrap() == 0 {
                self.sync(phone);
                assert_eq!(phone.replica().combined_digest().unwrap(), self.digest());
                return;
            }
        }
        panic!("the outbox does not empty");
    }

    pub(super) fn exchange(&mut self, phone: &mut FilePhone) -> Answer {
        let none = std::collections::BTreeSet::new();
        let ask = OutboxAsk {
            bytes_max: 1 << 20,
            envelopes_max: 1_000,
            without: &none,
        };
        let bundle = phone.replica().outbox(&ask).unwrap();
        self.answer(phone, bundle)
    }

    pub(super) fn exchange_without_upload(&mut self, phone: &mut FilePhone) -> Answer {
        self.answer(phone, Bundle::default())
    }

    fn answer(&mut self, phone: &mut FilePhone, bundle: Bundle) -> Answer {
        let position =
            phone
                .replica()
                .cursors()
                .unwrap()
                .into_iter()
                .find_map(|cursor| match cursor.at {
                    CursorAt::At { position, .. } if cursor.stream == VILLAGE_STREAM => {
                        Some(position)
                    }
                    _ => None,
                });
        self.time_ms += 1_000;
        let receipt = self.judge(&bundle);
        let page = self.page(usize::try_from(position.unwrap_or(0)).unwrap());
        let request = SyncRequest {
            version: 1,
            known: Known::All(Vec::new()),
            bundle: Some(bundle),
            give_back: None,
            repair: Vec::new(),
            page_bytes_max: 1 << 20,
            parcels: None,
            measure: None,
        };
        let response = SyncResponse {
            version: 1,
            generation: self.generation,
            time_ms: self.time_ms,
            session_expires_ms: None,
            receipt: Some(receipt),
            missing: Vec::new(),
            cursors: CursorsAnswer::Moved,
            streams: Some(vec![VILLAGE_STREAM]),
            page: self.pages.then_some(page),
            repair: Vec::new(),
            heads: self.digest(),
            more: false,
            closed: None,
            sealed: Vec::new(),
            not_taken: Vec::new(),
            parcels: None,
            measure: None,
        };
        Answer::verify(request, response, &self.town.anchors, 0).unwrap()
    }

    pub(super) fn judge(&mut self, bundle: &Bundle) -> Receipt {
        for raw in &bundle.certificates {
            let verified = Certificate::verify(raw.clone(), &self.town.anchors).unwrap();
            self.certificates
                .insert(verified.hash(), Arc::new(verified));
        }
        let mut lines = Vec::new();
        for raw in &bundle.envelopes {
            let envelope = Envelope::parse(raw.clone()).unwrap();
            let certificate = self.certificates.get(&envelope.header().certificate);
            let hash = envelope.hash();
            let Some(certificate) = certificate else {
                let verdict = Verdict {
                    status: Status::Refused(RefusedReason::BadCertificate),
                    at_ms: self.time_ms,
                    generation: self.generation,
                };
                let at = Vec::new();
                lines.push(AttestedEnvelope { hash, verdict, at });
                continue;
            };
            let verified = envelope
                .verify(certificate, self.town.anchors.authority())
                .unwrap();
            let verdict = self.verdict(verified);
            lines.push(AttestedEnvelope {
                hash,
                verdict,
                at: Vec::new(),
            });
        }
        let authority = self.town.anchors.authority();
        let (generation, time_ms) = (self.generation, self.time_ms);
        Receipt::of(Attestation::sign(
            generation,
            time_ms,
            lines,
            &self.town.server,
            authority,
        ))
    }

    fn verdict(&mut self, verified: VerifiedEnvelope) -> Verdict {
        let (generation, at_ms) = (self.generation, self.time_ms);
        let envelope = verified.envelope();
        let (id, raw) = (envelope.id(), envelope.raw().clone());
        let record_id = envelope.record();
        let clone = self.is_clone(&verified);
        let record = self
            .records
            .entry(record_id)
            .or_insert_with(|| Record::new(record_id));
        if let Some(known) = record.node(id).and_then(|node| node.verdict) {
            return known;
        }
        let outcome = record.admit(&[verified]).remove(0).outcome;
        let judged = match outcome {
            Admission::Valid => Status::Accepted,
            Admission::Void(reason) => Status::Void(reason),
            Admission::Held(reason) => Status::Held(reason),
            other => panic!("{other:?}"),
        };
        let judged = if clone {
            Status::Void(VoidReason::Clone)
        } else {
            judged
        };
        let status = self.verdicts.remove(&id).unwrap_or(judged);
        let verdict = Verdict {
            status,
            at_ms,
            generation,
        };
        record.set_verdict(id, verdict);
        if status.is_settled() {
            self.feed.push(Entry::Envelope(Box::new(raw), verdict));
        }
        verdict
    }

    fn is_clone(&mut self, verified: &VerifiedEnvelope) -> bool {
        let crate::wire::body::Body::Change(change) = verified.envelope().body() else {
            return false;
        };
        let info = crate::crdt::inspect(&change.change).unwrap();
        if !info
            .actor
            .device()
            .matches(&verified.envelope().header().author)
        {
            return false;
        }
        let key = (info.actor, info.seq, verified.envelope().record());
        *self.clones.entry(key).or_insert(verified.envelope().id()) != verified.envelope().id()
    }

    fn named(&self) -> Vec<RawCertificate> {
        let all = self.certificates.values().filter(|_| self.names);
        all.map(|known| known.raw().clone()).collect()
    }

    fn page(&self, from: usize) -> Page {
        let mut page = Page {
            certificates: self.named(),
            ..Page::default()
        };
        let mut entries = Vec::new();
        for entry in &self.feed[from..] {
            entries.push(match entry {
                Entry::Envelope(raw, verdict) => {
                    page.envelopes.push((raw.as_ref().clone(), *verdict));
                    FeedEntry::Envelope(u32::try_from(page.envelopes.len() - 1).unwrap())
                }
                Entry::Directory(signed) => FeedEntry::Directory(signed.clone()),
                Entry::Add(record) => FeedEntry::Add { record: *record },
                Entry::Withdraw(record) => FeedEntry::Withdraw { record: *record },
                Entry::Verdict(hash, verdict) => FeedEntry::Verdict {
                    hash: *hash,
                    verdict: *verdict,
                },
            });
        }
        page.segments = vec![Segment {
            stream: VILLAGE_STREAM,
            first: from as u64 + 1,
            entries,
            next: self.end(),
        }];
        let authority = self.town.anchors.authority();
        page.sign(self.generation, self.time_ms, &self.town.server, authority)
            .unwrap();
        page
    }

    fn end(&self) -> CursorAt {
        CursorAt::At {
            generation: self.generation,
            position: self.feed.len() as u64,
            digest: self.digest(),
        }
    }

    /// A fresh phone gets everything as packs.
    pub(super) fn load(&mut self, phone: &mut FilePhone) -> ApplyCounts {
        let answer = self.load_answer();
        phone.replica().apply(&answer, self.time_ms).unwrap()
    }

    pub(super) fn load_answer(&self) -> Answer {
        let packs: Vec<Vec<u8>> = self
            .members()
            .map(|record| record.to_pack().unwrap().to_bytes().unwrap())
            .collect();
        let count = u32::try_from(packs.len()).unwrap();
        let authority = self.town.anchors.authority();
        let (generation, time_ms) = (self.generation, self.time_ms);
        let batch = PackBatch::sign(packs, generation, time_ms, &self.town.server, authority);
        let page = Page {
            certificates: self.named(),
            packs: vec![batch],
            segments: vec![Segment {
                stream: VILLAGE_STREAM,
                first: 0,
                entries: vec![FeedEntry::Packs { first: 0, count }],
                next: self.end(),
            }],
            ..Page::default()
        };
        let request = SyncRequest {
            version: 1,
            known: Known::All(Vec::new()),
            bundle: None,
            give_back: None,
            repair: Vec::new(),
            page_bytes_max: 1 << 20,
            parcels: None,
            measure: None,
        };
        let response = SyncResponse {
            version: 1,
            generation,
            time_ms,
            session_expires_ms: None,
            receipt: None,
            missing: Vec::new(),
            cursors: CursorsAnswer::Moved,
            streams: Some(vec![VILLAGE_STREAM]),
            page: Some(page),
            repair: Vec::new(),
            heads: self.digest(),
            more: false,
            closed: None,
            sealed: Vec::new(),
            not_taken: Vec::new(),
            parcels: None,
            measure: None,
        };
        Answer::verify(request, response, &self.town.anchors, 0).unwrap()
    }

    /// The records that the stream holds.
    fn members(&self) -> impl Iterator<Item = &Record> {
        let mut members = std::collections::BTreeSet::new();
        for entry in &self.feed {
            match entry {
                Entry::Envelope(raw, _) => {
                    members.insert(Envelope::parse(raw.as_ref().clone()).unwrap().record());
                }
                Entry::Add(record) => {
                    members.insert(*record);
                }
                Entry::Withdraw(record) => {
                    members.remove(record);
                }
                Entry::Verdict(..) | Entry::Directory(_) => {}
            }
        }
        members.into_iter().map(|id| &self.records[&id])
    }

    pub(super) fn digest(&self) -> Digest {
        self.members().map(Record::digest).sum()
    }

    /// Publishes an entry of the directory.
    pub(super) fn publish(&mut self, entry: &DirectoryEntry) {
        let authority = self.town.anchors.authority();
        let signed = SignedEntry::sign(entry, &self.town.server, authority);
        self.feed.push(Entry::Directory(signed.to_bytes()));
    }

    /// A reviewer changes a verdict.
    pub(super) fn change_verdict(&mut self, record: RecordId, id: EnvelopeId, status: Status) {
        self.time_ms += 1_000;
        let verdict = Verdict {
            status,
            at_ms: self.time_ms,
            generation: self.generation,
        };
        let record = self.records.get_mut(&record).unwrap();
        record.set_verdict(id, verdict);
        let hash = record.node(id).unwrap().hash.unwrap();
        self.feed.push(Entry::Verdict(hash, verdict));
    }
}

/// The reasons that only a server has.
pub(super) const REVOKED: Status = Status::Held(HeldReason::Revoked);
