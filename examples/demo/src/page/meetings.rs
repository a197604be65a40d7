//! Meetings on the page: two phones meet at the press of a button, and each meeting is listed.

use axum::Json;
use axum::extract::{Path, State};
use onegrid_core::id::RecordId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shown;
use super::act::{Done, Refused};
use super::photos;
use super::show::both;
use crate::cast::{Cast, PEOPLE};
use crate::meeting::{End, Meeting};
use crate::phone::Phone;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Other {
    with: String,
}

/// Lets two phones meet, with or without a network.
pub(super) async fn meet(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    Json(other): Json<Other>,
) -> Done {
    let find = |name: &str| shown.cast.find(name).ok_or_else(Refused::no_record);
    let (caller, listener) = (find(&phone)?, find(&other.with)?);
    if caller.name() == listener.name() {
        return Err(Refused::bad_input());
    }
    let meeting = shown.cast.meet(caller, listener);
    let meeting = meeting.map_err(|code| Refused::of(&code))?;
    caller.notify();
    listener.notify();
    shown.touch();
    Ok(Json(one(&shown.cast, &meeting)?))
}

/// Returns all meetings, the newest first.
pub(super) fn list(cast: &Cast) -> Result<Vec<Value>, Refused> {
    let meetings = cast.meetings().clone();
    let newest_first = meetings.iter().rev();
    newest_first.map(|meeting| one(cast, meeting)).collect()
}

fn one(cast: &Cast, meeting: &Meeting) -> Result<Value, Refused> {
    let mut ends = Vec::new();
    for end in &meeting.ends {
        ends.push(brought(cast, end)?);
    }
    Ok(json!({ "at_ms": meeting.at_ms, "ends": ends }))
}

/// Returns the records that a meeting brought to a phone, as that phone shows them now.
fn brought(cast: &Cast, end: &End) -> Result<Value, Refused> {
    let phone = cast.find(end.phone).ok_or_else(Refused::no_record)?;
    let person = PEOPLE.iter().find(|person| person.key == end.phone);
    let mut records = Vec::new();
    for id in &end.records {
        records.extend(record(phone, *id)?);
    }
    Ok(json!({
        "phone": end.phone,
        "role": person.map(|person| both(person.role)),
        "envelopes": end.envelopes,
        "records": records,
    }))
}

/// Returns a record with its photos; `None` if it has left the phone since.
fn record(phone: &Phone, id: RecordId) -> Result<Option<Value>, Refused> {
    let replica = phone.replica();
    let Some(row) = replica.row(id)? else {
        return Ok(None);
    };
    let photos: Vec<Value> = photos::of_record(&replica, id)?
        .iter()
        .map(|photo| json!({ "id": photo.id.to_string(), "state": photo.state.name() }))
        .collect();
    Ok(Some(
        json!({ "id": id.to_string(), "title": row.title, "photos": photos }),
    ))
}
