//! Documents that were made from their raw changes lately: who opens a record opens it again.
//!
//! Invariant: a document, and what became of each change, is a function of the changes, their authors and their
//! order, and of nothing else. An entry is found by the hash of exactly these, so it can not grow stale: one
//! change more, less, or by another author is another entry. What counts is decided before, what is shown
//! after; neither is kept here. Only memory holds it, and [`forget`] empties that.

use std::sync::{Arc, Mutex};

use super::change::ChangeInfo;
use super::document::{Candidate, Document};
use super::error::GateError;
use crate::id::Hash;
use crate::limits::{REBUILD_REMEMBERED_BYTES_MAX, REBUILDS_REMEMBERED};

/// The document, if a change made one, and the result for each change.
pub(super) type Rebuilt = (Option<Arc<Document>>, Vec<Result<ChangeInfo, GateError>>);

/// A batch by its hash, and what came of it.
type Entry = Option<(Hash, Arc<Rebuilt>)>;

/// One place for each batch, by the first bytes of its hash; the newer one displaces the older one.
static RECENT: Mutex<[Entry; REBUILDS_REMEMBERED]> =
    Mutex::new([const { None }; REBUILDS_REMEMBERED]);

/// What came of a batch, from memory or by `rebuild`. Nobody waits for the memory: while another thread is at
/// it, the document is made.
pub(super) fn again(batch: &[Candidate<'_>], rebuild: impl FnOnce() -> Rebuilt) -> Rebuilt {
    let bytes: usize = batch.iter().map(|candidate| candidate.raw.len()).sum();
    if batch.is_empty() || bytes > REBUILD_REMEMBERED_BYTES_MAX {
        return rebuild();
    }
    let name = name(batch);
    if let Some(found) = find(&name) {
        return (*found).clone();
    }
    let made = rebuild();
    put(name, Arc::new(made.clone()));
    made
}

/// Forgets them all: when the app is put away, or what somebody wrote has to go.
pub fn forget() {
    if let Ok(mut recent) = RECENT.lock() {
        recent.fill(None);
    }
}

fn find(name: &Hash) -> Option<Arc<Rebuilt>> {
    let recent = RECENT.try_lock().ok()?;
    match &recent[place(name)] {
        Some((known, found)) if known == name => Some(Arc::clone(found)),
        _ => None,
    }
}

fn put(name: Hash, made: Arc<Rebuilt>) {
    if let Ok(mut recent) = RECENT.try_lock() {
        recent[place(&name)] = Some((name, made));
    }
}

/// Authors and the hashes of the changes have one length each, so the bytes of no two batches are the same.
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
