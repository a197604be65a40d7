//! Local edits: what a person typed becomes one raw change on the current heads.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, AutomergeError, ObjType, ROOT, ReadDoc, Value};

use super::actor::ActorId;
use super::change;
use super::document::Document;
use super::error::GateError;
use super::field::Field;
use super::rewrite::rewrite;
use super::value::{FieldValue, ValueKind};
use crate::id::Hash;
use crate::limits::{CHANGE_DEPS_MAX, DESCRIPTION_CHARS_MAX};

/// What is to happen to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// It gets this value. A description becomes this text by its differences to the one that is there.
    Set(FieldValue),
    /// It becomes absent; a description becomes empty.
    Remove,
    /// What somebody changed in a description is done to it as it is now: the words of others that came
    /// in between stay.
    Redo {
        /// The text that the change was made on.
        before: String,
        /// What it became.
        after: String,
    },
}

/// An edit of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEdit {
    /// The field.
    pub field: Field,
    /// What happens to it.
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

/// An edit that can not be made. What the person typed is still with the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Everything is as it was.
    #[error("content.no_change: nothing would change")]
    NothingChanges,
    /// A text is longer than its field takes.
    #[error("content.too_long: {} takes at most {chars_max} characters", field.name())]
    TooLong {
        /// The field.
        field: Field,
        /// What it takes, in characters.
        chars_max: usize,
    },
    /// The field does not take this value.
    #[error("content.wrong_value: {} does not take this value", .0.name())]
    WrongValue(Field),
    /// The edits together make a change that the gate would refuse.
    #[error(transparent)]
    Refused(#[from] GateError),
    /// The document has no place for the edit (its Genesis was written by something else).
    #[error("content.no_place: the record has no place for this field")]
    NoPlace,
}

impl EditError {
    /// The stable code, as in `texts.tsv`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingChanges => "content.no_change",
            Self::TooLong { .. } => "content.too_long",
            Self::WrongValue(_) => "content.wrong_value",
            Self::Refused(error) => error.code(),
            Self::NoPlace => "content.no_place",
        }
    }
}

impl From<AutomergeError> for EditError {
    fn from(_: AutomergeError) -> Self {
        Self::NoPlace
    }
}

/// Whether a person may write this value into this field.
pub(super) fn check_value(field: &Field, value: &FieldValue) -> Result<(), EditError> {
    let kind = field.value_kind();
    if !field.is_sound() || !kind.takes(value) {
        return Err(EditError::WrongValue(field.clone()));
    }
    let chars_max = match kind {
        ValueKind::Text { chars_max } => chars_max,
        ValueKind::Description => DESCRIPTION_CHARS_MAX,
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
    /// Makes one change out of the edits, on the current heads; the document itself stays as it is:
    /// the change goes in through [`Document::admit`], like any other.
    ///
    /// `actor` is one of the author's own; its earlier changes on this record are in the document.
    ///
    /// # Errors
    /// [`EditError`]; [`EditError::NothingChanges`] when all fields have these values, without conflict.
    pub fn edit(&self, actor: ActorId, edits: &[FieldEdit]) -> Result<Vec<u8>, EditError> {
        let mut heads = self.heads();
        if heads.len() <= CHANGE_DEPS_MAX {
            return self.edit_here(actor, edits);
        }
        // More people wrote at the same time than a change may name: it builds on some of them, among
        // them on what its author wrote last.
        let own: Vec<Hash> = self.history.newest_of(actor.device()).collect();
        heads.sort_by_key(|head| !own.iter().any(|newest| self.covers(head, newest)));
        heads.truncate(CHANGE_DEPS_MAX);
        self.edit_on(&heads, actor, edits)
    }

    /// Makes one change as [`Document::edit`] does, on chosen heads: for a caller that can not name all.
    ///
    /// # Errors
    /// As [`Document::edit`]; [`GateError::Clone`] in it when the author's last change is not in the past
    /// of the chosen heads.
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
        self.history
            .clone()
            .push(&change::parse(&raw)?, actor.device())?;
        Ok(raw)
    }

    fn edit_here(&self, actor: ActorId, edits: &[FieldEdit]) -> Result<Vec<u8>, EditError> {
        let mut doc = self.doc.clone().with_actor(actor.to_automerge());
        let mut tx = doc.transaction();
        for edit in edits {
            if edit.field == Field::Description {
                let id = self.description_id().ok_or(EditError::NoPlace)?;
                let now = self.description_at(None).ok_or(EditError::NoPlace)?;
                let text = described(&edit.write, &now)?;
                if text != now {
                    rewrite(&mut tx, &id, &now, &text)?;
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
        self.history.clone().push(&parsed, actor.device())?;
        Ok(raw)
    }
}

fn write_scalar(tx: &mut impl Transactable, edit: &FieldEdit) -> Result<(), EditError> {
    let name = edit.field.name();
    let values = tx.get_all(ROOT, name.as_ref())?;
    match &edit.write {
        Write::Set(value) => {
            check_value(&edit.field, value)?;
            let scalar = value.to_scalar();
            let same = |(now, _): &(Value<'_>, _)| now.as_scalar() == Some(&scalar);
            // A conflict is settled even by the value that is on top of it.
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

/// Both ways from `before`, to `after` and to `now`, in one text: the way that concurrent edits merge.
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
