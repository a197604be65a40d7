//! Parcels: this phone's undelivered work for a phone that may not read it, and the parcels of others that
//! this phone brings to the server.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::table::parcel::{End, ParcelCounts};
use super::super::table::{certificate, envelope, parcel, record_sharing};
use super::intake;
use super::peer_reader::{Access, PeerReader};
use super::queue::Queue;
use crate::dag::Walk;
use crate::id::{Hash, RecordId};
use crate::limits::{
    PARCEL_AGE_MS_MAX, PARCEL_CONTENT_BYTES_MAX, PARCEL_ENVELOPES_MAX, PARCELS_CARRIED_BYTES_MAX,
    PARCELS_CARRIED_MAX, PARCELS_PER_REQUEST_MAX,
};
use crate::trust::certificate::{Certificate, RawCertificate};
use crate::trust::parcel::{ParcelError, ParcelMaker, SealedParcel};
use crate::wire::frame;
use crate::wire::message::Bundle;
use crate::wire::parcel::{Parcel, ParcelOutcome};

/// A parcel in the making.
#[derive(Default)]
struct Parts {
    picked: HashSet<usize>,
    /// Work that does not fit, so nothing that builds on it fits either.
    skipped: HashSet<usize>,
    /// Certificates of the authors, each with its bytes where the server may lack it.
    certificates: BTreeMap<Hash, Option<RawCertificate>>,
    bytes: usize,
}

impl Reader {
    /// The parcels of other phones that this phone carries to the server, and the end of earlier ones.
    pub fn parcel_counts(&self) -> Result<ParcelCounts, ReplicaError> {
        Ok(parcel::counts(self.conn()?)?)
    }
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
        let queue = self.queue()?;
        let wanted = self.hidden_work(&queue, courier)?;
        let maker = ParcelMaker::of(&self.signer);
        let mut bytes_max = PARCEL_CONTENT_BYTES_MAX;
        while bytes_max > 0 {
            let bundle = self.part_of(&queue, &wanted, bytes_max)?;
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

    /// The places of the own work that the courier gets in no other way, in the order of sending.
    fn hidden_work(
        &self,
        queue: &Queue,
        courier: &Certificate,
    ) -> Result<Vec<usize>, ReplicaError> {
        let mut reader = PeerReader::of(self, courier)?;
        let mut open: HashMap<RecordId, bool> = HashMap::new();
        for own in queue.items.iter().filter(|queued| queued.is_own) {
            if let Entry::Vacant(place) = open.entry(own.record) {
                let shared = record_sharing::get(self.conn()?, own.record)?;
                let shared = shared
                    .map(|sharing| self.shared_held(sharing, &reader))
                    .transpose()?;
                let is_open = shared.flatten().is_some()
                    && reader.access(self, own.record)? != Access::Nothing
                    && !self.hides_judged(own.record, &mut reader)?;
                place.insert(is_open);
            }
        }
        // A meeting leaves these out of open records, with everything that builds on them.
        let mut left_out = vec![false; queue.items.len()];
        for place in queue.by_place() {
            let item = &queue.items[place];
            left_out[place] = queue.parents(place).iter().any(|&parent| left_out[parent])
                || open.get(&item.record) == Some(&true)
                    && reader.access(self, item.record)? == Access::Party
                    && (item.is_carried
                        || reader
                            .witnesses(self, item.record)?
                            .contains(&item.certificate));
        }
        let mut wanted = queue.own_first();
        wanted.retain(|&place| {
            let item = &queue.items[place];
            let goes_openly = open.get(&item.record) == Some(&true) && !left_out[place];
            item.is_own && !goes_openly
        });
        Ok(wanted)
    }

    /// Whether a meeting leaves out a judged envelope of a record, because neither its author's certificate nor
    /// its verdict may be shown.
    fn hides_judged(
        &self,
        record: RecordId,
        reader: &mut PeerReader,
    ) -> Result<bool, ReplicaError> {
        let witnesses = reader.witnesses(self, record)?.clone();
        if witnesses.is_empty() {
            return Ok(false);
        }
        for stored in envelope::of_record(self.conn()?, record)? {
            if let Some(no) = stored.attestation
                && witnesses.contains(&stored.certificate)
                && !reader.may_show(self, no)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As much of the wanted work as fits, each envelope with everything of the outbox that it builds on, and with
    /// its certificate, because a restored server may lack any and answers nothing to this phone. Work that does not
    /// fit waits, and smaller work goes.
    fn part_of(
        &self,
        queue: &Queue,
        wanted: &[usize],
        bytes_max: usize,
    ) -> Result<Bundle, ReplicaError> {
        let mut parts = Parts::default();
        for &place in wanted {
            let Some(past) = parts.past(queue, place) else {
                continue;
            };
            let mut bytes = past.iter().map(|&at| queue.items[at].bytes).sum::<usize>();
            let mut named: BTreeMap<Hash, Option<RawCertificate>> = BTreeMap::new();
            for &at in &past {
                let hash = queue.items[at].certificate;
                if parts.certificates.contains_key(&hash) || named.contains_key(&hash) {
                    continue;
                }
                let shown = certificate::get(self.conn()?, hash)?;
                bytes += shown.as_ref().map_or(0, |shown| shown.facts.len() + 64);
                named.insert(hash, shown);
            }
            let count = parts.picked.len() + past.len();
            if parts.bytes + bytes > bytes_max || count > PARCEL_ENVELOPES_MAX {
                parts.skipped.insert(place);
                continue;
            }
            parts.bytes += bytes;
            parts.picked.extend(past);
            parts.certificates.append(&mut named);
        }
        let mut bundle = Bundle::default();
        for place in queue.by_place() {
            if parts.picked.contains(&place) {
                let stored = envelope::get(self.conn()?, queue.items[place].id)?;
                let stored = stored.ok_or(ReplicaError::Inconsistent)?;
                bundle.envelopes.push(stored.raw);
            }
        }
        bundle.certificates = parts.certificates.into_values().flatten().collect();
        bundle.certificates.sort_by(|a, b| a.facts.cmp(&b.facts));
        Ok(bundle)
    }

    /// Keeps a parcel of another phone in the place of its earlier one, and drops old ones and surplus ones. The
    /// tag of the row follows from that phone, so no phone displaces the parcels of others by many tags.
    pub(super) fn keep_parcel(
        &mut self,
        taken: &Parcel,
        from: &Certificate,
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
        let tag = ParcelMaker::of(&self.signer).tag(from.facts().device);
        let tx = self.reader.conn_mut()?.transaction()?;
        drop_old(&tx, now_ms)?;
        parcel::put(&tx, &tag, &taken.bytes, now_ms)?;
        loop {
            let carried = parcel::counts(&tx)?;
            let fits = carried.carried <= PARCELS_CARRIED_MAX as u64
                && carried.bytes <= PARCELS_CARRIED_BYTES_MAX as u64;
            if fits || !parcel::delete_oldest(&tx, &tag)? {
                break;
            }
            parcel::count_end(&tx, End::Dropped, 1)?;
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
        Ok(parcel::oldest(self.conn()?, after_ms, now_ms, most)?)
    }

    /// Lets parcels rest that the server does not take now.
    pub(super) fn rest_parcels(
        &mut self,
        resting: &[Hash],
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let tx = self.reader.conn_mut()?.transaction()?;
        for hash in resting {
            parcel::rest(&tx, *hash, now_ms)?;
        }
        Ok(tx.commit()?)
    }

    /// Forgets parcels that the server has answered, and counts them.
    pub(super) fn drop_parcels(
        &mut self,
        answered: &[(Hash, ParcelOutcome)],
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let tx = self.reader.conn_mut()?.transaction()?;
        for (hash, outcome) in answered {
            let end = match outcome.refusal() {
                Some(_) => End::Refused,
                None => End::Taken,
            };
            let deleted = parcel::delete(&tx, *hash)?;
            parcel::count_end(&tx, end, deleted)?;
        }
        drop_old(&tx, now_ms)?;
        Ok(tx.commit()?)
    }
}

impl Parts {
    /// The envelopes that must go together with one: the part of its past that is in the outbox and not picked yet.
    /// `None` where it is picked, or where part of it does not fit.
    fn past(&self, queue: &Queue, place: usize) -> Option<Vec<usize>> {
        if self.picked.contains(&place) {
            return None;
        }
        let mut walk = Walk::from_ids([place]);
        let mut past = Vec::new();
        while let Some(next) = walk.next() {
            if self.skipped.contains(&next) || past.len() >= PARCEL_ENVELOPES_MAX {
                return None;
            }
            past.push(next);
            let parents = queue.parents(next).iter().copied();
            walk.extend(parents.filter(|parent| !self.picked.contains(parent)));
        }
        Some(past)
    }
}

fn drop_old(conn: &rusqlite::Connection, now_ms: i64) -> Result<(), ReplicaError> {
    let until_ms = now_ms.saturating_sub(PARCEL_AGE_MS_MAX);
    let count = parcel::delete_until(conn, until_ms)?;
    parcel::count_end(conn, End::Dropped, count)?;
    if count > 0 {
        tracing::warn!(code = "parcel.too_old", count, "parcels were dropped");
    }
    Ok(())
}
