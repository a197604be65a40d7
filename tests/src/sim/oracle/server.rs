//! The server's records, folded anew from its envelopes and verdicts, signatures checked again.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use onegrid_core::id::RecordId;
use onegrid_core::record::{Record, StoredEnvelope, StoredRecord};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::pack::Pack;
use onegrid_core::wire::verdict::Verdict;
use onegrid_server::store::StoreError;

use super::super::world::World;

/// Envelopes of a record with their verdicts, in the order of storing.
pub(crate) type Stored = Vec<(Envelope, Verdict)>;

impl World {
    /// Returns the packs that a restored server accepted for a record, with the certificates that each
    /// names.
    fn taken_back(&self, id: RecordId) -> Result<StoredRecord, String> {
        let bases = self.town.store().read(|tx| tx.base_packs(id));
        let bases = bases.map_err(|error: StoreError| error.to_string())?;
        let mut past = StoredRecord::default();
        for base in bases {
            let pack = Pack::from_bytes(&base.pack).map_err(|error| error.to_string())?;
            for entry in &pack.entries {
                let hash = entry.certificate;
                let raw = self.town.store().read(|tx| tx.certificate(hash));
                let raw = raw.map_err(|error: StoreError| error.to_string())?;
                let Some(raw) = raw else { continue };
                let found = Certificate::verify(raw, self.town.keys().anchors());
                let found = found.map_err(|error| error.to_string())?;
                past.certificates.insert(hash, Arc::new(found));
            }
            past.packs.push(pack);
        }
        Ok(past)
    }

    /// Returns every envelope on the server, by record.
    pub fn everything_on_the_server(&self) -> Result<BTreeMap<RecordId, Stored>, String> {
        // A record whose beginning is held has no projection yet.
        let read = self.town.store().read::<_, StoreError>(|tx| {
            let mut all = BTreeMap::new();
            for id in &self.written_in {
                all.insert(*id, tx.envelopes(*id)?);
            }
            for row in tx.records(None, 10_000)? {
                all.insert(row.id, tx.envelopes(row.id)?);
            }
            Ok(all)
        });
        let parse = |stored: Vec<onegrid_server::store::StoredEnvelope>| -> Result<Stored, String> {
            stored
                .into_iter()
                .map(|stored| {
                    let envelope = Envelope::parse(stored.raw);
                    let envelope = envelope.map_err(|error| error.code().to_owned())?;
                    Ok((envelope, stored.verdict))
                })
                .collect()
        };
        let all = read.map_err(|error| error.to_string())?;
        all.into_iter()
            .map(|(record, stored)| Ok((record, parse(stored)?)))
            .collect()
    }

    /// Returns the records that follow from these envelopes, without trust in the server's own
    /// projections.
    pub fn truth(&self) -> Result<BTreeMap<RecordId, Record>, String> {
        let mut certificates = BTreeMap::new();
        let mut records = BTreeMap::new();
        for (id, stored) in self.everything_on_the_server()? {
            let mut envelopes = Vec::new();
            for (envelope, verdict) in stored {
                let hash = envelope.header().certificate;
                if let Entry::Vacant(vacant) = certificates.entry(hash) {
                    let raw = self.town.store().read(|tx| tx.certificate(hash));
                    let raw = raw.map_err(|error: StoreError| error.to_string())?;
                    let raw = raw.ok_or("the server lacks a certificate")?;
                    let found = Certificate::verify(raw, self.town.keys().anchors());
                    let found = found.map_err(|error| error.to_string())?;
                    vacant.insert(Arc::new(found));
                }
                let certificate = &certificates[&hash];
                let id = envelope.id();
                let verified = envelope.verify(certificate, self.town.keys().authority());
                let verified = verified.map_err(|error| format!("{id}: {}", error.code()))?;
                envelopes.push(StoredEnvelope {
                    verified,
                    verdict: Some(verdict),
                });
            }
            let mut past = self.taken_back(id)?;
            past.envelopes = envelopes;
            if past.packs.is_empty() && past.envelopes.is_empty() {
                continue;
            }
            let based = !past.packs.is_empty();
            let mut record = Record::load(id, past).map_err(|error| error.code().to_owned())?;
            if based {
                // A base has the verdicts of its own time; later ones are in the rows.
                let settled = self.town.store().read(|tx| tx.settled(id));
                record.set_verdicts(settled.map_err(|error: StoreError| error.to_string())?);
            }
            records.insert(id, record);
        }
        Ok(records)
    }
}
