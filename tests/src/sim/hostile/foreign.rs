//! Changes of other authors in envelopes of the hostile member (finding A1): before the honest envelope comes, after
//! it, beside a pack, and under the number that another author will use next.

use onegrid_core::crdt::{ActorId, Document, FieldEdit};
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::id::EnvelopeId;
use onegrid_core::sync::port::{GiveAsk, StarPort};
use onegrid_core::wire::body::Body;
use onegrid_core::wire::message::GiveBack;

use super::super::world::{Part, World};
use super::sealing::{Ground, bundle, change};
use super::{Target, bytes};

/// Bytes that the hostile member hands over at a meeting.
const GIVEN_BYTES: usize = 1 << 20;

/// A change of another author, and the place of the envelope with it.
struct Stolen {
    change: Vec<u8>,
    parents: Vec<EnvelopeId>,
    /// The honest envelope, if no server has judged it yet.
    undelivered: Option<EnvelopeId>,
}

impl World {
    /// Puts a change of another author into an envelope of the hostile member.
    pub(super) fn wraps_somebody_elses_change(&mut self, who: usize) -> Result<(), String> {
        // Undelivered work comes by a meeting.
        let other = self.chance.below(self.people.len());
        if self.people[other].part == Part::Honest && self.chance.one_in(2) {
            self.meets(who, other)?;
        }
        let Some(target) = self.target_of_a_thief(who)? else {
            return Ok(());
        };
        let Some(stolen) = stolen(&target) else {
            return Ok(());
        };
        let body = change(stolen.change, self.chance.bytes());
        let ground = Ground {
            parents: stolen.parents,
            ..target.ground(None)
        };
        let envelope = self.sealed_on(&target, &ground, &body)?;
        self.is_forged(&envelope);
        self.hostility.overtaken.extend(stolen.undelivered);
        let what = match stolen.undelivered {
            Some(honest) => format!("{} with the change of {honest}, before it", envelope.id()),
            None => format!("{} with a change of somebody else", envelope.id()),
        };
        if self.chance.one_in(3) {
            return self.beside_a_pack(&target, envelope, &what);
        }
        self.hands_over(who, &[envelope], &what)
    }

    /// Picks a record with undelivered work of others, if there is one.
    fn target_of_a_thief(&mut self, who: usize) -> Result<Option<Target>, String> {
        for _ in 0..3 {
            let Some(target) = self.target(who)? else {
                return Ok(None);
            };
            if stolen(&target).is_some_and(|stolen| stolen.undelivered.is_some()) {
                return Ok(Some(target));
            }
        }
        self.target(who)
    }

    /// Gives a phone the record as the server packed it, and the forged envelope with it.
    fn beside_a_pack(
        &mut self,
        target: &Target,
        envelope: onegrid_core::wire::envelope::Envelope,
        what: &str,
    ) -> Result<(), String> {
        let other = self.chance.below(self.people.len());
        if self.people[other].part != Part::Honest {
            return self.hands_over(target.who, &[envelope], what);
        }
        let ask = GiveAsk {
            records: vec![target.record.id()],
            bytes_max: GIVEN_BYTES,
            ..GiveAsk::default()
        };
        let given = self.people[target.who].phone.replica().give(&ask);
        let given = given.map_err(|error| error.code.to_owned())?;
        let phone = &mut self.people[target.who].phone;
        let mut forged = bundle(phone, std::slice::from_ref(&envelope))?;
        forged.envelopes.extend(given.bundle.envelopes);
        let give_back = GiveBack {
            attestations: given.give_back.attestations,
            packs: given.give_back.packs,
            ..GiveBack::default()
        };
        self.reaches_phone(
            target.who,
            other,
            give_back,
            forged,
            &format!("{what}, in a pack"),
        )
    }

    /// Uses the number of the change that another author will write next.
    pub(super) fn steals_a_number(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let Some(document) = target.record.document() else {
            return Ok(());
        };
        let genesis = target.record.nodes().first().map(|node| node.id);
        let raw = victim(document, &target).and_then(|victim| next_change(document, victim));
        let (Some(raw), Some(genesis)) = (raw, genesis) else {
            return Ok(());
        };
        // Its place is as low as possible, so it comes first in every order.
        let ground = Ground {
            parents: vec![genesis],
            ..target.ground(None)
        };
        let body: Body = change(raw, self.chance.bytes());
        let envelope = self.sealed_on(&target, &ground, &body)?;
        self.is_forged(&envelope);
        let what = format!("{} under the number of somebody else", envelope.id());
        self.hands_over(who, &[envelope], &what)
    }
}

/// Returns the newest undelivered change of another author, or else any newest one.
fn stolen(target: &Target) -> Option<Stolen> {
    let record = &target.record;
    let undelivered = record.nodes().iter().rev().find_map(|node| {
        let raw = node.change()?.raw.clone()?;
        let fresh = node.verdict.is_none() && node.author != target.device;
        // A Genesis cannot be wrapped, because it makes a record of its own.
        (fresh && !node.parents.is_empty()).then(|| Stolen {
            change: raw,
            parents: record.parents_of(node).collect(),
            undelivered: Some(node.id),
        })
    });
    undelivered.or_else(|| {
        Some(Stolen {
            change: bytes::of_another(record.document()?, &target.device)?,
            parents: target.ground(None).parents,
            undelivered: None,
        })
    })
}

fn victim(document: &Document, target: &Target) -> Option<ActorId> {
    let mut actors = document.changes().map(|change| change.actor);
    actors.find(|actor| !actor.device().matches(&target.device))
}

fn next_change(document: &Document, victim: ActorId) -> Option<Vec<u8>> {
    let edit = FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(1));
    let other = FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(2));
    [edit, other]
        .iter()
        .find_map(|edit| document.edit(victim, std::slice::from_ref(edit)).ok())
}
