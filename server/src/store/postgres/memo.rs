//! Cache of one transaction: row numbers and heads that its jobs have looked up or written. A bundle asks for them a
//! thousand times, and each question is a round trip.
//!
//! **Invariant.** The writers' lock is held as long as the memo lives, so no other node changes what it holds. It is
//! emptied when a job is undone.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::Hash;

use super::db::Db;
use super::foresight::Foresight;
use super::{envelopes, feed};
use crate::store::{Head, StoreResult};

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
    pub(super) foresight: Foresight,
    /// Streams that got entries, for the hint to other nodes.
    grown: RefCell<HashSet<StreamId>>,
}

impl Memo {
    /// Looks up a stream; `None` if it does not exist yet.
    pub(super) fn stream(&self, db: &Db, stream: StreamId) -> StoreResult<Option<Known>> {
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
    pub(super) fn stream_made(&self, db: &Db, stream: StreamId) -> StoreResult<Known> {
        if let Some(known) = self.stream(db, stream)? {
            return Ok(known);
        }
        let known = feed::make(db, stream)?;
        self.streams.borrow_mut().insert(stream, known);
        Ok(known)
    }

    pub(super) fn knows_stream(&self, stream: StreamId) -> bool {
        self.streams.borrow().contains_key(&stream)
    }

    pub(super) fn know_stream(&self, stream: StreamId, known: Known) {
        self.streams.borrow_mut().insert(stream, known);
    }

    pub(super) fn knows_certificate(&self, hash: Hash) -> bool {
        self.certificates.borrow().contains_key(&hash)
    }

    pub(super) fn know_certificate(&self, hash: Hash, no: i64) {
        self.certificates.borrow_mut().insert(hash, no);
    }

    /// Notes the stream's new head.
    pub(super) fn moved(&self, stream: StreamId, known: Known) {
        self.streams.borrow_mut().insert(stream, known);
        self.grown.borrow_mut().insert(stream);
    }

    /// Row number of a certificate; `None` if it is not stored (yet).
    pub(super) fn certificate_no(&self, db: &Db, hash: Hash) -> StoreResult<Option<i64>> {
        if let Some(no) = self.certificates.borrow().get(&hash) {
            return Ok(Some(*no));
        }
        let found = envelopes::certificate_no(db, hash)?;
        if let Some(no) = found {
            self.certificates.borrow_mut().insert(hash, no);
        }
        Ok(found)
    }

    /// Notes that the stream needs the certificate. Returns whether this transaction has noted it already.
    pub(super) fn needed(&self, stream: i64, certificate: i64) -> bool {
        !self.needed.borrow_mut().insert((stream, certificate))
    }

    /// Forgets all noted needs, because certificates were removed from a stream.
    pub(super) fn forget_needed(&self) {
        self.needed.borrow_mut().clear();
    }

    /// Forgets everything that an undone job may have written. The streams of kept jobs stay noted as grown; one hint
    /// too many costs a look.
    pub(super) fn undo(&self) {
        self.streams.borrow_mut().clear();
        self.certificates.borrow_mut().clear();
        self.needed.borrow_mut().clear();
        self.foresight.forget();
    }

    /// The streams that grew.
    pub(super) fn grown(&self) -> Vec<StreamId> {
        self.grown.borrow().iter().copied().collect()
    }
}
