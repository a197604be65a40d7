//! Batches of envelopes and certificates, interned: what repeats is sent once.
//!
//! A batch is a version byte and columns (docs/protocol.md, “Batches”). Headers are taken apart into columns;
//! a header that would not come back byte for byte travels as it is. So for every input, well formed or not,
//! `decode(encode(x)) == x`, bit for bit: hashes and signatures never notice.

use std::collections::{HashMap, HashSet};

use super::body;
use super::columns::{Column, ColumnError, Columns};
use super::envelope::{DirectoryMark, FORMAT_VERSION, Header, RawEnvelope, SUITE_ED25519_SHA256};
use super::status_code::{status_code, status_of};
use super::verdict::Verdict;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::{BATCH_CERTIFICATES_MAX, BATCH_ENVELOPES_MAX, PARENTS_MAX};
use crate::trust::certificate::RawCertificate;

const VERSION: u8 = 1;

// Columns, in the order in which they travel.
const COUNTS: usize = 0;
const CERTIFICATES: usize = 1;
const FLAGS: usize = 2;
const MISC: usize = 3;
const RECORDS: usize = 4;
const AUTHORS: usize = 5;
const PARENTS: usize = 6;
const CLOCKS: usize = 7;
const MARKS: usize = 8;
const LENGTHS: usize = 9;
const IDS: usize = 10;
const SIGNATURES: usize = 11;
const GENESES: usize = 12;
const CHANGES: usize = 13;
const EVENTS: usize = 14;
const OTHERS: usize = 15;
const VERDICTS: usize = 16;
const COLUMNS: usize = 17;

const RAW: u8 = 1;
const GENESIS: u8 = 1 << 1;
const CHAIN: u8 = 1 << 2;
const SAME_MARK: u8 = 1 << 3;
const KIND_SHIFT: u8 = 4;
const KIND_MASK: u8 = 3 << KIND_SHIFT;
const ODD_VERSION: u8 = 1 << 6;

const SAME: u64 = 0;
const NEW: u64 = 1;
const LISTED: u64 = 2;

/// Who acts: device, certificate, grant.
pub(super) type Actor = (DeviceId, Hash, u8);

type Batch = (Vec<RawCertificate>, Vec<RawEnvelope>);
type JudgedBatch = (Vec<RawCertificate>, Vec<(RawEnvelope, Verdict)>);

/// Writes envelopes, in order.
#[must_use]
pub fn encode(certificates: &[RawCertificate], envelopes: &[RawEnvelope]) -> Vec<u8> {
    Writer::new(certificates).finish(envelopes.iter())
}

/// Reads what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Batch, ColumnError> {
    let (certificates, envelopes, verdicts) = read(bytes)?;
    verdicts.end()?;
    Ok((certificates, envelopes))
}

/// Writes envelopes with their verdicts, in order.
#[must_use]
pub fn encode_judged(
    certificates: &[RawCertificate],
    envelopes: &[(RawEnvelope, Verdict)],
) -> Vec<u8> {
    let mut writer = Writer::new(certificates);
    let mut last = (0, 0);
    for (_, verdict) in envelopes {
        writer.out.uint(VERDICTS, status_code(verdict.status));
        writer.out.delta(VERDICTS, verdict.at_ms, last.0);
        writer
            .out
            .delta(VERDICTS, i64::from(verdict.generation), last.1);
        last = (verdict.at_ms, i64::from(verdict.generation));
    }
    writer.finish(envelopes.iter().map(|(envelope, _)| envelope))
}

/// Reads what [`encode_judged`] wrote.
pub fn decode_judged(bytes: &[u8]) -> Result<JudgedBatch, ColumnError> {
    let (certificates, envelopes, mut column) = read(bytes)?;
    let mut last = (0, 0);
    let mut judged = Vec::new();
    for envelope in envelopes {
        let status = status_of(column.uint()?).ok_or(ColumnError)?;
        last = (column.delta(last.0)?, column.delta(last.1)?);
        let generation = u32::try_from(last.1).map_err(|_| ColumnError)?;
        judged.push((
            envelope,
            Verdict {
                status,
                at_ms: last.0,
                generation,
            },
        ));
    }
    column.end()?;
    Ok((certificates, judged))
}

/// The device that a certificate is of, read without believing the certificate.
pub(super) fn certificate_device(certificate: &RawCertificate) -> Option<DeviceId> {
    let mut d = minicbor::Decoder::new(&certificate.facts);
    d.array().ok()?;
    d.u8().ok()?;
    DeviceId::from_slice(d.bytes().ok()?)
}

/// Hashes and devices of the certificates of a batch.
pub(super) fn named(certificates: &[RawCertificate]) -> Vec<(Hash, Option<DeviceId>)> {
    let named = |raw: &RawCertificate| (Hash::of(&[&raw.facts]), certificate_device(raw));
    certificates.iter().map(named).collect()
}

/// Writes an actor: by a certificate of the batch where one says it, else in full.
pub(super) fn write_actor<const N: usize>(
    out: &mut Columns<N>,
    columns: (usize, usize),
    named: &HashMap<Hash, (usize, Option<DeviceId>)>,
    (device, certificate, grant): &Actor,
) {
    match named.get(certificate) {
        Some((index, Some(named))) if named == device => out.len(columns.0, index + 1),
        _ => {
            out.uint(columns.0, 0);
            out.raw(columns.1, &device.0);
            out.raw(columns.1, &certificate.0);
        }
    }
    out.byte(columns.0, *grant);
}

/// Reads what [`write_actor`] wrote.
pub(super) fn read_actor(
    numbers: &mut Column<'_>,
    ids: &mut Column<'_>,
    named: &[(Hash, Option<DeviceId>)],
) -> Result<Actor, ColumnError> {
    let (device, certificate) = match numbers.len()? {
        0 => (DeviceId(ids.array()?), Hash(ids.array()?)),
        index => match named.get(index - 1) {
            Some((hash, Some(device))) => (*device, *hash),
            _ => return Err(ColumnError),
        },
    };
    Ok((device, certificate, numbers.byte()?))
}

/// What writer and reader both remember while they go through a batch.
#[derive(Default)]
struct Past {
    ids: Vec<EnvelopeId>,
    record: Option<RecordId>,
    /// The last envelope of each record.
    heads: HashMap<RecordId, usize>,
    clock_ms: i64,
    mark: DirectoryMark,
}

impl Past {
    fn note(&mut self, header: &Header, id: EnvelopeId, record: RecordId) {
        self.heads.insert(record, self.ids.len());
        self.ids.push(id);
        self.record = Some(record);
        self.clock_ms = header.clock_ms;
        self.mark = header.directory_seen;
    }

    /// The parents that the flag [`CHAIN`] stands for.
    fn chain(&self, record: Option<RecordId>) -> Option<Vec<EnvelopeId>> {
        match record {
            None => Some(Vec::new()),
            Some(record) => self.heads.get(&record).map(|head| vec![self.ids[*head]]),
        }
    }
}

struct Writer {
    out: Columns<COLUMNS>,
    certificates: usize,
    named: HashMap<Hash, (usize, Option<DeviceId>)>,
    past: Past,
    at: HashMap<EnvelopeId, usize>,
    records: HashMap<RecordId, u64>,
    actors: HashMap<Actor, u64>,
    actor: Option<Actor>,
}

impl Writer {
    fn new(certificates: &[RawCertificate]) -> Self {
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
            past: Past::default(),
            at: HashMap::new(),
            records: HashMap::new(),
            actors: HashMap::new(),
            actor: None,
        }
    }

    fn finish<'a>(mut self, envelopes: impl ExactSizeIterator<Item = &'a RawEnvelope>) -> Vec<u8> {
        self.out.len(COUNTS, self.certificates);
        self.out.len(COUNTS, envelopes.len());
        envelopes.for_each(|envelope| self.envelope(envelope));
        let mut bytes = vec![VERSION];
        self.out.finish(&mut bytes);
        bytes
    }

    fn envelope(&mut self, raw: &RawEnvelope) {
        let hash = raw.hash();
        let id = hash.envelope_id();
        self.out.raw(SIGNATURES, &raw.signature);
        self.out.len(LENGTHS, raw.body.len());
        let index = self.past.ids.len();
        if let Some(header) = transcodable(&raw.header) {
            self.out.raw(body_column(header.body_kind), &raw.body);
            self.header(&header);
            let record = header.record.unwrap_or_else(|| {
                let record = RecordId::v8(&hash);
                let next = self.records.len() as u64;
                self.records.entry(record).or_insert(next);
                record
            });
            self.past.note(&header, id, record);
        } else {
            self.out.byte(FLAGS, RAW);
            self.out.len(LENGTHS, raw.header.len());
            self.out.raw(OTHERS, &raw.header);
            self.out.raw(OTHERS, &raw.body);
            self.past.ids.push(id);
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
        if self.past.chain(header.record).as_ref() == Some(&header.parents) {
            flags |= CHAIN;
        } else {
            self.parents(&header.parents);
        }
        self.out.delta(CLOCKS, header.clock_ms, self.past.clock_ms);
        let (mark, last) = (header.directory_seen, self.past.mark);
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
        if self.past.record == Some(record) {
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
                self.out.len(PARENTS, self.past.ids.len() - at);
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

fn body_column(kind: u8) -> usize {
    match kind {
        body::KIND_GENESIS => GENESES,
        body::KIND_CHANGE => CHANGES,
        body::KIND_EVENT => EVENTS,
        _ => OTHERS,
    }
}

struct Reader<'a> {
    columns: [Column<'a>; COLUMNS],
    named: Vec<(Hash, Option<DeviceId>)>,
    past: Past,
    records: Vec<RecordId>,
    listed: HashSet<RecordId>,
    actors: Vec<Actor>,
    actor: Option<Actor>,
}

fn read(bytes: &[u8]) -> Result<(Vec<RawCertificate>, Vec<RawEnvelope>, Column<'_>), ColumnError> {
    let (version, rest) = bytes.split_first().ok_or(ColumnError)?;
    if *version != VERSION {
        return Err(ColumnError);
    }
    let mut columns = Column::split::<COLUMNS>(rest)?;
    let certificate_count = columns[COUNTS].count(BATCH_CERTIFICATES_MAX)?;
    let envelope_count = columns[COUNTS].count(BATCH_ENVELOPES_MAX)?;
    let mut certificates = Vec::new();
    for _ in 0..certificate_count {
        let len = columns[LENGTHS].len()?;
        let facts = columns[CERTIFICATES].raw(len)?.to_vec();
        certificates.push(RawCertificate {
            facts,
            signature: columns[SIGNATURES].array()?,
        });
    }
    let mut reader = Reader {
        columns,
        named: named(&certificates),
        past: Past::default(),
        records: Vec::new(),
        listed: HashSet::new(),
        actors: Vec::new(),
        actor: None,
    };
    let mut envelopes = Vec::new();
    for _ in 0..envelope_count {
        envelopes.push(reader.envelope()?);
    }
    let (others, verdicts) = reader.columns.split_at(VERDICTS);
    others.iter().try_for_each(Column::end)?;
    Ok((certificates, envelopes, verdicts[0]))
}

impl Reader<'_> {
    fn envelope(&mut self) -> Result<RawEnvelope, ColumnError> {
        let flags = self.columns[FLAGS].byte()?;
        let signature = self.columns[SIGNATURES].array()?;
        let body_len = self.columns[LENGTHS].len()?;
        if flags == RAW {
            let header_len = self.columns[LENGTHS].len()?;
            let header = self.columns[OTHERS].raw(header_len)?.to_vec();
            let body = self.columns[OTHERS].raw(body_len)?.to_vec();
            let raw = RawEnvelope {
                header,
                body,
                signature,
            };
            self.past.ids.push(raw.hash().envelope_id());
            return Ok(raw);
        }
        let header = self.header(flags)?;
        let body = self.columns[body_column(header.body_kind)]
            .raw(body_len)?
            .to_vec();
        let bytes = minicbor::to_vec(&header).map_err(|_| ColumnError)?;
        let raw = RawEnvelope {
            header: bytes,
            body,
            signature,
        };
        let hash = raw.hash();
        let record = header.record.unwrap_or_else(|| {
            let record = RecordId::v8(&hash);
            self.list(record);
            record
        });
        self.past.note(&header, hash.envelope_id(), record);
        Ok(raw)
    }

    fn header(&mut self, flags: u8) -> Result<Header, ColumnError> {
        if flags & RAW != 0 || flags & (1 << 7) != 0 {
            return Err(ColumnError);
        }
        let (version, suite) = if flags & ODD_VERSION == 0 {
            (FORMAT_VERSION, SUITE_ED25519_SHA256)
        } else {
            (self.columns[MISC].byte()?, self.columns[MISC].byte()?)
        };
        let body_kind = match (flags & KIND_MASK) >> KIND_SHIFT {
            0 => self.columns[MISC].byte()?,
            kind => kind,
        };
        let record = if flags & GENESIS == 0 {
            Some(self.record()?)
        } else {
            None
        };
        let (author, certificate, grant) = self.actor()?;
        let parents = if flags & CHAIN == 0 {
            self.parents()?
        } else {
            self.past.chain(record).ok_or(ColumnError)?
        };
        let clock_ms = self.columns[CLOCKS].delta(self.past.clock_ms)?;
        let directory_seen = if flags & SAME_MARK == 0 {
            let generation = self.columns[MARKS].number()?;
            let position = self.columns[MARKS].delta(self.past.mark.position.cast_signed())?;
            DirectoryMark {
                generation,
                position: position.cast_unsigned(),
            }
        } else {
            self.past.mark
        };
        Ok(Header {
            version,
            suite,
            body_kind,
            record,
            author,
            certificate,
            grant,
            parents,
            directory_seen,
            clock_ms,
        })
    }

    fn record(&mut self) -> Result<RecordId, ColumnError> {
        match self.columns[RECORDS].uint()? {
            SAME => self.past.record.ok_or(ColumnError),
            NEW => {
                let record = RecordId(self.columns[IDS].array()?);
                self.list(record);
                Ok(record)
            }
            index => listed(&self.records, index),
        }
    }

    fn list(&mut self, record: RecordId) {
        if self.listed.insert(record) {
            self.records.push(record);
        }
    }

    fn actor(&mut self) -> Result<Actor, ColumnError> {
        let actor = match self.columns[AUTHORS].uint()? {
            SAME => self.actor.ok_or(ColumnError)?,
            NEW => {
                let (low, high) = self.columns.split_at_mut(IDS);
                let actor = read_actor(&mut low[AUTHORS], &mut high[0], &self.named)?;
                self.actors.push(actor);
                actor
            }
            index => listed(&self.actors, index)?,
        };
        self.actor = Some(actor);
        Ok(actor)
    }

    fn parents(&mut self) -> Result<Vec<EnvelopeId>, ColumnError> {
        let count = self.columns[PARENTS].count(PARENTS_MAX)?;
        let mut parents = Vec::new();
        for _ in 0..count {
            parents.push(match self.columns[PARENTS].len()? {
                0 => EnvelopeId(self.columns[IDS].array()?),
                back => {
                    let at = self.past.ids.len().checked_sub(back).ok_or(ColumnError)?;
                    self.past.ids[at]
                }
            });
        }
        Ok(parents)
    }
}

fn listed<T: Copy>(list: &[T], index: u64) -> Result<T, ColumnError> {
    let index = index
        .checked_sub(LISTED)
        .and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| list.get(index))
        .copied()
        .ok_or(ColumnError)
}

#[cfg(test)]
#[path = "intern_tests.rs"]
mod tests;
