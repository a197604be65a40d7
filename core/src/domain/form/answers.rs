//! The answers of one record.

use std::collections::BTreeMap;

use super::answer::{Answer, AnswerError, RowMark};
use super::decimal::Decimal;
use super::kind::Kind;
use super::name::{AnswerKey, ItemId, RowId, TemplateId};
use super::template::{Item, Template};
use crate::domain::content::FieldValue;
use crate::limits::FORM_ANSWERS_MAX;

/// The answers of one record, made for one version of a template. Their order of arrival leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    pub(super) template: TemplateId,
    pub(super) version: u32,
    pub(super) given: BTreeMap<AnswerKey, Result<Answer, AnswerError>>,
    pub(super) rows: BTreeMap<(ItemId, RowId), RowMark>,
    /// The device that wrote the mark of a row, where it is known.
    pub(super) devices: BTreeMap<(ItemId, RowId), [u8; 8]>,
    pub(super) unknown: Vec<String>,
}

impl Answer {
    /// Reads the value of a field as the answer to a question of this type. An empty text is a cleared answer.
    pub fn read(
        template: &Template,
        kind: &Kind,
        value: &FieldValue,
    ) -> Result<Option<Self>, AnswerError> {
        match value {
            FieldValue::Text(text) if text.is_empty() => Ok(None),
            FieldValue::Text(text) => Self::of_text(kind, template.choices(kind), text).map(Some),
            _ => Err(AnswerError::WrongType),
        }
    }
}

impl Template {
    /// The question of a key.
    pub fn question(&self, key: &AnswerKey) -> Result<&Item, AnswerError> {
        let item = self.item(key.item.as_str());
        let fits =
            |item: &&Item| item.kind.is_question() && item.repeat.is_some() == key.row.is_some();
        item.filter(fits).ok_or(AnswerError::NoQuestion)
    }

    /// Reads the answer that a person entered to the question of a key; `None` for an empty text. Numbers may
    /// have another spelling, and choices another order. A yes, a whole number and a position may have their
    /// own type of value.
    pub fn entered(
        &self,
        key: &AnswerKey,
        value: &FieldValue,
    ) -> Result<Option<Answer>, AnswerError> {
        let kind = &self.question(key)?.kind;
        let choices = self.choices(kind);
        let answer = match (kind, value) {
            (_, FieldValue::Text(text)) if text.trim().is_empty() => return Ok(None),
            (Kind::YesNo, FieldValue::Flag(yes)) => Answer::YesNo(*yes),
            (Kind::Position, FieldValue::Position(stored)) => Answer::Position(*stored),
            (Kind::Number { .. }, FieldValue::Number(number)) => {
                Answer::Number(Decimal::whole(*number).ok_or(AnswerError::WrongType)?)
            }
            (Kind::Number { .. }, FieldValue::Text(text)) => {
                Answer::Number(Decimal::parse(text.trim()).ok_or(AnswerError::WrongType)?)
            }
            (Kind::Many { .. }, FieldValue::Text(text)) => {
                let is_known = |id: &str| choices.iter().any(|choice| choice.id == id);
                if !text.split_whitespace().all(is_known) {
                    return Err(AnswerError::UnknownChoice);
                }
                Answer::many(choices, text.split_whitespace())
            }
            _ => return Answer::read(self, kind, value),
        };
        answer.fits(kind, choices).map(|()| Some(answer))
    }

    /// Checks that a value is an answer to the question of a key. Range and constraint are not judged,
    /// because they depend on other answers.
    pub fn check(&self, key: &AnswerKey, answer: &Answer) -> Result<(), AnswerError> {
        let kind = &self.question(key)?.kind;
        answer.fits(kind, self.choices(kind))
    }
}

impl Answers {
    /// No answers yet, to a version of a template.
    #[must_use]
    pub fn new(template: TemplateId, version: u32) -> Self {
        Self {
            template,
            version,
            given: BTreeMap::new(),
            rows: BTreeMap::new(),
            devices: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    /// Notes the devices that wrote the rows, by the keys of their marks. They take turns where a
    /// repeat has more rows than count, so one device does not push out the rows of another one.
    #[must_use]
    pub fn with_row_devices(mut self, devices: &BTreeMap<String, [u8; 8]>) -> Self {
        for (key, device) in devices {
            let key = key
                .parse()
                .ok()
                .and_then(|key: AnswerKey| Some((key.item, key.row?)));
            if let Some(name) = key.filter(|name| self.rows.contains_key(name)) {
                self.devices.insert(name, *device);
            }
        }
        self
    }

    /// Reads the answers of a record: the values of its fields `answer.<key>`, by key. A value that is no
    /// answer to its question stays in its place, so that the state names it. At most
    /// `limits::FORM_ANSWERS_MAX` fields are read, in the order of their keys; the rest counts as unknown.
    pub fn read<'a>(
        template: &Template,
        version: u32,
        fields: impl IntoIterator<Item = (&'a str, &'a FieldValue)>,
    ) -> Self {
        let mut answers = Self::new(template.id().clone(), version);
        let fields: BTreeMap<&str, &FieldValue> = fields.into_iter().collect();
        for (index, (key, value)) in fields.into_iter().enumerate() {
            if index >= FORM_ANSWERS_MAX || answers.take(template, key, value).is_none() {
                answers.unknown.push(key.to_owned());
            }
        }
        answers
    }

    /// Takes one field; `None` if the template has no place for it.
    fn take(&mut self, template: &Template, key: &str, value: &FieldValue) -> Option<()> {
        let key: AnswerKey = key.parse().ok()?;
        let item = template.item(key.item.as_str())?;
        match (&item.kind, key.row) {
            (Kind::Repeat, Some(row)) => {
                let mark = RowMark::of_value(value)?;
                self.rows.insert((key.item, row), mark);
            }
            (kind, row) if kind.is_question() && row.is_some() == item.repeat.is_some() => {
                if let Some(answer) = Answer::read(template, kind, value).transpose() {
                    self.given.insert(key, answer);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Gives or replaces an answer.
    pub fn put(&mut self, key: AnswerKey, answer: Answer) {
        self.given.insert(key, Ok(answer));
    }

    /// Clears an answer.
    pub fn clear(&mut self, key: &AnswerKey) {
        self.given.remove(key);
    }

    /// Marks a row of a repeat as added or removed.
    pub fn mark_row(&mut self, repeat: ItemId, row: RowId, mark: RowMark) {
        self.rows.insert((repeat, row), mark);
    }

    /// The answer of a key, if it is one.
    #[must_use]
    pub fn get(&self, key: &AnswerKey) -> Option<&Answer> {
        self.given.get(key)?.as_ref().ok()
    }

    /// The fields that store the answers and marks, by key. Unreadable values are left out.
    pub fn fields(&self) -> impl Iterator<Item = (String, FieldValue)> {
        let answers = self.given.iter().filter_map(|(key, answer)| {
            let value = answer.as_ref().ok()?.to_value();
            Some((key.to_string(), value))
        });
        let mark = |((repeat, row), mark): (&(ItemId, RowId), &RowMark)| {
            let key = AnswerKey::in_row(repeat.clone(), *row);
            (key.to_string(), mark.to_value())
        };
        answers.chain(self.rows.iter().map(mark))
    }
}
