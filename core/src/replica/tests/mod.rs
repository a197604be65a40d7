//! Replicas in real files, and a small server that judges and publishes what they send.
#![allow(clippy::unwrap_used, reason = "tests")]

mod conflicts;
mod crowd;
mod file;
mod hostile_peer;
mod interrupted;
mod lists;
mod meeting;
mod receipts;
mod server;
mod sync;
mod withdrawn;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

use super::*;
use crate::crdt::{Content, Details, Hazard, StoredPosition};
use crate::domain::case::Severity;
use crate::domain::position::{Datum, Position};
use crate::domain::{AreaPath, Grant, Role, Scope};
use crate::id::{AreaId, MemberId, UnitId};
use crate::trust::certificate::{Anchors, Certificate, Facts, ServerKey, ServerPurpose};
use crate::trust::sign::SecretKey;
use crate::wire::envelope::DirectoryMark;

const TEAM: UnitId = UnitId([0x71; 16]);
const GAS: UnitId = UnitId([0x72; 16]);
const NOW: i64 = 1_760_000_000_000;

fn area(n: u8) -> AreaId {
    AreaId([n; 16])
}

fn home() -> AreaPath {
    AreaPath::new(&[area(1), area(2), area(3), area(4)]).unwrap()
}

/// The keys of one deployment.
struct Town {
    root: SecretKey,
    server: SecretKey,
    keys: Vec<ServerKey>,
    anchors: Arc<Anchors>,
}

impl Town {
    fn new() -> Self {
        let root = SecretKey::from_seed(&[1; 32]);
        let server = SecretKey::from_seed(&[2; 32]);
        let keys: Vec<ServerKey> = [
            ServerPurpose::Certificates,
            ServerPurpose::Receipts,
            ServerPurpose::Packs,
        ]
        .into_iter()
        .map(|purpose| ServerKey::issue(&root, &server.public(), purpose, 0))
        .collect();
        let anchors = Arc::new(Anchors::new(root.public(), &keys).unwrap());
        Self {
            root,
            server,
            keys,
            anchors,
        }
    }

    fn certificate(&self, key: &SecretKey, n: u8, grants: &[(Role, Scope)]) -> Certificate {
        let facts = Facts {
            version: 1,
            device: key.public().device(),
            device_key: *key.public().as_bytes(),
            member: Some(MemberId([n; 16])),
            grants: grants
                .iter()
                .map(|(role, scope)| Grant {
                    role: *role,
                    scope: scope.clone(),
                })
                .collect(),
            issued_ms: 0,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
            issuer: self.server.public().device(),
        };
        let issued = Certificate::issue(&facts, &self.server, self.anchors.authority()).unwrap();
        Certificate::verify(issued.raw().clone(), &self.anchors).unwrap()
    }

    fn phone(&self, n: u8, grants: &[(Role, Scope)]) -> Phone {
        let mut phone = Phone::new(n);
        let key = SecretKey::from_seed(&[n; 32]);
        let certificate = self.certificate(&key, n, grants);
        phone
            .replica()
            .enrol(&self.root.public(), &self.keys, &certificate)
            .unwrap();
        phone
    }

    fn volunteer(&self, n: u8) -> Phone {
        self.phone(n, &[(Role::Volunteer, Scope::Unit(TEAM))])
    }

    fn grid_worker(&self, n: u8) -> Phone {
        self.phone(n, &[(Role::GridWorker, Scope::Area(home()))])
    }

    fn dispatcher(&self, n: u8) -> Phone {
        let town = AreaPath::new(&home().ids()[..2]).unwrap();
        self.phone(n, &[(Role::Dispatcher, Scope::Area(town))])
    }

    fn handler(&self, n: u8) -> Phone {
        self.phone(n, &[(Role::Handler, Scope::Unit(GAS))])
    }
}

/// One phone with its folders: the database here, the marker elsewhere.
struct Phone {
    n: u8,
    runs: u64,
    database: TempDir,
    elsewhere: TempDir,
    replica: Option<Replica>,
}

impl Phone {
    fn new(n: u8) -> Self {
        let mut phone = Self {
            n,
            runs: 0,
            database: tempfile::tempdir().unwrap(),
            elsewhere: tempfile::tempdir().unwrap(),
            replica: None,
        };
        phone.replica = Some(Replica::create(phone.options()).unwrap());
        phone
    }

    fn options(&mut self) -> ReplicaOptions {
        self.runs += 1;
        let seed = u64::from(self.n) << 32 | self.runs;
        ReplicaOptions {
            path: self.path(),
            file_key: FileKey::new([self.n; 32]),
            marker: Box::new(MarkerFile::new(self.marker())),
            signer: SecretKey::from_seed(&[self.n; 32]),
            entropy: Box::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    fn path(&self) -> PathBuf {
        self.database.path().join("replica.db")
    }

    fn marker(&self) -> PathBuf {
        self.elsewhere.path().join("marker")
    }

    fn replica(&mut self) -> &mut Replica {
        self.replica.as_mut().unwrap()
    }

    fn close(&mut self) {
        self.replica.take().unwrap().close().unwrap();
    }

    /// The process is gone without a word.
    fn crash(&mut self) {
        drop(self.replica.take());
    }

    fn reopen(&mut self) -> &mut Replica {
        self.replica = None;
        let options = self.options();
        self.replica = Some(Replica::open(options).unwrap());
        self.replica()
    }
}

fn hazard(title: &str, description: &str) -> Content {
    Content::Hazard(Hazard {
        details: Details {
            title: Some(title.into()),
            description: description.into(),
            ..Details::default()
        },
        severity: Some(Severity::Elevated),
    })
}

fn draft(title: &str) -> Draft {
    Draft::staff(hazard(title, ""), home())
}

fn at(mut content: Content, lat: f64, lon: f64) -> Content {
    let position = Position::from_degrees(lat, lon, Datum::Wgs84, Some(8), 0).unwrap();
    content.details_mut().position = Some(StoredPosition::of(position));
    content
}
