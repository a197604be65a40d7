//! Authors of the cast who write on a record as they see it.

use crate::crdt::FieldEdit;
use crate::domain::RecordKind;
use crate::domain::case::Event;
use crate::domain::content::Content;
use crate::domain::kinds::hazard;
use crate::fixtures::{Writer, home};
use crate::id::EnvelopeId;
use crate::record::Record;
use crate::wire::envelope::{Envelope, VerifiedEnvelope};

impl Writer {
    fn verified(&self, envelope: Envelope) -> VerifiedEnvelope {
        envelope.verify(&self.certificate, &self.authority).unwrap()
    }

    pub(super) fn report(&mut self, title: &str) -> VerifiedEnvelope {
        self.report_as(title, hazard::KIND)
    }

    pub(super) fn report_as(&mut self, title: &str, kind: RecordKind) -> VerifiedEnvelope {
        let content = Content::from(crate::fixtures::hazard(title));
        let envelope = self.genesis(kind, &content, home());
        self.verified(envelope)
    }

    /// An edit on what the record shows now.
    pub(super) fn edit(&mut self, record: &Record, edits: &[FieldEdit]) -> VerifiedEnvelope {
        let change = record.document().unwrap().edit(self.actor, edits).unwrap();
        self.raw_change(record, &record.heads(), change)
    }

    pub(super) fn raw_change(
        &mut self,
        record: &Record,
        parents: &[EnvelopeId],
        change: Vec<u8>,
    ) -> VerifiedEnvelope {
        let envelope = self.change(record.id(), parents, change);
        self.verified(envelope)
    }

    pub(super) fn act(&mut self, record: &Record, event: &Event) -> VerifiedEnvelope {
        self.act_on(record, &record.heads(), event)
    }

    pub(super) fn act_on(
        &mut self,
        record: &Record,
        parents: &[EnvelopeId],
        event: &Event,
    ) -> VerifiedEnvelope {
        let envelope = self.event(record.id(), parents, event);
        self.verified(envelope)
    }
}

/// A record with these envelopes.
pub(super) fn record_of(envelopes: &[&VerifiedEnvelope]) -> Record {
    let mut record = Record::new(envelopes[0].envelope().record());
    let batch: Vec<_> = envelopes
        .iter()
        .map(|envelope| (*envelope).clone())
        .collect();
    record.admit(&batch);
    record
}
