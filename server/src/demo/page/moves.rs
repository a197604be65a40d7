//! Which moves a person can make on a record now, and the events behind the page's buttons.
//!
//! Whether a button is shown follows from the same two functions that judge every envelope: `may` and
//! `possible`.

use onegrid_core::domain::case::guard::possible;
use onegrid_core::domain::case::payload::{
    Bare, DangerRemains, Dispatch, FollowUp, GiveBack, Merge, Reasoned, Step, Verify,
};
use onegrid_core::domain::case::{CaseState, Deadlines, Event, Part, Party};
use onegrid_core::domain::may::{Action, Actor, may};
use onegrid_core::domain::{Grant, Text};
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::replica::RecordView;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::cast::unit;
use super::super::phone::Phone;
use super::show::UNITS;

const HOUR_MS: i64 = 3_600_000;
/// Time that a dispatch of the page leaves for resolving, hours.
const RESOLVE_HOURS: i64 = 24;

/// What the page sends along with a move.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    /// Words of the person.
    pub(super) text: Option<String>,
    /// Whom to dispatch to, by the seed's id.
    unit: Option<String>,
    /// The record that a duplicate belongs to.
    into: Option<String>,
    /// The assignment concerned.
    assignment: Option<String>,
}

/// A move that a button makes.
const MOVES: [&str; 13] = [
    "dispatch",
    "accept",
    "arrive",
    "resolve",
    "return",
    "withdraw",
    "verify_pass",
    "verify_fail",
    "close",
    "follow_up",
    "merge",
    "reopen",
    "danger_remains",
];

/// The moves that the person of this phone can make on the record now.
pub(super) fn offered(phone: &Phone, view: &RecordView) -> Vec<Value> {
    let Some(state) = &view.state else {
        return Vec::new();
    };
    let grants = grants(phone);
    let allowed = |event: &Event| is_allowed(phone, &grants, state, event);
    let mut offered = Vec::new();
    for name in MOVES {
        for given in candidates(name, state) {
            let Some(event) = event(name, &given, state, view.row.id, 0) else {
                continue;
            };
            if allowed(&event) {
                offered.push(json!({ "move": name, "assignment": given.assignment }));
                break;
            }
        }
    }
    offered
}

/// One try for each assignment where the move is about one, else a single one.
fn candidates(name: &str, state: &CaseState) -> Vec<Given> {
    let words = || Some("·".to_owned());
    match name {
        "accept" | "arrive" | "resolve" | "return" | "withdraw" => state
            .assignments
            .iter()
            .rev()
            .map(|one| Given {
                assignment: Some(one.id.to_string()),
                text: words(),
                ..Given::default()
            })
            .collect(),
        "dispatch" => UNITS
            .iter()
            .map(|(id, ..)| Given {
                unit: Some((*id).to_owned()),
                ..Given::default()
            })
            .collect(),
        "merge" => vec![Given {
            // Any other record: which one is the person's choice.
            into: Some(RecordId([0xff; 16]).to_string()),
            ..Given::default()
        }],
        _ => vec![Given {
            text: words(),
            ..Given::default()
        }],
    }
}

fn grants(phone: &Phone) -> Vec<Grant> {
    let replica = phone.replica();
    let certificate = replica.certificate();
    certificate
        .map(|certificate| certificate.facts().grants.clone())
        .unwrap_or_default()
}

fn is_allowed(phone: &Phone, grants: &[Grant], state: &CaseState, event: &Event) -> bool {
    let units: Vec<_> = grants
        .iter()
        .filter_map(|grant| grant.scope.unit())
        .collect();
    let action = Action::Do {
        state,
        event,
        on_behalf_of: None,
    };
    let by = |grant| Actor {
        member: Some(phone.member()),
        grant,
        units: &units,
    };
    possible(state, event).is_ok() && grants.iter().any(|grant| may(&by(grant), &action).is_ok())
}

/// The event of a button; `None` where something is missing that it needs.
pub(super) fn event(
    name: &str,
    given: &Given,
    state: &CaseState,
    record: RecordId,
    now_ms: i64,
) -> Option<Event> {
    let words = given
        .text
        .as_deref()
        .and_then(|text| Text::new(text.trim()).ok());
    let assignment = || -> Option<EnvelopeId> {
        let id = given.assignment.as_deref()?.parse().ok()?;
        state.assignment(id).map(|one| one.id)
    };
    let step = || {
        Some(Step {
            assignment: assignment()?,
            attachments: Vec::new(),
            note: words.clone(),
        })
    };
    let back = || {
        Some(GiveBack {
            assignment: assignment()?,
            reason: words.clone()?,
        })
    };
    let verify = |pass| {
        Event::Verify(Verify {
            pass,
            attachments: Vec::new(),
            note: words.clone(),
        })
    };
    Some(match name {
        "dispatch" => Event::Dispatch(Dispatch {
            to: Party::Unit(unit(known_unit(given.unit.as_deref()?)?)),
            part: Part::Lead,
            deadlines: Deadlines {
                resolve_by_ms: Some(now_ms + RESOLVE_HOURS * HOUR_MS),
                ..Deadlines::default()
            },
            rule: None,
            note: words.clone(),
        }),
        "accept" => Event::Accept(step()?),
        "arrive" => Event::Arrive(step()?),
        "resolve" => Event::Resolve(step()?),
        "return" => Event::Return(back()?),
        "withdraw" => Event::Withdraw(back()?),
        "verify_pass" => verify(true),
        "verify_fail" => verify(false),
        "close" => Event::Close(Bare { note: words }),
        "follow_up" => Event::FollowUp(FollowUp {
            satisfied: Some(true),
            note: words,
        }),
        "merge" => Event::Merge(Merge {
            into: given
                .into
                .as_deref()?
                .parse()
                .ok()
                .filter(|id| *id != record)?,
            note: words,
        }),
        "reopen" => Event::Reopen(Reasoned { reason: words? }),
        "danger_remains" => Event::DangerRemains(DangerRemains {
            text: words,
            attachments: Vec::new(),
        }),
        _ => return None,
    })
}

fn known_unit(id: &str) -> Option<&'static str> {
    UNITS
        .iter()
        .map(|(name, ..)| *name)
        .find(|name| *name == id)
}
