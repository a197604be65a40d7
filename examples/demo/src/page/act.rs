//! The actions of the buttons.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use onegrid_core::crdt::FieldEdit;
use onegrid_core::domain::Text;
use onegrid_core::domain::case::payload::{Comment, Seen};
use onegrid_core::domain::case::{Event, MoveInput, Severity};
use onegrid_core::domain::content::{Field, FieldValue};
use onegrid_core::domain::kinds::hazard;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::{ConflictSubject, RecordView, Replica, ReplicaError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shown;
use super::moves::{self, MoveFields};
use super::show::{both, find};
use super::{forms, photos};
use crate::cast::Report;
use onegrid_server::error::Problem;

/// A sentence for the person, by its code.
#[derive(Debug)]
pub(super) struct Refused(String);

impl Refused {
    /// Returns the sentence of a code.
    pub(super) fn of(code: &str) -> Self {
        Self(code.to_owned())
    }

    pub(super) fn no_record() -> Self {
        Self("replica.no_record".to_owned())
    }

    pub(super) fn bad_input() -> Self {
        Self("replica.bad_input".to_owned())
    }
}

impl From<ReplicaError> for Refused {
    fn from(error: ReplicaError) -> Self {
        Self(error.code().to_owned())
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem.code().to_owned())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({ "code": self.0, "says": both(&self.0) });
        (StatusCode::CONFLICT, Json(body)).into_response()
    }
}

pub(super) type Done = Result<Json<Value>, Refused>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    online: bool,
}

/// Switches a phone online or offline.
pub(super) async fn online(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    Json(switch): Json<Switch>,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    shown.switch(phone, switch.online)?;
    Ok(Json(json!({ "online": switch.online })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    title: String,
    #[serde(default)]
    description: String,
    category: String,
    severity: Option<String>,
    /// The place on the map, in units of the map.
    at: [f64; 2],
    /// Staged photos.
    #[serde(default)]
    photos: Vec<Photo>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Photo {
    id: String,
    #[serde(default)]
    caption: String,
}

/// Makes a new report.
pub(super) async fn report(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    Json(written): Json<Written>,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let outside = || Refused("demo.outside".to_owned());
    let [x, y] = written.at;
    let at = shown.cast.place().point_at(x, y).ok_or_else(outside)?;
    let title = written.title.trim();
    if title.is_empty() {
        return Err(Refused::bad_input());
    }
    let (ids, captions): (Vec<String>, Vec<String>) = written
        .photos
        .into_iter()
        .map(|photo| (photo.id, photo.caption.trim().to_owned()))
        .unzip();
    let ids = photos::ids(&ids)?;
    let report = Report {
        title: title.to_owned(),
        description: written.description.trim().to_owned(),
        category: &written.category,
        severity: written.severity.as_deref().and_then(Severity::from_name),
        at: (at.lat(), at.lon()),
        team: phone.is_of_team(),
        photos: ids.into_iter().zip(captions).collect(),
    };
    let draft = shown.cast.draft(&report).ok_or_else(outside)?;
    let record = phone.replica().report(&draft, now_ms())?;
    phone.notify();
    shown.touch();
    Ok(Json(json!({ "record": record.to_string() })))
}

/// An action on a record: a move or another change.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    #[serde(rename = "move")]
    movement: Option<String>,
    /// The input of the move.
    given: MoveFields,
    severity: Option<String>,
    /// The field of the conflict that is settled.
    field: Option<String>,
    /// The chosen version of the field.
    choice: Option<usize>,
    /// The settling that is undone.
    settled: Option<String>,
    /// The photo that the person asks for.
    photo: Option<String>,
    /// The input of a button of a visit.
    form: forms::VisitFields,
}

/// Fills in a visit, makes a move, comments, edits, settles a conflict or undoes a settling.
pub(super) async fn on_record(
    State(shown): State<Shown>,
    Path((phone, record, what)): Path<(String, String, String)>,
    Json(asked): Json<Asked>,
) -> Done {
    let (phone, record) = find(&shown, &phone, &record)?;
    let done = {
        let mut replica = phone.replica();
        if let Some(about) = forms::apply(&mut replica, record, &what, &asked.form)? {
            json!({ "record": about.to_string() })
        } else if what == "want" {
            let ids = photos::ids(asked.photo.as_slice())?;
            for id in ids {
                replica.want_attachment(record, id)?;
            }
            json!({})
        } else {
            let view = replica.view(record)?.ok_or_else(Refused::no_record)?;
            let done = apply(&mut replica, &view, record, &what, &asked)?;
            json!({ "envelope": done.map(|id| id.to_string()) })
        }
    };
    phone.notify();
    shown.touch();
    Ok(Json(done))
}

fn apply(
    replica: &mut Replica,
    view: &RecordView,
    record: RecordId,
    what: &str,
    asked: &Asked,
) -> Result<Option<EnvelopeId>, Refused> {
    let now = now_ms();
    Ok(Some(match what {
        "act" => {
            let name = asked.movement.as_deref().ok_or_else(Refused::bad_input)?;
            let input = moves::input(name, &asked.given, now).ok_or_else(Refused::bad_input)?;
            let attachments = photos::ids(&asked.given.photos)?;
            let input = MoveInput {
                attachments,
                ..input
            };
            replica.make_move(record, &input, now)?
        }
        "open" => {
            // The first signed opening is the rung “seen” of the reporter's ladder.
            if view
                .state
                .as_ref()
                .is_none_or(|state| state.seen_ms.is_some())
            {
                return Ok(None);
            }
            let seen = Event::Seen(Seen {});
            replica.act(record, &seen, None, now)?
        }
        "comment" => {
            let text = asked.given.text.as_deref().unwrap_or_default().trim();
            let attachments = photos::ids(&asked.given.photos)?;
            let text = match text {
                "" if !attachments.is_empty() => None,
                text => Some(Text::new(text).map_err(|_| Refused::bad_input())?),
            };
            let comment = Comment {
                text,
                attachments,
                mentions: Vec::new(),
            };
            replica.comment(record, comment, now)?
        }
        "edit" => {
            let severity = asked.severity.as_deref().and_then(Severity::from_name);
            let number = severity.ok_or_else(Refused::bad_input)?.code();
            let edit = FieldEdit::set(
                Field::Own(&hazard::SEVERITY),
                FieldValue::Number(number.into()),
            );
            replica.edit(record, &[edit], now)?
        }
        "settle" => {
            let (field, value) = chosen(view, asked).ok_or_else(Refused::bad_input)?;
            replica.settle(record, &field, value, now)?
        }
        "undo" => {
            let settled = asked.settled.as_deref().and_then(|id| id.parse().ok());
            replica.undo_settle(record, settled.ok_or_else(Refused::bad_input)?, now)?
        }
        _ => return Err(Refused::bad_input()),
    }))
}

/// Returns the field and the version of it that a person chose.
fn chosen(view: &RecordView, asked: &Asked) -> Option<(Field, FieldValue)> {
    view.conflicts.iter().find_map(|card| match &card.subject {
        ConflictSubject::Field(conflict)
            if asked.field.as_deref() == Some(&conflict.field.name()) =>
        {
            let version = conflict.versions.get(asked.choice?)?;
            Some((conflict.field.clone(), version.value.clone()))
        }
        _ => None,
    })
}
