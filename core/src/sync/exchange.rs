//! One sync inside a session: it chooses the next request and acts on each answer.
//!
//! This state may be lost in a crash, because the outbox, the cursors and the digests tell where
//! to continue, and after a lost answer the machine makes the same request again.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;

use super::answer::Answer;
use super::port::{GiveAsk, Handover, OutboxAsk, PortError, StarPort};
use super::repair::{Repair, RepairError};
use super::report::{Incident, Report};
use crate::id::{EnvelopeId, Hash};
use crate::limits::{
    GIVE_BACK_DIRECTORY_MAX, OUTBOX_ENVELOPES_MAX, REPAIR_ATTEMPTS_MAX, SYNC_STANDSTILL_MAX,
};
use crate::wire::cursor::cursor_set_hash;
use crate::wire::envelope::RawEnvelope;
use crate::wire::message::{
    Bundle, CursorsAnswer, GiveBack, Known, PROTOCOL_VERSION, SyncRequest, SyncResponse,
};
use crate::wire::parcel::ParcelOutcome;
use crate::wire::repair::RepairAsk;
use crate::wire::verdict::{RefusedReason, Status};

/// A request with what this run must remember about it.
#[derive(Debug)]
pub(super) struct SentRequest {
    pub(super) request: SyncRequest,
    given: Handover,
    own: bool,
    /// Number of writes of the replica when it was asked.
    writes: u64,
}

impl SentRequest {
    /// Bytes of the envelopes and parcels that it carries, not compressed.
    pub(super) fn bundle_bytes(&self) -> usize {
        let envelopes = self.request.bundle.iter().flat_map(|b| &b.envelopes);
        let parcels = self.request.parcels.iter().flatten();
        envelopes.map(RawEnvelope::len).sum::<usize>()
            + parcels.map(|parcel| parcel.len()).sum::<usize>()
    }
}

/// One run from the first request until nothing is left to do.
#[derive(Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts of a run that do not depend on each other"
)]
pub(super) struct Run {
    pub(super) report: Report,
    begun: bool,
    all_cursors: bool,
    revocations_due: bool,
    /// Revocations that were given back to the server of this generation.
    revocations_given: usize,
    new_generation: bool,
    /// Envelopes left out of every upload of this run, with all envelopes that build on them.
    blocked: BTreeSet<EnvelopeId>,
    /// The blocked envelopes that neither side has.
    orphaning: BTreeSet<EnvelopeId>,
    /// The blocked envelopes that the server does not accept for now.
    put_off: BTreeSet<EnvelopeId>,
    asked_parents: BTreeSet<EnvelopeId>,
    parents: GiveAsk,
    repair: Option<Repair>,
    attempts: u32,
    /// Whether anything arrived or was handed over since the last repair began.
    moved: bool,
    /// Whether the last request had parcels and has no answer yet.
    parcels_asked: bool,
    /// Whether parcels wait for a later sync.
    parcels_off: bool,
    standstill: u32,
    seen: Option<Hash>,
}

impl Run {
    /// Notes the generation of the server. A higher one than the replica has followed begins the give-back.
    pub(super) fn note_generation(
        &mut self,
        port: &dyn StarPort,
        generation: u32,
    ) -> Result<(), PortError> {
        let from = port.generation()?;
        if from != 0 && generation > from {
            self.report.note(Incident::GenerationChanged {
                from,
                to: generation,
            });
            self.revocations_due = true;
            self.revocations_given = 0;
            self.new_generation = true;
            // Failed attempts with the server before its restore say nothing about this server.
            self.attempts = 0;
            self.blocked.clear();
            self.orphaning.clear();
            self.put_off.clear();
            self.asked_parents.clear();
        }
        Ok(())
    }

    /// The envelopes that the server asked for, and the steps of a repair.
    fn given(
        &mut self,
        port: &dyn StarPort,
        bytes_max: usize,
    ) -> Result<(Vec<RepairAsk>, Handover), RepairError> {
        let mut repair = Vec::new();
        let mut given = Handover::default();
        if !self.parents.is_empty() {
            given = port.give(&GiveAsk {
                bytes_max,
                without: self.blocked.clone(),
                ..self.parents.clone()
            })?;
            if given.is_empty() {
                // All of them build on envelopes that neither side has.
                self.blocked.extend(&self.parents.envelopes);
                self.parents = GiveAsk::default();
            }
        }
        if given.is_empty()
            && let Some(under_way) = self.repair.as_mut().filter(|_| !self.revocations_due)
        {
            (repair, given) = under_way.asks(port, bytes_max, &self.blocked)?;
        }
        Ok((repair, given))
    }

    /// The next request.
    pub(super) fn request(
        &mut self,
        port: &dyn StarPort,
        page_bytes_max: u32,
        bytes_max: usize,
        now_ms: i64,
    ) -> Result<SentRequest, RepairError> {
        if !self.begun {
            self.begun = true;
            // An earlier run may have ended between two of the steps that follow a restore.
            self.revocations_due |= port.is_behind()?;
            self.new_generation |= self.revocations_due;
        }
        let writes = port.writes();
        let cursors = port.cursors()?;
        let known = if self.all_cursors || cursors.is_empty() {
            Known::All(cursors)
        } else {
            Known::Hash(cursor_set_hash(&cursors))
        };
        let (repair, given) = self.given(port, bytes_max)?;
        // Revocations go first and alone, so that the server knows them when it judges everything else.
        let own = given.is_empty() && !self.revocations_due;
        let bundle = if own && port.is_behind()? {
            // Everything settled is given back first, so that own work is judged beside it.
            Bundle::default()
        } else if own {
            let without = &self.blocked;
            port.outbox(&OutboxAsk {
                bytes_max,
                envelopes_max: OUTBOX_ENVELOPES_MAX,
                without,
            })?
        } else {
            given.bundle.clone()
        };
        let parcels = if own && bundle.is_empty() {
            self.parcels(port, bytes_max, now_ms)?
        } else {
            Vec::new()
        };
        let mut give_back = given.give_back.clone();
        if self.revocations_due {
            let entries = port.revocations()?;
            give_back.directory = entries
                .into_iter()
                .skip(self.revocations_given)
                .take(GIVE_BACK_DIRECTORY_MAX)
                .map(ByteVec::from)
                .collect();
        }
        let request = SyncRequest {
            version: PROTOCOL_VERSION,
            known,
            // Packs that are given back need the certificates of their authors, also without envelopes.
            bundle: (bundle != Bundle::default()).then_some(bundle),
            give_back: (give_back != GiveBack::default()).then_some(give_back),
            repair,
            page_bytes_max,
            parcels: (!parcels.is_empty()).then_some(parcels),
            measure: None,
        };
        Ok(SentRequest {
            request,
            given,
            own,
            writes,
        })
    }

    /// The parcels of the next request: after the own work, and with a server that this replica follows. If the
    /// last request with parcels got no answer, they wait for a later sync, so that they hold nothing up.
    fn parcels(
        &mut self,
        port: &dyn StarPort,
        bytes_max: usize,
        now_ms: i64,
    ) -> Result<Vec<ByteVec>, PortError> {
        self.parcels_off |= std::mem::take(&mut self.parcels_asked);
        if self.parcels_off || port.is_behind()? {
            return Ok(Vec::new());
        }
        let parcels = port.parcels(bytes_max, now_ms)?;
        self.parcels_asked = !parcels.is_empty();
        Ok(parcels.into_iter().map(ByteVec::from).collect())
    }

    /// The server refused the session and read nothing of the request, so its parcels can go with the next one.
    pub(super) fn unread(&mut self) {
        self.parcels_asked = false;
    }

    /// Forgets the parcels whose end the server has told, and lets those rest that it does not take now. Returns
    /// whether there were any.
    fn parcels_answered(
        &mut self,
        port: &mut dyn StarPort,
        answer: &Answer,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        let sent = answer.request().parcels.as_deref().unwrap_or_default();
        if sent.is_empty() {
            return Ok(false);
        }
        self.parcels_asked = false;
        let outcomes = answer.response().parcels.as_deref().unwrap_or_default();
        self.parcels_off |= outcomes.len() < sent.len();
        let (mut ended, mut resting) = (Vec::new(), Vec::new());
        for (parcel, outcome) in sent.iter().zip(outcomes) {
            let hash = Hash::of(&[parcel]);
            if outcome.is_final() {
                ended.push((hash, *outcome));
            } else {
                resting.push(hash);
            }
            // Further ones would have the same answer today.
            self.parcels_off |= *outcome == ParcelOutcome::TooMany;
            if outcome.refusal().is_some() {
                let outcome = *outcome;
                self.report.note(Incident::ParcelRefused { outcome });
            } else {
                self.report.parcels = self.report.parcels.saturating_add(1);
            }
        }
        port.forget_parcels(&ended, now_ms)?;
        if !resting.is_empty() {
            port.put_off_parcels(&resting, now_ms)?;
        }
        Ok(!outcomes.is_empty())
    }

    /// Applies a verified answer. Returns `true` when nothing is left to do.
    pub(super) fn take(
        &mut self,
        port: &mut dyn StarPort,
        answer: &Answer,
        asked: &SentRequest,
        now_ms: i64,
    ) -> Result<bool, RepairError> {
        let response = answer.response();
        self.note_generation(port, response.generation)?;
        let waiting = port.pending()?;
        let applied = port.apply(answer, now_ms)?;
        // The work of others leaves the outbox too, and a held envelope moves no stream.
        let delivered_some = port.pending()? < waiting;
        let stirred = port.writes() != asked.writes.wrapping_add(applied.writes);
        self.report.pushed = self.report.pushed.saturating_add(applied.settled);
        self.report.pulled = self.report.pulled.saturating_add(applied.pulled);
        let before = self.busy();
        let delivered = self.parcels_answered(port, answer, now_ms)?;
        let give_back = answer.request().give_back.as_ref();
        self.revocations_given += give_back.map_or(0, |give| give.directory.len());
        self.put_off(answer);
        self.not_taken(answer, asked);
        if self.revocations_due {
            self.revocations_due = self.revocations_given < port.revocations()?.len();
        }
        if response.missing.is_empty() {
            self.handed_over(asked);
        } else {
            self.lacks(port, asked, &response.missing)?;
        }
        if let Some(repair) = &mut self.repair {
            match repair.answered(port, &answer.request().repair, &response.repair, now_ms) {
                // The phone cannot follow the answer of the server. The next sync begins the repair anew.
                Err(RepairError::Reconcile(_)) => {
                    self.repair = None;
                    self.report.note(Incident::Unrepaired);
                    Self::catch_up(port, now_ms)?;
                    return Ok(true);
                }
                answered => answered?,
            }
        }
        self.all_cursors = response.cursors == CursorsAnswer::Needed;
        let came = applied.settled > 0 || applied.pulled > 0 || delivered || delivered_some;
        let taken = !asked.given.is_empty() && response.missing.is_empty();
        self.moved |= came || taken;
        if self.stands_still(port, came || before != self.busy())? {
            self.report.note(Incident::NoProgress);
            Self::catch_up(port, now_ms)?;
            return Ok(true);
        }
        let finished = self.is_finished(port, response, stirred, now_ms)?;
        if finished && !self.orphaning.is_empty() {
            port.orphaned(&self.orphaning, now_ms)?;
        }
        Ok(finished)
    }

    /// Leaves the envelopes that the server does not accept for now in the outbox until a later sync. The
    /// sync continues with the rest.
    fn put_off(&mut self, answer: &Answer) {
        let put_off =
            |status| matches!(status, Status::Refused(reason) if RefusedReason::is_put_off(reason));
        let lines = answer
            .receipt()
            .into_iter()
            .flat_map(|receipt| &receipt.envelopes);
        for line in lines.filter(|line| put_off(line.verdict.status)) {
            self.blocked.insert(line.hash.envelope_id());
            self.put_off.insert(line.hash.envelope_id());
            self.report.note(Incident::PutOff);
        }
    }

    /// Notes that the server refused given-back envelopes, because only a phone that holds the certificate of
    /// their author can give them back.
    fn not_taken(&mut self, answer: &Answer, asked: &SentRequest) {
        let lines = answer
            .receipt()
            .into_iter()
            .flat_map(|receipt| &receipt.envelopes);
        let refused = |status| matches!(status, Status::Refused(RefusedReason::BadCertificate));
        let one_was_refused = lines.into_iter().any(|line| refused(line.verdict.status));
        if !asked.own && (one_was_refused || !answer.response().not_taken.is_empty()) {
            self.report.note(Incident::NotTaken);
        }
    }

    /// The progress of the repair and the amount left to hand over. Any change of these is progress.
    fn busy(&self) -> (Option<u64>, bool, usize, usize, usize) {
        let (records, envelopes) = (self.parents.records.len(), self.parents.envelopes.len());
        (
            self.repair.as_ref().map(|repair| repair.done),
            self.revocations_due,
            self.revocations_given,
            records + envelopes,
            self.blocked.len(),
        )
    }

    fn handed_over(&mut self, asked: &SentRequest) {
        if asked.own {
            return;
        }
        if self.parents.is_empty() {
            if let Some(repair) = &mut self.repair {
                repair.given(&asked.given);
            }
        } else {
            self.parents = asked.given.left.clone();
        }
        if !asked.given.absent.is_empty() {
            self.blocked.extend(&asked.given.absent);
            self.orphaning.extend(&asked.given.absent);
            self.report.note(Incident::MissingParents);
        }
    }

    /// The server lacks parents and has stored nothing, so the parents come first now. Some parents are not
    /// here either, or were asked for once before in vain. They are left out from here on, with all envelopes
    /// that build on them, so that the rest can be sent.
    fn lacks(
        &mut self,
        port: &dyn StarPort,
        asked: &SentRequest,
        missing: &[EnvelopeId],
    ) -> Result<(), PortError> {
        let absent = port.absent(missing)?;
        let (hopeless, new): (Vec<EnvelopeId>, Vec<EnvelopeId>) = missing
            .iter()
            .partition(|id| absent.contains(id) || self.asked_parents.contains(*id));
        self.asked_parents.extend(missing);
        if !hopeless.is_empty() {
            self.blocked.extend(&hopeless);
            self.orphaning.extend(&absent);
            self.report.note(Incident::MissingParents);
        }
        if asked.own {
            self.parents.envelopes.extend(new);
        } else if !self.parents.is_empty() {
            self.parents.envelopes.splice(0..0, new);
        } else if let Some(repair) = &mut self.repair {
            repair.missing(&new);
        }
        Ok(())
    }

    fn stands_still(&mut self, port: &dyn StarPort, moved: bool) -> Result<bool, PortError> {
        let cursors = cursor_set_hash(&port.cursors()?);
        let moved = moved || self.seen != Some(cursors);
        self.seen = Some(cursors);
        self.standstill = if moved { 0 } else { self.standstill + 1 };
        Ok(self.standstill > SYNC_STANDSTILL_MAX)
    }

    fn has_more_to_send(&self, port: &dyn StarPort, now_ms: i64) -> Result<bool, PortError> {
        Ok(port.has_more_to_send(&self.blocked)?
            || !self.parcels_off && !port.parcels(0, now_ms)?.is_empty())
    }

    /// Ends the time behind a restored server, when both sides are equal or as equal as they can be. Returns
    /// whether it was such a time.
    fn catch_up(port: &mut dyn StarPort, now_ms: i64) -> Result<bool, PortError> {
        let was_behind = port.is_behind()?;
        if was_behind {
            port.catch_up(now_ms)?;
        }
        Ok(was_behind)
    }

    /// Turns to the outbox after the time behind a restored server. Returns `true` when nothing is left to do.
    fn goes_on(&mut self, port: &mut dyn StarPort, now_ms: i64) -> Result<bool, RepairError> {
        if !Self::catch_up(port, now_ms)? {
            return Ok(true);
        }
        if self.report.equal {
            self.attempts = 0;
        }
        Ok(!self.has_more_to_send(port, now_ms)?)
    }

    fn is_finished(
        &mut self,
        port: &mut dyn StarPort,
        response: &SyncResponse,
        stirred: bool,
        now_ms: i64,
    ) -> Result<bool, RepairError> {
        let go_on = self.all_cursors
            || response.more
            || !response.missing.is_empty()
            || self.revocations_due
            || !self.parents.is_empty();
        if go_on {
            return Ok(false);
        }
        self.report.closed = response.closed;
        if response.closed.is_some() {
            self.repair = None;
            Self::catch_up(port, now_ms)?;
            return Ok(!self.has_more_to_send(port, now_ms)?);
        }
        if let Some(repair) = &self.repair {
            if !repair.is_done() {
                return Ok(false);
            }
            let records = repair.differing;
            self.repair = None;
            // Asks once more with all cursors, because only the heads of that answer count.
            self.all_cursors = true;
            if records > 0 {
                self.report.note(Incident::Repaired { records });
            }
            return Ok(false);
        }
        if !port.is_behind()? && self.has_more_to_send(port, now_ms)? {
            return Ok(false);
        }
        self.report.equal = port.combined_digest()? == response.heads;
        let strays = port.strays()?;
        let not_taken = self.report.incidents.contains(&Incident::NotTaken);
        if self.report.equal && (strays.is_empty() || not_taken) {
            return self.goes_on(port, now_ms);
        }
        if stirred {
            // Asks again, because another phone may have brought something while the answer was on its way.
            self.all_cursors = true;
            return Ok(false);
        }
        if !self.report.equal && (!self.new_generation || self.attempts > 0) {
            self.report.note(Incident::DigestMismatch);
        }
        // The rest can only come from another phone, so another repair would end like the last one.
        let waits = not_taken || !self.orphaning.is_empty();
        let in_vain = waits && self.attempts > 0 && !self.moved;
        self.attempts += 1;
        if in_vain || self.attempts > REPAIR_ATTEMPTS_MAX {
            if !waits {
                self.report.note(Incident::Unrepaired);
            }
            return self.goes_on(port, now_ms);
        }
        self.moved = false;
        // The repair may bring the parents that were sent in vain, so it tries everything that is here.
        self.blocked = &self.orphaning | &self.put_off;
        self.asked_parents.clear();
        self.repair = Some(if self.report.equal {
            Repair::of_strays(port, &strays)?
        } else {
            Repair::start(port)?
        });
        Ok(false)
    }
}
