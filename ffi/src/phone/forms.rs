//! Checklists: templates, planning, answers, findings, private notes, and lists of what is due.

use onegrid_core::domain::RecordKind;
use onegrid_core::domain::form::{AnswerKey, ItemId, TemplateId};
use onegrid_core::id::{MemberId, RecordId};
use onegrid_core::net::now_ms;
use onegrid_core::replica::{self, DueFilter, FormEdit, Subject};

use super::read::{invalid, limit, near, no_record, token};
use super::write::{audience, content, home};
use super::{Phone, id, ids, maybe_id, show, show_form};
use crate::error::{Answer, OneGridError};
use crate::types::{
    AnswerChange, DueQuery, FindingDraft, FormCounts, FormDetail, FormDraft, FormPage,
    FormTemplate, GeoPosition, LinkedRecord, PlannedForm, TemplateItem,
};

#[uniffi::export]
impl Phone {
    /// Returns the templates on this phone, in the order of their ids, each in the newest version that this app
    /// reads.
    pub fn templates(&self) -> Answer<Vec<FormTemplate>> {
        let acting_as = self.0.acting_as().clone();
        self.0.read(|reader| {
            let all = reader.templates(false)?.into_iter();
            let shown = all.map(|info| {
                let template = info.template.as_ref();
                let usable = template.is_some_and(|one| reader.may_fill(one, acting_as.as_ref()));
                show_form::template(&info, usable)
            });
            Ok(shown.collect())
        })
    }

    /// Returns the items of a template in words, at most 500, in the order of the template. Without `version`
    /// it is the newest one that this app reads.
    ///
    /// Errors: `form.no_template` if the template is not on this phone, `form.newer_template`.
    pub fn template_items(
        &self,
        template: String,
        version: Option<u32>,
    ) -> Answer<Vec<TemplateItem>> {
        self.0.read(|reader| {
            let id = template_id(&template)?;
            let absent = || OneGridError::of("form.no_template");
            let found = if let Some(version) = version {
                let entry = reader.template(&id, version)?.ok_or_else(absent)?;
                entry.template().cloned()
            } else {
                let mut all = reader.templates(false)?.into_iter();
                all.find(|info| info.id == id).ok_or_else(absent)?.template
            };
            let found = found.ok_or_else(|| OneGridError::of("form.newer_template"))?;
            Ok(show_form::template_items(&found))
        })
    }

    /// Plans a checklist. If the template hides the place, its name goes into a restricted record. The move
    /// `start` begins the checklist, and `finish` ends it; [`Self::moves`] lists them all.
    ///
    /// Errors: `form.no_subject` without subject, title and linked record; `form.no_template`,
    /// `form.newer_template`, `form.not_for_role`, `form.subject_merged`, `form.no_form` for a kind without a
    /// form; `report.confirm_area`, `report.no_place`, `position.*`, `content.*`, `may.*`,
    /// `replica.no_record`, `replica.not_enrolled`, `replica.disk_full`.
    pub fn plan_form(&self, draft: FormDraft) -> Answer<PlannedForm> {
        let draft = self.0.read(|reader| {
            let subject: Option<RecordId> = maybe_id(draft.subject.as_ref())?;
            let linked: Option<RecordId> = maybe_id(draft.linked.as_ref())?;
            let position = draft.position.as_ref();
            let position = position.map(GeoPosition::checked).transpose()?;
            let area = maybe_id(draft.area.as_ref())?;
            let named = || {
                Some(Subject::Named {
                    title: draft.title.clone()?,
                    address: draft.address.clone(),
                    position: position.as_ref().map(show::stored),
                })
            };
            Ok(replica::FormDraft {
                kind: RecordKind::from_name(&draft.kind).ok_or_else(|| invalid("kind"))?,
                template: template_id(&draft.template)?,
                home: home(reader, area, position, subject.or(linked))?,
                subject: subject.map(Subject::Record).or_else(named),
                planned_ms: draft.planned_ms,
                companions: ids(&draft.companions)?,
                companion_names: draft.companion_names.clone(),
                audience: audience(draft.restricted),
                team: maybe_id(draft.team.as_ref())?,
                linked,
                note: draft.note.clone(),
            })
        })?;
        let made = self
            .0
            .write(|replica, now| Ok(replica.plan_form(&draft, now)?))?;
        Ok(PlannedForm {
            form: made.form.to_string(),
            subject: made.subject.map(|record| record.to_string()),
            note: made.note.map(|record| record.to_string()),
        })
    }

    /// Returns the page of a checklist: every item with its answer and problem, the progress, and why the member
    /// may only read it.
    ///
    /// Errors: `replica.no_record`, `form.no_form` for a record without a form.
    pub fn form(&self, record: String) -> Answer<FormDetail> {
        self.0.read(|reader| {
            let (record, now) = (id(&record)?, now_ms());
            match reader.form(record, now)? {
                Some(page) => show_form::detail(reader, &page, now),
                None if reader.row(record)?.is_some() => Err(OneGridError::of("form.no_form")),
                None => Err(no_record()),
            }
        })
    }

    /// Sets and clears answers of a checklist, all of them or none, and returns the envelope. A value that is no
    /// answer to its question is refused. A value beyond the range or the rule of its question is saved, and
    /// becomes a problem on the page.
    ///
    /// `changes` is 1 to 1,000 answers; a text has at most 4,000 characters. Errors: `form.no_question`,
    /// `form.wrong_type`, `form.unknown_choice`, `form.answer_long`, `form.no_form`, `form.no_template`,
    /// `form.newer_template`, `form.not_for_role`, `replica.no_record`, `content.*`, `position.*`, `may.*`.
    pub fn answer(&self, record: String, changes: Vec<AnswerChange>) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let edits = changes.iter().map(edit).collect::<Answer<Vec<_>>>()?;
        self.write_answers(record, &edits)
    }

    /// Adds a row to a repeat and returns the row. At most 100 rows count.
    ///
    /// Errors: `form.row_limit` where this phone has added 100 rows, and the errors of
    /// [`Self::answer`].
    pub fn add_row(&self, record: String, repeat_id: String) -> Answer<String> {
        let (record, item): (RecordId, ItemId) = (id(&record)?, item_id(&repeat_id)?);
        let row = self.0.write(|replica, now| {
            let row = replica.row_id();
            replica.answer(record, &[FormEdit::AddRow(item, row)], now)?;
            Ok(row)
        })?;
        Ok(row.to_string())
    }

    /// Removes a row of a repeat and returns the envelope. The answers of the row stay in the record and count
    /// no longer.
    ///
    /// Errors: the errors of [`Self::answer`].
    pub fn remove_row(&self, record: String, repeat_id: String, row: String) -> Answer<String> {
        let (record, item): (RecordId, ItemId) = (id(&record)?, item_id(&repeat_id)?);
        let row = row.parse().map_err(|_| no_question())?;
        self.write_answers(record, &[FormEdit::RemoveRow(item, row)])
    }

    /// Writes the member's private words about a checklist, or writes them anew, and returns the restricted
    /// record that holds them. Only the member, the people in `named` (at most 64) and the command room read it.
    /// A later call keeps the people of the first one.
    ///
    /// Errors: `form.no_words` for a first note without words, `form.no_form`, `replica.no_record`,
    /// `content.*`, `may.*`.
    pub fn write_note(&self, record: String, text: String, named: Vec<String>) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let named: Vec<MemberId> = ids(&named)?;
        let note = self
            .0
            .write(|replica, now| Ok(replica.write_note(record, &text, &named, now)?))?;
        Ok(note.to_string())
    }

    /// Reports something that was found, as a record that is linked to the checklist, and returns the new
    /// record. Place and address are copied if the readers of the new record may know them. The last line of its
    /// description names the question and its answer.
    ///
    /// Errors: `form.no_form`, `form.no_question`, `replica.no_record`, `content.*`, `may.*`.
    pub fn report_finding(&self, record: String, draft: FindingDraft) -> Answer<String> {
        let record: RecordId = id(&record)?;
        let question = draft.question.as_deref();
        let finding = replica::Finding {
            question: question
                .map(|question| key(question, draft.row.as_deref()))
                .transpose()?,
            content: content(&draft.kind, &draft.fields, None)?,
            audience: audience(draft.restricted),
            team: maybe_id(draft.team.as_ref())?,
            lang: draft.language.into(),
        };
        let made = self
            .0
            .write(|replica, now| Ok(replica.report_finding(record, &finding, now)?))?;
        Ok(made.to_string())
    }

    /// Returns the records on this phone that are linked with a record, in both directions, at most 200 of each
    /// kind of link.
    pub fn linked(&self, record: String) -> Answer<Vec<LinkedRecord>> {
        self.0.read(|reader| {
            let (record, now) = (id(&record)?, now_ms());
            let found = reader.linked(record)?;
            found
                .iter()
                .map(|linked| show_form::linked(reader, linked, now))
                .collect()
        })
    }

    /// Returns a page of what is due: each place and template once, with the open checklist that is planned
    /// first, or with the last one that was done. `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token` for a page of another query; `input.bad_value` for a radius of 0 or over 100 km.
    pub fn due_forms(&self, query: DueQuery, page: Option<String>, rows: u32) -> Answer<FormPage> {
        self.0.read(|reader| {
            let now = now_ms();
            let overdue_ms = query.overdue.then_some(now);
            let before_ms = query.before_ms.into_iter().chain(overdue_ms).min();
            let filter = DueFilter {
                before_ms: before_ms.unwrap_or_default(),
                near: near(query.near.as_ref())?,
                in_my_areas: query.in_my_areas,
                area: maybe_id(query.area.as_ref())?,
                template: query.template.clone(),
            };
            let found = reader.due_forms(&filter, token(page).as_ref(), limit(rows))?;
            show_form::page(reader, found, now)
        })
    }

    /// Returns a page of the checklists that are planned from one time on and before another (ms UTC), in the
    /// order of their times; with `member` those alone that this person planned. `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token`.
    pub fn planned_forms(
        &self,
        from_ms: i64,
        until_ms: i64,
        member: Option<String>,
        page: Option<String>,
        rows: u32,
    ) -> Answer<FormPage> {
        self.0.read(|reader| {
            let (span, member) = ((from_ms, until_ms), maybe_id(member.as_ref())?);
            let found = reader.planned_forms(span, member, token(page).as_ref(), limit(rows))?;
            show_form::page(reader, found, now_ms())
        })
    }

    /// Returns a page of the checklists about one place or person, the newest first. `record` is the record of
    /// the subject, or one of the checklists. `rows` is 1 to 200.
    ///
    /// Errors: `list.bad_token`.
    pub fn forms_about(&self, record: String, page: Option<String>, rows: u32) -> Answer<FormPage> {
        self.0.read(|reader| {
            let found = reader.forms_about(id(&record)?, token(page).as_ref(), limit(rows))?;
            show_form::page(reader, found, now_ms())
        })
    }

    /// Returns the numbers of checklists by person, from one time on and before another (ms UTC).
    pub fn form_counts(&self, from_ms: i64, until_ms: i64) -> Answer<Vec<FormCounts>> {
        self.0.read(|reader| {
            let counts = reader.form_counts((from_ms, until_ms))?;
            Ok(counts.into_iter().map(show_form::counts).collect())
        })
    }
}

impl Phone {
    fn write_answers(&self, record: RecordId, edits: &[FormEdit]) -> Answer<String> {
        let envelope = self
            .0
            .write(|replica, now| Ok(replica.answer(record, edits, now)?))?;
        Ok(envelope.to_string())
    }
}

fn template_id(text: &str) -> Answer<TemplateId> {
    text.parse()
        .map_err(|_| OneGridError::of("form.no_template"))
}

fn no_question() -> OneGridError {
    OneGridError::of("form.no_question")
}

fn item_id(text: &str) -> Answer<ItemId> {
    text.parse().map_err(|_| no_question())
}

fn key(question: &str, row: Option<&str>) -> Answer<AnswerKey> {
    let item = item_id(question)?;
    let row = row.map(str::parse).transpose().map_err(|_| no_question())?;
    Ok(AnswerKey { item, row })
}

fn edit(change: &AnswerChange) -> Answer<FormEdit> {
    let key = key(&change.question, change.row.as_deref())?;
    Ok(match &change.value {
        Some(value) => FormEdit::Enter(key, show::core_value(value)?),
        None => FormEdit::Clear(key),
    })
}
