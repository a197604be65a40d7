//! Cache of one job: row numbers and heads that it has looked up or written. A bundle asks for them a
//! thousand times.
//!
//! **Invariant.** A memo lives as long as its job, and the job's writes are kept or undone as a whole. The
//! memo holds only values that a successful statement of this job has read or written, so a value never
//! outlives its row. Heads are also written to the table at once, because other statements read them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{Hash, RecordId};
use rusqlite::{Connection, Result};

use super::{envelopes, feed, streams};
use crate::store::Head;

/// Row number and head of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) no: i64,
    pub(super) head: Head,
}

#[derive(Debug, Default)]
pub(super) struct Memo {
    streams: RefCell<HashMap<StreamId, Known>>,
    certificates: RefCell<HashMap<Hash, i64>>,
    needed: RefCell<HashSet<(i64, i64)>>,
    record: RefCell<Option<(RecordId, streams::Holdable)>>,
}

impl Memo {
    /// Looks up a stream; `None` if it does not exist yet.
    pub(super) fn stream(&self, db: &Connection, stream: StreamId) -> Result<Option<Known>> {
        if let Some(known) = self.streams.borrow().get(&stream) {
            return Ok(Some(*known));
        }
        let found = feed::known(db, stream)?;
        if let Some(known) = found {
            self.streams.borrow_mut().insert(stream, known);
        }
        Ok(found)
    }

    /// Looks up a stream, and creates it if it does not exist yet.
    pub(super) fn stream_made(&self, db: &Connection, stream: StreamId) -> Result<Known> {
        if let Some(known) = self.stream(db, stream)? {
            return Ok(known);
        }
        let known = feed::make(db, stream)?;
        self.streams.borrow_mut().insert(stream, known);
        Ok(known)
    }

    /// Notes the stream's new head.
    pub(super) fn moved(&self, stream: StreamId, known: Known) {
        self.streams.borrow_mut().insert(stream, known);
    }

    /// Row number of a certificate; `None` if it is not stored (yet).
    pub(super) fn certificate_no(&self, db: &Connection, hash: Hash) -> Result<Option<i64>> {
        if let Some(no) = self.certificates.borrow().get(&hash) {
            return Ok(Some(*no));
        }
        let found = envelopes::certificate_no(db, hash)?;
        if let Some(no) = found {
            self.certificates.borrow_mut().insert(hash, no);
        }
        Ok(found)
    }

    /// Whether this job has already noted that the stream needs the certificate.
    pub(super) fn is_needed(&self, stream: i64, certificate: i64) -> bool {
        self.needed.borrow().contains(&(stream, certificate))
    }

    /// Notes that the stream needs the certificate.
    pub(super) fn needed(&self, stream: i64, certificate: i64) {
        self.needed.borrow_mut().insert((stream, certificate));
    }

    /// Forgets all noted needs, because certificates were removed from a stream.
    pub(super) fn forget_needed(&self) {
        self.needed.borrow_mut().clear();
    }

    /// Columns that a stream copies from a record; `None` if the record does not exist.
    pub(super) fn holdable(
        &self,
        db: &Connection,
        record: RecordId,
    ) -> Result<Option<streams::Holdable>> {
        if let Some((_, known)) = self.record.borrow().filter(|(id, _)| *id == record) {
            return Ok(Some(known));
        }
        let found = streams::holdable(db, record)?;
        *self.record.borrow_mut() = found.map(|known| (record, known));
        Ok(found)
    }

    /// Forgets the cached record, because a record was written.
    pub(super) fn forget_record(&self) {
        *self.record.borrow_mut() = None;
    }
}
