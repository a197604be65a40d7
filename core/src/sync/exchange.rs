//! One sync inside a session: which request comes next, and what an answer leads to.
//!
//! Nothing in here survives a crash and nothing needs to: the outbox, the cursors and the digests say where
//! to go on, and a lost answer makes the same request again.

use std::collections::BTreeSet;

use minicbor::bytes::ByteVec;

use super::answer::Answer;
use super::port::{GiveAsk, Given, OutboxAsk, PortError, StarPort};
use super::repair::{Repair, RepairError};
use super::report::{Incident, Report};
use crate::id::{EnvelopeId, Hash};
use crate::limits::{
    GIVE_BACK_DIRECTORY_MAX, OUTBOX_ENVELOPES_MAX, REPAIR_ATTEMPTS_MAX, SYNC_STANDSTILL_MAX,
};
use crate::wire::cursor::cursor_set_hash;
use crate::wire::message::{
    Bundle, CursorsAnswer, GiveBack, Known, PROTOCOL_VERSION, SyncRequest, SyncResponse,
};
use crate::wire::verdict::{RefusedReason, Status};

/// A request with what this run must remember about it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: SyncRequest,
    given: Given,
    own: bool,
    /// How often the replica had been written to when it was asked.
    writes: u64,
}

/// One run from the first request to “nothing more to do”.
#[derive(Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "facts of a run that do not depend on each other"
)]
pub(super) struct Run {
    pub(super) report: Report,
    all_cursors: bool,
    revocations_due: bool,
    new_generation: bool,
    blocked: BTreeSet<EnvelopeId>,
    asked_parents: BTreeSet<EnvelopeId>,
    parents: GiveAsk,
    repair: Option<Repair>,
    attempts: u32,
    standstill: u32,
    seen: Option<Hash>,
}

impl Run {
    /// The server speaks of a generation: a higher one than the replica has followed begins the give-back.
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
            self.new_generation = true;
            // What was in vain with the server before its restore says nothing of this one.
            self.attempts = 0;
        }
        Ok(())
    }

    /// The next request.
    pub(super) fn request(
        &self,
        port: &dyn StarPort,
        page_bytes_max: u32,
        bytes_max: usize,
    ) -> Result<Asked, RepairError> {
        let writes = port.writes();
        let cursors = port.cursors()?;
        let known = if self.all_cursors || cursors.is_empty() {
            Known::All(cursors)
        } else {
            Known::Hash(cursor_set_hash(&cursors))
        };
        let mut repair = Vec::new();
        let mut given = Given::default();
        if !self.parents.is_empty() {
            given = port.give(&GiveAsk {
                bytes_max,
                ..self.parents.clone()
            })?;
        } else if let Some(under_way) = self.repair.as_ref().filter(|_| !self.revocations_due) {
            (repair, given) = under_way.asks(port, bytes_max)?;
        }
        // Revocations go alone and first: what follows is judged by a server that knows them.
        let own = given.is_empty() && !self.revocations_due;
        let bundle = if own {
            let without = &self.blocked;
            port.outbox(&OutboxAsk {
                bytes_max,
                envelopes_max: OUTBOX_ENVELOPES_MAX,
                without,
            })?
        } else {
            given.bundle.clone()
        };
        let mut give_back = given.give_back.clone();
        if self.revocations_due {
            let entries = port.revocations()?;
            give_back.directory = entries
                .into_iter()
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
        };
        Ok(Asked {
            request,
            given,
            own,
            writes,
        })
    }

    /// Takes a verified answer. `true` when nothing more is to do.
    pub(super) fn take(
        &mut self,
        port: &mut dyn StarPort,
        answer: &Answer,
        asked: &Asked,
        now_ms: i64,
    ) -> Result<bool, RepairError> {
        let response = answer.response();
        self.note_generation(port, response.generation)?;
        let stirred = port.writes() != asked.writes;
        let applied = port.apply(answer, now_ms)?;
        self.report.pushed = self.report.pushed.saturating_add(applied.settled);
        self.report.pulled = self.report.pulled.saturating_add(applied.pulled);
        let said_revocations = answer
            .request()
            .give_back
            .as_ref()
            .is_some_and(|give| !give.directory.is_empty());
        self.put_off(answer);
        self.not_taken(answer, asked);
        if said_revocations || self.revocations_spared(port)? {
            self.revocations_due = false;
        }
        let before = self.busy();
        if response.missing.is_empty() {
            self.handed_over(asked);
        } else {
            self.lacks(asked, &response.missing);
        }
        if let Some(repair) = &mut self.repair {
            match repair.answered(port, &answer.request().repair, &response.repair, now_ms) {
                // What the server says can not be followed. The next sync begins the repair anew.
                Err(RepairError::Reconcile(_)) => {
                    self.repair = None;
                    self.report.note(Incident::Unrepaired);
                    return Ok(true);
                }
                answered => answered?,
            }
        }
        self.all_cursors = response.cursors == CursorsAnswer::Needed;
        let moved = applied.settled > 0 || applied.pulled > 0 || before != self.busy();
        if self.stands_still(port, moved)? {
            self.report.note(Incident::NoProgress);
            return Ok(true);
        }
        self.is_finished(port, response, stirred)
    }

    /// What the server does not take for now stays in the outbox until a later sync; the rest goes on.
    fn put_off(&mut self, answer: &Answer) {
        let too_many = Status::Refused(RefusedReason::TooMany);
        let lines = answer
            .receipt()
            .into_iter()
            .flat_map(|receipt| &receipt.envelopes);
        for line in lines.filter(|line| line.verdict.status == too_many) {
            self.blocked.insert(line.hash.envelope_id());
            self.report.note(Incident::PutOff);
        }
    }

    /// What was given back and refused can only come from somebody who holds its author's certificate.
    fn not_taken(&mut self, answer: &Answer, asked: &Asked) {
        let lines = answer
            .receipt()
            .into_iter()
            .flat_map(|receipt| &receipt.envelopes);
        let refused = |status| matches!(status, Status::Refused(RefusedReason::BadCertificate));
        if !asked.own && lines.into_iter().any(|line| refused(line.verdict.status)) {
            self.report.note(Incident::NotTaken);
        }
    }

    /// With no revocation to tell, telling them is done.
    fn revocations_spared(&self, port: &dyn StarPort) -> Result<bool, PortError> {
        Ok(self.revocations_due && port.revocations()?.is_empty())
    }

    /// How far the repair is and how much is left to hand over: a change of it is progress.
    fn busy(&self) -> (Option<u64>, bool, usize, usize) {
        let (records, envelopes) = (self.parents.records.len(), self.parents.envelopes.len());
        (
            self.repair.as_ref().map(|repair| repair.done),
            self.revocations_due,
            records + envelopes,
            self.blocked.len(),
        )
    }

    fn handed_over(&mut self, asked: &Asked) {
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
            self.report.note(Incident::MissingParents);
        }
    }

    /// The server lacks parents and has stored nothing: they come first now. What was asked for once before,
    /// and did not help, is left out from here on, so that the rest of the outbox goes through.
    fn lacks(&mut self, asked: &Asked, missing: &[EnvelopeId]) {
        let (again, new): (Vec<_>, Vec<_>) = missing
            .iter()
            .partition(|id| self.asked_parents.contains(*id));
        self.asked_parents.extend(missing);
        if !again.is_empty() {
            self.blocked.extend(again);
            self.report.note(Incident::MissingParents);
        }
        if asked.own {
            self.parents.envelopes.extend(new);
        } else if !self.parents.is_empty() {
            if new.is_empty() {
                self.parents = GiveAsk::default();
            } else {
                self.parents.envelopes.splice(0..0, new);
            }
        } else if let Some(repair) = &mut self.repair
            && (new.is_empty() || !repair.missing(&new))
        {
            repair.stop_giving();
        }
    }

    fn stands_still(&mut self, port: &dyn StarPort, moved: bool) -> Result<bool, PortError> {
        let cursors = cursor_set_hash(&port.cursors()?);
        let moved = moved || self.seen != Some(cursors);
        self.seen = Some(cursors);
        self.standstill = if moved { 0 } else { self.standstill + 1 };
        Ok(self.standstill > SYNC_STANDSTILL_MAX)
    }

    fn has_more_to_send(&self, port: &dyn StarPort) -> Result<bool, PortError> {
        let without = &self.blocked;
        let rest = port.outbox(&OutboxAsk {
            bytes_max: 0,
            envelopes_max: 1,
            without,
        })?;
        Ok(!rest.envelopes.is_empty())
    }

    fn is_finished(
        &mut self,
        port: &mut dyn StarPort,
        response: &SyncResponse,
        stirred: bool,
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
            return Ok(!self.has_more_to_send(port)?);
        }
        if let Some(repair) = &self.repair {
            if !repair.is_done() {
                return Ok(false);
            }
            let records = repair.differing;
            self.repair = None;
            // Once more with all cursors; that answer's heads are what counts.
            self.all_cursors = true;
            if records > 0 {
                self.report.note(Incident::Repaired { records });
            }
            return Ok(false);
        }
        if self.has_more_to_send(port)? {
            return Ok(false);
        }
        self.report.equal = port.combined_digest()? == response.heads;
        let strays = port.strays()?;
        let not_taken = self.report.incidents.contains(&Incident::NotTaken);
        if self.report.equal && (strays.is_empty() || not_taken) {
            return Ok(true);
        }
        if stirred {
            // Another phone may have brought something while the answer was on its way: it is asked again.
            self.all_cursors = true;
            return Ok(false);
        }
        if !self.report.equal && (!self.new_generation || self.attempts > 0) {
            self.report.note(Incident::DigestMismatch);
        }
        self.attempts += 1;
        if self.attempts > REPAIR_ATTEMPTS_MAX {
            if !not_taken {
                self.report.note(Incident::Unrepaired);
            }
            return Ok(true);
        }
        self.repair = Some(if self.report.equal {
            Repair::of_strays(port, &strays)?
        } else {
            Repair::start(port)?
        });
        Ok(false)
    }
}
