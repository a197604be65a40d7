//! Envelopes, packs and verdicts of others on their way into the replica, inside one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::super::engine::rewrite;
use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::load;
use super::super::table::envelope::{self, Arrival, Origin};
use super::super::table::meta::{self, Name};
use super::super::table::{directory, own_void, pack, verdict_change};
use super::carried::{parents_first, would_be_held};
use super::membership;
use super::peer_room::PeerRoom;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::record::{Admission, Node, Record, StoredRecord};
use crate::sync::port::ApplyCounts;
use crate::wire::envelope::{Envelope, RawEnvelope, VerifiedEnvelope};
use crate::wire::pack::{Pack, PackBatch, PackProof};
use crate::wire::verdict::{Status, Verdict};

/// An envelope from outside with its verdict, if there is one.
pub(super) struct Incoming {
    pub(super) raw: RawEnvelope,
    /// The verdict that the server signed, with the number of the attestation. A verdict from another phone
    /// may not count.
    pub(super) verdict: Option<(Verdict, i64)>,
}

/// A parsed envelope with its verdict and the number of the attestation.
type Attested = (Envelope, Option<(Verdict, i64)>);

/// One transaction of things from outside.
pub(super) struct Intake<'a, 'w> {
    pub(super) writing: &'a mut Writing<'w>,
    pub(super) origin: Origin,
    pub(super) applied: ApplyCounts,
    /// Own envelopes with a new verdict that is not “accepted”.
    not_accepted: BTreeMap<RecordId, Vec<(EnvelopeId, Status)>>,
    /// Certificates named by believed envelopes and verdicts.
    pub(super) named: HashSet<Hash>,
    /// Records that were not here before.
    pub(super) unknown: BTreeSet<RecordId>,
    /// Room for work of other phones that has no verdict; `None` until it is needed.
    room: Option<PeerRoom>,
}

/// Whether the server was restored and this replica has not been equal with it since.
pub(super) fn is_behind(conn: &rusqlite::Connection) -> Result<bool, ReplicaError> {
    Ok(meta::get(conn, Name::Behind)?.is_some())
}

impl<'a, 'w> Intake<'a, 'w> {
    pub(super) fn new(writing: &'a mut Writing<'w>, origin: Origin) -> Self {
        Self {
            writing,
            origin,
            applied: ApplyCounts::default(),
            not_accepted: BTreeMap::new(),
            named: HashSet::new(),
            unknown: BTreeSet::new(),
            room: None,
        }
    }

    /// Admits envelopes, record by record. Unbelievable envelopes are left out, and the rest is taken.
    /// Returns the records concerned.
    pub(super) fn envelopes(
        &mut self,
        incoming: Vec<Incoming>,
    ) -> Result<BTreeSet<RecordId>, ReplicaError> {
        let mut by_record: BTreeMap<RecordId, Vec<Attested>> = BTreeMap::new();
        for Incoming { raw, verdict } in incoming {
            match Envelope::parse(raw) {
                Ok(envelope) => {
                    by_record
                        .entry(envelope.record())
                        .or_default()
                        .push((envelope, verdict));
                }
                Err(error) => tracing::warn!(code = error.code(), "an envelope was left out"),
            }
        }
        let records = by_record.keys().copied().collect();
        for (record, batch) in by_record {
            self.record(record, batch)?;
        }
        Ok(records)
    }

    fn record(&mut self, id: RecordId, batch: Vec<Attested>) -> Result<(), ReplicaError> {
        let mut record = self.writing.take(id)?;
        if record.nodes().is_empty() && !envelope::has_record(self.writing.conn, id)? {
            self.unknown.insert(id);
        }
        let mut verdicts: HashMap<EnvelopeId, (Verdict, i64)> = HashMap::new();
        let mut fresh = Vec::new();
        let mut carried = Vec::new();
        for (envelope, said) in batch {
            let verdict = said.filter(|(verdict, _)| self.counts(verdict));
            if let Some(verdict) = verdict {
                verdicts.insert(envelope.id(), verdict);
            }
            // A pack named this envelope without its content, since it was void then. Now it arrives whole.
            let known = record.node(envelope.id());
            if known.is_some_and(|node| !node.is_stub()) {
                self.mend_signature(envelope)?;
                continue;
            }
            // An unsettled verdict proves nothing, because it may be the answer to a forgery.
            let settled = verdict.is_some_and(|(verdict, _)| verdict.status.is_settled());
            let Some(verified) = self.verified(envelope, settled)? else {
                continue;
            };
            let of_another = self.origin == Origin::Peer
                && verified.envelope().header().author != self.writing.device();
            if of_another && verdict.is_none() && !self.has_room(verified.envelope())? {
                tracing::warn!(code = "refused.too_many", "an envelope was left out");
                continue;
            }
            self.named.insert(verified.envelope().header().certificate);
            let kind = record.genesis().map(|facts| facts.kind);
            let held = of_another && would_be_held(&verified, kind, self.writing.now_ms);
            let carried_only = held || self.waits(verified.envelope(), said.is_some())?;
            if verdict.is_none() && carried_only {
                carried.push(verified);
            } else {
                fresh.push(verified);
            }
        }
        let judgements = record.admit(&fresh);
        for (verified, judgement) in fresh.into_iter().zip(judgements) {
            match judgement.outcome {
                Admission::Valid | Admission::Void(_) | Admission::Held(_) | Admission::Known => {
                    self.store(&verified, verdicts.get(&judgement.id).copied(), false)?;
                }
                Admission::Missing(_) => carried.push(verified),
                Admission::OtherRecord => {}
            }
        }
        self.carry(&carried, &verdicts)?;
        let lines = verdicts
            .iter()
            .map(|(id, (verdict, no))| (*id, *verdict, Some(*no)));
        self.verdicts(&mut record, lines)?;
        if self.has_waited(&record)? {
            return self.writing.reload(id);
        }
        if !record.nodes().is_empty() {
            self.writing.touch(record);
        }
        Ok(())
    }

    /// Whether this phone keeps one more envelope of another phone without a verdict. One that is here takes no room.
    fn has_room(&mut self, envelope: &Envelope) -> Result<bool, ReplicaError> {
        let conn = self.writing.conn;
        if envelope::has(conn, envelope.id())? {
            return Ok(true);
        }
        if self.room.is_none() {
            self.room = Some(PeerRoom::read(conn)?);
        }
        let room = self.room.as_mut();
        Ok(room.is_some_and(|room| room.takes(envelope)))
    }

    /// Whether an envelope that arrived before its parents can be in the record now.
    fn has_waited(&self, record: &Record) -> Result<bool, ReplicaError> {
        for (id, carried) in envelope::ids_of_record(self.writing.conn, record.id())? {
            if carried || record.node(id).is_some() {
                continue;
            }
            if let Some(stored) = envelope::get(self.writing.conn, id)? {
                let parsed = Envelope::parse(stored.raw).map_err(|_| ReplicaError::Inconsistent)?;
                let parents = &parsed.header().parents;
                if parents.iter().all(|parent| record.node(*parent).is_some()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a verdict from this origin counts. From another phone only a settled one does, because only
    /// that proves that a server keeps the envelope. A server that held or refused it may have lost it
    /// since, or may have seen other bytes under its hash. So undelivered envelopes stay in the outbox.
    fn counts(&self, verdict: &Verdict) -> bool {
        self.origin == Origin::Server || verdict.status.is_settled()
    }

    /// Whether an envelope without a verdict is only carried, for the server to judge. It is carried if it
    /// was carried before, if its author's device is revoked, or if it was held or refused, as another
    /// phone could show.
    fn waits(&self, envelope: &Envelope, doubted: bool) -> Result<bool, ReplicaError> {
        let (conn, author) = (self.writing.conn, envelope.header().author);
        let filed = envelope::filed(conn, envelope.id())?;
        Ok((doubted && author != self.writing.device())
            || filed.is_some_and(|filed| filed.carried)
            || directory::is_revoked(conn, author)?)
    }

    /// Stores envelopes that are carried and not applied: those that [`Self::waits`] or
    /// [`would_be_held`] names, and all that build on them. An envelope that builds on a missing one is left out.
    fn carry(
        &mut self,
        carried: &[VerifiedEnvelope],
        verdicts: &HashMap<EnvelopeId, (Verdict, i64)>,
    ) -> Result<(), ReplicaError> {
        let conn = self.writing.conn;
        let envelopes: Vec<&Envelope> = carried.iter().map(VerifiedEnvelope::envelope).collect();
        let order = parents_first(&envelopes, |parent| {
            Ok(envelope::has(conn, parent)? || pack::record_of(conn, parent)?.is_some())
        })?;
        for place in order {
            let verified = &carried[place];
            let verdict = verdicts.get(&verified.envelope().id()).copied();
            self.store(verified, verdict, verdict.is_none())?;
        }
        Ok(())
    }

    fn store(
        &mut self,
        verified: &VerifiedEnvelope,
        verdict: Option<(Verdict, i64)>,
        carried: bool,
    ) -> Result<(), ReplicaError> {
        let own = verified.envelope().header().author == self.writing.device();
        let arrival = Arrival {
            origin: if own { Origin::Own } else { self.origin },
            carried,
            verdict: verdict.map(|(verdict, _)| verdict),
            attestation: verdict.map(|(_, attestation)| attestation),
        };
        if envelope::insert(self.writing.conn, verified.envelope(), &arrival)? {
            self.applied.pulled += 1;
        }
        Ok(())
    }

    /// Stores verdicts on envelopes that are here, and applies them to the record in memory at once.
    pub(super) fn verdicts(
        &mut self,
        record: &mut Record,
        lines: impl IntoIterator<Item = (EnvelopeId, Verdict, Option<i64>)>,
    ) -> Result<(), ReplicaError> {
        let mut news = Vec::new();
        for (id, verdict, attestation) in lines {
            self.keep_verdict(record, id, &verdict, attestation)?;
            news.push((id, verdict));
        }
        record.set_verdicts(news);
        Ok(())
    }

    fn keep_verdict(
        &mut self,
        record: &Record,
        id: EnvelopeId,
        verdict: &Verdict,
        attestation: Option<i64>,
    ) -> Result<(), ReplicaError> {
        let known = record.node(id).and_then(|node| node.verdict);
        match envelope::filed(self.writing.conn, id)? {
            Some(stored) => {
                let later = stored
                    .verdict
                    .is_none_or(|known| verdict.is_later_than(&known));
                if later {
                    envelope::set_verdict(self.writing.conn, id, verdict, attestation)?;
                    if stored.origin == Origin::Own {
                        self.applied.settled += u32::from(stored.verdict.is_none());
                        if !verdict.status.is_accepted() {
                            let fresh = self.not_accepted.entry(record.id()).or_default();
                            fresh.push((id, verdict.status));
                        }
                    }
                }
            }
            None if known.is_some_and(|known| verdict.is_later_than(&known)) => {
                let conn = self.writing.conn;
                verdict_change::put(conn, record.id(), id, verdict, attestation)?;
                let own = |node: &Node| node.author == self.writing.device();
                if !verdict.status.is_accepted() && record.node(id).is_some_and(own) {
                    let fresh = self.not_accepted.entry(record.id()).or_default();
                    fresh.push((id, verdict.status));
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Imports packs whose batch has been verified. Returns the record of each, in order; `None` for an
    /// inconsistent pack.
    pub(super) fn packs(
        &mut self,
        batch: &PackBatch,
    ) -> Result<Vec<Option<RecordId>>, ReplicaError> {
        let proof = pack::put_proof(self.writing.conn, &batch.proof)?;
        let mut records = Vec::with_capacity(batch.packs.len());
        for bytes in &batch.packs {
            records.push(self.pack(bytes, proof, &batch.proof)?);
        }
        Ok(records)
    }

    /// Imports one pack with its verified proof, which is stored under this number.
    pub(super) fn pack(
        &mut self,
        bytes: &[u8],
        proof: i64,
        of: &PackProof,
    ) -> Result<Option<RecordId>, ReplicaError> {
        let opened = Pack::from_bytes(bytes).ok();
        let Some(opened) = opened.filter(|opened| of.bounds(opened)) else {
            tracing::warn!(code = "record.bad_pack", "a pack was left out");
            return Ok(None);
        };
        let Some(id) = opened.record() else {
            return Ok(None);
        };
        self.named
            .extend(opened.entries.iter().map(|entry| entry.certificate));
        let conn = self.writing.conn;
        let singles = envelope::of_record(conn, id)?;
        // A stored pack stays unless this one covers it. A pack that a stored one covers is left out.
        let stored = pack::of_record(conn, id)?;
        if stored.is_empty() && singles.is_empty() {
            self.unknown.insert(id);
        }
        let mut in_place_of = Vec::new();
        let mut earlier: HashMap<EnvelopeId, Verdict> = HashMap::new();
        for (stored, known) in stored.iter().zip(load::packs(conn, id)?) {
            for entry in &known.entries {
                keep_highest(&mut earlier, entry.id, entry.verdict);
            }
            if known.covers(&opened) {
                return Ok(Some(id));
            }
            if opened.covers(&known) {
                in_place_of.push(stored.no);
            }
        }
        let mut certificates = HashMap::new();
        for entry in &opened.entries {
            if let Some(found) = self.writing.certificates.get(conn, entry.certificate)? {
                certificates.insert(entry.certificate, found);
            }
        }
        let past = StoredRecord {
            packs: vec![opened.clone()],
            certificates,
            ..StoredRecord::default()
        };
        let alone = match Record::load(id, past) {
            Ok(alone) => alone,
            Err(error) => {
                tracing::warn!(code = error.code(), "a pack was left out");
                return Ok(None);
            }
        };
        let ids = opened.entries.iter().map(|entry| entry.id);
        pack::put(conn, id, (bytes, proof), ids, &in_place_of)?;
        self.applied.pulled += 1;
        let all = in_place_of.len() == stored.len() && singles.is_empty();
        let changed = verdict_change::of_record(conn, id)?;
        let alone_is_all = all && changed.is_empty();
        for (id, verdict, _) in changed {
            keep_highest(&mut earlier, id, verdict);
        }
        self.note_own_void(id, &opened, &earlier);
        if alone_is_all {
            self.writing.settle(&alone)?;
            return Ok(Some(id));
        }
        self.supersede(id, &opened, &singles)?;
        Ok(Some(id))
    }

    /// Notes own envelopes that an earlier pack accepted and this one does not.
    fn note_own_void(
        &mut self,
        record: RecordId,
        opened: &Pack,
        earlier: &HashMap<EnvelopeId, Verdict>,
    ) {
        let device = self.writing.device();
        for entry in opened.entries.iter().filter(|entry| entry.author == device) {
            let news = earlier
                .get(&entry.id)
                .is_some_and(|known| entry.verdict.is_later_than(known));
            if news && !entry.verdict.status.is_accepted() {
                let fresh = self.not_accepted.entry(record).or_default();
                fresh.push((entry.id, entry.verdict.status));
            }
        }
    }

    /// Removes single envelopes that a pack now covers. Void ones stay, so that their author sees them.
    fn supersede(
        &mut self,
        id: RecordId,
        opened: &Pack,
        singles: &[envelope::Stored],
    ) -> Result<(), ReplicaError> {
        let conn = self.writing.conn;
        let verdicts: HashMap<EnvelopeId, Verdict> = opened
            .entries
            .iter()
            .map(|entry| (entry.id, entry.verdict))
            .collect();
        let record = self.writing.take(id)?;
        for single in singles {
            // Where the single envelope has a later verdict, that verdict is used.
            let known = single.verdict;
            let Some(verdict) = verdicts
                .get(&single.id)
                .filter(|verdict| known.is_none_or(|known| !known.is_later_than(verdict)))
            else {
                continue;
            };
            self.keep_verdict(&record, single.id, verdict, None)?;
            if verdict.status.is_accepted() {
                envelope::delete(conn, single.id)?;
            }
        }
        drop(record);
        self.writing.reload(id)
    }

    /// Returns the record of an envelope, in whatever form the envelope is stored.
    pub(super) fn record_of(&self, id: EnvelopeId) -> Result<Option<RecordId>, ReplicaError> {
        Ok(match envelope::filed(self.writing.conn, id)? {
            Some(filed) => Some(filed.record),
            None => pack::record_of(self.writing.conn, id)?,
        })
    }

    /// Writes the person's own uncounted work again, or tells the person. Only then may withdrawn records
    /// be removed, so this is the last step.
    pub(super) fn finish(mut self) -> Result<ApplyCounts, ReplicaError> {
        self.rewrite()?;
        membership::purge_withdrawn(self.writing, usize::MAX)?;
        Ok(self.applied)
    }

    /// Writes the person's own uncounted work again, or tells the person. It runs in the transaction that
    /// stores the verdicts, because afterwards no mark would show that they are new. Behind a restored server
    /// the work is noted for [`Replica::catch_up`](super::super::engine::Replica).
    pub(super) fn rewrite(&mut self) -> Result<(), ReplicaError> {
        let behind = is_behind(self.writing.conn)?;
        for (record, fresh) in &std::mem::take(&mut self.not_accepted) {
            if behind {
                for (id, _) in fresh {
                    own_void::put(self.writing.conn, *record, *id)?;
                }
                rewrite::renounce_where_a_number_is_taken(self.writing, *record, fresh)?;
            } else if load::record(self.writing.conn, self.writing.certificates, *record)?.is_some()
            {
                rewrite::own_not_accepted(self.writing, *record, fresh)?;
            }
        }
        Ok(())
    }
}

fn keep_highest(verdicts: &mut HashMap<EnvelopeId, Verdict>, id: EnvelopeId, verdict: Verdict) {
    let known = verdicts.entry(id).or_insert(verdict);
    if verdict.is_later_than(known) {
        *known = verdict;
    }
}
