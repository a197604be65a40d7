//! The first change of a record: it makes every container that the content will ever have.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, ObjType, ROOT, ReadDoc};

use super::actor::ActorId;
use super::change;
use super::edit::{EditError, check_value};
use super::value::to_scalar;
use crate::domain::content::{Content, DESCRIPTION_KEY, Field};

/// Builds the first change of a record. The same content and actor give the same bytes.
///
/// # Errors [`EditError`] when a value is too long or its field does not accept it.
pub fn build_genesis(content: &Content, actor: ActorId) -> Result<Vec<u8>, EditError> {
    let fields = content.fields();
    for (field, value) in &fields {
        check_value(field, value)?;
    }
    let mut doc = Automerge::new().with_actor(actor.to_automerge());
    let mut tx = doc.transaction();
    let description = tx.put_object(ROOT, DESCRIPTION_KEY, ObjType::Text)?;
    for (field, value) in fields {
        if field != Field::Description {
            tx.put(ROOT, field.name().as_ref(), to_scalar(&value))?;
        }
    }
    tx.splice_text(&description, 0, 0, &content.details().description)?;
    let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
    let change = hash.and_then(|hash| doc.get_change_by_hash(&hash));
    let raw = change
        .ok_or(EditError::NothingChanges)?
        .raw_bytes()
        .to_vec();
    change::parse(&raw)?;
    Ok(raw)
}
