//! Records and certificates of the store in memory.

pub mod certificates;

use onegrid_core::id::RecordId;
use onegrid_core::record::{Record, StoredEnvelope, StoredRecord};
use onegrid_core::wire::envelope::{Envelope, VerifiedEnvelope};
use onegrid_core::wire::pack::Pack;

use crate::store::{Reader, StoreError, StoreResult};
use certificates::Certificates;

/// Loads a record from its stored envelopes and packs. An unknown record is empty.
pub(crate) fn load(
    tx: &dyn Reader,
    certificates: &Certificates,
    id: RecordId,
) -> StoreResult<Record> {
    let (stored, bases) = (tx.envelopes(id)?, tx.base_packs(id)?);
    let based = !bases.is_empty();
    if stored.is_empty() && bases.is_empty() {
        return Ok(Record::new(id));
    }
    let mut past = StoredRecord::default();
    for base in bases {
        let pack = Pack::from_bytes(&base.pack).map_err(|_| StoreError::Row("a base pack"))?;
        for entry in &pack.entries {
            // The author's certificate may be absent, because none of the returned readers may see
            // it.
            if let Some(known) = certificates.get(tx, entry.certificate)? {
                past.certificates.insert(entry.certificate, known);
            }
        }
        past.packs.push(pack);
    }
    for row in stored {
        let certificate = certificates
            .get(tx, row.certificate)?
            .ok_or(StoreError::Missing("certificate"))?;
        let envelope = Envelope::parse(row.raw).map_err(|_| StoreError::Row("an envelope"))?;
        past.envelopes.push(StoredEnvelope {
            verified: VerifiedEnvelope::stored(envelope, certificate),
            verdict: Some(row.verdict),
        });
    }
    let mut record = Record::load(id, past).map_err(|error| {
        tracing::error!(code = error.code(), record = %id, "record does not load");
        StoreError::Row("a record")
    })?;
    if based {
        // A base has the verdicts of its own time; later decisions are in the rows.
        record.set_verdicts(tx.settled(id)?);
    }
    Ok(record)
}
