//! Fields that two people wrote concurrently, and edits that take a change back.

use automerge::{ChangeHash, ROOT, ReadDoc, Value};

use super::actor::{ActorId, DevicePrefix};
use super::change;
use super::document::Document;
use super::edit::{FieldEdit, Write};
use super::operations::Key;
use super::value;
use crate::domain::content::{Field, FieldValue};
use crate::id::Hash;

/// One of the values of a field, with its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldVersion {
    /// The value.
    pub value: FieldValue,
    /// The actor that wrote it.
    pub actor: ActorId,
    /// The device that wrote it.
    pub device: DevicePrefix,
    /// The change that wrote it.
    pub change: Hash,
}

/// A field with different values that were written concurrently. All are kept until a person settles the
/// conflict by writing the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The field.
    pub field: Field,
    /// The values, at least two that differ; the first is the one that shows, on every replica.
    pub versions: Vec<FieldVersion>,
}

impl FieldConflict {
    /// The version that shows.
    #[must_use]
    pub fn winner(&self) -> &FieldVersion {
        &self.versions[0]
    }

    /// The edit that settles the conflict with this value.
    #[must_use]
    pub fn settle(&self, value: FieldValue) -> FieldEdit {
        FieldEdit::set(self.field.clone(), value)
    }
}

impl Document {
    /// The conflicts, in the order of the names of their fields.
    #[must_use]
    pub fn conflicts(&self) -> Vec<FieldConflict> {
        self.doc
            .map_range(ROOT, ..)
            .filter(|item| item.conflict)
            .filter_map(|item| Field::of_name(&item.key))
            .filter_map(|field| {
                let versions = self.versions(&field);
                let differ = versions
                    .iter()
                    .any(|version| version.value != versions[0].value);
                differ.then_some(FieldConflict { field, versions })
            })
            .collect()
    }

    /// The newest concurrent values of a field, the one that shows first.
    #[must_use]
    pub fn versions(&self, field: &Field) -> Vec<FieldVersion> {
        let kind = field.value_type();
        let Ok(values) = self.doc.get_all(ROOT, field.name().as_ref()) else {
            return Vec::new();
        };
        let mut versions: Vec<FieldVersion> = values
            .into_iter()
            .filter_map(|(value, id)| {
                let Value::Scalar(scalar) = value else {
                    return None;
                };
                let value = value::read(kind, &scalar)?;
                let change = Hash(self.doc.hash_for_opid(&id)?.0);
                let actor = self.history.find(&change)?.actor;
                Some(FieldVersion {
                    value,
                    actor,
                    device: actor.device(),
                    change,
                })
            })
            .collect();
        // Automerge lists them in the order of their operations; the last one shows.
        versions.reverse();
        versions
    }

    /// Returns the edits of a change, so that its author can write them again under another actor when the
    /// change was voided without fault of the author.
    ///
    /// The document holds the change; [`Document::rebuild`] from the change and its past gives one. Empty
    /// when the change is unknown here.
    #[must_use]
    pub fn written_by(&self, hash: &Hash) -> Vec<FieldEdit> {
        let Some((before, after, fields)) = self.around(hash) else {
            return Vec::new();
        };
        fields
            .into_iter()
            .map(|field| {
                let write = if field == Field::Description {
                    self.redo(&before, &after)
                } else {
                    self.field_at(&field, Some(&after))
                        .map_or(Write::Remove, Write::Set)
                };
                FieldEdit { field, write }
            })
            .collect()
    }

    /// The value of a field that the author of a change had seen; `None` where there was none.
    #[must_use]
    pub fn seen_by(&self, hash: &Hash, field: &Field) -> Option<FieldValue> {
        let info = self.history.find(hash)?;
        let before: Vec<ChangeHash> = info.deps.iter().map(|dep| ChangeHash(dep.0)).collect();
        self.field_at(field, Some(&before))
    }

    /// Returns the edits that take a change back. They cover the fields of the change that still show it.
    ///
    /// In a description only the edit of this change is undone; the words of others stay. The first change of
    /// a record is not undone.
    #[must_use]
    pub fn undo_edits(&self, hash: &Hash) -> Vec<FieldEdit> {
        let Some((before, after, fields)) = self.around(hash) else {
            return Vec::new();
        };
        if before.is_empty() {
            return Vec::new();
        }
        fields
            .into_iter()
            .filter_map(|field| {
                if field == Field::Description {
                    return Some(FieldEdit {
                        field,
                        write: self.redo(&after, &before),
                    });
                }
                if !self.still_shows(&field, hash, &after) {
                    return None;
                }
                let earlier = self.field_at(&field, Some(&before));
                let write = earlier.map_or(Write::Remove, Write::Set);
                Some(FieldEdit { field, write })
            })
            .collect()
    }

    /// Whether a field still has the value that the change gave it.
    fn still_shows(&self, field: &Field, hash: &Hash, after: &[ChangeHash]) -> bool {
        match self.versions(field).as_slice() {
            [] => self.field_at(field, Some(after)).is_none(),
            [only] => only.change == *hash,
            _ => false,
        }
    }

    /// Heads before a change, heads with it, and the fields that it wrote.
    #[allow(
        clippy::type_complexity,
        reason = "a private triple that is taken apart at once"
    )]
    fn around(&self, hash: &Hash) -> Option<(Vec<ChangeHash>, Vec<ChangeHash>, Vec<Field>)> {
        let info = self.history.find(hash)?;
        let before = info.deps.iter().map(|dep| ChangeHash(dep.0)).collect();
        let after = ChangeHash(hash.0);
        let stored = self.doc.get_change_by_hash(&after)?;
        let parsed = change::parse(stored.raw_bytes()).ok()?;
        let mut fields: Vec<Field> = parsed
            .ops
            .iter()
            .filter_map(|op| match (op.container, op.key) {
                (None, Key::Map(name)) => Field::of_name(name),
                // The only text of content documents of these kinds.
                (Some(_), Key::Head | Key::Element(_)) => Some(Field::Description),
                _ => None,
            })
            .collect();
        fields.sort_unstable();
        fields.dedup();
        Some((before, vec![after], fields))
    }

    fn redo(&self, from: &[ChangeHash], to: &[ChangeHash]) -> Write {
        let text = |heads: &[ChangeHash]| {
            if heads.is_empty() {
                None
            } else {
                self.description_at(Some(heads))
            }
            .unwrap_or_default()
        };
        Write::Redo {
            before: text(from),
            after: text(to),
        }
    }
}
