//! Values of the SDK as scenarios compare them.

use onegrid_ffi::types as t;
use serde_json::{Map, Value, json};

pub(super) fn shown_me(me: &t::Me) -> Value {
    let roles = me.roles.iter().map(|grant| grant.role.code.as_str());
    json!({
        "enrolled": me.enrolled,
        "member": me.member,
        "device": me.device,
        "name": me.zh,
        "roles": roles.collect::<Vec<_>>(),
        "server": me.server,
    })
}

pub(super) fn shown_moves(options: &[t::MoveOption]) -> Value {
    let mut moves = Map::new();
    for option in options {
        let code = option.movement.code.clone();
        let why = code_of(option.why.as_ref());
        match moves.get(&code) {
            _ if option.allowed => drop(moves.insert(code, true.into())),
            Some(_) => {}
            None => drop(moves.insert(code, why)),
        }
    }
    moves.into()
}

pub(super) fn shown_record(detail: &t::RecordDetail) -> Value {
    let row = &detail.row;
    let description = detail
        .fields
        .iter()
        .find_map(|field| match (&*field.field, &field.value) {
            ("description", t::FieldValue::Text { text }) => Some(text),
            _ => None,
        });
    let by_moves = detail.conflicts.iter().filter(|card| card.field.is_none());
    let card = |card: &t::ConflictCard| card.field.clone().unwrap_or("moves".to_owned());
    let list = |items: Vec<String>| Value::from(items);
    json!({
        "known": true,
        "kind": row.kind.code,
        "stage": row.stage.code,
        "category": code(row.category.as_ref()),
        "severity": code(row.severity.as_ref()),
        "open": row.open,
        "title": row.title,
        "address": row.address,
        "mine": row.mine,
        "undelivered": row.undelivered,
        "provisional": row.provisional,
        "conflicts": row.conflicts,
        "needs_review": row.needs_review,
        "overdue": row.overdue,
        "receipt": snake(&row.receipt),
        "description": description,
        "reporter": detail.reporter.as_ref().map(|person| &person.member),
        "assignments": list(detail.assignments.iter().map(|one| one.state.code.clone()).collect()),
        "cards": list(detail.conflicts.iter().map(card).collect()),
        "card_words": list(detail.conflicts.iter().map(|card| card.zh.clone()).collect()),
        "card_people": by_moves.map(|card| card.people.len()).sum::<usize>(),
        "comments": list(detail.comments.iter().map(|one| one.text.clone()).collect()),
        "comment_files": list(detail.comments.iter().flat_map(|one| one.attachments.clone()).collect()),
        "set_aside": list(detail.set_aside.iter().map(|one| one.why.code.clone()).collect()),
        "merged_into": detail.merged_into,
        "linked": detail.linked,
        "supervised": detail.supervised,
        "suspended": detail.suspended,
    })
}

pub(super) fn shown_attachment(one: &t::AttachmentInfo) -> Value {
    json!({
        "id": one.id,
        "record": one.record,
        "media": one.media.code,
        "media_type": one.media_type,
        "size": one.size,
        "width": one.width,
        "height": one.height,
        "duration_ms": one.duration_ms,
        "state": snake(&one.state),
        "confirmed": one.confirmed,
        "delivered": one.delivered_ms.is_some(),
        "refusal": code(one.refusal.as_ref()),
        "has_thumbnail": one.has_thumbnail,
    })
}

pub(super) fn shown_templates(templates: &[t::FormTemplate]) -> Value {
    let shown = |one: &t::FormTemplate| {
        json!({
            "id": one.id,
            "version": one.version,
            "newer_version": one.newer_version,
            "title": one.zh,
            "usable": one.usable,
            "restricted_place": one.restricted_place,
        })
    };
    templates.iter().map(shown).collect()
}

pub(super) fn shown_form(form: &t::FormDetail) -> Value {
    let mut rows: Vec<&String> = Vec::new();
    for row in form.items.iter().filter_map(|item| item.row.as_ref()) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let key = |item: &t::FormItem| match &item.row {
        None => item.item.id.clone(),
        Some(row) => {
            let number = rows.iter().position(|one| *one == row).unwrap_or_default();
            format!("{}/{}", item.item.id, number + 1)
        }
    };
    let shown = form.items.iter().filter(|item| item.relevant);
    let answers = form.items.iter().filter(|item| item.answer.is_some());
    let answers = answers.map(|item| (key(item), Value::from(item.zh_answer.clone())));
    let problems = form.items.iter().filter_map(|item| {
        let problem = item.problem.as_ref()?;
        Some((key(item), Value::from(problem.code.clone())))
    });
    json!({
        "template": form.template,
        "version": form.version,
        "read_only": code(form.read_only.as_ref()),
        "shown": shown.map(key).collect::<Vec<_>>(),
        "answers": answers.collect::<Map<_, _>>(),
        "problems": problems.collect::<Map<_, _>>(),
        "stored": form.stored.iter().map(|one| one.key.clone()).collect::<Vec<_>>(),
        "answered": form.answered,
        "required": form.required,
        "complete": form.complete,
        "standing": form.standing.as_ref().map(snake),
        "next_due": form.next_due_ms.is_some(),
        "subject": form.subject.as_ref().map(|row| &row.title),
        "linked": shown_linked(&form.linked),
    })
}

pub(super) fn shown_linked(linked: &[t::LinkedRecord]) -> Value {
    let shown = |one: &t::LinkedRecord| {
        json!({
            "link": snake(&one.link),
            "direction": snake(&one.direction),
            "record": one.row.id,
            "kind": one.row.kind.code,
            "stage": one.row.stage.code,
        })
    };
    linked.iter().map(shown).collect()
}

pub(super) fn shown_form_row(row: &t::FormRow) -> Value {
    json!({
        "record": row.row.id,
        "title": row.title,
        "version": row.version,
        "standing": snake(&row.standing),
        "complete": row.complete,
        "due": row.due_ms.is_some(),
        "distance_m": row.distance_m,
    })
}

pub(super) fn shown_counts(counts: &t::FormCounts) -> Value {
    json!({
        "name": counts.zh,
        "planned": counts.planned,
        "begun": counts.begun,
        "done": counts.done,
        "in_vain": counts.in_vain,
        "called_off": counts.called_off,
    })
}

pub(super) fn synced(report: &t::SyncReport) -> Value {
    json!({
        "equal": report.equal,
        "more": report.more,
        "pushed": report.pushed,
        "pulled": report.pulled,
        "round_trips": report.round_trips,
        "closed": code(report.closed.as_ref()),
    })
}

pub(super) fn planned(plan: &t::SyncPlan) -> Value {
    json!({
        "records": plan.records.count,
        "open": plan.open.count,
        "bytes": plan.records.bytes,
        "open_bytes": plan.open.bytes,
        "has_minutes": plan.records.minutes.is_some(),
        "changes": plan.changes,
        "uploads": plan.uploads,
        "photos": plan.photos.count,
        "photo_bytes": plan.photos.bytes,
        "photos_wanted": plan.photos_wanted.count,
        "photos_to_send": plan.photos_to_send.count,
        "at_least": plan.at_least,
    })
}

pub(super) fn met(report: &t::MeetingReport) -> Value {
    json!({
        "member": report.member,
        "given": report.given,
        "taken": report.taken,
        "parcel_given": report.parcel_given,
        "parcel_taken": report.parcel_taken,
    })
}

pub(super) fn shown_parcels(parcels: &t::ParcelCounts) -> Value {
    json!({
        "carried": parcels.carried,
        "waits": parcels.oldest_ms.is_some(),
        "taken": parcels.taken,
        "refused": parcels.refused,
        "dropped": parcels.dropped,
    })
}

pub(super) fn hex(bytes: &[u8]) -> Value {
    crate::killed::life::hex(bytes).into()
}

pub(super) fn code(word: Option<&t::Word>) -> Option<&str> {
    word.map(|word| word.code.as_str())
}

pub(super) fn code_of(word: Option<&t::Word>) -> Value {
    code(word).into()
}

/// Returns the name of a variant in the spelling of scenarios.
pub(super) fn snake(variant: &impl std::fmt::Debug) -> String {
    let mut snake = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
