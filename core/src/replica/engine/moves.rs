//! The moves that the person can make on a record now, and the move made from plain input.

use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::Replica;
use crate::domain::Grant;
use crate::domain::case::offer::{self, Asker};
use crate::domain::case::{Move, MoveInput, MoveOption, Party, RecordState};
use crate::id::{EnvelopeId, RecordId};

/// The whole record awaits review, so no envelope can build on it.
const AWAITS_REVIEW: &str = "replica.awaits_review";
/// The record holds work of a newer app.
const NEEDS_NEWER_APP: &str = "replica.needs_newer_app";

impl Reader {
    /// Every move on a record, each with the grant that would sign it or the reason why not. `acting_as`:
    /// under this grant alone.
    pub fn moves(
        &self,
        record: RecordId,
        acting_as: Option<&Grant>,
    ) -> Result<Vec<MoveOption>, ReplicaError> {
        self.ask(record, acting_as, |state, asker| {
            let mut offers = offer::offers(state, asker);
            if state.frozen {
                // An old app can still comment and warn.
                let stuck = |offer: &&mut MoveOption| !offer.movement.is_always_possible();
                for offer in offers.iter_mut().filter(stuck) {
                    offer.allowed = Err(NEEDS_NEWER_APP);
                    offer.on_behalf = None;
                }
            }
            offers
        })
        .map(|offers| offers.unwrap_or_else(|| nothing_yet(AWAITS_REVIEW)))
    }

    /// The grant under which the person would write the content of a record, or the code of the refusal.
    pub fn may_edit(
        &self,
        record: RecordId,
        acting_as: Option<&Grant>,
    ) -> Result<Result<Grant, &'static str>, ReplicaError> {
        self.ask(record, acting_as, offer::edit_offer)
            .map(|answer| answer.unwrap_or(Err(AWAITS_REVIEW)))
    }

    /// Judges in the state of a record; `None` while its beginning does not count.
    fn ask<T>(
        &self,
        record: RecordId,
        acting_as: Option<&Grant>,
        question: impl FnOnce(&RecordState, &Asker<'_>) -> T,
    ) -> Result<Option<T>, ReplicaError> {
        let certificate = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let loaded = self.load(record)?;
        let loaded = loaded.ok_or(ReplicaError::NoRecord)?;
        let facts = certificate.facts();
        let asker = Asker {
            device: facts.device,
            member: facts.member,
            grants: &facts.grants,
            acting_as,
        };
        Ok(loaded.state().map(|state| question(state, &asker)))
    }
}

impl Replica {
    /// Makes a move from a person's entry. The move is refused at once when the rules do not allow it in
    /// the state that this phone knows.
    pub fn make_move(
        &mut self,
        record: RecordId,
        input: &MoveInput,
        now_ms: i64,
    ) -> Result<EnvelopeId, ReplicaError> {
        let loaded = self.load(record)?;
        let loaded = loaded.ok_or(ReplicaError::NoRecord)?;
        let state = loaded.state();
        let state = state.ok_or(ReplicaError::NotAllowed(AWAITS_REVIEW))?;
        let (event, on_behalf_of) = input.event(state)?;
        let kind = state.facts.kind.spec();
        if kind.is_some_and(|kind| kind.form.is_some()) {
            return self.step(record, (&event, on_behalf_of), now_ms);
        }
        self.act(record, &event, on_behalf_of, now_ms)
    }

    /// Dispatches a record to many parties with one tap: a joint call, or a task. Returns the assignment of each
    /// party, or the code of its refusal. A refused party, such as one that is responsible already, stops no other.
    pub fn dispatch_all(
        &mut self,
        record: RecordId,
        parties: &[Party],
        to_each: &MoveInput,
        now_ms: i64,
    ) -> Result<Vec<Result<EnvelopeId, &'static str>>, ReplicaError> {
        let mut assignments = Vec::with_capacity(parties.len());
        for party in parties {
            let (to_unit, to_member) = match party {
                Party::Unit(unit) => (Some(*unit), None),
                Party::Member(member) => (None, Some(*member)),
            };
            let input = MoveInput {
                movement: Move::Dispatch.name().to_owned(),
                to_unit,
                to_member,
                ..to_each.clone()
            };
            assignments.push(match self.make_move(record, &input, now_ms) {
                Ok(id) => Ok(id),
                Err(ReplicaError::NotAllowed(code)) => Err(code),
                Err(error) => return Err(error),
            });
        }
        Ok(assignments)
    }
}

/// Every move, all of them refused for one reason.
fn nothing_yet(code: &'static str) -> Vec<MoveOption> {
    let refused = |movement: &Move| MoveOption {
        kind: None,
        movement: *movement,
        step: None,
        assignment: None,
        request: None,
        allowed: Err(code),
        on_behalf: None,
        needs: crate::domain::case::input::needs(*movement),
    };
    let moves = Move::ALL.iter().filter(|one| **one != Move::Step);
    moves.map(refused).collect()
}
