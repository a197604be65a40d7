//! What one job has looked up and written already: numbers and heads, which a bundle asks for a thousand times.
//!
//! **Invariant.** A memo lives as long as its job, whose writes are kept or undone as a whole, and holds only
//! what a statement of this job has read or written with success. So it never outlives what it says. Heads are
//! written at once as well: other statements read them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::{Hash, RecordId};
use rusqlite::{Connection, Result};

use super::{envelopes, feed, streams};
use crate::store::Head;

/// Number and head of a stream.
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
    /// The stream; `None` when there is none yet.
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

    /// The stream, made where there is none yet.
    pub(super) fn stream_made(&self, db: &Connection, stream: StreamId) -> Result<Known> {
        if let Some(known) = self.stream(db, stream)? {
            return Ok(known);
        }
        let known = feed::make(db, stream)?;
        self.streams.borrow_mut().insert(stream, known);
        Ok(known)
    }

    /// The stream stands here now.
    pub(super) fn moved(&self, stream: StreamId, known: Known) {
        self.streams.borrow_mut().insert(stream, known);
    }

    /// The number of a certificate; `None` when it is not stored (yet).
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

    /// Whether this job has seen to it that the stream has the certificate.
    pub(super) fn is_needed(&self, stream: i64, certificate: i64) -> bool {
        self.needed.borrow().contains(&(stream, certificate))
    }

    /// It has now.
    pub(super) fn needed(&self, stream: i64, certificate: i64) {
        self.needed.borrow_mut().insert((stream, certificate));
    }

    /// Certificates were taken out of a stream.
    pub(super) fn forget_needed(&self) {
        self.needed.borrow_mut().clear();
    }

    /// What a stream keeps of a record; `None` when there is no such record.
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

    /// A record was written.
    pub(super) fn forget_record(&self) {
        *self.record.borrow_mut() = None;
    }
}
