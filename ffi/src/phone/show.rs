//! Converts the data of the core into the data that cross the border.

use onegrid_core::domain::case::{self, AssignmentState, Outcome, Party, Severity};
use onegrid_core::domain::content;
use onegrid_core::domain::kinds::stages;
use onegrid_core::domain::position::Position;
use onegrid_core::domain::{Audience, RecordKind};
use onegrid_core::id::MemberId;
use onegrid_core::replica::{self, ConflictSubject, Near, Reader, RecordView};
use onegrid_core::texts::word_code;

use super::directory::place_names;
use crate::error::Answer;
use crate::types::{
    Assignment, Comment, ConflictCard, ConflictVersion, ContentField, FieldValue, MoveOption, Need,
    NeedKind, Person, ReceiptStep, RecordDetail, RecordRow, SetAside, TimelineItem, Word,
};

/// Returns the word of a stage's code.
pub(super) fn stage(code: u8) -> Word {
    Word::of("stage", stages::name_of(code))
}

/// Converts a row of a list.
pub(super) fn row(
    reader: &Reader,
    row: &replica::RecordRow,
    near: Option<Near>,
    now: i64,
) -> Answer<RecordRow> {
    let kind = RecordKind::of_code(row.kind).name();
    let severity = Severity::from_code(row.severity);
    let degrees = |e7: i32| f64::from(e7) / 1e7;
    Ok(RecordRow {
        id: row.id.to_string(),
        kind: Word::of("kind", kind),
        restricted: Audience::from_code(row.audience) == Some(Audience::Restricted),
        stage: stage(row.stage),
        open: row.open,
        category: category(reader, &row.category)?,
        severity: severity.map(|severity| Word::of("severity", severity.name())),
        title: row.title.clone(),
        address: row.address.clone(),
        lat: row.at.map(|at| degrees(at.0)),
        lon: row.at.map(|at| degrees(at.1)),
        created_ms: row.created_ms,
        updated_ms: row.updated_ms,
        mine: row.mine,
        undelivered: row.undelivered,
        provisional: row.provisional,
        conflicts: row.conflicts,
        needs_review: row.needs_review,
        needs_newer_app: row.needs_newer_app,
        receipt: receipt(row.ladder),
        due_ms: row.due_ms,
        overdue: row.is_overdue(now),
        distance_m: near.zip(row.at).map(|(near, at)| near.distance_m(at)),
    })
}

fn category(reader: &Reader, code: &str) -> Answer<Option<Word>> {
    if code.is_empty() {
        return Ok(None);
    }
    let names = reader.category_name(code)?;
    let (zh, en) = names.unwrap_or_else(|| (code.to_owned(), code.to_owned()));
    let code = code.to_owned();
    Ok(Some(Word { code, zh, en }))
}

fn receipt(ladder: u8) -> ReceiptStep {
    match ladder {
        1 => ReceiptStep::Delivered,
        2 => ReceiptStep::Seen,
        3 => ReceiptStep::Handled,
        4 => ReceiptStep::Held,
        _ => ReceiptStep::Saved,
    }
}

/// Converts the page of a record.
pub(super) fn detail(reader: &Reader, view: &RecordView, now: i64) -> Answer<RecordDetail> {
    let state = view.state.as_ref();
    let place = state.map_or(view.facts.home, case::RecordState::place);
    let (zh_area, en_area) = place_names(reader, &place)?;
    let reporter = state.and_then(|state| state.reporter);
    let case = state.and_then(|state| state.case());
    let handling = state.and_then(|state| state.handling());
    let assignments = state.map(case::RecordState::assignments);
    let fields = view.content.as_ref().map(content::Content::fields);
    let fields = fields.unwrap_or_default().into_iter();
    Ok(RecordDetail {
        row: row(reader, &view.row, None, now)?,
        zh_area,
        en_area,
        fields: fields
            .zip(&view.words)
            .map(|((field, value), words)| content_field(&field, &value, words))
            .collect(),
        reporter: reporter.map(|member| person(reader, member)).transpose()?,
        assignments: assignments
            .unwrap_or_default()
            .iter()
            .map(|one| assignment(reader, one, view.facts.kind))
            .collect::<Answer<_>>()?,
        conflicts: view.conflicts.iter().map(conflict).collect(),
        set_aside: view.set_aside.iter().map(set_aside).collect(),
        comments: view.comments.iter().map(comment).collect(),
        merged_into: case.and_then(|case| case.merged_into.map(|into| into.to_string())),
        linked: view.facts.linked.map(|linked| linked.to_string()),
        urged: handling.map_or(0, |handling| handling.urged),
        supervised: handling.is_some_and(|handling| handling.supervised),
        suspended: case.is_some_and(|case| case.suspended.is_some()),
        suspended_until_ms: case
            .and_then(|case| case.suspended)
            .and_then(|suspension| suspension.until_ms),
    })
}

/// Returns a member with the name that this phone knows; the name is empty if it knows none.
pub(super) fn person(reader: &Reader, member: MemberId) -> Answer<Person> {
    let (zh, en) = reader.member_name(member)?.unwrap_or_default();
    Ok(Person {
        member: member.to_string(),
        zh,
        en,
    })
}

fn content_field(
    field: &content::Field,
    value: &content::FieldValue,
    words: &replica::FieldWords,
) -> ContentField {
    let ((zh_label, en_label), (zh, en)) = (words.label.clone(), words.value.clone());
    ContentField {
        field: field.name().into_owned(),
        zh_label,
        en_label,
        value: field_value(value),
        zh,
        en,
    }
}

/// Converts a value for the host.
pub(super) fn field_value(value: &content::FieldValue) -> FieldValue {
    match value {
        content::FieldValue::Text(text) => FieldValue::Text { text: text.clone() },
        content::FieldValue::Number(number) => FieldValue::Number { number: *number },
        content::FieldValue::Flag(flag) => FieldValue::Flag { flag: *flag },
        content::FieldValue::Position(stored) => FieldValue::Position {
            position: stored.position().into(),
        },
    }
}

/// Converts a value from the host.
pub(super) fn core_value(value: &FieldValue) -> Answer<content::FieldValue> {
    Ok(match value {
        FieldValue::Text { text } => content::FieldValue::Text(text.clone()),
        FieldValue::Number { number } => content::FieldValue::Number(*number),
        FieldValue::Flag { flag } => content::FieldValue::Flag(*flag),
        FieldValue::Position { position } => {
            content::FieldValue::Position(stored(&position.checked()?))
        }
    })
}

/// Converts a position into the form of records.
pub(super) fn stored(position: &Position) -> content::StoredPosition {
    content::StoredPosition::of(*position)
}

fn assignment(reader: &Reader, one: &case::Assignment, kind: RecordKind) -> Answer<Assignment> {
    let (unit, member, names) = match one.to {
        Party::Unit(unit) => (Some(unit.to_string()), None, reader.unit_name(unit)?),
        Party::Member(member) => (None, Some(member.to_string()), reader.member_name(member)?),
    };
    let (zh, en) = names.unwrap_or_default();
    let state = AssignmentState::name(one.state);
    Ok(Assignment {
        id: one.id.to_string(),
        unit,
        member,
        zh,
        en,
        part: Word::of("part", one.part.name()),
        state: Word::keyed(&word_code("assignment", state, kind.name()), state),
        is_final: one.is_final,
        accept_by_ms: one.deadlines.accept_by_ms,
        arrive_by_ms: one.deadlines.arrive_by_ms,
        resolve_by_ms: one.deadlines.resolve_by_ms,
        dispatched_ms: one.dispatched_ms,
        accepted_ms: one.accepted_ms,
        arrived_ms: one.arrived_ms,
        resolved_ms: one.resolved_ms,
    })
}

fn conflict(card: &replica::ConflictCard) -> ConflictCard {
    let (field, versions) = match &card.subject {
        ConflictSubject::Field(conflict) => {
            let winner = &conflict.winner().change;
            let versions = conflict.versions.iter().zip(&card.values);
            let versions = versions.map(|(version, (zh, en))| ConflictVersion {
                value: field_value(&version.value),
                shown: version.change == *winner,
                zh: zh.clone(),
                en: en.clone(),
            });
            (Some(conflict.field.name().into_owned()), versions.collect())
        }
        ConflictSubject::Workflow(_) => (None, Vec::new()),
    };
    ConflictCard {
        field,
        versions,
        people: card.people.iter().map(ToString::to_string).collect(),
        zh: card.zh.clone(),
        en: card.en.clone(),
    }
}

fn set_aside(one: &replica::SetAside) -> SetAside {
    SetAside {
        id: one.id.to_string(),
        why: Word::coded(one.code),
        words: one.words.clone(),
        rewritten: one.rewritten.map(|id| id.to_string()),
    }
}

fn comment(comment: &replica::Comment) -> Comment {
    Comment {
        id: comment.id.to_string(),
        by: comment.by.map(|by| by.to_string()),
        zh_name: comment.name.0.clone(),
        en_name: comment.name.1.clone(),
        text: comment.text.clone(),
        mentions: comment.mentions.iter().map(ToString::to_string).collect(),
        attachments: comment
            .attachments
            .iter()
            .map(ToString::to_string)
            .collect(),
        at_ms: comment.effective_ms,
        delivered: comment.delivered,
    }
}

/// Converts one step of a record's story.
pub(super) fn timeline_item(entry: replica::StoryEntry) -> TimelineItem {
    TimelineItem {
        id: entry.id.to_string(),
        by: entry.by.map(|by| by.to_string()),
        zh_name: entry.name.0,
        en_name: entry.name.1,
        movement: entry.movement.map(|movement| movement.name().to_owned()),
        zh: entry.zh,
        en: entry.en,
        note: Some(entry.note).filter(|note| !note.is_empty()),
        attachments: entry.attachments.iter().map(ToString::to_string).collect(),
        outcome: Word::of("outcome", Outcome::name(entry.outcome)),
        why: entry.why.map(Word::coded),
        at_ms: entry.effective_ms,
        clock_ms: entry.clock_ms,
        delivered: entry.delivered,
    }
}

/// Converts a move, with whether it is allowed.
pub(super) fn move_option(option: case::MoveOption) -> MoveOption {
    let needs = option.needs.iter().map(|need| Need {
        input: Word::of("input", need.field.name()),
        kind: match need.need {
            case::input::Need::Optional => NeedKind::Optional,
            case::input::Need::Required => NeedKind::Required,
            case::input::Need::OneOf => NeedKind::OneOf,
        },
    });
    let reasons = option.reasons().iter();
    let reasons = reasons.map(|reason| Word::of("reason", reason.name));
    let role = option.allowed.as_ref().ok().map(|grant| grant.role);
    MoveOption {
        movement: Word::keyed(&option.word_code(), option.name()),
        assignment: option.assignment.map(|id| id.to_string()),
        request: option.request.map(|id| id.to_string()),
        reasons: reasons.collect(),
        allowed: option.allowed.is_ok(),
        why: option.allowed.err().map(Word::coded),
        role: role.map(|role| Word::of("role", role.name())),
        on_behalf: option.on_behalf.is_some(),
        needs: needs.collect(),
    }
}
