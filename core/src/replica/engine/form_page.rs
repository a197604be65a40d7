//! The page of one checklist, and the records that belong together.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::super::error::{FormProblem, ReplicaError};
use super::super::forms::{self, FormOf};
use super::super::projection::project;
use super::super::reader::Reader;
use super::super::table::form::{self, FormRow};
use super::super::table::record as record_table;
use super::super::table::record::RecordRow;
use super::super::table::record_link::{self, LinkKind};
use super::words::{FieldWords, Wording};
use crate::domain::content::{Content, Field, FieldValue};
use crate::domain::form::{Answers, Date, FormState, Template, TemplateId, evaluate};
use crate::id::RecordId;
use crate::limits::LIST_ROWS_MAX;
use crate::record::Record;
use crate::texts::Lang;

/// Everything that the page of a checklist shows beside the page of its record.
#[derive(Debug, Clone)]
pub struct FormPage {
    /// The id of the template.
    pub id: TemplateId,
    /// The version of the template.
    pub version: u32,
    /// The template; `None` where it is not on this phone, or needs a newer app.
    pub template: Option<Arc<Template>>,
    /// The code of the reason why the person may only read the form; `None` where the person may write.
    pub read_only: Option<&'static str>,
    /// The answers; `None` without the template.
    pub answers: Option<Answers>,
    /// The answers as people read them, Chinese and English, by key.
    pub words: BTreeMap<String, (String, String)>,
    /// Keys and values as stored, for a form whose template this app cannot read.
    pub stored: Vec<(String, String)>,
    /// The day that `today()` means in the rules of the form.
    pub today: Date,
    /// The row of lists; `None` while the beginning of the record does not count.
    pub row: Option<FormRow>,
    /// The time from the beginning to the end, ms, by the signed steps.
    pub duration_ms: Option<i64>,
    /// The subject, where this phone may read it.
    pub subject: Option<RecordRow>,
    /// The records that belong to the form: findings, private words, the case that it follows up.
    pub linked: Vec<LinkedRecord>,
}

/// A record that belongs to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedRecord {
    /// The reason.
    pub link: LinkKind,
    /// The direction.
    pub direction: LinkDirection,
    /// The row of the record, with its stage.
    pub row: RecordRow,
}

/// The direction of a link, seen from one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkDirection {
    /// The record points at the other one.
    To,
    /// The other one points at the record.
    From,
}

impl FormPage {
    /// The state of all questions; `None` without the template.
    #[must_use]
    pub fn state(&self) -> Option<FormState<'_>> {
        evaluate(self.template.as_ref()?, self.answers.as_ref()?, self.today).ok()
    }
}

impl Reader {
    /// The page of a checklist; `None` where the record is not on this phone, or is none.
    pub fn form(&self, id: RecordId, now_ms: i64) -> Result<Option<FormPage>, ReplicaError> {
        self.at_once(|conn| self.form_now(conn, id, now_ms))
    }

    /// The records here that belong to one. Of those that point at it, the person's own and then the newest come
    /// first, at most 200 of each kind of link.
    pub fn linked(&self, id: RecordId) -> Result<Vec<LinkedRecord>, ReplicaError> {
        self.at_once(|conn| linked(conn, id))
    }

    fn form_now(
        &self,
        conn: &Connection,
        id: RecordId,
        now_ms: i64,
    ) -> Result<Option<FormPage>, ReplicaError> {
        let Some(record) = self.load(id)? else {
            return Ok(None);
        };
        let Some(content) = project::content(&record) else {
            return Ok(None);
        };
        let Some(found) = FormOf::content(conn, &self.certificates.templates, &content)? else {
            return Ok(None);
        };
        let template = found.template().cloned();
        let answers = template
            .as_ref()
            .map(|template| forms::answers(template, &content));
        let subject = content.text(found.spec.subject);
        let subject: Option<RecordId> = subject.and_then(|id| id.parse().ok());
        let subject = subject.map(|id| record_table::get(conn, id)).transpose()?;
        let no = record_table::number(conn, id)?;
        let steps = record.state().and_then(|state| state.steps());
        Ok(Some(FormPage {
            read_only: self.read_only(id, &found)?,
            today: today(&record, now_ms),
            row: no.map(|no| form::get(conn, no)).transpose()?.flatten(),
            duration_ms: steps.and_then(|steps| steps.between_ms(found.spec.begin.to, steps.stage)),
            subject: subject.flatten(),
            linked: linked(conn, id)?,
            words: self.answer_words(conn, &record, &content)?,
            stored: content.details().answers.clone().into_iter().collect(),
            id: found.id,
            version: found.version,
            template,
            answers,
        }))
    }

    fn answer_words(
        &self,
        conn: &Connection,
        record: &Record,
        content: &Content,
    ) -> Result<BTreeMap<String, (String, String)>, ReplicaError> {
        let wording = Wording::of(conn, &self.certificates.templates, record)?;
        let answers = content.details().answers.iter();
        let words = answers.map(|(key, text)| {
            let (field, value) = (Field::Answer(key.clone()), FieldValue::Text(text.clone()));
            Ok((key.clone(), FieldWords::of(&wording, &field, &value)?.value))
        });
        words.collect()
    }

    fn read_only(&self, id: RecordId, form: &FormOf) -> Result<Option<&'static str>, ReplicaError> {
        let template = match form.readable() {
            Ok(template) => template,
            Err(code) => return Ok(Some(code)),
        };
        if let Err(code) = self.may_edit(id, None)? {
            return Ok(Some(code));
        }
        let own = self.certificate().ok_or(ReplicaError::NotEnrolled)?;
        let mut grants = own.facts().grants.iter();
        let has_role = grants.any(|grant| template.is_for(grant.role));
        Ok((!has_role).then_some("form.not_for_role"))
    }
}

fn linked(conn: &Connection, id: RecordId) -> Result<Vec<LinkedRecord>, ReplicaError> {
    let mut found = Vec::new();
    if let Some(no) = record_table::number(conn, id)? {
        for (link, target) in record_link::of(conn, no)? {
            found.extend(record_table::get(conn, target)?.map(|row| LinkedRecord {
                link,
                direction: LinkDirection::To,
                row,
            }));
        }
    }
    for link in [LinkKind::MadeFor, LinkKind::About, LinkKind::MergedInto] {
        for source in record_link::shown_sources(conn, id, link, LIST_ROWS_MAX)? {
            found.extend(record_table::get(conn, source)?.map(|row| LinkedRecord {
                link,
                direction: LinkDirection::From,
                row,
            }));
        }
    }
    Ok(found)
}

/// The day of the first step of a form, else the present day.
pub(super) fn today(record: &Record, now_ms: i64) -> Date {
    let first = || Some(record.state()?.steps()?.entries.first()?.at_ms);
    Date::in_china(first().unwrap_or(now_ms))
}

/// The problems that keep a form from its end, in the order of the questions.
pub(super) fn problems(
    template: &Template,
    content: &Content,
    today: Date,
) -> Result<Vec<FormProblem>, ReplicaError> {
    let answers = forms::answers(template, content);
    let state = evaluate(template, &answers, today)
        .map_err(|error| ReplicaError::BadContent(error.code()))?;
    let of_item = |item: &crate::domain::form::ItemState<'_>| {
        let problem = item.problem.as_ref().filter(|problem| problem.blocks())?;
        let label = |lang| item.item.label.in_lang(lang).to_owned();
        Some(FormProblem {
            item: item.item.id.clone(),
            row: item.row,
            code: problem.code(),
            question: (label(Lang::Zh), label(Lang::En)),
            zh: problem.say(Lang::Zh),
            en: problem.say(Lang::En),
        })
    };
    Ok(state.items().iter().filter_map(of_item).collect())
}
