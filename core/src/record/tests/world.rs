//! A small deployment: a root key, one certificate key, and phones that write envelopes.

use std::sync::Arc;

use crate::crdt::{ActorId, FieldEdit, build_genesis};
use crate::domain::case::{Event, Severity};
use crate::domain::content::{Content, Details};
use crate::domain::directory::DirectoryMark;
use crate::domain::kinds::hazard;
use crate::domain::kinds::hazard::Hazard;
use crate::domain::{AreaPath, Audience, Grant, RecordKind, Role, Scope, Source};
use crate::id::{AreaId, EnvelopeId, Hash, MemberId, UnitId};
use crate::record::Record;
use crate::trust::certificate::{Anchors, Certificate, Facts, ServerKeys, ServerPurpose};
use crate::trust::sign::{Authority, SecretKey};
use crate::wire::body::{Body, Change, EventBody, Genesis};
use crate::wire::envelope::{Envelope, Header, VerifiedEnvelope};
use crate::wire::verdict::{Status, Verdict};

pub(super) const TEAM: UnitId = UnitId([0x71; 16]);
pub(super) const GAS: UnitId = UnitId([0x72; 16]);

pub(super) struct World {
    authority: Authority,
    issuer: SecretKey,
    pub(super) anchors: Anchors,
}

pub(super) struct Phone {
    pub(super) key: SecretKey,
    pub(super) certificate: Arc<Certificate>,
    pub(super) actor: ActorId,
    authority: Authority,
    clock_ms: i64,
}

pub(super) fn home() -> AreaPath {
    let id = |n| AreaId([n; 16]);
    AreaPath::new(&[id(1), id(2), id(3), id(4)]).unwrap()
}

pub(super) fn town() -> Scope {
    Scope::Area(AreaPath::new(&home().ids()[..2]).unwrap())
}

impl World {
    pub(super) fn new() -> Self {
        let root = SecretKey::from_seed(&[1; 32]);
        let issuer = SecretKey::from_seed(&[2; 32]);
        let list = ServerKeys::of(&root, &[(&issuer, ServerPurpose::Certificates)]);
        let anchors = Anchors::new(root.public(), list).unwrap();
        Self {
            authority: Authority::of_root(&root.public()),
            issuer,
            anchors,
        }
    }

    pub(super) fn phone(&self, n: u8, role: Role, scope: Scope) -> Phone {
        let key = SecretKey::from_seed(&[n; 32]);
        let device = key.public().device();
        let facts = Facts {
            version: 1,
            device,
            device_key: *key.public().as_bytes(),
            member: Some(MemberId([n; 16])),
            grants: vec![Grant { role, scope }],
            issued_ms: 0,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
        };
        let certificate = Certificate::issue(&facts, &self.issuer, &self.authority).unwrap();
        let certificate = Certificate::verify(certificate.raw().clone(), &self.anchors).unwrap();
        Phone {
            actor: ActorId::new(&device, [n; 8]),
            key,
            certificate: Arc::new(certificate),
            authority: self.authority,
            clock_ms: 1_000,
        }
    }

    pub(super) fn volunteer(&self, n: u8) -> Phone {
        self.phone(n, Role::Volunteer, Scope::Unit(TEAM))
    }

    pub(super) fn grid_worker(&self, n: u8) -> Phone {
        self.phone(n, Role::GridWorker, Scope::Area(home()))
    }

    pub(super) fn dispatcher(&self, n: u8) -> Phone {
        self.phone(n, Role::Dispatcher, town())
    }

    pub(super) fn handler(&self, n: u8) -> Phone {
        self.phone(n, Role::Handler, Scope::Unit(GAS))
    }
}

impl Phone {
    fn seal(&mut self, record: &Record, parents: Vec<EnvelopeId>, body: &Body) -> VerifiedEnvelope {
        self.clock_ms += 1_000;
        let genesis = matches!(body, Body::Genesis(_));
        let header = Header {
            version: 1,
            suite: 1,
            body_kind: 0,
            record: (!genesis).then(|| record.id()),
            author: self.certificate.facts().device,
            certificate: self.certificate.hash(),
            grant: 0,
            parents,
            directory_seen: DirectoryMark::default(),
            clock_ms: self.clock_ms,
        };
        let envelope = Envelope::seal(header, body, &self.key, &self.authority).unwrap();
        envelope.verify(&self.certificate, &self.authority).unwrap()
    }

    pub(super) fn report(&mut self, title: &str) -> VerifiedEnvelope {
        self.report_as(title, hazard::KIND)
    }

    pub(super) fn report_as(&mut self, title: &str, kind: RecordKind) -> VerifiedEnvelope {
        let details = Details {
            title: Some(title.into()),
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: Some(Severity::Elevated),
        });
        let body = Body::Genesis(Genesis {
            nonce: [7; 16],
            kind,
            home: home(),
            audience: Audience::Staff,
            team: None,
            source: Source::Member,
            named: Vec::new(),
            linked: None,
            content: build_genesis(&content, self.actor).unwrap(),
        });
        let nowhere = Record::new(crate::id::RecordId([0; 16]));
        self.seal(&nowhere, Vec::new(), &body)
    }

    /// An edit on what the record shows now.
    pub(super) fn edit(&mut self, record: &Record, edits: &[FieldEdit]) -> VerifiedEnvelope {
        let change = record.document().unwrap().edit(self.actor, edits).unwrap();
        self.raw_change(record, record.heads(), change)
    }

    pub(super) fn raw_change(
        &mut self,
        record: &Record,
        parents: Vec<EnvelopeId>,
        change: Vec<u8>,
    ) -> VerifiedEnvelope {
        let salt = Some(Hash::of(&[&change]).first16());
        self.seal(
            record,
            parents,
            &Body::Change(Change {
                salt,
                change,
                replaces: None,
            }),
        )
    }

    pub(super) fn act(&mut self, record: &Record, event: &Event) -> VerifiedEnvelope {
        self.act_on(record, record.heads(), event)
    }

    pub(super) fn act_on(
        &mut self,
        record: &Record,
        parents: Vec<EnvelopeId>,
        event: &Event,
    ) -> VerifiedEnvelope {
        let (code, data) = event.encode();
        let body = Body::Event(EventBody {
            salt: Some([9; 16]),
            code,
            fold_version: crate::domain::case::FOLD_VERSION,
            data,
            on_behalf_of: None,
            replaces: None,
        });
        self.seal(record, parents, &body)
    }
}

pub(super) fn verdict(status: Status, at_ms: i64) -> Verdict {
    Verdict {
        status,
        at_ms,
        generation: 1,
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
