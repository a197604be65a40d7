//! Replicas in real files, and a small server that judges and publishes what they send.
#![allow(clippy::unwrap_used, reason = "tests")]

mod changes;
mod conflicts;
mod crowd;
mod directory;
mod file;
mod forms;
mod hostile_peer;
mod interrupted;
mod leaked_key;
mod lists;
mod meeting;
mod moves;
mod newer;
mod notifications;
mod rebuilding;
mod receipts;
mod rewriting;
mod salvaging;
mod server;
mod slices;
mod story;
mod suspended;
mod sync;
mod tally;
mod templates;
mod two_files;
mod upkeep;
mod visits;
mod way_back;
mod withdrawn;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

use super::*;
use crate::domain::case::Severity;
use crate::domain::content::{Content, Details, StoredPosition};
use crate::domain::directory::DirectoryMark;
use crate::domain::kinds::hazard::Hazard;
use crate::domain::kinds::visit::Visit;
use crate::domain::position::{Datum, Position};
use crate::domain::{AreaPath, Grant, Role, Scope};
use crate::id::{AreaId, MemberId, UnitId};
use crate::trust::certificate::{Anchors, Certificate, Facts, ServerKeys, ServerPurpose};
use crate::trust::peer_session::MeetingSecrets;
use crate::trust::sign::SecretKey;

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
    anchors: Arc<Anchors>,
    secrets: MeetingSecrets,
}

impl Town {
    fn new() -> Self {
        Self::of_root(1)
    }

    /// Another deployment.
    fn of_root(n: u8) -> Self {
        let root = SecretKey::from_seed(&[n; 32]);
        let server = SecretKey::from_seed(&[2; 32]);
        let list = ServerKeys::of(&root, &ServerPurpose::ALL.map(|purpose| (&server, purpose)));
        let anchors = Arc::new(Anchors::new(root.public(), list).unwrap());
        Self {
            root,
            server,
            anchors,
            secrets: MeetingSecrets::generate(&mut ChaCha8Rng::seed_from_u64(u64::from(n))),
        }
    }

    fn certificate(&self, key: &SecretKey, n: u8, grants: &[(Role, Scope)]) -> Certificate {
        self.certificate_at(key, n, grants, 0)
    }

    fn certificate_at(
        &self,
        key: &SecretKey,
        n: u8,
        grants: &[(Role, Scope)],
        issued_ms: i64,
    ) -> Certificate {
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
            issued_ms,
            expires_ms: i64::MAX,
            issued_at: DirectoryMark::default(),
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
            .enrol(&self.anchors, &self.secrets, &certificate)
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
            disk: Arc::new(StdDisk),
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

    /// The process ends without a warning.
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
    Content::from(Hazard {
        details: Details {
            title: Some(title.into()),
            description: description.into(),
            ..Details::default()
        },
        severity: Some(Severity::Elevated),
    })
}

/// A visit without a checklist, so that no answer is missing at its end.
fn visit_draft() -> Draft {
    let visit = Visit {
        details: Details {
            title: Some("王奶奶家".into()),
            ..Details::default()
        },
        ..Visit::default()
    };
    Draft::staff(visit.into(), home())
}

fn draft(title: &str) -> Draft {
    Draft::staff(hazard(title, ""), home())
}

fn at(mut content: Content, lat: f64, lon: f64) -> Content {
    let position = Position::from_degrees(lat, lon, Datum::Wgs84, Some(8), 0).unwrap();
    content.details_mut().position = Some(StoredPosition::of(position));
    content
}
