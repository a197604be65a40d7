//! The layout of a batch: its columns, its flags, and the state that writer and reader both keep.

use std::collections::HashMap;

use super::super::body;
use super::super::columns::{Column, ColumnError, Columns};
use super::super::envelope::Header;
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::trust::certificate::RawCertificate;

pub(super) const VERSION: u8 = 1;

// Columns, in the order of travel.
pub(super) const COUNTS: usize = 0;
pub(super) const CERTIFICATES: usize = 1;
pub(super) const FLAGS: usize = 2;
pub(super) const MISC: usize = 3;
pub(super) const RECORDS: usize = 4;
pub(super) const AUTHORS: usize = 5;
pub(super) const PARENTS: usize = 6;
pub(super) const CLOCKS: usize = 7;
pub(super) const MARKS: usize = 8;
pub(super) const LENGTHS: usize = 9;
pub(super) const IDS: usize = 10;
pub(super) const SIGNATURES: usize = 11;
pub(super) const GENESES: usize = 12;
pub(super) const CHANGES: usize = 13;
pub(super) const EVENTS: usize = 14;
pub(super) const OTHERS: usize = 15;
pub(super) const VERDICTS: usize = 16;
pub(super) const COLUMNS: usize = 17;

pub(super) const RAW: u8 = 1;
pub(super) const GENESIS: u8 = 1 << 1;
pub(super) const CHAIN: u8 = 1 << 2;
pub(super) const SAME_MARK: u8 = 1 << 3;
pub(super) const KIND_SHIFT: u8 = 4;
pub(super) const KIND_MASK: u8 = 3 << KIND_SHIFT;
pub(super) const ODD_VERSION: u8 = 1 << 6;

pub(super) const SAME: u64 = 0;
pub(super) const NEW: u64 = 1;
pub(super) const LISTED: u64 = 2;

/// An actor: device, certificate, grant.
pub(in crate::wire) type Actor = (DeviceId, Hash, u8);

/// The device that a certificate is of, read without believing the certificate.
fn certificate_device(certificate: &RawCertificate) -> Option<DeviceId> {
    let mut d = minicbor::Decoder::new(&certificate.facts);
    d.array().ok()?;
    d.u8().ok()?;
    DeviceId::from_slice(d.bytes().ok()?)
}

/// Hashes and devices of the certificates of a batch.
pub(in crate::wire) fn named(certificates: &[RawCertificate]) -> Vec<(Hash, Option<DeviceId>)> {
    let named = |raw: &RawCertificate| (Hash::of(&[&raw.facts]), certificate_device(raw));
    certificates.iter().map(named).collect()
}

/// Writes an actor as a certificate of the batch if one names it, else in full.
pub(in crate::wire) fn write_actor<const N: usize>(
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
pub(in crate::wire) fn read_actor(
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
pub(super) struct Trail {
    pub(super) ids: Vec<EnvelopeId>,
    pub(super) record: Option<RecordId>,
    /// The last envelope of each record.
    pub(super) heads: HashMap<RecordId, usize>,
    pub(super) clock_ms: i64,
    pub(super) mark: DirectoryMark,
}

impl Trail {
    pub(super) fn note(&mut self, header: &Header, id: EnvelopeId, record: RecordId) {
        self.heads.insert(record, self.ids.len());
        self.ids.push(id);
        self.record = Some(record);
        self.clock_ms = header.clock_ms;
        self.mark = header.directory_seen;
    }

    /// The parents that the flag [`CHAIN`] stands for.
    pub(super) fn chain(&self, record: Option<RecordId>) -> Option<Vec<EnvelopeId>> {
        match record {
            None => Some(Vec::new()),
            Some(record) => self.heads.get(&record).map(|head| vec![self.ids[*head]]),
        }
    }
}

pub(super) fn body_column(kind: u8) -> usize {
    match kind {
        body::KIND_GENESIS => GENESES,
        body::KIND_CHANGE => CHANGES,
        body::KIND_EVENT => EVENTS,
        _ => OTHERS,
    }
}
