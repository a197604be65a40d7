//! The content of a record as plain data, for code that must not know automerge.
//!
//! ```text
//!  table of the kind (FieldSpec*) ──▶ Content = Details (every kind) + own values (one for each line)
//! ```
//!
//! **Not here:** documents and their changes (`crdt`), the tables of the kinds (`kinds`).

mod field;
mod log_key;
mod value;

use std::collections::BTreeMap;

pub(crate) use self::field::{DESCRIPTION_KEY, owner_of_key};
pub use self::field::{Field, FieldSpec, ValueType};
pub use self::log_key::{BadLogKey, LogKey};
pub use self::value::{FieldValue, StoredPosition};
use super::RecordKind;
use crate::id::Hash;

/// The fields that all kinds share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Its name in a few words.
    pub title: Option<String>,
    /// Code of the category.
    pub category: Option<String>,
    /// Address in words.
    pub address: Option<String>,
    /// When it happened or was seen, ms UTC.
    pub occurred_ms: Option<i64>,
    /// Where it is.
    pub position: Option<StoredPosition>,
    /// The description; may be empty.
    pub description: String,
    /// Answers by the id of the question.
    pub answers: BTreeMap<String, String>,
    /// Captions of the attachments by the hash of their bytes.
    pub photos: BTreeMap<Hash, String>,
    /// Entries that one device wrote, by their keys.
    pub logs: BTreeMap<LogKey, String>,
}

/// The content of a record: the shared fields, and the values of the fields in the table of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    kind: RecordKind,
    details: Details,
    table: &'static [FieldSpec],
    /// One place for each line of the table.
    own: Vec<Option<FieldValue>>,
    /// The device that wrote each answer in a row of a repeat, by the key of the answer: the part
    /// of its id that authors of changes carry. Empty in content that no document holds yet.
    row_devices: BTreeMap<String, [u8; 8]>,
}

impl Content {
    /// Makes content whose own fields are all empty. [`super::kinds::KindSpec::content`] knows the table.
    #[must_use]
    pub fn new(kind: RecordKind, table: &'static [FieldSpec], details: Details) -> Self {
        Self {
            kind,
            details,
            table,
            own: vec![None; table.len()],
            row_devices: BTreeMap::new(),
        }
    }

    /// Notes the devices of the rows, as the document has them.
    #[must_use]
    pub fn with_row_devices(mut self, devices: BTreeMap<String, [u8; 8]>) -> Self {
        self.row_devices = devices;
        self
    }

    /// The device that wrote each answer in a row of a repeat, by the key of the answer.
    #[must_use]
    pub fn row_devices(&self) -> &BTreeMap<String, [u8; 8]> {
        &self.row_devices
    }

    /// Sets a field. A field that the kind does not have is left out, and so is a value of another type.
    pub fn set(&mut self, field: Field, value: FieldValue) {
        match field {
            Field::Own(spec) if spec.value.is_of(&value) => {
                let line = self.table.iter().position(|known| known == spec);
                if let Some(place) = line.and_then(|line| self.own.get_mut(line)) {
                    *place = Some(value);
                }
            }
            shared => self.details.set(shared, value),
        }
    }

    /// The fields that all kinds share, to fill in.
    pub fn details_mut(&mut self) -> &mut Details {
        &mut self.details
    }

    /// The kind of the record.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The fields that all kinds share.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// The lines of the kind's table with their values.
    pub fn own(&self) -> impl Iterator<Item = (&'static FieldSpec, Option<&FieldValue>)> {
        let values = self.own.iter().map(Option::as_ref);
        self.table.iter().zip(values)
    }

    /// The value of a field in the kind's table.
    #[must_use]
    pub fn value(&self, spec: &FieldSpec) -> Option<&FieldValue> {
        let (_, value) = self.own().find(|(known, _)| *known == spec)?;
        value
    }

    /// The number of a field in the kind's table.
    #[must_use]
    pub fn number(&self, spec: &FieldSpec) -> Option<i64> {
        match self.value(spec)? {
            FieldValue::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The words of a field in the kind's table.
    #[must_use]
    pub fn text(&self, spec: &FieldSpec) -> Option<&str> {
        match self.value(spec)? {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The answer, yes or no, of a field in the kind's table.
    #[must_use]
    pub fn flag(&self, spec: &FieldSpec) -> Option<bool> {
        match self.value(spec)? {
            FieldValue::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The filled-in fields, in a fixed order. The bytes of a Genesis depend on it.
    #[must_use]
    pub fn fields(&self) -> Vec<(Field, FieldValue)> {
        let mut out = Vec::new();
        let details = &self.details;
        put_text(&mut out, Field::Title, details.title.as_ref());
        put_text(&mut out, Field::Category, details.category.as_ref());
        put_text(&mut out, Field::Address, details.address.as_ref());
        let occurred_ms = details.occurred_ms.map(FieldValue::Number);
        out.extend(occurred_ms.map(|ms| (Field::OccurredMs, ms)));
        let position = details.position.map(FieldValue::Position);
        out.extend(position.map(|at| (Field::Position, at)));
        out.extend(
            self.own()
                .filter_map(|(spec, value)| Some((Field::Own(spec), value?.clone()))),
        );
        for (id, answer) in &details.answers {
            put_text(&mut out, Field::Answer(id.clone()), Some(answer));
        }
        for (hash, caption) in &details.photos {
            put_text(&mut out, Field::Photo(*hash), Some(caption));
        }
        for (key, entry) in &details.logs {
            put_text(&mut out, Field::Log(key.clone()), Some(entry));
        }
        if !details.description.is_empty() {
            put_text(&mut out, Field::Description, Some(&details.description));
        }
        out
    }
}

impl Details {
    fn set(&mut self, field: Field, value: FieldValue) {
        match (field, value) {
            (Field::Title, FieldValue::Text(text)) => self.title = Some(text),
            (Field::Category, FieldValue::Text(text)) => self.category = Some(text),
            (Field::Address, FieldValue::Text(text)) => self.address = Some(text),
            (Field::Description, FieldValue::Text(text)) => self.description = text,
            (Field::OccurredMs, FieldValue::Number(ms)) => self.occurred_ms = Some(ms),
            (Field::Position, FieldValue::Position(at)) => self.position = Some(at),
            (Field::Answer(id), FieldValue::Text(text)) => drop(self.answers.insert(id, text)),
            (Field::Photo(hash), FieldValue::Text(text)) => drop(self.photos.insert(hash, text)),
            (Field::Log(key), FieldValue::Text(text)) => drop(self.logs.insert(key, text)),
            _ => {}
        }
    }
}

fn put_text(out: &mut Vec<(Field, FieldValue)>, field: Field, text: Option<&String>) {
    out.extend(text.map(|text| (field, FieldValue::Text(text.clone()))));
}
