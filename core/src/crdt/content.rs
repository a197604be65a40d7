//! Reads the content of a record out of its document.

use std::collections::{BTreeMap, HashMap};

use automerge::{ChangeHash, ROOT, ReadDoc, ScalarValue, Value, ValueRef};

use super::document::Document;
use super::value::{self, shortened};
use crate::domain::content::{Content, DESCRIPTION_KEY, Field, FieldValue};
use crate::domain::kinds::KindSpec;
use crate::id::Hash;
use crate::limits::{CONTENT_ENTRIES_MAX, DESCRIPTION_SHOWN_CHARS_MAX};

/// Bytes of an actor id that name its device.
const DEVICE_BYTES: usize = 8;

/// The device of each answer in a row of a repeat, by the key of the answer.
type RowDevices = BTreeMap<String, [u8; DEVICE_BYTES]>;

impl Document {
    /// The content now. A field of a wrong type reads as absent; texts are bounded.
    #[must_use]
    pub fn content(&self, kind: &KindSpec) -> Content {
        self.read(kind, None)
    }

    /// The content as it was at `heads`. `None` when one of them is unknown.
    #[must_use]
    pub fn content_at(&self, kind: &KindSpec, heads: &[Hash]) -> Option<Content> {
        let heads = self.known_heads(heads)?;
        Some(self.read(kind, Some(&heads)))
    }

    fn read(&self, kind: &KindSpec, heads: Option<&[ChangeHash]>) -> Content {
        let (fields, row_devices) = self.fields_at(heads);
        let content = kind.content(fields).with_row_devices(row_devices);
        self.of_first_template(kind, content)
    }

    /// A form keeps the template and the version that its Genesis names, because the answers belong to them. A
    /// person who writes other ones later does not close the form for the others.
    fn of_first_template(&self, kind: &KindSpec, mut content: Content) -> Content {
        let Some((form, first)) = kind.form.zip(self.history.entries().first()) else {
            return content;
        };
        let genesis = [ChangeHash(first.info.hash.0)];
        let [id, version] = [form.template, form.version].map(|spec| {
            let field = Field::Own(spec);
            Some((field.clone(), self.field_at(&field, Some(&genesis))?))
        });
        for (field, value) in id.zip(version).into_iter().flat_map(|(a, b)| [a, b]) {
            content.set(field, value);
        }
        content
    }

    /// The value of a field now.
    #[must_use]
    pub fn field(&self, field: &Field) -> Option<FieldValue> {
        self.field_at(field, None)
    }

    pub(super) fn known_heads(&self, heads: &[Hash]) -> Option<Vec<ChangeHash>> {
        let known = heads.iter().all(|head| self.history.find(head).is_some());
        known.then(|| heads.iter().map(|head| ChangeHash(head.0)).collect())
    }

    pub(super) fn field_at(
        &self,
        field: &Field,
        heads: Option<&[ChangeHash]>,
    ) -> Option<FieldValue> {
        if *field == Field::Description {
            let text = self.description_at(heads)?;
            return Some(FieldValue::Text(shortened(
                &text,
                DESCRIPTION_SHOWN_CHARS_MAX,
            )));
        }
        let name = field.name();
        let found = match heads {
            Some(heads) => self.doc.get_all_at(ROOT, name.as_ref(), heads),
            None => self.doc.get_all(ROOT, name.as_ref()),
        };
        let kind = field.value_type();
        // The last readable value shows, so an unreadable one does not hide it.
        found
            .ok()?
            .into_iter()
            .rev()
            .find_map(|(value, _)| match value {
                Value::Scalar(scalar) => value::read(kind, &scalar),
                Value::Object(_) => None,
            })
    }

    /// The whole description, with nothing cut off.
    pub(super) fn description_at(&self, heads: Option<&[ChangeHash]>) -> Option<String> {
        let id = self.description_id()?;
        match heads {
            Some(heads) => self.doc.text_at(&id, heads).ok(),
            None => self.doc.text(&id).ok(),
        }
    }

    pub(super) fn description_id(&self) -> Option<automerge::ObjId> {
        match self.doc.get(ROOT, DESCRIPTION_KEY).ok()?? {
            (Value::Object(automerge::ObjType::Text), id) => Some(id),
            _ => None,
        }
    }

    fn fields_at(&self, heads: Option<&[ChangeHash]>) -> (Vec<(Field, FieldValue)>, RowDevices) {
        let range = match heads {
            Some(heads) => self.doc.map_range_at(ROOT, .., heads),
            None => self.doc.map_range(ROOT, ..),
        };
        let (mut out, mut answers, mut photos) = (Vec::new(), Vec::new(), Vec::new());
        let mut logs = Vec::new();
        for item in range {
            let (Some(field), ValueRef::Scalar(scalar)) = (Field::of_name(&item.key), &item.value)
            else {
                continue;
            };
            let scalar = ScalarValue::from(scalar.clone());
            let value = match value::read(field.value_type(), &scalar) {
                None if item.conflict => self.field_at(&field, heads),
                value => value,
            };
            let Some(value) = value else { continue };
            match field {
                Field::Answer(_) => answers.push(ContentItem::of(&item.id(), (field, value))),
                Field::Photo(_) => photos.push(ContentItem::of(&item.id(), (field, value))),
                Field::Log(_) => logs.push(ContentItem::of(&item.id(), (field, value))),
                named => out.push((named, value)),
            }
        }
        let row_devices = answers.iter().filter_map(ContentItem::row_device).collect();
        out.extend(fairly(answers));
        out.extend(fairly(photos));
        out.extend(fairly(logs));
        let description = self.field_at(&Field::Description, heads);
        out.extend(description.map(|text| (Field::Description, text)));
        (out, row_devices)
    }
}

/// An answer, a photo or a log entry, with its author and its place in time.
struct ContentItem {
    entry: (Field, FieldValue),
    /// Counter of the operation that wrote it, and its actor.
    by: (u64, Vec<u8>),
}

impl ContentItem {
    fn of(id: &automerge::ObjId, entry: (Field, FieldValue)) -> Self {
        let by = match id {
            automerge::ObjId::Id(counter, actor, _) => (*counter, actor.to_bytes().to_vec()),
            automerge::ObjId::Root => (0, Vec::new()),
        };
        Self { entry, by }
    }

    /// The key and the device of an answer in a row of a repeat.
    fn row_device(&self) -> Option<(String, [u8; DEVICE_BYTES])> {
        let Field::Answer(key) = &self.entry.0 else {
            return None;
        };
        let device = self.by.1.first_chunk().copied()?;
        key.contains('-').then(|| (key.clone(), device))
    }
}

/// At most [`CONTENT_ENTRIES_MAX`] entries. If there are more, devices take turns, each with its oldest
/// entries first, so a device that writes thousands hides only its own.
fn fairly(mut entries: Vec<ContentItem>) -> impl Iterator<Item = (Field, FieldValue)> {
    if entries.len() > CONTENT_ENTRIES_MAX {
        entries.sort_by(|a, b| a.by.cmp(&b.by));
        let mut turns: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut ordered: Vec<(usize, ContentItem)> = entries
            .into_iter()
            .map(|written| {
                let device = written.by.1.iter().take(DEVICE_BYTES).copied().collect();
                let turn = turns.entry(device).or_default();
                *turn += 1;
                (*turn, written)
            })
            .collect();
        // The sort is stable, so within a turn the older entry comes first.
        ordered.sort_by_key(|(turn, _)| *turn);
        ordered.truncate(CONTENT_ENTRIES_MAX);
        entries = ordered.into_iter().map(|(_, written)| written).collect();
    }
    entries.into_iter().map(|written| written.entry)
}
