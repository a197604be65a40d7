//! The typed content of records: plain structs for code that must not know automerge.

use std::collections::{BTreeMap, HashMap};

use automerge::{ChangeHash, ROOT, ReadDoc, ScalarValue, Value, ValueRef};

use super::document::Document;
use super::field::{DESCRIPTION_KEY, Field};
use super::value::{FieldValue, StoredPosition, shortened};
use crate::domain::case::Severity;
use crate::domain::kind::RecordKind;
use crate::id::Hash;
use crate::limits::{CONTENT_ENTRIES_MAX, DESCRIPTION_SHOWN_CHARS_MAX};

/// Bytes of an actor id that name its device.
const DEVICE_BYTES: usize = 8;

/// The kinds of records that have content of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// 隐患
    Hazard,
    /// 线索
    Tip,
    /// 求助
    Request,
    /// 场所
    Place,
}

impl ContentKind {
    /// The kind of content of a kind of record. `None` for kinds of newer versions.
    #[must_use]
    pub fn of(kind: RecordKind) -> Option<Self> {
        match kind {
            RecordKind::Hazard => Some(Self::Hazard),
            RecordKind::Tip => Some(Self::Tip),
            RecordKind::Request => Some(Self::Request),
            RecordKind::Place => Some(Self::Place),
            RecordKind::Unknown(_) => None,
        }
    }
}

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
}

/// 隐患
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hazard {
    /// The fields that all kinds share.
    pub details: Details,
    /// How bad the hazard is.
    pub severity: Option<Severity>,
}

/// 线索
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tip {
    /// The fields that all kinds share.
    pub details: Details,
    /// Code of the offence.
    pub offence: Option<String>,
}

/// 求助
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The fields that all kinds share.
    pub details: Details,
    /// 1 (can wait) to 4 (now).
    pub urgency: Option<u8>,
    /// Whether the person wants to be called back.
    pub contact_wanted: Option<bool>,
    /// How the person is reached.
    pub contact: Option<String>,
}

/// 场所
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The fields that all kinds share; the title is its name.
    pub details: Details,
    /// Code of its type (shop, building, fire lane, …).
    pub place_type: Option<String>,
    /// How the person in charge is reached.
    pub contact: Option<String>,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// 隐患
    Hazard(Hazard),
    /// 线索
    Tip(Tip),
    /// 求助
    Request(Request),
    /// 场所
    Place(Place),
}

impl Content {
    /// Returns content whose fields are all empty.
    #[must_use]
    pub fn empty(kind: ContentKind) -> Self {
        match kind {
            ContentKind::Hazard => Self::Hazard(Hazard::default()),
            ContentKind::Tip => Self::Tip(Tip::default()),
            ContentKind::Request => Self::Request(Request::default()),
            ContentKind::Place => Self::Place(Place::default()),
        }
    }

    /// Makes content of these fields. A field that the kind does not have is left out, and so is a value that
    /// the field does not accept.
    pub fn of_fields(
        kind: ContentKind,
        fields: impl IntoIterator<Item = (Field, FieldValue)>,
    ) -> Self {
        let mut content = Self::empty(kind);
        for (field, value) in fields {
            content.set(field, value);
        }
        content
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ContentKind {
        match self {
            Self::Hazard(_) => ContentKind::Hazard,
            Self::Tip(_) => ContentKind::Tip,
            Self::Request(_) => ContentKind::Request,
            Self::Place(_) => ContentKind::Place,
        }
    }

    /// The fields that all kinds share.
    #[must_use]
    pub fn details(&self) -> &Details {
        match self {
            Self::Hazard(hazard) => &hazard.details,
            Self::Tip(tip) => &tip.details,
            Self::Request(request) => &request.details,
            Self::Place(place) => &place.details,
        }
    }

    /// The fields that all kinds share, to fill in.
    pub fn details_mut(&mut self) -> &mut Details {
        match self {
            Self::Hazard(hazard) => &mut hazard.details,
            Self::Tip(tip) => &mut tip.details,
            Self::Request(request) => &mut request.details,
            Self::Place(place) => &mut place.details,
        }
    }

    /// The filled-in fields, in a fixed order.
    #[must_use]
    pub fn fields(&self) -> Vec<(Field, FieldValue)> {
        let mut out = Vec::new();
        let details = self.details();
        put_text(&mut out, Field::Title, details.title.as_ref());
        put_text(&mut out, Field::Category, details.category.as_ref());
        put_text(&mut out, Field::Address, details.address.as_ref());
        out.extend(
            details
                .occurred_ms
                .map(|ms| (Field::OccurredMs, FieldValue::Number(ms))),
        );
        out.extend(
            details
                .position
                .map(|at| (Field::Position, FieldValue::Position(at))),
        );
        match self {
            Self::Hazard(hazard) => put_number(
                &mut out,
                Field::Severity,
                hazard.severity.map(Severity::code),
            ),
            Self::Tip(tip) => put_text(&mut out, Field::Offence, tip.offence.as_ref()),
            Self::Request(request) => {
                put_number(&mut out, Field::Urgency, request.urgency);
                out.extend(
                    request
                        .contact_wanted
                        .map(|on| (Field::ContactWanted, FieldValue::Flag(on))),
                );
                put_text(&mut out, Field::Contact, request.contact.as_ref());
            }
            Self::Place(place) => {
                put_text(&mut out, Field::PlaceType, place.place_type.as_ref());
                put_text(&mut out, Field::Contact, place.contact.as_ref());
            }
        }
        for (id, answer) in &details.answers {
            put_text(&mut out, Field::Answer(id.clone()), Some(answer));
        }
        for (hash, caption) in &details.photos {
            put_text(&mut out, Field::Photo(*hash), Some(caption));
        }
        if !details.description.is_empty() {
            put_text(&mut out, Field::Description, Some(&details.description));
        }
        out
    }

    fn set(&mut self, field: Field, value: FieldValue) {
        match (self, field, value) {
            (Self::Hazard(hazard), Field::Severity, FieldValue::Number(number)) => {
                hazard.severity = u8::try_from(number).ok().and_then(Severity::from_code);
            }
            (Self::Tip(tip), Field::Offence, FieldValue::Text(text)) => tip.offence = Some(text),
            (Self::Request(request), Field::Urgency, FieldValue::Number(number)) => {
                request.urgency = u8::try_from(number).ok();
            }
            (Self::Request(request), Field::ContactWanted, FieldValue::Flag(flag)) => {
                request.contact_wanted = Some(flag);
            }
            (Self::Request(request), Field::Contact, FieldValue::Text(text)) => {
                request.contact = Some(text);
            }
            (Self::Place(place), Field::PlaceType, FieldValue::Text(text)) => {
                place.place_type = Some(text);
            }
            (Self::Place(place), Field::Contact, FieldValue::Text(text)) => {
                place.contact = Some(text);
            }
            (content, field, value) => content.details_mut().set(field, value),
        }
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
            _ => {}
        }
    }
}

fn put_text(out: &mut Vec<(Field, FieldValue)>, field: Field, text: Option<&String>) {
    out.extend(text.map(|text| (field, FieldValue::Text(text.clone()))));
}

fn put_number(out: &mut Vec<(Field, FieldValue)>, field: Field, number: Option<u8>) {
    out.extend(number.map(|number| (field, FieldValue::Number(number.into()))));
}

impl Document {
    /// The content now. A field of a wrong type reads as absent; texts are bounded.
    #[must_use]
    pub fn content(&self, kind: ContentKind) -> Content {
        Content::of_fields(kind, self.fields_at(None))
    }

    /// The content as it was at `heads`. `None` when one of them is unknown.
    #[must_use]
    pub fn content_at(&self, kind: ContentKind, heads: &[Hash]) -> Option<Content> {
        let heads = self.known_heads(heads)?;
        Some(Content::of_fields(kind, self.fields_at(Some(&heads))))
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
        let kind = field.value_kind();
        // The last readable value shows, so an unreadable one does not hide it.
        found
            .ok()?
            .into_iter()
            .rev()
            .find_map(|(value, _)| match value {
                Value::Scalar(scalar) => kind.read(&scalar),
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

    fn fields_at(&self, heads: Option<&[ChangeHash]>) -> Vec<(Field, FieldValue)> {
        let range = match heads {
            Some(heads) => self.doc.map_range_at(ROOT, .., heads),
            None => self.doc.map_range(ROOT, ..),
        };
        let (mut out, mut answers, mut photos) = (Vec::new(), Vec::new(), Vec::new());
        for item in range {
            let (Some(field), ValueRef::Scalar(scalar)) = (Field::of_name(&item.key), &item.value)
            else {
                continue;
            };
            let scalar = ScalarValue::from(scalar.clone());
            let value = match field.value_kind().read(&scalar) {
                None if item.conflict => self.field_at(&field, heads),
                value => value,
            };
            let Some(value) = value else { continue };
            match field {
                Field::Answer(_) => answers.push(Written::of(&item.id(), (field, value))),
                Field::Photo(_) => photos.push(Written::of(&item.id(), (field, value))),
                named => out.push((named, value)),
            }
        }
        out.extend(fairly(answers));
        out.extend(fairly(photos));
        let description = self.field_at(&Field::Description, heads);
        out.extend(description.map(|text| (Field::Description, text)));
        out
    }
}

/// An answer or a photo, with its author and its place in time.
struct Written {
    entry: (Field, FieldValue),
    /// Counter of the operation that wrote it, and its actor.
    by: (u64, Vec<u8>),
}

impl Written {
    fn of(id: &automerge::ObjId, entry: (Field, FieldValue)) -> Self {
        let by = match id {
            automerge::ObjId::Id(counter, actor, _) => (*counter, actor.to_bytes().to_vec()),
            automerge::ObjId::Root => (0, Vec::new()),
        };
        Self { entry, by }
    }
}

/// At most [`CONTENT_ENTRIES_MAX`] entries. If there are more, devices take turns, each with its oldest
/// entries first, so a device that writes thousands hides only its own.
fn fairly(mut entries: Vec<Written>) -> impl Iterator<Item = (Field, FieldValue)> {
    if entries.len() > CONTENT_ENTRIES_MAX {
        entries.sort_by(|a, b| a.by.cmp(&b.by));
        let mut turns: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut ordered: Vec<(usize, Written)> = entries
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
