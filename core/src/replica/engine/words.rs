//! Fields and values of one record in words. Answers speak with the words of their template.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::forms::{FormOf, TemplateCache};
use super::super::projection::{names, project};
use crate::crdt::{FieldEdit, Write};
use crate::domain::civil::time_said;
use crate::domain::content::{Content, Field, FieldSpec, FieldValue, StoredPosition};
use crate::domain::form::{Answer, AnswerKey, Item, Kind, RowId, RowMark, Template};
use crate::record::Record;
use crate::texts::{Lang, say};

/// A field and its value as a person reads them, in Chinese and English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldWords {
    /// The name of the field; for an answer, the question.
    pub label: (String, String),
    /// The value; for an answer, the words of the choices.
    pub value: (String, String),
}

impl FieldWords {
    pub(super) fn of(
        wording: &Wording<'_>,
        field: &Field,
        value: &FieldValue,
    ) -> Result<Self, ReplicaError> {
        Ok(Self {
            label: (
                wording.field(field, Lang::Zh),
                wording.field(field, Lang::En),
            ),
            value: (
                wording.value(field, value, Lang::Zh)?,
                wording.value(field, value, Lang::En)?,
            ),
        })
    }
}

/// The words of one record.
pub(in crate::replica) struct Wording<'a> {
    conn: &'a Connection,
    form: Option<FormOf>,
    /// The number of each row, from 1, as people see it.
    rows: BTreeMap<RowId, usize>,
}

impl<'a> Wording<'a> {
    /// Words without a record: answers have no question here.
    pub(in crate::replica) fn plain(conn: &'a Connection) -> Self {
        Self {
            conn,
            form: None,
            rows: BTreeMap::new(),
        }
    }

    pub(in crate::replica) fn of(
        conn: &'a Connection,
        cache: &TemplateCache,
        record: &Record,
    ) -> Result<Self, ReplicaError> {
        let is_form = |record: &Record| Some(record.genesis()?.kind.spec()?.form.is_some());
        let content = match is_form(record) {
            Some(true) => project::content(record),
            _ => None,
        };
        let Some(content) = content else {
            return Ok(Self::plain(conn));
        };
        let form = FormOf::content(conn, cache, &content)?;
        let rows = form
            .as_ref()
            .and_then(FormOf::template)
            .map_or_else(BTreeMap::new, |template| rows(template, &content));
        Ok(Self { conn, form, rows })
    }

    /// The name of a field: for an answer, the question.
    pub(in crate::replica) fn field(&self, field: &Field, lang: Lang) -> String {
        let Some((item, key)) = self.item(field) else {
            return field_text(field, lang);
        };
        let label = item.label.in_lang(lang);
        match key.row.map(|row| self.rows.get(&row)) {
            None => label.to_owned(),
            Some(Some(number)) => {
                let number = number.to_string();
                say("form.row", lang, &[("label", label), ("number", &number)])
            }
            Some(None) => say("form.row_removed", lang, &[("label", label)]),
        }
    }

    /// A value as a person reads it: for an answer, the words of the choices.
    pub(in crate::replica) fn value(
        &self,
        field: &Field,
        value: &FieldValue,
        lang: Lang,
    ) -> Result<String, ReplicaError> {
        if let (Field::Own(spec), Some(form)) = (field, &self.form)
            && let Some(said) = self.own(spec, form, value, lang)?
        {
            return Ok(said);
        }
        let answer = self.item(field).zip(self.template());
        if let (Some(((item, _), template)), FieldValue::Text(text)) = (answer, value)
            && let Some(said) = answer_text(template, item, value, text, lang)
        {
            return Ok(said);
        }
        value_text(self.conn, field, value, lang)
    }

    /// The value that an edit gives a field; empty where it removes the value.
    pub(in crate::replica) fn written(
        &self,
        edit: &FieldEdit,
        lang: Lang,
    ) -> Result<String, ReplicaError> {
        match &edit.write {
            Write::Set(value) => self.value(&edit.field, value, lang),
            Write::Redo { after, .. } => Ok(after.clone()),
            Write::Remove => Ok(String::new()),
        }
    }

    /// The words of edits that do not count, for the person who wrote them.
    pub(in crate::replica) fn edits(
        &self,
        edits: &[FieldEdit],
        lang: Lang,
    ) -> Result<String, ReplicaError> {
        let mut parts = Vec::new();
        for edit in edits {
            let value = self.written(edit, lang)?;
            parts.push(format!("{}: {value}", self.field(&edit.field, lang)));
        }
        Ok(parts.join("\n"))
    }

    fn template(&self) -> Option<&Arc<Template>> {
        self.form.as_ref()?.template()
    }

    /// The question of an answer.
    fn item(&self, field: &Field) -> Option<(&Item, AnswerKey)> {
        let Field::Answer(id) = field else {
            return None;
        };
        let key: AnswerKey = id.parse().ok()?;
        let item = self.template()?.item(key.item.as_str())?;
        Some((item, key))
    }

    /// The fields of a form that hold ids and times.
    fn own(
        &self,
        spec: &FieldSpec,
        form: &FormOf,
        value: &FieldValue,
        lang: Lang,
    ) -> Result<Option<String>, ReplicaError> {
        Ok(match value {
            FieldValue::Number(ms) if spec == form.spec.planned => {
                Some(time_said(*ms, i64::MIN, lang))
            }
            FieldValue::Text(id) if spec == form.spec.subject => match id.parse() {
                Ok(record) => Some(names::record(self.conn, record)?),
                Err(_) => None,
            },
            FieldValue::Text(_) if spec == form.spec.template => {
                let title = form.template().map(|template| template.title());
                title.map(|title| title.in_lang(lang).to_owned())
            }
            _ => None,
        })
    }
}

fn joint(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "、",
        Lang::En => ", ",
    }
}

/// The numbers of the rows of all repeats, in the order that people see. Removed rows have none.
fn rows(template: &Template, content: &Content) -> BTreeMap<RowId, usize> {
    let mut marks: BTreeMap<&str, Vec<(i64, RowId)>> = BTreeMap::new();
    let answers = &content.details().answers;
    let keyed: Vec<(AnswerKey, &String)> = answers
        .iter()
        .filter_map(|(key, value)| Some((key.parse().ok()?, value)))
        .collect();
    for (key, value) in &keyed {
        let item = template.item(key.item.as_str());
        let Some(item) = item.filter(|item| item.kind == Kind::Repeat) else {
            continue;
        };
        if let (Some(row), Some(RowMark::Added(at_ms))) = (key.row, RowMark::of_text(value)) {
            marks
                .entry(item.id.as_str())
                .or_default()
                .push((at_ms, row));
        }
    }
    let mut numbers = BTreeMap::new();
    for mut rows in marks.into_values() {
        rows.sort_unstable();
        numbers.extend(
            rows.into_iter()
                .zip(1..)
                .map(|((_, row), number)| (row, number)),
        );
    }
    numbers
}

/// An answer in the words of its template; `None` for a value that is no answer to the question.
fn answer_text(
    template: &Template,
    item: &Item,
    value: &FieldValue,
    text: &str,
    lang: Lang,
) -> Option<String> {
    if item.kind == Kind::Repeat {
        let code = match RowMark::of_text(text)? {
            RowMark::Added(_) => "form.value_added",
            RowMark::Removed => "form.value_removed",
        };
        return Some(say(code, lang, &[]));
    }
    let label = |id: &str| {
        let mut choices = template.choices(&item.kind).iter();
        let found = choices.find(|choice| choice.id == id);
        found.map_or_else(
            || id.to_owned(),
            |choice| choice.label.in_lang(lang).to_owned(),
        )
    };
    Some(match Answer::read(template, &item.kind, value).ok()?? {
        Answer::One(id) => label(&id),
        Answer::Many(ids) => {
            let labels: Vec<String> = ids.iter().map(|id| label(id)).collect();
            labels.join(joint(lang))
        }
        Answer::YesNo(yes) => say(if yes { "value.yes" } else { "value.no" }, lang, &[]),
        Answer::Number(number) => match &item.kind {
            Kind::Number {
                unit: Some(unit), ..
            } => format!("{number} {}", unit.in_lang(lang)),
            _ => number.to_string(),
        },
        Answer::Position(stored) => point_text(stored),
        Answer::Photo(_) => say("form.value_photo", lang, &[]),
        other => other.to_text(),
    })
}

/// The name of a field for a person, without the words of a template.
fn field_text(field: &Field, lang: Lang) -> String {
    match field {
        Field::Answer(id) => say("field.answer", lang, &[("id", id)]),
        Field::Photo(_) => say("field.photo", lang, &[]),
        Field::Log(_) => say("field.log", lang, &[]),
        named => say(&format!("field.{}", named.name()), lang, &[]),
    }
}

/// A value as a person reads it, without the words of a template.
fn value_text(
    conn: &Connection,
    field: &Field,
    value: &FieldValue,
    lang: Lang,
) -> Result<String, ReplicaError> {
    Ok(match (field, value) {
        (Field::Own(spec), FieldValue::Number(number)) => spec
            .text_of(*number)
            .map_or_else(|| number.to_string(), |code| say(code, lang, &[])),
        (Field::Category, FieldValue::Text(code)) => names::category(conn, code)?
            .map_or_else(|| code.clone(), |name| names::in_lang(name, lang)),
        (Field::Log(_), _) => say("value.entry", lang, &[]),
        (_, FieldValue::Text(text)) => text.clone(),
        (_, FieldValue::Number(number)) => number.to_string(),
        (_, FieldValue::Flag(flag)) => say(if *flag { "value.yes" } else { "value.no" }, lang, &[]),
        (_, FieldValue::Position(stored)) => point_text(*stored),
    })
}

fn point_text(stored: StoredPosition) -> String {
    let point = stored.position().point();
    format!("{}, {}", degrees(point.lat_e7()), degrees(point.lon_e7()))
}

/// Degrees with five digits: about a metre.
fn degrees(e7: i32) -> String {
    format!("{:.5}", f64::from(e7) / 1e7)
}
