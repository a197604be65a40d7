//! `form` and `form_due`: checklists and what is due next at each subject.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sql, bad_value, fixed, fixed_or_none};
use crate::domain::kinds::FormStanding;
use crate::id::{MemberId, RecordId};

/// One checklist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormRow {
    /// The id of its template.
    pub template: String,
    /// The version of its template.
    pub version: u32,
    /// The record that it is about, as its people chose it.
    pub subject: Option<RecordId>,
    /// A name that all forms about one subject share.
    pub place: [u8; 16],
    /// How far it is.
    pub standing: FormStanding,
    /// The planned time, ms UTC.
    pub planned_ms: Option<i64>,
    /// When a person began, ms UTC.
    pub begun_ms: Option<i64>,
    /// When it ended, ms UTC.
    pub ended_ms: Option<i64>,
    /// The end, else the beginning, else the planned time, else the time when it was made; ms UTC.
    pub at_ms: i64,
    /// The person whose step led to the stage, else the person who made the record; `None` when
    /// withheld.
    pub member: Option<MemberId>,
    /// The day of the form, in days since 1970-01-01 in China: `today()` of its rules.
    pub day: i32,
    /// Whether all required answers are there and no answer has a problem; `None` without its template.
    pub complete: Option<bool>,
    /// When the next form about the subject is due, ms UTC, as this one alone says.
    pub next_due_ms: Option<i64>,
}

/// The subject and template that share a due date.
pub(in crate::replica) type Group = ([u8; 16], String);

pub(in crate::replica) const COLUMNS: &str = "form.template, form.version, form.subject, form.place, \
     form.standing, form.planned_ms, form.begun_ms, form.ended_ms, form.at_ms, form.member, form.day, \
     form.complete, form.next_due_ms";
/// How many columns these are.
pub(in crate::replica) const FORM_COLUMNS: usize = 13;

impl FormRow {
    pub(in crate::replica) fn group(&self) -> Group {
        (self.place, self.template.clone())
    }
}

pub(in crate::replica) fn get(conn: &Connection, record: i64) -> Sql<Option<FormRow>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM form WHERE record = ?1"))?
        .query_row([record], |row| read(row, 0))
        .optional()
}

pub(in crate::replica) fn put(conn: &Connection, record: i64, form: &FormRow) -> Sql<()> {
    conn.prepare_cached(
        "INSERT INTO form (record, template, version, subject, place, standing, planned_ms, begun_ms,
           ended_ms, at_ms, member, day, complete, next_due_ms, id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
           (SELECT id FROM record WHERE no = ?1))
         ON CONFLICT (record) DO UPDATE SET template = excluded.template, version = excluded.version,
           subject = excluded.subject, place = excluded.place, standing = excluded.standing,
           planned_ms = excluded.planned_ms, begun_ms = excluded.begun_ms,
           ended_ms = excluded.ended_ms, at_ms = excluded.at_ms, member = excluded.member,
           day = excluded.day, complete = excluded.complete, next_due_ms = excluded.next_due_ms",
    )?
    .execute(rusqlite::params![
        record,
        form.template,
        form.version,
        form.subject.map(|id| id.0),
        form.place,
        form.standing.code(),
        form.planned_ms,
        form.begun_ms,
        form.ended_ms,
        form.at_ms,
        form.member.map(|id| id.0),
        form.day,
        form.complete,
        form.next_due_ms,
    ])
    .map(drop)
}

pub(in crate::replica) fn delete(conn: &Connection, record: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM form WHERE record = ?1")?
        .execute([record])
        .map(drop)
}

/// The forms whose people chose this record as their subject.
pub(in crate::replica) fn about(conn: &Connection, subject: RecordId) -> Sql<Vec<(i64, FormRow)>> {
    conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, form.record FROM form WHERE subject = ?1"
    ))?
    .query_map([subject.as_bytes()], |row| {
        Ok((row.get(FORM_COLUMNS)?, read(row, 0)?))
    })?
    .collect()
}

/// The open form of a subject and template that is planned first.
pub(in crate::replica) const PLANNED_FIRST: &str =
    "SELECT record, planned_ms FROM form INDEXED BY form_open_of_place
     WHERE place = ?1 AND template = ?2 AND standing IN (1, 2) AND planned_ms IS NOT NULL
     ORDER BY planned_ms, id LIMIT 1";
/// The form of a subject and template that was done last.
pub(in crate::replica) const DONE_LAST: &str =
    "SELECT record, next_due_ms FROM form INDEXED BY form_done_of_place
     WHERE place = ?1 AND template = ?2 AND standing = 3 ORDER BY ended_ms DESC, id DESC LIMIT 1";

/// Computes what is due next for a subject and template. A plan brings the date of the last form
/// forward and never moves it back, so that a form which nobody makes hides no subject. Ties are
/// broken by the ids of records, because their numbers differ from phone to phone. Each query reads
/// one row, so the cost of a write does not depend on the number of forms about its subject.
pub(in crate::replica) fn regroup(conn: &Connection, group: &Group) -> Sql<()> {
    let (place, template) = group;
    let planned: Option<(i64, i64)> = conn
        .prepare_cached(PLANNED_FIRST)?
        .query_row((place, template), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let last: Option<(i64, Option<i64>)> = conn
        .prepare_cached(DONE_LAST)?
        .query_row((place, template), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let next = last.and_then(|(record, due_ms)| Some((record, due_ms?)));
    // Of two equal dates the plan counts.
    let due = planned
        .into_iter()
        .chain(next)
        .min_by_key(|(_, due_ms)| *due_ms);
    match due {
        None => conn
            .prepare_cached("DELETE FROM form_due WHERE place = ?1 AND template = ?2")?
            .execute((place, template)),
        Some((record, due_ms)) => conn
            .prepare_cached(
                "INSERT INTO form_due (place, template, record, due_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (place, template) DO UPDATE SET record = excluded.record,
                   due_ms = excluded.due_ms
                 WHERE record <> excluded.record OR due_ms <> excluded.due_ms",
            )?
            .execute((place, template, record, due_ms)),
    }
    .map(drop)
}

pub(in crate::replica) fn read(row: &Row<'_>, first: usize) -> Sql<FormRow> {
    let standing = FormStanding::from_code(row.get(first + 4)?);
    Ok(FormRow {
        template: row.get(first)?,
        version: row.get(first + 1)?,
        subject: fixed_or_none(row, first + 2)?.map(RecordId),
        place: fixed(row, first + 3)?,
        standing: standing.ok_or_else(|| bad_value(first + 4))?,
        planned_ms: row.get(first + 5)?,
        begun_ms: row.get(first + 6)?,
        ended_ms: row.get(first + 7)?,
        at_ms: row.get(first + 8)?,
        member: fixed_or_none(row, first + 9)?.map(MemberId),
        day: row.get(first + 10)?,
        complete: row.get(first + 11)?,
        next_due_ms: row.get(first + 12)?,
    })
}
