//! The content of the page, as JSON: all phones with their lists, and one record as one phone knows it.

use axum::Json;
use axum::extract::{Path, State};
use onegrid_core::domain::RecordKind;
use onegrid_core::domain::case::{Event, Move, Outcome, Party, RecordState, Severity};
use onegrid_core::domain::content::{Content, FieldValue};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::kinds::stages;
use onegrid_core::id::{Hash, RecordId};
use onegrid_core::net::State as Connection;
use onegrid_core::replica::{ConflictCard, ConflictSubject, RecordRow, RecordView, TimelineEntry};
use onegrid_core::texts::{self, Lang};
use serde_json::{Value, json};

use super::{Shown, act::Refused, forms, meetings, moves, photos};
use crate::cast::{Cast, PEOPLE, unit};
use crate::phone::Phone;

/// Units that a case of the demo can be dispatched to, by the seed's id, with Chinese and English names.
pub(super) const UNITS: [(&str, &str, &str); 4] = [
    ("gas-company", "燃气公司", "Gas company"),
    ("urban-management", "综合行政执法中队", "Urban management"),
    ("fire-brigade", "消防救援站", "Fire station"),
    ("market-supervision", "市场监督管理所", "Market supervision"),
];

/// Returns the grids of Wulin street.
pub(super) async fn map(State(shown): State<Shown>) -> Json<Value> {
    Json(shown.cast.place().map())
}

/// Returns every phone with its list.
pub(super) async fn state(State(shown): State<Shown>) -> Result<Json<Value>, Refused> {
    let mut phones = Vec::new();
    for (phone, person) in shown.cast.phones().iter().zip(&PEOPLE) {
        phones.push(one(&shown.cast, phone, person.role)?);
    }
    let units: Vec<Value> = UNITS
        .iter()
        .map(|(id, zh, en)| json!({ "id": id, "name": { "zh": zh, "en": en } }))
        .collect();
    let meetings = meetings::list(&shown.cast)?;
    Ok(Json(
        json!({ "phones": phones, "units": units, "meetings": meetings }),
    ))
}

fn one(cast: &Cast, phone: &Phone, role: &'static str) -> Result<Value, Refused> {
    let (status, traffic) = (phone.status(), phone.traffic());
    let is_case = |row: &RecordRow| RecordKind::of_code(row.kind).is_case();
    let (mut rows, undelivered, visits, counts, photo_counts, left) = {
        let replica = phone.replica();
        let mut rows = replica.rows()?;
        let visits = forms::list(cast, &replica, &rows)?;
        let counts = forms::counts(&replica)?;
        rows.retain(is_case);
        let photo_counts = photos::counts(&replica, rows.iter().map(|row| row.id))?;
        let left = photos::left(&replica, status.progress.files.minutes_left)?;
        let undelivered = replica.undelivered()?;
        (rows, undelivered, visits, counts, photo_counts, left)
    };
    rows.sort_by_key(|row| (std::cmp::Reverse(row.updated_ms), row.id));
    let shown = |one: &RecordRow| {
        let mut shown = row(cast, one);
        shown["photos"] = json!(photo_counts.get(&one.id).copied().unwrap_or_default());
        shown
    };
    let rows: Vec<Value> = rows.iter().map(shown).collect();
    let connection = match status.state {
        _ if !phone.is_online() => "offline",
        Connection::UpToDate => "up_to_date",
        Connection::Waiting => "waiting",
        _ => "syncing",
    };
    Ok(json!({
        "name": phone.name(),
        "role": both(role),
        "online": phone.is_online(),
        "connection": connection,
        "equal": status.report.as_ref().is_some_and(|report| report.equal),
        "undelivered": undelivered,
        "files_left": left,
        "bytes_up": traffic.bytes_up,
        "bytes_down": traffic.bytes_down,
        "rows": rows,
        "visits": visits,
        "counts": counts,
    }))
}

fn row(cast: &Cast, row: &RecordRow) -> Value {
    json!({
        "id": row.id.to_string(),
        "title": row.title,
        "category": row.category,
        "severity": severity(row.severity),
        "stage": stages::name_of(row.stage),
        "open": row.open,
        "mine": row.mine,
        "ladder": row.ladder,
        "undelivered": row.undelivered,
        "conflicts": row.conflicts,
        "needs_review": row.needs_review,
        "at": row.at.and_then(|(lat, lon)| cast.place().on_map(lat, lon)),
        "updated_ms": row.updated_ms,
    })
}

/// Returns one record as one phone knows it, with the moves that its person can make now.
pub(super) async fn record(
    State(shown): State<Shown>,
    Path((phone, record)): Path<(String, String)>,
) -> Result<Json<Value>, Refused> {
    let (phone, record) = find(&shown, &phone, &record)?;
    let (view, form, linked, photos) = {
        let replica = phone.replica();
        let form = forms::page(&replica, record)?;
        (
            replica.view(record)?,
            form,
            forms::linked(&replica, record)?,
            photos::of_record(&replica, record)?,
        )
    };
    let view = view.ok_or_else(Refused::no_record)?;
    let moves = moves::offered(phone, record)?;
    let mut page = page(&shown.cast, &moves, &view);
    page["form"] = form;
    page["linked"] = json!(linked);
    page["photos"] = json!(photos::shown(phone, &photos, &view));
    Ok(Json(page))
}

/// Returns the phone and the record of an address.
pub(super) fn find<'a>(
    shown: &'a Shown,
    phone: &str,
    record: &str,
) -> Result<(&'a Phone, RecordId), Refused> {
    let phone = shown.cast.find(phone).ok_or_else(Refused::no_record)?;
    let record = record.parse().map_err(|_| Refused::no_record())?;
    Ok((phone, record))
}

fn page(cast: &Cast, moves: &[Value], view: &RecordView) -> Value {
    let details = view.content.as_ref().map(Content::details);
    let place = view
        .state
        .as_ref()
        .map(|state| cast.place().name(&state.place()));
    let conflicts: Vec<Value> = view.conflicts.iter().map(conflict).collect();
    let timeline = photos::entries(&view.timeline);
    let timeline: Vec<Value> = timeline
        .iter()
        .map(|(one, photos)| entry(one, photos))
        .collect();
    let assignments: Vec<Value> = view
        .state
        .iter()
        .flat_map(RecordState::assignments)
        .map(|one| {
            json!({
                "to": party(one.to),
                "state": one.state.name(),
                "resolve_by_ms": one.deadlines.resolve_by_ms,
            })
        })
        .collect();
    json!({
        "row": row(cast, &view.row),
        "description": details.map(|details| details.description.clone()),
        "grid": place,
        "written_severity": written_severity(view),
        "assignments": assignments,
        "conflicts": conflicts,
        "timeline": timeline,
        "merged_into": view.state.as_ref().and_then(RecordState::merged_into).map(|id| id.to_string()),
        "set_aside": view.set_aside.iter().map(|one| {
            json!({ "words": one.words, "why": both(one.code) })
        }).collect::<Vec<_>>(),
        "moves": moves,
    })
}

/// Returns the severity that people wrote, which triage may have changed since.
fn written_severity(view: &RecordView) -> Option<&'static str> {
    let hazard = Hazard::of(view.content.as_ref()?)?;
    hazard.severity.map(Severity::name)
}

fn conflict(card: &ConflictCard) -> Value {
    let choices: Vec<Value> = match &card.subject {
        ConflictSubject::Field(conflict) => conflict
            .versions
            .iter()
            .enumerate()
            .map(|(at, version)| json!({ "at": at, "value": value(&version.value) }))
            .collect(),
        ConflictSubject::Workflow(_) => Vec::new(),
    };
    let field = match &card.subject {
        ConflictSubject::Field(conflict) => Some(conflict.field.name()),
        ConflictSubject::Workflow(_) => None,
    };
    json!({ "zh": card.zh, "en": card.en, "field": field, "choices": choices })
}

fn value(value: &FieldValue) -> Value {
    match value {
        FieldValue::Text(text) => json!(text),
        FieldValue::Flag(flag) => json!(flag),
        FieldValue::Number(number) => {
            json!(
                u8::try_from(*number)
                    .ok()
                    .and_then(severity)
                    .unwrap_or("none")
            )
        }
        FieldValue::Position(at) => {
            let point = at.position().point();
            json!(format!("{:.5}, {:.5}", point.lat(), point.lon()))
        }
    }
}

fn entry(entry: &TimelineEntry, photos: &[Hash]) -> Value {
    let movement = entry
        .event
        .as_ref()
        .map(|event| event.movement().map(Move::name));
    let what = match photos::description(entry) {
        Some(_) => Some("attach"),
        None => movement.unwrap_or(Some("edit")),
    };
    json!({
        "id": entry.id.to_string(),
        "what": what,
        "photos": photos.iter().map(Hash::to_string).collect::<Vec<_>>(),
        "who": { "zh": entry.name.0, "en": entry.name.1 },
        "words": entry.event.as_ref().and_then(words),
        "to": entry.event.as_ref().and_then(Event::assignee).map(party),
        "superseded": entry.outcome == Outcome::Superseded,
        "why": entry.why.map(both),
        "at_ms": entry.effective_ms,
        "delivered": entry.delivered,
    })
}

fn words(event: &Event) -> Option<String> {
    let text = match event {
        Event::Accept(step) | Event::Arrive(step) | Event::Resolve(step) => step.note.as_ref(),
        Event::Return(back) | Event::Withdraw(back) => Some(&back.reason),
        Event::Verify(verify) => verify.note.as_ref(),
        Event::FollowUp(follow_up) => follow_up.note.as_ref(),
        Event::Reopen(reasoned) | Event::Dismiss(reasoned) => Some(&reasoned.reason),
        Event::DangerRemains(danger) => danger.text.as_ref(),
        Event::Comment(comment) => comment.text.as_ref(),
        Event::Escalate(escalate) => Some(&escalate.reason),
        _ => None,
    };
    text.map(ToString::to_string)
}

fn party(party: Party) -> Value {
    let found = match party {
        Party::Unit(id) => UNITS.iter().find(|(name, ..)| unit(name) == id),
        Party::Member(_) => None,
    };
    match found {
        Some((_, zh, en)) => json!({ "zh": zh, "en": en }),
        None => both("person.withheld"),
    }
}

fn severity(code: u8) -> Option<&'static str> {
    Severity::from_code(code).map(Severity::name)
}

/// Returns a text in both languages.
pub(super) fn both(code: &str) -> Value {
    json!({ "zh": texts::say(code, Lang::Zh, &[]), "en": texts::say(code, Lang::En, &[]) })
}
