//! Writes a batch without the values that the reader can derive.

use std::collections::HashMap;

use super::super::columns::Columns;
use super::super::envelope::{FORMAT_VERSION, Header, RawEnvelope, SUITE_ED25519_SHA256};
use super::layout::{
    AUTHORS, Actor, CERTIFICATES, CHAIN, CLOCKS, COLUMNS, COUNTS, FLAGS, GENESIS, IDS, KIND_SHIFT,
    LENGTHS, LISTED, MARKS, MISC, NEW, ODD_VERSION, OTHERS, PARENTS, RAW, RECORDS, SAME, SAME_MARK,
    SIGNATURES, Trail, VERSION, body_column, named, write_actor,
};
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::PARENTS_MAX;
use crate::trust::certificate::RawCertificate;

pub(super) struct Writer {
    pub(super) out: Columns<COLUMNS>,
    certificates: usize,
    named: HashMap<Hash, (usize, Option<DeviceId>)>,
    trail: Trail,
    at: HashMap<EnvelopeId, usize>,
    records: HashMap<RecordId, u64>,
    actors: HashMap<Actor, u64>,
    actor: Option<Actor>,
}

impl Writer {
    pub(super) fn new(certificates: &[RawCertificate]) -> Self {
        let mut out = Columns::new();
        let mut by_hash = HashMap::new();
        for ((index, raw), (hash, device)) in
            certificates.iter().enumerate().zip(named(certificates))
        {
            by_hash.entry(hash).or_insert((index, device));
            out.len(LENGTHS, raw.facts.len());
            out.raw(CERTIFICATES, &raw.facts);
            out.raw(SIGNATURES, &raw.signature);
        }
        Self {
            out,
            certificates: certificates.len(),
            named: by_hash,
            trail: Trail::default(),
            at: HashMap::new(),
            records: HashMap::new(),
            actors: HashMap::new(),
            actor: None,
        }
    }

    pub(super) fn finish<'a>(
        mut self,
        envelopes: impl ExactSizeIterator<Item = &'a RawEnvelope>,
    ) -> Vec<u8> {
        self.out.len(COUNTS, self.certificates);
        self.out.len(COUNTS, envelopes.len());
        envelopes.for_each(|envelope| self.envelope(envelope));
        let mut bytes = vec![VERSION];
        self.out.finish(&mut bytes);
        bytes
    }

    pub(super) fn envelope(&mut self, raw: &RawEnvelope) {
        let hash = raw.hash();
        let id = hash.envelope_id();
        self.out.raw(SIGNATURES, &raw.signature);
        self.out.len(LENGTHS, raw.body.len());
        let index = self.trail.ids.len();
        if let Some(header) = transcodable(&raw.header) {
            self.out.raw(body_column(header.body_kind), &raw.body);
            self.header(&header);
            let record = header.record.unwrap_or_else(|| {
                let record = RecordId::v8(&hash);
                let next = self.records.len() as u64;
                self.records.entry(record).or_insert(next);
                record
            });
            self.trail.note(&header, id, record);
        } else {
            self.out.byte(FLAGS, RAW);
            self.out.len(LENGTHS, raw.header.len());
            self.out.raw(OTHERS, &raw.header);
            self.out.raw(OTHERS, &raw.body);
            self.trail.ids.push(id);
        }
        self.at.insert(id, index);
    }

    fn header(&mut self, header: &Header) {
        let mut flags = 0;
        if header.version != FORMAT_VERSION || header.suite != SUITE_ED25519_SHA256 {
            flags |= ODD_VERSION;
            self.out.raw(MISC, &[header.version, header.suite]);
        }
        match header.body_kind {
            kind @ 1..=3 => flags |= kind << KIND_SHIFT,
            kind => self.out.byte(MISC, kind),
        }
        match header.record {
            None => flags |= GENESIS,
            Some(record) => self.record(record),
        }
        self.actor((header.author, header.certificate, header.grant));
        if self.trail.chain(header.record).as_ref() == Some(&header.parents) {
            flags |= CHAIN;
        } else {
            self.parents(&header.parents);
        }
        self.out.delta(CLOCKS, header.clock_ms, self.trail.clock_ms);
        let (mark, last) = (header.directory_seen, self.trail.mark);
        if mark == last {
            flags |= SAME_MARK;
        } else {
            self.out.uint(MARKS, u64::from(mark.generation));
            self.out.delta(
                MARKS,
                mark.position.cast_signed(),
                last.position.cast_signed(),
            );
        }
        self.out.byte(FLAGS, flags);
    }

    fn record(&mut self, record: RecordId) {
        if self.trail.record == Some(record) {
            return self.out.uint(RECORDS, SAME);
        }
        if let Some(index) = self.records.get(&record) {
            return self.out.uint(RECORDS, LISTED + index);
        }
        self.out.uint(RECORDS, NEW);
        self.out.raw(IDS, &record.0);
        self.records.insert(record, self.records.len() as u64);
    }

    fn actor(&mut self, actor: Actor) {
        if self.actor == Some(actor) {
            return self.out.uint(AUTHORS, SAME);
        }
        self.actor = Some(actor);
        if let Some(index) = self.actors.get(&actor) {
            return self.out.uint(AUTHORS, LISTED + index);
        }
        self.out.uint(AUTHORS, NEW);
        write_actor(&mut self.out, (AUTHORS, IDS), &self.named, &actor);
        self.actors.insert(actor, self.actors.len() as u64);
    }

    fn parents(&mut self, parents: &[EnvelopeId]) {
        self.out.len(PARENTS, parents.len());
        for parent in parents {
            if let Some(at) = self.at.get(parent) {
                self.out.len(PARENTS, self.trail.ids.len() - at);
            } else {
                self.out.uint(PARENTS, 0);
                self.out.raw(IDS, &parent.0);
            }
        }
    }
}

/// The header, if taking it apart loses nothing.
fn transcodable(bytes: &[u8]) -> Option<Header> {
    let header: Header = minicbor::decode(bytes).ok()?;
    let same = minicbor::to_vec(&header).is_ok_and(|again| again == bytes);
    (same && header.parents.len() <= PARENTS_MAX).then_some(header)
}
