//! The content as the author of an envelope had seen it.

use super::Record;
use crate::domain::content::Content;
use crate::domain::kinds::KindSpec;
use crate::id::{EnvelopeId, Hash};

impl Record {
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
