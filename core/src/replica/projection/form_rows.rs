//! The rows of checklists: their links, how far they are, and what is due next at each subject.
//!
//! **Invariant.** The due date of a subject and template follows from the rows of its forms alone, and each
//! row from its record, its template and the merges of its subject. So rebuilt rows are the same rows.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::forms::{self, FormOf, TemplateCache};
use super::super::table::form::{self, FormRow, Group};
use super::super::table::pending;
use super::super::table::record as record_table;
use super::super::table::record_link::{self, Link, LinkKind};
use crate::domain::case::RecordState;
use crate::domain::content::Content;
use crate::domain::form::{Date, Interval, Template, TemplateEntry, Templates, evaluate};
use crate::domain::kinds::FormStanding;
use crate::id::{Hash, MemberId, RecordId};
use crate::limits::MERGES_FOLLOWED_MAX;
use crate::record::Record;

/// Writes the rows of a record and of what is due because of it. `content` is `None` where the content is
/// the one that the rows show. Returns `false`, and has written nothing, where it needs the content.
pub(super) fn write(
    conn: &Connection,
    templates: &TemplateCache,
    no: i64,
    record: &Record,
    content: Option<&Content>,
) -> Result<bool, ReplicaError> {
    let before = form::get(conn, no)?;
    let after = match content {
        Some(content) => of_content(conn, templates, record, content)?,
        None => match &before {
            Some(before) => match again(conn, templates, record, before)? {
                Some(after) => Some(after),
                None => return Ok(false),
            },
            None if is_form(record) => return Ok(false),
            None => None,
        },
    };
    let links = links(record, after.as_ref());
    let changed = record_link::set(conn, no, &links)?;
    put(conn, no, before, after)?;
    if changed
        .iter()
        .any(|(kind, _)| *kind == LinkKind::MergedInto)
    {
        subject_moved(conn, record.id())?;
    }
    Ok(true)
}

/// Forgets the rows of a record.
pub(super) fn remove(conn: &Connection, no: i64, id: RecordId) -> Result<(), ReplicaError> {
    let changed = record_link::set(conn, no, &[])?;
    let before = form::get(conn, no)?;
    put(conn, no, before, None)?;
    if changed
        .iter()
        .any(|(kind, _)| *kind == LinkKind::MergedInto)
    {
        subject_moved(conn, id)?;
    }
    Ok(())
}

fn put(
    conn: &Connection,
    no: i64,
    before: Option<FormRow>,
    after: Option<FormRow>,
) -> Result<(), ReplicaError> {
    if before == after {
        return Ok(());
    }
    match &after {
        Some(row) => form::put(conn, no, row)?,
        None => form::delete(conn, no)?,
    }
    let mut groups: Vec<Group> = [before, after]
        .iter()
        .flatten()
        .map(FormRow::group)
        .collect();
    groups.dedup();
    for group in &groups {
        form::regroup(conn, group)?;
    }
    Ok(())
}

/// A subject was merged into another record, or is so no longer: its forms, and those of all subjects that were
/// merged into it, belong to another subject now. It goes as deep as [`surviving`] looks up, and then computes
/// each due date once.
fn subject_moved(conn: &Connection, id: RecordId) -> Result<(), ReplicaError> {
    let mut known = BTreeSet::from([id]);
    let mut level = vec![id];
    let mut groups = BTreeSet::new();
    for _ in 0..MERGES_FOLLOWED_MAX {
        let mut below = Vec::new();
        for subject in level {
            let place = surviving(conn, subject)?.0;
            for (no, row) in form::about(conn, subject)? {
                groups.insert(row.group());
                let moved = FormRow { place, ..row };
                groups.insert(moved.group());
                form::put(conn, no, &moved)?;
            }
            let merged = record_link::sources(conn, subject, LinkKind::MergedInto)?;
            below.extend(merged.into_iter().filter(|source| known.insert(*source)));
        }
        level = below;
    }
    for group in &groups {
        form::regroup(conn, group)?;
    }
    Ok(())
}

/// The record that a subject was merged into, at the end of all merges. A circle of merges leads nowhere.
pub(in crate::replica) fn surviving(
    conn: &Connection,
    subject: RecordId,
) -> Result<RecordId, ReplicaError> {
    let mut at = subject;
    for _ in 0..MERGES_FOLLOWED_MAX {
        match record_link::merged_into(conn, at)? {
            None => return Ok(at),
            Some(next) => at = next,
        }
    }
    Ok(subject)
}

fn is_form(record: &Record) -> bool {
    let kind = record.genesis().and_then(|facts| facts.kind.spec());
    kind.is_some_and(|kind| kind.form.is_some())
}

fn links(record: &Record, form: Option<&FormRow>) -> Vec<Link> {
    let made_for = record.genesis().and_then(|facts| facts.linked);
    let about = form.and_then(|form| form.subject);
    let merged = record.state().and_then(RecordState::merged_into);
    let links = [
        made_for.map(|id| (LinkKind::MadeFor, id)),
        about.map(|id| (LinkKind::About, id)),
        merged.map(|id| (LinkKind::MergedInto, id)),
    ];
    links.into_iter().flatten().collect()
}

/// The facts of a row that follow from the state of the record.
struct Progress {
    standing: FormStanding,
    begun_ms: Option<i64>,
    ended_ms: Option<i64>,
    made_ms: i64,
    member: Option<MemberId>,
    day: Date,
    overdue_ms: fn(i64, Interval) -> Option<i64>,
}

/// `None` while the beginning of the record does not count, and for a kind without steps.
fn progress(record: &Record) -> Option<Progress> {
    let state = record.state()?;
    let spec = state.facts.kind.spec()?.form?;
    let steps = state.steps()?;
    let begun = steps.entered(spec.begin.to);
    let begun_ms = begun.map(|entry| entry.at_ms);
    let last = steps.entries.last();
    let ended = last.filter(|_| steps.stage.is_ended);
    // A person who joins takes the work over from no one.
    let reached = steps.entered(steps.stage);
    let made_ms = state.reported_ms;
    Some(Progress {
        standing: spec.standing(steps.stage),
        begun_ms,
        ended_ms: ended.map(|entry| entry.at_ms),
        made_ms,
        member: reached.map_or(state.reporter, |entry| entry.by),
        day: (spec.day)(state),
        overdue_ms: spec.overdue_ms,
    })
}

fn of_content(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Record,
    content: &Content,
) -> Result<Option<FormRow>, ReplicaError> {
    let Some(progress) = progress(record) else {
        return Ok(None);
    };
    let Some(form) = FormOf::content(conn, templates, content)? else {
        return Ok(None);
    };
    let subject = content.text(form.spec.subject);
    let subject = subject.and_then(|id| id.parse().ok());
    let template = form.template().map(AsRef::as_ref);
    let place = match subject {
        Some(subject) => surviving(conn, subject)?.0,
        None => named_place(record, content),
    };
    let complete = template.map(|template| {
        let answers = forms::answers(template, content);
        let state = evaluate(template, &answers, progress.day);
        state.is_ok_and(|state| state.is_complete())
    });
    let shown = FormRow {
        template: form.id.as_str().to_owned(),
        version: form.version,
        subject,
        place,
        planned_ms: content.number(form.spec.planned),
        complete,
        standing: progress.standing,
        begun_ms: None,
        ended_ms: None,
        at_ms: 0,
        member: None,
        day: 0,
        next_due_ms: None,
    };
    Ok(Some(with_progress(shown, &progress, template)))
}

/// The row of a record whose content is the same as before. `None` where another day may judge the answers
/// differently, or where the record counts no longer.
fn again(
    conn: &Connection,
    templates: &TemplateCache,
    record: &Record,
    before: &FormRow,
) -> Result<Option<FormRow>, ReplicaError> {
    let same_day = |progress: &Progress| progress.day.days() == before.day;
    let Some(progress) = progress(record).filter(same_day) else {
        return Ok(None);
    };
    let id = before.template.parse();
    let id = id.map_err(|_| ReplicaError::Inconsistent)?;
    let entry = forms::find(conn, templates, &id, before.version)?;
    let template = entry.as_ref().and_then(|entry| entry.template());
    let template = template.map(AsRef::as_ref);
    Ok(Some(with_progress(before.clone(), &progress, template)))
}

fn with_progress(row: FormRow, progress: &Progress, template: Option<&Template>) -> FormRow {
    let done_ms = progress.ended_ms;
    let done_ms = done_ms.filter(|_| progress.standing == FormStanding::Done);
    let interval = template.and_then(Template::next_visit);
    let times = [progress.ended_ms, progress.begun_ms, row.planned_ms];
    FormRow {
        standing: progress.standing,
        begun_ms: progress.begun_ms,
        ended_ms: progress.ended_ms,
        at_ms: times
            .into_iter()
            .flatten()
            .next()
            .unwrap_or(progress.made_ms),
        member: progress.member,
        day: progress.day.days(),
        next_due_ms: done_ms
            .zip(interval)
            .and_then(|(at_ms, interval)| (progress.overdue_ms)(at_ms, interval)),
        ..row
    }
}

/// The name of a place without a record is its title within the village. A form without a title has a place of
/// its own.
fn named_place(record: &Record, content: &Content) -> [u8; 16] {
    let title = content.details().title.as_deref().unwrap_or_default();
    let title = title.trim().to_lowercase();
    match record.genesis() {
        Some(facts) if !title.is_empty() => {
            let village = facts.home.village().unwrap_or(facts.home.leaf());
            Hash::of(&[b"onegrid.place", village.as_bytes(), title.as_bytes()]).first16()
        }
        _ => record.id().0,
    }
}

/// Makes the forms of a template again, slice by slice, because their template is here now. A shipped template
/// of the same content was here before.
pub(in crate::replica) fn template_arrived(
    conn: &Connection,
    entry: &TemplateEntry,
) -> Result<(), ReplicaError> {
    let (id, version) = (entry.id(), entry.version());
    if Templates::default().get(id, version).as_ref() == Some(entry) {
        return Ok(());
    }
    Ok(pending::fill_template(conn, id.as_str(), version)?)
}

/// The number of the row of a record, and its form.
pub(in crate::replica) fn row_of(
    conn: &Connection,
    id: RecordId,
) -> Result<Option<FormRow>, ReplicaError> {
    let Some(no) = record_table::number(conn, id)? else {
        return Ok(None);
    };
    Ok(form::get(conn, no)?)
}
