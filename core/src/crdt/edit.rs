//! Local edits: the input of a person becomes one raw change on the current heads.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ObjType, ROOT, ReadDoc, Value};

use super::actor::ActorId;
use super::change;
use super::document::Document;
use super::error::GateError;
use super::rewrite::rewrite;
use super::value::to_scalar;
use crate::domain::content::{Field, FieldValue, ValueType};
use crate::id::Hash;
use crate::limits::{CHANGE_DEPS_MAX, DESCRIPTION_CHARS_MAX};

/// The new value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// The field gets this value. A description becomes this text by its differences to the present one.
    Set(FieldValue),
    /// The field becomes absent; a description becomes empty.
    Remove,
    /// The difference between two texts is applied to the description as it is now, so the words that others
    /// wrote meanwhile stay.
    Redo {
        /// The text before the change.
        before: String,
        /// The text after the change.
        after: String,
    },
}

/// An edit of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEdit {
    /// The field.
    pub field: Field,
    /// Its new value.
    pub write: Write,
}

impl FieldEdit {
    /// The field gets this value.
    #[must_use]
    pub fn set(field: Field, value: FieldValue) -> Self {
        Self {
            field,
            write: Write::Set(value),
        }
    }

    /// The field gets these words.
    pub fn text(field: Field, text: impl Into<String>) -> Self {
        Self::set(field, FieldValue::Text(text.into()))
    }
}

coded_error! {
    /// An edit that cannot be made. The caller still has the text that the person typed.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum EditError {
        /// The edits change nothing.
        #[error("content.no_change: nothing would change")]
        NothingChanges,
        /// A text is longer than its field allows.
        #[error("content.too_long: {} takes at most {chars_max} characters", field.name())]
        TooLong {
            /// The field.
            field: Field,
            /// The largest length, in characters.
            chars_max: usize,
        },
        /// The field does not accept this value.
        #[error("content.wrong_value: {} does not take this value", .0.name())]
        WrongValue(Field),
        /// The edits together make a change that the gate would refuse.
        #[error(transparent)]
        Refused(#[from] GateError),
        /// The document has no place for the edit, because other software wrote its Genesis.
        #[error("content.no_place: the record has no place for this field")]
        NoPlace,
    }
}

impl From<AutomergeError> for EditError {
    fn from(_: AutomergeError) -> Self {
        Self::NoPlace
    }
}

/// Whether a person may write this value into this field.
pub(super) fn check_value(field: &Field, value: &FieldValue) -> Result<(), EditError> {
    let kind = field.value_type();
    if !field.is_sound() || !kind.takes(value) {
        return Err(EditError::WrongValue(field.clone()));
    }
    let chars_max = match kind {
        ValueType::Text { chars_max } => chars_max,
        ValueType::Description => DESCRIPTION_CHARS_MAX,
        _ => return Ok(()),
    };
    match value {
        FieldValue::Text(text) if text.chars().count() > chars_max => Err(EditError::TooLong {
            field: field.clone(),
            chars_max,
        }),
        _ => Ok(()),
    }
}

impl Document {
    /// Makes one change out of the edits, on the current heads. The document itself stays as it is, because
    /// the change enters through [`Document::admit`], like any other.
    ///
    /// `actor` is one of the author's own; its earlier changes on this record are in the document.
    ///
    /// # Errors [`EditError`]; [`EditError::NothingChanges`] when all fields have these values, without
    /// conflict.
    pub fn edit(&self, actor: ActorId, edits: &[FieldEdit]) -> Result<Vec<u8>, EditError> {
        let mut heads = self.heads();
        // Automerge names the actor's previous change beside the heads.
        if heads.len() < CHANGE_DEPS_MAX {
            return self.edit_here(actor, edits);
        }
        // More people wrote at the same time than a change may name, so it builds on some of their changes,
        // and always on the last one of its own author.
        let own: Vec<Hash> = self.history.newest_of(actor.device()).collect();
        heads.sort_by_key(|head| !own.iter().any(|newest| self.covers(head, newest)));
        heads.truncate(CHANGE_DEPS_MAX - 1);
        self.edit_on(&heads, actor, edits)
    }

    /// Makes one change as [`Document::edit`] does, on chosen heads, for a caller that cannot name all heads.
    ///
    /// # Errors As [`Document::edit`]; [`GateError::Clone`] in it when the author's last change is not in the
    /// past of the chosen heads.
    pub fn edit_on(
        &self,
        heads: &[Hash],
        actor: ActorId,
        edits: &[FieldEdit],
    ) -> Result<Vec<u8>, EditError> {
        let raw = self
            .at(heads)
            .ok_or(EditError::NoPlace)?
            .edit_here(actor, edits)?;
        self.history.clone().push(&change::parse(&raw)?)?;
        Ok(raw)
    }

    fn edit_here(&self, actor: ActorId, edits: &[FieldEdit]) -> Result<Vec<u8>, EditError> {
        let mut doc = self.doc.clone().with_actor(actor.to_automerge());
        let mut tx = doc.transaction();
        for (index, edit) in edits.iter().enumerate() {
            // A change writes each field once, so the last of several edits counts.
            if edits[index + 1..]
                .iter()
                .any(|later| later.field == edit.field)
            {
                continue;
            }
            if edit.field == Field::Description {
                let id = self.description_id().ok_or(EditError::NoPlace)?;
                let now = self.description_at(None).ok_or(EditError::NoPlace)?;
                let text = described(&edit.write, &now)?;
                if text != now {
                    rewrite(&mut tx, &id, &now, &text)?;
                }
                // Making no change is better than making one that deletes the words of others.
                if tx.text(&id)? != text {
                    return Err(EditError::NoPlace);
                }
            } else {
                write_scalar(&mut tx, edit)?;
            }
        }
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        let change = hash.and_then(|hash| doc.get_change_by_hash(&hash));
        let raw = change
            .ok_or(EditError::NothingChanges)?
            .raw_bytes()
            .to_vec();
        let parsed = change::parse(&raw)?;
        self.history.clone().push(&parsed)?;
        Ok(raw)
    }
}

fn write_scalar(tx: &mut impl Transactable, edit: &FieldEdit) -> Result<(), EditError> {
    let name = edit.field.name();
    let values = tx.get_all(ROOT, name.as_ref())?;
    match &edit.write {
        Write::Set(value) => {
            check_value(&edit.field, value)?;
            let scalar = to_scalar(value);
            let same = |(now, _): &(Value<'_>, _)| now.as_scalar() == Some(&scalar);
            // Even the value that shows already settles a conflict.
            if values.len() != 1 || !values.iter().all(same) {
                tx.put(ROOT, name.as_ref(), scalar)?;
            }
        }
        Write::Remove if values.is_empty() => {}
        Write::Remove => tx.delete(ROOT, name.as_ref())?,
        Write::Redo { .. } => return Err(EditError::WrongValue(edit.field.clone())),
    }
    Ok(())
}

/// The text that a description becomes.
fn described(write: &Write, now: &str) -> Result<String, EditError> {
    match write {
        Write::Set(value) => {
            check_value(&Field::Description, value)?;
            match value {
                FieldValue::Text(text) => Ok(text.clone()),
                _ => Err(EditError::WrongValue(Field::Description)),
            }
        }
        Write::Remove => Ok(String::new()),
        Write::Redo { before, after } if before == now => Ok(after.clone()),
        Write::Redo { before, after } => merged(before, after, now),
    }
}

/// Applies both differences to `before` in one text, as concurrent edits merge: to `after` and to `now`.
fn merged(before: &str, after: &str, now: &str) -> Result<String, EditError> {
    let mut base = Automerge::new().with_actor(automerge::ActorId::from(&[1][..]));
    let mut tx = base.transaction();
    let id = tx.put_object(ROOT, "text", ObjType::Text)?;
    tx.splice_text(&id, 0, 0, before)?;
    tx.commit_with(CommitOptions::default().with_time(0));
    let side = |actor: u8, text: &str| {
        let mut doc = base
            .clone()
            .with_actor(automerge::ActorId::from(&[actor][..]));
        let mut tx = doc.transaction();
        rewrite(&mut tx, &id, before, text)?;
        tx.commit_with(CommitOptions::default().with_time(0));
        Ok::<_, AutomergeError>(doc)
    };
    let mut theirs = side(2, now)?;
    let mut ours = side(3, after)?;
    theirs.merge(&mut ours)?;
    Ok(theirs.text(&id)?)
}
