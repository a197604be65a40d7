//! A record of which the server has accepted everything: its state without its content document.
//!
//! State is a fold that never reads content, so it can be known without the document, whose making is the
//! most costly part of loading a record. Whoever knows already what the content is (a projection that was
//! made of the same envelopes) needs no more than this.

use super::Record;
use super::past::StoredEnvelope;
use crate::id::RecordId;
use crate::wire::verdict::Status;

/// The record with its state, and without its content.
#[derive(Debug)]
pub struct Accepted(Record);

impl Accepted {
    /// `None` where something is not accepted, or builds on what is not among the envelopes.
    #[must_use]
    pub fn of(id: RecordId, envelopes: Vec<StoredEnvelope>) -> Option<Self> {
        let is_accepted = |stored: &StoredEnvelope| {
            let status = stored.verdict.map(|verdict| verdict.status);
            status == Some(Status::Accepted)
        };
        if envelopes.is_empty() || !envelopes.iter().all(is_accepted) {
            return None;
        }
        let mut record = Record::new(id);
        record.push_stored(envelopes).ok()?;
        // What is accepted counts whatever form and content are found to be, so only the fold is left.
        record.fold_and_judge();
        Some(Self(record))
    }

    /// State, envelopes and digest. [`Record::document`] is `None`, although there may be content.
    #[must_use]
    pub fn without_content(&self) -> &Record {
        &self.0
    }
}
