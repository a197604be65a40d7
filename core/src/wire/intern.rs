//! Batches of envelopes and certificates, interned so that a repeated value travels once.
//!
//! A batch is a version byte and columns (docs/protocol.md, “Batches”). The writer takes headers
//! apart into columns; a header that would change on the way back travels as it is. So
//! `decode(encode(x)) == x`, bit for bit, for every input, well formed or not. Hashes and
//! signatures stay valid.

use std::collections::HashMap;

use super::body;
use super::columns::{Column, ColumnError, Columns};
use super::envelope::{DirectoryMark, FORMAT_VERSION, Header, RawEnvelope, SUITE_ED25519_SHA256};
use super::status_code::{status_code, status_of};
use super::verdict::Verdict;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::{BATCH_CERTIFICATES_MAX, BATCH_ENVELOPES_MAX, PARENTS_MAX};
use crate::trust::certificate::RawCertificate;

mod reader;
mod writer;

use reader::read;
use writer::Writer;

const VERSION: u8 = 1;

// Columns, in the order of travel.
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

/// An actor: device, certificate, grant.
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

/// Writes an actor as a certificate of the batch if one names it, else in full.
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

/// The state that writer and reader both keep while they go through a batch.
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

fn body_column(kind: u8) -> usize {
    match kind {
        body::KIND_GENESIS => GENESES,
        body::KIND_CHANGE => CHANGES,
        body::KIND_EVENT => EVENTS,
        _ => OTHERS,
    }
}

#[cfg(test)]
#[path = "intern_tests.rs"]
mod tests;
