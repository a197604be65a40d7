//! A record whose envelopes the server has all accepted: its state without its content document.
//!
//! State is a fold that never reads content, so it can be known without the document. Making the document is
//! the most costly part of loading a record. A projection that was made from the same envelopes knows the
//! content already and needs no more than this.

use super::Record;
use super::past::StoredEnvelope;
use crate::id::RecordId;
use crate::wire::verdict::Status;

/// The record with its state, and without its content.
#[derive(Debug)]
pub struct Accepted(Record);

impl Accepted {
    /// `None` where an envelope is not accepted, or lacks a parent.
    #[must_use]
    pub fn of(id: RecordId, envelopes: &[StoredEnvelope]) -> Option<Self> {
        let is_accepted = |stored: &StoredEnvelope| {
            let status = stored.verdict.map(|verdict| verdict.status);
            status.is_some_and(Status::is_accepted)
        };
        if envelopes.is_empty() || !envelopes.iter().all(is_accepted) {
            return None;
        }
        let mut record = Record::new(id);
        record.push_stored(envelopes).ok()?;
        // An accepted envelope counts in any form and with any content, so only the fold is left.
        record.fold_and_judge();
        Some(Self(record))
    }

    /// State, envelopes and digest. [`Record::document`] is `None`, although there may be content.
    #[must_use]
    pub fn without_content(&self) -> &Record {
        &self.0
    }
}
