//! Visits on the page: their lists, the questions as the core judges them, and the buttons that fill them in.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use onegrid_core::domain::case::Severity;
use onegrid_core::domain::content::{Content, Details, FieldValue, StoredPosition};
use onegrid_core::domain::form::{
    Answer, AnswerKey, FormState, ItemState, Kind, Problem, Template, TemplateEntry, Words,
};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::kinds::{note, stages, visit};
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::domain::{Audience, RecordKind};
use onegrid_core::id::RecordId;
use onegrid_core::limits::LIST_ROWS_MAX;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{
    Finding, FormDraft, FormEdit, FormItem, FormPage, LinkedRecord, RecordRow, Replica,
    ReplicaError, StoryEntry, Subject,
};
use onegrid_core::texts::Lang;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shown;
use super::act::{Done, Refused};
use super::show::both;
use crate::cast::{ACCURACY_M, Cast};

/// The input of a button of a visit.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct VisitFields {
    /// The key of the answer, or of the row.
    key: Option<String>,
    /// The answer as a record spells it; none clears the answer.
    answer: Option<String>,
    /// The title of a finding.
    title: Option<String>,
    category: Option<String>,
    severity: Option<String>,
    /// Private words.
    text: Option<String>,
    /// The language of the words that a finding adds.
    lang: Option<String>,
}

/// A visit that a person plans.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    template: String,
    /// The name of the person or place.
    title: String,
    /// The place on the map, in units of the map.
    at: [f64; 2],
}

/// Plans a visit for now.
pub(super) async fn plan(
    State(shown): State<Shown>,
    Path(phone): Path<String>,
    Json(plan): Json<Plan>,
) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let outside = || Refused::of("demo.outside");
    let place = shown.cast.place();
    let [x, y] = plan.at;
    let point = place.point_at(x, y).ok_or_else(outside)?;
    let home = place.path_at(point).ok_or_else(outside)?;
    let (lat, lon) = (point.lat(), point.lon());
    let position = Position::from_degrees(lat, lon, Datum::Wgs84, Some(ACCURACY_M), 0);
    let draft = FormDraft {
        kind: visit::KIND,
        template: plan.template.parse().map_err(|_| Refused::bad_input())?,
        home,
        subject: Some(Subject::Named {
            title: plan.title,
            address: None,
            position: position.ok().map(StoredPosition::of),
        }),
        planned_ms: Some(now_ms()),
        companions: Vec::new(),
        companion_names: None,
        audience: Audience::Staff,
        team: None,
        linked: None,
        note: None,
    };
    let made = phone.replica().plan_form(&draft, now_ms())?;
    phone.notify();
    shown.touch();
    Ok(Json(json!({ "record": made.form.to_string() })))
}

/// Returns the checklists that the person of a phone may use.
pub(super) async fn templates(State(shown): State<Shown>, Path(phone): Path<String>) -> Done {
    let phone = shown.cast.find(&phone).ok_or_else(Refused::no_record)?;
    let infos = phone.replica().templates(phone.is_of_team())?;
    let known = infos.iter().filter_map(|info| info.template.as_ref());
    let all: Vec<Value> = known
        .map(|one| {
            json!({
                "id": one.id().to_string(),
                "version": one.version(),
                "title": words(one.title()),
            })
        })
        .collect();
    Ok(Json(json!(all)))
}

/// Fills in a visit; `None` for an action that is about other things. Returns the record that the action is
/// about.
pub(super) fn apply(
    replica: &mut Replica,
    record: RecordId,
    what: &str,
    given: &VisitFields,
) -> Result<Option<RecordId>, Refused> {
    let now = now_ms();
    let key = || -> Result<AnswerKey, Refused> {
        let key = given.key.as_deref().unwrap_or_default();
        key.parse().map_err(|_| Refused::bad_input())
    };
    let edit = match what {
        "answer" => {
            let key = key()?;
            match read(replica, record, &key, given.answer.as_deref())? {
                Some(answer) => FormEdit::Set(key, answer),
                None => FormEdit::Clear(key),
            }
        }
        "add_row" => FormEdit::AddRow(key()?.item, replica.row_id()),
        "remove_row" => {
            let key = key()?;
            FormEdit::RemoveRow(key.item, key.row.ok_or_else(Refused::bad_input)?)
        }
        "finding" => {
            let finding = finding(given)?;
            return Ok(Some(replica.report_finding(record, &finding, now)?));
        }
        "note" => {
            let text = given.text.as_deref().unwrap_or_default().trim();
            if text.is_empty() {
                return Err(Refused::bad_input());
            }
            return Ok(Some(replica.write_note(record, text, &[], now)?));
        }
        _ => return Ok(None),
    };
    replica.answer(record, &[edit], now)?;
    Ok(Some(record))
}

/// Reads an answer as its question has it; `None` for no answer.
fn read(
    replica: &Replica,
    record: RecordId,
    key: &AnswerKey,
    text: Option<&str>,
) -> Result<Option<Answer>, Refused> {
    let page = replica.form(record, now_ms())?;
    let page = page.ok_or_else(Refused::no_record)?;
    let template = page
        .template
        .ok_or_else(|| Refused::of("form.no_template"))?;
    let coded = |error: onegrid_core::domain::form::AnswerError| Refused::of(error.code());
    let question = template.question(key).map_err(coded)?;
    let text = FieldValue::Text(text.unwrap_or_default().trim().to_owned());
    Answer::read(&template, &question.kind, &text).map_err(coded)
}

fn finding(given: &VisitFields) -> Result<Finding, Refused> {
    let key = given.key.as_deref().map(str::parse);
    let title = given.title.as_deref().unwrap_or_default().trim();
    let severity = given.severity.as_deref().and_then(Severity::from_name);
    let lang = given.lang.as_deref().and_then(|lang| lang.parse().ok());
    Ok(Finding {
        question: key.transpose().map_err(|_| Refused::bad_input())?,
        content: Content::from(Hazard {
            details: Details {
                title: (!title.is_empty()).then(|| title.to_owned()),
                category: given.category.clone(),
                occurred_ms: Some(now_ms()),
                ..Details::default()
            },
            severity,
        }),
        audience: Audience::Staff,
        team: None,
        lang: lang.unwrap_or_default(),
    })
}

/// Returns the visits of a phone: the open ones by their planned time, then the others, the newest first.
pub(super) fn list(
    cast: &Cast,
    replica: &Replica,
    rows: &[RecordRow],
) -> Result<Vec<Value>, ReplicaError> {
    let mut seen = BTreeSet::new();
    let mut items: Vec<FormItem> = Vec::new();
    for row in rows.iter().filter(|row| row.kind == visit::KIND.code()) {
        if seen.contains(&row.id) {
            continue;
        }
        let about = replica.forms_about(row.id, None, LIST_ROWS_MAX)?.items;
        items.extend(about.into_iter().filter(|item| seen.insert(item.row.id)));
    }
    items.sort_by_key(|item| {
        let at_ms = if item.row.open {
            item.form.at_ms
        } else {
            -item.form.at_ms
        };
        (Reverse(item.row.open), at_ms, item.row.id)
    });
    items.iter().map(|one| item(cast, replica, one)).collect()
}

fn item(cast: &Cast, replica: &Replica, item: &FormItem) -> Result<Value, ReplicaError> {
    let (form, row) = (&item.form, &item.row);
    let entry = match form.template.parse() {
        Ok(id) => replica.template(&id, form.version)?,
        Err(_) => None,
    };
    let template = entry.as_ref().and_then(TemplateEntry::template);
    Ok(json!({
        "id": row.id.to_string(),
        "title": item.subject.0,
        "checklist": template.map(|template| words(template.title())),
        "version": form.version,
        "stage": stages::name_of(row.stage),
        "open": row.open,
        "planned_ms": form.planned_ms,
        "ended_ms": form.ended_ms,
        "next_due_ms": form.next_due_ms,
        "mine": row.mine,
        "ladder": row.ladder,
        "undelivered": row.undelivered,
        "conflicts": row.conflicts,
        "needs_review": row.needs_review,
        "at": item.at.and_then(|(lat, lon)| cast.place().on_map(lat, lon)),
        "updated_ms": row.updated_ms,
    }))
}

/// Returns the visits of each person in numbers, as a phone counts them.
pub(super) fn counts(replica: &Replica) -> Result<Vec<Value>, ReplicaError> {
    let all = replica.form_counts((i64::MIN, i64::MAX))?;
    let one = |one: &onegrid_core::replica::FormCounts| {
        json!({
            "name": { "zh": one.name.0, "en": one.name.1 },
            "planned": one.planned + one.begun,
            "done": one.done,
            "in_vain": one.in_vain,
        })
    };
    Ok(all.iter().map(one).collect())
}

/// Returns the checklist of a record as one phone knows it; `Null` for a record without one.
pub(super) fn page(replica: &Replica, record: RecordId) -> Result<Value, ReplicaError> {
    let Some(page) = replica.form(record, now_ms())? else {
        return Ok(Value::Null);
    };
    let state = page.state();
    let shown = state.iter().flat_map(FormState::items);
    let questions: Vec<Value> = shown
        .filter(|one| one.relevant)
        .filter_map(|one| question(&page, one))
        .collect();
    let progress = state.as_ref().map(FormState::progress);
    let story = replica.timeline(record, None, LIST_ROWS_MAX)?;
    let story = story.map(|story| story.entries).unwrap_or_default();
    Ok(json!({
        "checklist": page.template.as_ref().map(|template| words(template.title())),
        "version": page.version,
        "read_only": page.read_only.map(both),
        "subject": page.subject.as_ref().map(|row| row.title.clone()),
        "planned_ms": page.row.as_ref().and_then(|row| row.planned_ms),
        "next_due_ms": page.row.as_ref().and_then(|row| row.next_due_ms),
        "duration_ms": page.duration_ms,
        "progress": progress.map(|one| json!({ "answered": one.answered, "required": one.required })),
        "questions": questions,
        "story": story.iter().map(told).collect::<Vec<_>>(),
    }))
}

fn question(page: &FormPage, one: &ItemState<'_>) -> Option<Value> {
    let template = page.template.as_ref()?;
    let id = one.item.id.clone();
    let key = match one.row {
        Some(row) => AnswerKey::in_row(id, row),
        None => AnswerKey::of(id),
    };
    let repeat = one.item.repeat.and_then(|at| template.items().get(at));
    let of_row = repeat.zip(one.row).map(|(repeat, row)| {
        let mark = AnswerKey::in_row(repeat.id.clone(), row);
        mark.to_string()
    });
    let answer = page.answers.as_ref()?.get(&key).map(Answer::to_text);
    let choices: Vec<Value> = template
        .choices(&one.item.kind)
        .iter()
        .map(|choice| json!({ "id": choice.id, "label": words(&choice.label) }))
        .collect();
    let unit = match &one.item.kind {
        Kind::Number { unit, .. } => unit.as_ref().map(words),
        _ => None,
    };
    Some(json!({
        "key": key.to_string(),
        "type": one.item.kind.name(),
        "label": words(&one.item.label),
        "hint": one.item.hint.as_ref().map(words),
        "depth": depth(template, one),
        "row": of_row,
        "required": one.required,
        "answer": answer,
        "choices": choices,
        "unit": unit,
        "problem": one.problem.as_ref().map(problem),
    }))
}

/// Returns the number of sections around an item.
fn depth(template: &Template, one: &ItemState<'_>) -> usize {
    let parent = |at: &usize| template.items().get(*at).and_then(|item| item.parent);
    std::iter::successors(one.item.parent, parent).count()
}

fn problem(problem: &Problem<'_>) -> Value {
    json!({ "code": problem.code(), "zh": problem.say(Lang::Zh), "en": problem.say(Lang::En) })
}

/// Returns the records that belong to a record: findings, private words, the visit that a hazard comes from.
pub(super) fn linked(replica: &Replica, record: RecordId) -> Result<Vec<Value>, ReplicaError> {
    let all = replica.linked(record)?;
    let links = all.iter().map(|one| link(replica, one));
    let links: Result<Vec<Option<Value>>, ReplicaError> = links.collect();
    Ok(links?.into_iter().flatten().collect())
}

/// Returns a record that belongs to another one. A note without words is the name of the person visited,
/// which the page of the visit shows.
fn link(replica: &Replica, linked: &LinkedRecord) -> Result<Option<Value>, ReplicaError> {
    let row = &linked.row;
    let is_note = row.kind == note::KIND.code();
    let view = if is_note { replica.view(row.id)? } else { None };
    let content = view.as_ref().and_then(|view| view.content.as_ref());
    let text = content.map(|content| content.details().description.clone());
    if is_note && text.as_ref().is_none_or(String::is_empty) {
        return Ok(None);
    }
    Ok(Some(json!({
        "id": row.id.to_string(),
        "kind": RecordKind::of_code(row.kind).name(),
        "title": row.title,
        "stage": stages::name_of(row.stage),
        "open": row.open,
        "text": text,
    })))
}

fn told(entry: &StoryEntry) -> Value {
    json!({
        "zh": entry.zh,
        "en": entry.en,
        "note": entry.note,
        "at_ms": entry.effective_ms,
        "delivered": entry.delivered,
        "superseded": entry.outcome == onegrid_core::domain::case::Outcome::Superseded,
        "why": entry.why.map(both),
    })
}

fn words(words: &Words) -> Value {
    json!({ "zh": words.in_lang(Lang::Zh), "en": words.in_lang(Lang::En) })
}
