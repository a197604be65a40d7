//! Random events: every move that a person could tap, sensible or not.

use onegrid_core::domain::Text;
use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::case::payload as p;
use onegrid_core::domain::case::{Deadlines, Event, Move, Part, Party, RecordState, Severity};
use onegrid_core::id::{EnvelopeId, Hash, RecordId};

use super::chance::Chance;
use crate::town::{DAY_MS, Places};

/// The ingredients of a random event.
pub struct Makings<'a> {
    /// Places and units.
    pub places: &'a Places,
    /// The case as its author sees it.
    pub state: &'a RecordState,
    /// Another record, for moves that name a second one.
    pub other: RecordId,
    /// The author's clock, ms UTC.
    pub now_ms: i64,
    /// The words of the event.
    pub words: &'a str,
}

/// Areas in the content of events.
pub const AREAS: [&str; 6] = [
    "330105013003001",
    "330105013003002",
    "330105013001001",
    "330105013002",
    "330105012001",
    "330105013000",
];

/// Categories that people choose.
pub const CATEGORIES: [&str; 4] = ["gas", "fire_lane", "wire", "environment"];

/// Returns the event of a move.
#[allow(clippy::too_many_lines, reason = "one arm for each move")]
pub fn event(movement: Move, makings: &Makings<'_>, chance: &mut Chance) -> Event {
    let Makings {
        state,
        now_ms,
        words,
        ..
    } = *makings;
    let text = || Text::new(words).unwrap();
    let note = Some(text());
    let level = state.handling().map(|handling| handling.level);
    let photo = |chance: &mut Chance| vec![Hash(chance.bytes())];
    let assignments: Vec<EnvelopeId> = state.assignments().iter().map(|a| a.id).collect();
    let assignment = chance
        .pick(&assignments)
        .unwrap_or(EnvelopeId(chance.bytes()));
    let deadlines = Deadlines {
        accept_by_ms: None,
        arrive_by_ms: None,
        resolve_by_ms: chance.one_in(2).then_some(now_ms + DAY_MS),
    };
    let step = |chance: &mut Chance| p::Step {
        assignment,
        attachments: if chance.one_in(3) {
            photo(chance)
        } else {
            Vec::new()
        },
        note: note.clone(),
    };
    let bare = p::Bare { note: note.clone() };
    match movement {
        Move::Triage => Event::Triage(p::Triage {
            category: chance.pick(&CATEGORIES).unwrap().parse().unwrap(),
            severity: chance.pick(Severity::ALL).unwrap(),
            grid: None,
            rule: None,
            note,
        }),
        Move::Dispatch => Event::Dispatch(p::Dispatch {
            to: party(makings, chance),
            part: if chance.one_in(4) {
                Part::Support
            } else {
                Part::Lead
            },
            deadlines,
            rule: None,
            note,
        }),
        Move::Accept => Event::Accept(step(chance)),
        Move::Arrive => Event::Arrive(step(chance)),
        Move::Resolve => Event::Resolve(step(chance)),
        Move::Return => Event::Return(p::GiveBack {
            assignment,
            reason: text(),
        }),
        Move::Withdraw => Event::Withdraw(p::GiveBack {
            assignment,
            reason: text(),
        }),
        Move::Transfer => Event::Transfer(p::Transfer {
            to: makings.places.path(chance.pick(&AREAS).unwrap()),
            reason: text(),
        }),
        Move::Share => Event::Share(p::Share {
            with: if chance.one_in(2) {
                p::Partner::Party(party(makings, chance))
            } else {
                p::Partner::Area(makings.places.path(chance.pick(&AREAS).unwrap()))
            },
            deadlines,
            note,
        }),
        Move::VerifyPass | Move::VerifyFail => Event::Verify(p::Verify {
            pass: movement == Move::VerifyPass,
            attachments: Vec::new(),
            note,
        }),
        Move::Close => Event::Close(bare),
        Move::FollowUp => Event::FollowUp(p::FollowUp {
            satisfied: Some(chance.one_in(2)),
            note,
        }),
        Move::HandledOnSpot => Event::HandledOnSpot(p::HandledOnSpot {
            before: photo(chance),
            after: photo(chance),
            note,
        }),
        Move::Dismiss => Event::Dismiss(p::Reasoned { reason: text() }),
        Move::Escalate => Event::Escalate(p::Escalate {
            to: level
                .and_then(AreaLevel::above)
                .unwrap_or(AreaLevel::District),
            reason: text(),
            rule: None,
        }),
        Move::AssignFinally => Event::AssignFinally(p::AssignFinally {
            to: party(makings, chance),
            deadlines,
            reason: text(),
        }),
        Move::Urge => Event::Urge(bare),
        Move::Supervise => Event::Supervise(bare),
        Move::Suspend => Event::Suspend(p::Suspend {
            until_ms: None,
            reason: text(),
        }),
        Move::Resume => Event::Resume(bare),
        Move::RequestExtension => Event::RequestExtension(p::RequestExtension {
            assignment,
            until_ms: now_ms + 2 * DAY_MS,
            reason: text(),
        }),
        Move::GrantExtension => {
            let handling = state.handling().into_iter();
            let all = handling.flat_map(|handling| &handling.extensions);
            let asked: Vec<EnvelopeId> = all.map(|e| e.request).collect();
            Event::GrantExtension(p::GrantExtension {
                request: chance.pick(&asked).unwrap_or(assignment),
                until_ms: now_ms + 2 * DAY_MS,
                note,
            })
        }
        Move::HandToPolice => Event::HandToPolice(p::HandToPolice {
            to: None,
            reason: text(),
        }),
        Move::Merge => Event::Merge(p::Merge {
            into: makings.other,
            note,
        }),
        Move::Unmerge => Event::Unmerge(bare),
        Move::Reopen => Event::Reopen(p::Reasoned { reason: text() }),
        Move::DangerRemains => Event::DangerRemains(p::DangerRemains {
            text: note,
            attachments: Vec::new(),
        }),
        Move::Comment => Event::Comment(p::Comment {
            text: note,
            attachments: Vec::new(),
            mentions: Vec::new(),
        }),
        Move::Seen => Event::Seen(p::Seen {}),
        Move::Step => Event::Step(kind_step(makings.state, note, chance)),
    }
}

/// A step of the kind's own table, mostly with a reason that it takes.
fn kind_step(state: &RecordState, note: Option<Text>, chance: &mut Chance) -> p::KindStep {
    let steps = state.steps().map_or(&[][..], |steps| steps.table.steps);
    let step = (!steps.is_empty()).then(|| &steps[chance.below(steps.len())]);
    let reasons = step.map_or(&[][..], |step| step.reasons);
    let wrong = chance.one_in(12);
    let reason = match reasons.len() {
        _ if wrong => Some(1),
        0 => None,
        count => Some(reasons[chance.below(count)].code),
    };
    p::KindStep {
        step: step.map_or(1, |step| step.code),
        reason,
        attachments: Vec::new(),
        note,
    }
}

fn party(makings: &Makings<'_>, chance: &mut Chance) -> Party {
    let units = ["gas-company", "urban-management", "wulin-aunties"];
    Party::Unit(makings.places.unit(chance.pick(&units).unwrap()))
}
