//! The readers of a notice, computed from the timeline, the assignments and the caller's directory.

use std::collections::BTreeMap;

use crate::domain::AreaPath;
use crate::domain::case::{Assignment, AssignmentState, Outcome, Party, RecordState};
use crate::id::MemberId;

/// The readers of a notice, by addressee, area and person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipts {
    /// Each addressee that is a unit, a team or a person, in order of its opening. A withdrawn
    /// addressee is left out.
    pub parties: Vec<PartyReceipt>,
    /// The areas of the notice, the home area first, and then areas of readers outside of them.
    pub areas: Vec<AreaReceipts>,
    /// Each person who has read it, with the time of the first reading, by member.
    pub readers: Vec<Reading>,
    /// The newest change of the content after its publication, ms UTC. A reading before it is of older words.
    pub changed_ms: Option<i64>,
}

/// The first reading of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The person.
    pub member: MemberId,
    /// Effective time, ms UTC.
    pub read_ms: i64,
}

/// Whether an addressee has read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyReceipt {
    /// The addressee.
    pub party: Party,
    /// Effective time of its signature, ms UTC. A signature that an office gave on behalf of it is none.
    pub signed_ms: Option<i64>,
    /// Effective time of the first reading by one of its people, or of its signature, ms UTC.
    pub read_ms: Option<i64>,
    /// The deadline for reading, ms UTC.
    pub by_ms: Option<i64>,
    /// It was read before the deadline; `None` without reading or deadline.
    pub in_time: Option<bool>,
}

/// The readers of an area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaReceipts {
    /// The area.
    pub area: AreaPath,
    /// The number of its people who have read it.
    pub readers: u32,
}

impl Receipts {
    /// The addressees that have not read it yet, in order of their opening.
    pub fn missing(&self) -> impl Iterator<Item = Party> {
        let unread = self.parties.iter().filter(|one| one.read_ms.is_none());
        unread.map(|one| one.party)
    }

    /// How many addressees have read it.
    #[must_use]
    pub fn read(&self) -> usize {
        self.parties.len() - self.missing().count()
    }
}

/// Sums up the readings of a notice. A signed opening (`seen`), a signature (`accept`) and each other action on the
/// notice show that their author has read it; the publisher is no reader.
///
/// `is_of` says whether a person belongs to an addressee, and `area_of` gives the area of a person. A person without
/// one counts in no area, and another one in the narrowest area of the notice around it, or in its own area.
pub fn receipts(
    state: &RecordState,
    is_of: impl Fn(MemberId, &Party) -> bool,
    area_of: impl Fn(MemberId) -> Option<AreaPath>,
) -> Receipts {
    let readers = readers(state);
    let mut areas: Vec<AreaReceipts> = Vec::new();
    for area in state.areas() {
        if !areas.iter().any(|known| known.area == area) {
            areas.push(AreaReceipts { area, readers: 0 });
        }
    }
    for own in readers.iter().filter_map(|one| area_of(one.member)) {
        let around = areas.iter().enumerate();
        let around = around.filter(|(_, known)| own.is_within(&known.area));
        let narrowest = around.max_by_key(|(_, known)| known.area.ids().len());
        let at = if let Some((at, _)) = narrowest {
            at
        } else {
            areas.push(AreaReceipts {
                area: own,
                readers: 0,
            });
            areas.len() - 1
        };
        areas[at].readers += 1;
    }
    let asked = state.assignments().iter();
    let asked = asked.filter(|one| one.state != AssignmentState::Withdrawn);
    Receipts {
        parties: asked.map(|one| of_party(one, &readers, &is_of)).collect(),
        areas,
        changed_ms: changed_ms(state),
        readers,
    }
}

/// The first reading of each person. The author of an effective entry had the notice before the eyes.
fn readers(state: &RecordState) -> Vec<Reading> {
    let mut first: BTreeMap<MemberId, i64> = BTreeMap::new();
    let effective = state.timeline.iter();
    let effective = effective.filter(|item| item.outcome == Outcome::Effective);
    let by = effective.filter_map(|item| Some((item.by?, item.effective_ms)));
    for (member, at_ms) in by.filter(|(member, _)| state.reporter != Some(*member)) {
        let known = first.entry(member).or_insert(at_ms);
        *known = (*known).min(at_ms);
    }
    let reading = |(member, read_ms)| Reading { member, read_ms };
    first.into_iter().map(reading).collect()
}

fn changed_ms(state: &RecordState) -> Option<i64> {
    let changes = state.timeline.iter().filter(|item| {
        let is_content = item.movement.is_none() && item.id != state.genesis;
        is_content && item.outcome == Outcome::Effective
    });
    changes.map(|item| item.effective_ms).max()
}

fn of_party(
    one: &Assignment,
    readers: &[Reading],
    is_of: &impl Fn(MemberId, &Party) -> bool,
) -> PartyReceipt {
    let signed_ms = one.accepted_ms.filter(|_| one.on_behalf.is_none());
    let people = readers
        .iter()
        .filter(|reader| is_of(reader.member, &one.to));
    let opened = people.map(|reader| reader.read_ms);
    let read_ms = opened.chain(signed_ms).min();
    let by_ms = one.deadlines.accept_by_ms;
    PartyReceipt {
        party: one.to,
        signed_ms,
        read_ms,
        by_ms,
        in_time: read_ms.zip(by_ms).map(|(read_ms, by_ms)| read_ms < by_ms),
    }
}
