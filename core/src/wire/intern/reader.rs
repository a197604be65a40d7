//! Reads a batch back, bit for bit, and believes no number in it.

use std::collections::HashSet;

use super::super::columns::{Column, ColumnError};
use super::super::envelope::{FORMAT_VERSION, Header, RawEnvelope, SUITE_ED25519_SHA256};
use super::layout::{
    AUTHORS, Actor, CERTIFICATES, CHAIN, CLOCKS, COLUMNS, COUNTS, FLAGS, GENESIS, IDS, KIND_MASK,
    KIND_SHIFT, LENGTHS, LISTED, MARKS, MISC, NEW, ODD_VERSION, OTHERS, PARENTS, RAW, RECORDS,
    SAME, SAME_MARK, SIGNATURES, Trail, VERDICTS, VERSION, body_column, named, read_actor,
};
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::{BATCH_CERTIFICATES_MAX, BATCH_ENVELOPES_MAX, PARENTS_MAX};
use crate::trust::certificate::RawCertificate;

struct Reader<'a> {
    columns: [Column<'a>; COLUMNS],
    named: Vec<(Hash, Option<DeviceId>)>,
    trail: Trail,
    records: Vec<RecordId>,
    listed: HashSet<RecordId>,
    actors: Vec<Actor>,
    actor: Option<Actor>,
}

pub(super) fn read(
    bytes: &[u8],
) -> Result<(Vec<RawCertificate>, Vec<RawEnvelope>, Column<'_>), ColumnError> {
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
        trail: Trail::default(),
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
            self.trail.ids.push(raw.hash().envelope_id());
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
        self.trail.note(&header, hash.envelope_id(), record);
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
            self.trail.chain(record).ok_or(ColumnError)?
        };
        let clock_ms = self.columns[CLOCKS].delta(self.trail.clock_ms)?;
        let directory_seen = if flags & SAME_MARK == 0 {
            let generation = self.columns[MARKS].number()?;
            let position = self.columns[MARKS].delta(self.trail.mark.position.cast_signed())?;
            DirectoryMark {
                generation,
                position: position.cast_unsigned(),
            }
        } else {
            self.trail.mark
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
            SAME => self.trail.record.ok_or(ColumnError),
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
                    let at = self.trail.ids.len().checked_sub(back).ok_or(ColumnError)?;
                    self.trail.ids[at]
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
