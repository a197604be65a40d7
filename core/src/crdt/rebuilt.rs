//! Documents that were made from their raw changes lately, because a person often opens the same record
//! again.
//!
//! Invariant: a document, and the result for each change, is a function of the changes, their authors and
//! their order alone. The hash of exactly these names an entry, so an entry cannot grow stale: one change
//! more, less, or by another author is another entry. The caller decides before which changes count, and
//! after which content is shown; neither is kept here. The memory belongs to one replica or one server.
//! Several members of one phone share none of it, and it is dropped with its owner.

use std::sync::{Arc, Mutex, PoisonError};

use super::document::{Candidate, Document, Rebuilt};
use crate::id::Hash;
use crate::limits::{REBUILD_REMEMBERED_BYTES_MAX, REBUILDS_REMEMBERED};

/// Batches by their hash, with the result of each. The first bytes of its hash give each batch one place; a
/// newer batch displaces an older one.
type Entries = Vec<Option<(Hash, Arc<Rebuilt>)>>;

/// A bounded memory of documents. Clones share it. The default one remembers nothing.
#[derive(Clone, Default)]
pub struct Rebuilds(Option<Arc<Mutex<Entries>>>);

impl std::fmt::Debug for Rebuilds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rebuilds(..)")
    }
}

impl Rebuilds {
    /// A memory that remembers.
    #[must_use]
    pub fn remembering() -> Self {
        Self(Some(Arc::new(Mutex::new(Vec::new()))))
    }

    /// The document of [`Document::rebuild`], from memory or made now. A caller never waits for the memory:
    /// while another thread holds it, the document is made.
    #[must_use]
    pub fn rebuild(&self, batch: &[Candidate<'_>]) -> Rebuilt {
        let bytes: usize = batch.iter().map(|candidate| candidate.raw.len()).sum();
        if self.0.is_none() || batch.is_empty() || bytes > REBUILD_REMEMBERED_BYTES_MAX {
            return Document::rebuild(batch);
        }
        let name = name(batch);
        if let Some(found) = self.find(&name) {
            return (*found).clone();
        }
        let made = Document::rebuild(batch);
        self.put(name, Arc::new(made.clone()));
        made
    }

    /// Forgets all documents, because the app is put away or written content has to be erased.
    pub fn forget(&self) {
        if let Some(recent) = &self.0 {
            recent
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        }
    }

    fn find(&self, name: &Hash) -> Option<Arc<Rebuilt>> {
        let recent = self.0.as_ref()?.try_lock().ok()?;
        match recent.get(place(name))? {
            Some((known, found)) if known == name => Some(Arc::clone(found)),
            _ => None,
        }
    }

    fn put(&self, name: Hash, made: Arc<Rebuilt>) {
        let Some(Ok(mut recent)) = self.0.as_ref().map(|recent| recent.try_lock()) else {
            return;
        };
        recent.resize(REBUILDS_REMEMBERED, None);
        recent[place(&name)] = Some((name, made));
    }
}

/// Authors and the hashes of the changes have one length each, so two batches never give the same bytes.
fn name(batch: &[Candidate<'_>]) -> Hash {
    let mut parts = Vec::with_capacity(batch.len() * 64);
    for candidate in batch {
        parts.extend_from_slice(candidate.author.as_bytes());
        parts.extend_from_slice(Hash::of(&[candidate.raw]).as_bytes());
    }
    Hash::of(&[&parts])
}

fn place(name: &Hash) -> usize {
    let [a, b, c, d, ..] = name.0;
    u32::from_le_bytes([a, b, c, d]) as usize % REBUILDS_REMEMBERED
}
