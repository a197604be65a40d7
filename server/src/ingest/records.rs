//! Records in memory: a bounded cache, and the locks under which a record is judged and stored.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Condvar, Mutex, PoisonError};

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::verdict::Verdict;

use crate::limits::RECORDS_CACHED_MAX;

/// The cache and the locks.
#[derive(Default)]
pub struct Records {
    inner: Mutex<Inner>,
    released: Condvar,
}

#[derive(Default)]
struct Inner {
    busy: HashSet<RecordId>,
    cached: HashMap<RecordId, (u64, Record)>,
    tick: u64,
}

/// Records that only the holder of this lock judges or stores now.
pub(crate) struct RecordLock<'a> {
    records: &'a Records,
    ids: BTreeSet<RecordId>,
}

impl Records {
    /// Locks all at once, so that two requests never wait for each other.
    pub(crate) fn lock(&self, ids: BTreeSet<RecordId>) -> RecordLock<'_> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while ids.iter().any(|id| inner.busy.contains(id)) {
            inner = self
                .released
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.busy.extend(&ids);
        drop(inner);
        RecordLock { records: self, ids }
    }

    /// Takes a record out of the cache. The holder of its lock puts it back when it is stored.
    pub(crate) fn take(&self, id: RecordId, digest: Digest) -> Option<Record> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, record) = inner.cached.remove(&id)?;
        // Another process may have gone on without us.
        (record.digest() == digest).then_some(record)
    }

    /// Keeps a record for the next envelope about it.
    pub(crate) fn put(&self, record: Record) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.tick += 1;
        let tick = inner.tick;
        inner.cached.insert(record.id(), (tick, record));
        if inner.cached.len() > RECORDS_CACHED_MAX {
            let oldest = tick.saturating_sub(RECORDS_CACHED_MAX as u64 / 2);
            inner.cached.retain(|_, (used, _)| *used > oldest);
        }
    }

    /// Forgets everything, as after a review that changed verdicts.
    pub(crate) fn forget(&self, id: RecordId) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cached
            .remove(&id);
    }
}

impl Drop for RecordLock<'_> {
    fn drop(&mut self) {
        let mut inner = self
            .records
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for id in &self.ids {
            inner.busy.remove(id);
        }
        drop(inner);
        self.records.released.notify_all();
    }
}

/// The stored state of a record when it was read. All plans build on it.
pub(super) struct Before {
    /// The digest over the settled envelopes.
    pub(super) digest: Digest,
    /// Held and refused envelopes, because the digest does not cover them.
    unsettled: HashMap<EnvelopeId, Verdict>,
    /// Envelopes that only a pack lists, as void and without content.
    listed: HashSet<EnvelopeId>,
}

impl Before {
    pub(super) fn of(record: &Record, digest: Digest) -> Self {
        let nodes = record.nodes().iter();
        let verdicts = nodes
            .clone()
            .filter_map(|node| Some((node.id, node.verdict?)));
        let stubs = nodes.filter(|node| node.is_stub());
        Self {
            digest,
            listed: stubs.map(|node| node.id).collect(),
            unsettled: verdicts
                .filter(|(_, verdict)| !verdict.status.is_settled())
                .collect(),
        }
    }

    /// Whether the store has its verdict already, and its content arrives only now.
    pub(super) fn lists(&self, id: EnvelopeId) -> bool {
        self.listed.contains(&id)
    }

    /// Whether the verdict on an envelope is unchanged since. The digest covers the settled
    /// verdicts.
    pub(super) fn still(&self, id: EnvelopeId, stored: &Verdict) -> bool {
        match self.unsettled.get(&id) {
            Some(known) => known == stored,
            None => stored.status.is_settled(),
        }
    }
}
