//! The moves behind the page's buttons: the moves that the core offers, and the input that a button
//! enters for each.

use onegrid_core::domain::case::{Deadlines, Move, MoveInput};
use onegrid_core::id::RecordId;
use onegrid_core::replica::ReplicaError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::show::UNITS;
use crate::cast::unit;
use crate::phone::Phone;

const HOUR_MS: i64 = 3_600_000;
/// Time that a dispatch of the page leaves for resolving, hours.
const RESOLVE_HOURS: i64 = 24;

/// The input that the page sends along with a move.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveFields {
    /// Words of the person.
    pub(super) text: Option<String>,
    /// The unit of a dispatch, by the seed's id.
    unit: Option<String>,
    /// The record that a duplicate is merged into.
    into: Option<String>,
    /// The assignment concerned.
    assignment: Option<String>,
    /// The reason of a step, out of its list.
    reason: Option<String>,
    /// Staged photos.
    #[serde(default)]
    pub(super) photos: Vec<String>,
}

/// The moves that have a button.
const MOVES: [Move; 13] = [
    Move::Dispatch,
    Move::Accept,
    Move::Arrive,
    Move::Resolve,
    Move::Return,
    Move::Withdraw,
    Move::VerifyPass,
    Move::VerifyFail,
    Move::Close,
    Move::FollowUp,
    Move::Merge,
    Move::Reopen,
    Move::DangerRemains,
];

/// Returns the moves and steps that the person of this phone can make on the record now. A move on an
/// assignment is about the newest one.
pub(super) fn offered(phone: &Phone, record: RecordId) -> Result<Vec<Value>, ReplicaError> {
    let options = phone.replica().moves(record, None)?;
    let of_move = |movement: &Move| {
        let mut possible = options
            .iter()
            .filter(|option| option.movement == *movement && option.allowed.is_ok());
        let newest = possible.next_back()?;
        let assignment = newest.assignment.map(|id| id.to_string());
        Some(json!({ "move": movement.name(), "assignment": assignment }))
    };
    let mut offered: Vec<Value> = MOVES.iter().filter_map(of_move).collect();
    let possible = options.iter().filter(|option| option.allowed.is_ok());
    offered.extend(possible.filter_map(|option| {
        let step = option.step?;
        let reasons: Vec<&str> = step.reasons.iter().map(|reason| reason.name).collect();
        Some(json!({ "move": step.name, "reasons": reasons, "needs_text": step.needs_text }))
    }));
    Ok(offered)
}

/// Returns the input of a button; `None` if the page sent a malformed id.
pub(super) fn input(name: &str, given: &MoveFields, now_ms: i64) -> Option<MoveInput> {
    let known_unit = |id: &str| {
        UNITS
            .iter()
            .map(|(known, ..)| *known)
            .find(|known| *known == id)
    };
    let to_unit = match given.unit.as_deref() {
        Some(id) => Some(unit(known_unit(id)?)),
        None => None,
    };
    Some(MoveInput {
        movement: name.to_owned(),
        assignment: parsed(given.assignment.as_deref()).ok()?,
        into: parsed(given.into.as_deref()).ok()?,
        text: given.text.clone(),
        reason: given.reason.clone(),
        to_unit,
        deadlines: Deadlines {
            resolve_by_ms: Some(now_ms + RESOLVE_HOURS * HOUR_MS),
            ..Deadlines::default()
        },
        satisfied: Some(true),
        ..MoveInput::default()
    })
}

/// Parses the id in a text, if there is a text.
fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, T::Err> {
    text.map(str::parse).transpose()
}
