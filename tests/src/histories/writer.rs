//! One person with one device that writes envelopes.

use std::sync::Arc;

use onegrid_core::crdt::{ActorId, FieldEdit};
use onegrid_core::domain::Grant;
use onegrid_core::domain::case::{Event, FOLD_VERSION};
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::id::{EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::trust::certificate::{Certificate, Facts};
use onegrid_core::trust::sign::{Authority, SecretKey};
use onegrid_core::wire::body::{Body, Change, EventBody};
use onegrid_core::wire::envelope::{Envelope, Header, VerifiedEnvelope};

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
        let facts = Facts {
            version: 1,
            device,
            device_key: *key.public().as_bytes(),
            member: Some(MemberId(
                Hash::of(&[b"histories.member", name.as_bytes()]).first16(),
            )),
            grants: vec![grant],
            issued_ms: MORNING_MS,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
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
        Body::Change(Change {
            salt: Some(Hash::of(&[&change]).first16()),
            change,
            replaces: None,
        })
    }

    pub(super) fn event(&self, event: &Event, at: i64) -> Body {
        let (code, data) = event.encode();
        let salt = Hash::of(&[self.certificate.hash().as_bytes(), &data, &at.to_be_bytes()]);
        Body::Event(EventBody {
            salt: Some(salt.first16()),
            code,
            fold_version: FOLD_VERSION,
            data,
            on_behalf_of: None,
            replaces: None,
        })
    }

    pub(super) fn seal(
        &self,
        record: Option<RecordId>,
        parents: Vec<EnvelopeId>,
        clock_ms: i64,
        body: &Body,
        authority: &Authority,
    ) -> VerifiedEnvelope {
        let header = Header {
            version: 1,
            suite: 1,
            body_kind: 0,
            record,
            author: self.certificate.facts().device,
            certificate: self.certificate.hash(),
            grant: 0,
            parents,
            directory_seen: DirectoryMark::default(),
            clock_ms,
        };
        Envelope::seal(header, body, &self.key, authority)
            .and_then(|envelope| envelope.verify(&self.certificate, authority))
            .expect("what this writer writes is right")
    }
}
