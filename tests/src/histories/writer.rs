//! One person with one device that writes envelopes.

use std::sync::Arc;

use onegrid_core::crdt::{ActorId, FieldEdit};
use onegrid_core::domain::Grant;
use onegrid_core::domain::case::Event;
use onegrid_core::fixtures;
use onegrid_core::id::{EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::trust::certificate::{Certificate, Facts};
use onegrid_core::trust::sign::{Authority, SecretKey};
use onegrid_core::wire::body::{Body, EventBody};
use onegrid_core::wire::envelope::{Envelope, VerifiedEnvelope};

use crate::town::MORNING_MS;

pub(super) struct Writer {
    key: SecretKey,
    pub(super) certificate: Arc<Certificate>,
    pub(super) actor: ActorId,
}

impl Writer {
    pub(super) fn enrol(
        name: &str,
        grant: Grant,
        issuer: &SecretKey,
        authority: &Authority,
    ) -> Self {
        let key = SecretKey::from_seed(&Hash::of(&[b"histories.key", name.as_bytes()]).0);
        let device = key.public().device();
        let member = MemberId(Hash::of(&[b"histories.member", name.as_bytes()]).first16());
        let facts = Facts {
            issued_ms: MORNING_MS,
            ..fixtures::facts(&key.public(), member, vec![grant])
        };
        let certificate =
            Certificate::issue(&facts, issuer, authority).expect("the facts are in bounds");
        Self {
            key,
            certificate: Arc::new(certificate),
            actor: ActorId::new(&device, [1; 8]),
        }
    }

    pub(super) fn change(&self, record: &Record, edits: &[FieldEdit]) -> Body {
        let document = record.document().expect("the Genesis counts");
        let change = document.edit(self.actor, edits).expect("something changes");
        Body::Change(fixtures::change(Hash::of(&[&change]).first16(), change))
    }

    pub(super) fn event(&self, event: &Event, at: i64) -> Body {
        let body = fixtures::event(event);
        let own = self.certificate.hash();
        let salt = Hash::of(&[own.as_bytes(), &body.data, &at.to_be_bytes()]);
        Body::Event(EventBody {
            salt: Some(salt.first16()),
            ..body
        })
    }

    pub(super) fn seal(
        &self,
        record: Option<RecordId>,
        parents: &[EnvelopeId],
        clock_ms: i64,
        body: &Body,
        authority: &Authority,
    ) -> VerifiedEnvelope {
        let header = fixtures::header(&self.certificate, record, parents, clock_ms);
        Envelope::seal(header, body, &self.key, authority)
            .and_then(|envelope| envelope.verify(&self.certificate, authority))
            .expect("what this writer writes is right")
    }
}
