//! Parcels: this phone's undelivered work for a phone that may not read it, and the parcels of others that
//! this phone brings to the server.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::envelope::{self, Origin};
use super::super::table::{certificate, parcel, record_sharing};
use super::{apply, intake};
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::limits::{
    PARCEL_AGE_MS_MAX, PARCEL_CONTENT_BYTES_MAX, PARCEL_ENVELOPES_MAX, PARCELS_CARRIED_BYTES_MAX,
    PARCELS_CARRIED_MAX, PARCELS_PER_REQUEST_MAX,
};
use crate::trust::certificate::Certificate;
use crate::trust::parcel::{ParcelError, ParcelMaker, SealedParcel};
use crate::wire::envelope::Envelope;
use crate::wire::frame;
use crate::wire::message::Bundle;
use crate::wire::parcel::Parcel;

/// Rows that are read from the outbox at a time.
const ROWS: usize = 256;

/// An envelope of the outbox, without its content.
struct Queued {
    id: EnvelopeId,
    parents: Vec<EnvelopeId>,
    record: RecordId,
    is_own: bool,
    is_carried: bool,
}

impl Replica {
    /// The parcel of this phone for a courier. While the server was restored and this phone is not equal with
    /// it, there is none, because the outbox waits too.
    pub(super) fn make_parcel(
        &self,
        courier: &Certificate,
    ) -> Result<Option<Parcel>, ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let Some(to) = anchors.parcel_key() else {
            return Ok(None);
        };
        if intake::is_behind(self.conn()?)? {
            return Ok(None);
        }
        let queued = self.queued()?;
        let wanted = self.hidden_work(&queued, courier)?;
        let maker = ParcelMaker::of(&self.signer);
        let mut bytes_max = PARCEL_CONTENT_BYTES_MAX;
        while bytes_max > 0 {
            let bundle = self.part_of(&queued, &wanted, bytes_max)?;
            if bundle.envelopes.is_empty() {
                return Ok(None);
            }
            let sealed = frame::encode(&bundle, PARCEL_CONTENT_BYTES_MAX)
                .map_err(|_| ParcelError::TooLarge)
                .and_then(|content| maker.seal(&content, to, anchors.authority()));
            match sealed {
                Ok(bytes) => {
                    let tag = maker.tag(courier.facts().device);
                    return Ok(Some(Parcel { tag, bytes }));
                }
                Err(ParcelError::TooLarge) => bytes_max /= 2,
                Err(error) => {
                    tracing::warn!(code = error.code(), "no parcel was made");
                    return Ok(None);
                }
            }
        }
        Ok(None)
    }

    /// The whole outbox, in the order of writing.
    fn queued(&self) -> Result<Vec<Queued>, ReplicaError> {
        let (mut queued, mut after) = (Vec::new(), 0);
        loop {
            let rows = envelope::unjudged(self.conn()?, after, ROWS)?;
            let Some(last) = rows.last() else { break };
            after = last.no;
            for row in rows {
                let parsed = Envelope::parse(row.raw).map_err(|_| ReplicaError::Inconsistent)?;
                queued.push(Queued {
                    id: row.id,
                    parents: parsed.header().parents.clone(),
                    record: row.record,
                    is_own: row.origin == Origin::Own,
                    is_carried: row.carried,
                });
            }
        }
        Ok(queued)
    }

    /// The own work of the outbox that the courier gets in no other way, with everything of the outbox that it
    /// builds on.
    fn hidden_work(
        &self,
        queued: &[Queued],
        courier: &Certificate,
    ) -> Result<HashSet<EnvelopeId>, ReplicaError> {
        let (mut known, mut withheld) = (HashMap::new(), HashMap::new());
        let mut open: HashMap<RecordId, bool> = HashMap::new();
        for own in queued.iter().filter(|queued| queued.is_own) {
            if let Entry::Vacant(place) = open.entry(own.record) {
                let shared = record_sharing::get(self.conn()?, own.record)?;
                let shared = shared
                    .map(|sharing| self.shared_held(sharing, courier))
                    .transpose()?;
                let is_open = shared.flatten().is_some()
                    && self.may_give(own.record, courier, &mut known, &mut withheld)?;
                place.insert(is_open);
            }
        }
        // A meeting leaves these out of open records, with everything that builds on them.
        let mut left_out: HashSet<EnvelopeId> = HashSet::new();
        let mut wanted = Vec::new();
        for item in queued {
            let builds = item.parents.iter().any(|parent| left_out.contains(parent));
            if builds || item.is_carried && withheld.contains_key(&item.record) {
                left_out.insert(item.id);
            }
            let goes_openly = open.get(&item.record) == Some(&true) && !left_out.contains(&item.id);
            if item.is_own && !goes_openly {
                wanted.push(item.id);
            }
        }
        let parents: HashMap<EnvelopeId, &[EnvelopeId]> = queued
            .iter()
            .map(|queued| (queued.id, queued.parents.as_slice()))
            .collect();
        let mut closed = HashSet::new();
        while let Some(id) = wanted.pop() {
            if let Some(parents) = parents.get(&id)
                && closed.insert(id)
            {
                wanted.extend(*parents);
            }
        }
        Ok(closed)
    }

    /// As much of the wanted work as fits: parents first, each with its certificate where the server may lack
    /// it.
    fn part_of(
        &self,
        queued: &[Queued],
        wanted: &HashSet<EnvelopeId>,
        bytes_max: usize,
    ) -> Result<Bundle, ReplicaError> {
        let generation = apply::generation(self.conn()?)?;
        let mut bundle = Bundle::default();
        let (mut bytes, mut has_own) = (0, false);
        let mut certificates: BTreeSet<Hash> = BTreeSet::new();
        let mut picked: HashSet<EnvelopeId> = HashSet::new();
        for item in queued.iter().filter(|queued| wanted.contains(&queued.id)) {
            let waits = |id: &EnvelopeId| wanted.contains(id) && !picked.contains(id);
            if item.parents.iter().any(waits) {
                continue;
            }
            let stored = envelope::get(self.conn()?, item.id)?;
            let stored = stored.ok_or(ReplicaError::Inconsistent)?;
            bytes += stored.raw.len();
            let mut shown = None;
            if certificates.insert(stored.certificate) {
                let known_in = certificate::known_in(self.conn()?, stored.certificate)?;
                if known_in == 0 || known_in < generation {
                    shown = certificate::get(self.conn()?, stored.certificate)?;
                }
            }
            bytes += shown.as_ref().map_or(0, |shown| shown.facts.len() + 64);
            let full = bytes > bytes_max && !bundle.envelopes.is_empty();
            if full || bundle.envelopes.len() >= PARCEL_ENVELOPES_MAX {
                break;
            }
            has_own |= item.is_own;
            picked.insert(item.id);
            bundle.certificates.extend(shown);
            bundle.envelopes.push(stored.raw);
        }
        bundle.certificates.sort_by(|a, b| a.facts.cmp(&b.facts));
        Ok(if has_own { bundle } else { Bundle::default() })
    }

    /// Keeps a parcel of another phone, and drops what is too old or too much.
    pub(super) fn keep_parcel(
        &mut self,
        taken: &Parcel,
        now_ms: i64,
    ) -> Result<bool, ReplicaError> {
        let anchors = self.anchors().ok_or(ReplicaError::NotEnrolled)?;
        let sealed = SealedParcel::from_bytes(&taken.bytes).and_then(|sealed| {
            let listed = anchors.has_parcel_key(sealed.key());
            listed.then_some(()).ok_or(ParcelError::UnknownKey)
        });
        if let Err(error) = sealed {
            tracing::warn!(code = error.code(), "a parcel was not taken along");
            return Ok(false);
        }
        let tx = self.reader.conn_mut()?.transaction()?;
        drop_old(&tx, now_ms)?;
        parcel::put(&tx, taken, now_ms)?;
        loop {
            let (count, bytes) = parcel::amount(&tx)?;
            let fits = count <= PARCELS_CARRIED_MAX && bytes <= PARCELS_CARRIED_BYTES_MAX;
            if fits || !parcel::delete_oldest(&tx, &taken.tag)? {
                break;
            }
            tracing::warn!(code = "parcel.too_many", "the oldest parcel was dropped");
        }
        tx.commit()?;
        Ok(true)
    }

    /// The parcels that go with the next request.
    pub(super) fn parcels_due(
        &self,
        bytes_max: usize,
        now_ms: i64,
    ) -> Result<Vec<Vec<u8>>, ReplicaError> {
        let after_ms = now_ms.saturating_sub(PARCEL_AGE_MS_MAX);
        let most = (PARCELS_PER_REQUEST_MAX, bytes_max);
        Ok(parcel::oldest(self.conn()?, after_ms, most)?)
    }

    /// Forgets parcels that the server has answered.
    pub(super) fn drop_parcels(
        &mut self,
        answered: &[Hash],
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let tx = self.reader.conn_mut()?.transaction()?;
        for hash in answered {
            parcel::delete(&tx, *hash)?;
        }
        drop_old(&tx, now_ms)?;
        Ok(tx.commit()?)
    }
}

fn drop_old(conn: &rusqlite::Connection, now_ms: i64) -> Result<(), ReplicaError> {
    let until_ms = now_ms.saturating_sub(PARCEL_AGE_MS_MAX);
    let count = parcel::delete_until(conn, until_ms)?;
    if count > 0 {
        tracing::warn!(code = "parcel.too_old", count, "parcels were dropped");
    }
    Ok(())
}
