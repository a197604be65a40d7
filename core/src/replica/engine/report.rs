//! Reporting: a new record.

use super::super::error::ReplicaError;
use super::Replica;
use super::describe::describe;
use crate::crdt::build_genesis;
use crate::domain::content::Content;
use crate::domain::kinds::is_note;
use crate::domain::{AreaPath, Audience, Source};
use crate::id::{Hash, MemberId, RecordId, UnitId};
use crate::limits::{EVENT_ATTACHMENTS_MAX, NAMED_MAX};
use crate::wire::body::{Body, Genesis};

/// A report that a person is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The content of the report.
    pub content: Content,
    /// Where it is, with the areas above.
    pub home: AreaPath,
    /// The people who may read it.
    pub audience: Audience,
    /// The team that it is shared with.
    pub team: Option<UnitId>,
    /// How it came in.
    pub source: Source,
    /// Members who may read a restricted record, at most [`NAMED_MAX`].
    pub named: Vec<MemberId>,
    /// The record that it belongs to.
    pub linked: Option<RecordId>,
    /// Staged photos and recordings of the report, at most [`EVENT_ATTACHMENTS_MAX`]. Those with a caption
    /// in the content need no place here.
    pub attachments: Vec<Hash>,
}

impl Draft {
    /// A report by a person for the workers of the area.
    #[must_use]
    pub fn staff(content: Content, home: AreaPath) -> Self {
        Self {
            content,
            home,
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            attachments: Vec::new(),
        }
    }
}

impl Replica {
    /// Makes a record. When this returns, it survives power loss.
    pub fn report(&mut self, draft: &Draft, now_ms: i64) -> Result<RecordId, ReplicaError> {
        if draft.named.len() > NAMED_MAX || draft.attachments.len() > EVENT_ATTACHMENTS_MAX {
            return Err(ReplicaError::BadContent("event.too_large"));
        }
        check_note(draft)?;
        self.write(now_ms, |writing| {
            let content = build_genesis(&draft.content, writing.actor()?)
                .map_err(|error| ReplicaError::BadContent(error.code()))?;
            let body = Body::Genesis(Genesis {
                nonce: writing.random(),
                kind: draft.content.kind(),
                home: draft.home,
                audience: draft.audience,
                team: draft.team,
                source: draft.source,
                named: draft.named.clone(),
                linked: draft.linked,
                content,
            });
            let record = writing.genesis(&body)?;
            let captioned = draft.content.details().photos.keys();
            let ids: Vec<Hash> = captioned.chain(&draft.attachments).copied().collect();
            describe(writing, record, &ids)?;
            Ok(record)
        })
    }
}

/// A private note has a record that it is about, or the name of its subject. Otherwise nobody would
/// find it.
fn check_note(draft: &Draft) -> Result<(), ReplicaError> {
    let title = draft.content.details().title.as_deref().unwrap_or_default();
    let is_lost =
        is_note(draft.content.kind()) && draft.linked.is_none() && title.trim().is_empty();
    if is_lost {
        return Err(ReplicaError::BadContent("form.note_alone"));
    }
    Ok(())
}
