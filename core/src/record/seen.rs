//! The content as the author of an envelope had seen it.

use super::Record;
use crate::domain::content::Content;
use crate::domain::kinds::KindSpec;
use crate::id::{EnvelopeId, Hash};

impl Record {
    /// The content that counts. Where steps fix the content, it is the one that the author of the first step in
    /// force had seen; otherwise it is the content now. `None` for a record without a document.
    #[must_use]
    pub fn content_in_force(&self, kind: &KindSpec) -> Option<Content> {
        let steps = self.state().and_then(|state| state.steps());
        let first = steps.filter(|steps| steps.table.fixes_content);
        match first.and_then(|steps| steps.entries.first()) {
            Some(first) => self.content_seen_by(kind, first.id),
            None => Some(self.document()?.content(kind)),
        }
    }

    /// The content that the author of an envelope had seen, out of the changes that count now. `None` for an
    /// envelope that the record does not have, and for a record without a document.
    #[must_use]
    pub fn content_seen_by(&self, kind: &KindSpec, id: EnvelopeId) -> Option<Content> {
        self.node(id)?;
        let seen = self.nodes().iter().filter(|node| node.counts());
        let seen = seen.filter(|node| node.id == id || self.is_ancestor(node.id, id));
        let heads: Vec<Hash> = seen
            .filter_map(|node| Some(node.change()?.info.as_ref()?.hash))
            .collect();
        self.document()?.content_at(kind, &heads)
    }
}
