//! Replicas in real files, and a small server that judges and publishes what they send.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attachments;
mod bundle_file;
mod calls;
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
mod parcels;
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
mod walks;
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
use crate::domain::kinds::visit::Visit;
use crate::domain::position::{Datum, Position};
use crate::domain::{AreaPath, Grant, Role, Scope};
use crate::fixtures::*;
use crate::id::{MemberId, UnitId};
use crate::trust::certificate::{Certificate, Facts, ServerKeys, ServerPurpose};
use crate::trust::sign::SecretKey;

impl Deployment {
    fn phone(&self, person: Person) -> FilePhone {
        self.phone_with(person, &[person])
    }

    /// A phone of a person with several roles.
    fn phone_with(&self, person: Person, roles: &[Person]) -> FilePhone {
        let grants = roles.iter().map(|role| role.grant()).collect();
        let facts = facts(&person.key().public(), person.member(), grants);
        self.phone_under(person, &facts)
    }

    fn phone_under(&self, person: Person, facts: &Facts) -> FilePhone {
        let mut phone = FilePhone::new(person);
        let own = self.certify(facts);
        phone
            .replica()
            .enrol(&self.anchors, &self.secrets, &own)
            .unwrap();
        phone
    }

    /// One more phone of this person, with a key of its own.
    fn second_phone(&self, person: Person, seed: u8, issued_ms: i64) -> FilePhone {
        let second = person.like(seed);
        let facts = Facts {
            issued_ms,
            ..facts(
                &second.key().public(),
                person.member(),
                vec![person.grant()],
            )
        };
        self.phone_under(second, &facts)
    }
}

/// One phone with its folders: the database here, the marker elsewhere.
struct FilePhone {
    person: Person,
    runs: u64,
    database: TempDir,
    elsewhere: TempDir,
    replica: Option<Replica>,
}

impl FilePhone {
    fn new(person: Person) -> Self {
        let mut phone = Self::empty(person);
        phone.replica = Some(Replica::create(phone.options()).unwrap());
        phone
    }

    /// A phone without files.
    fn empty(person: Person) -> Self {
        Self {
            person,
            runs: 0,
            database: tempfile::tempdir().unwrap(),
            elsewhere: tempfile::tempdir().unwrap(),
            replica: None,
        }
    }

    fn options(&mut self) -> ReplicaOptions {
        self.runs += 1;
        let seed = u64::from(self.person.seed) << 32 | self.runs;
        ReplicaOptions {
            path: self.path(),
            disk: Arc::new(StdDisk),
            file_key: self.file_key(),
            marker: Box::new(MarkerFile::new(self.marker())),
            signer: self.person.key(),
            entropy: Box::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    fn file_key(&self) -> FileKey {
        FileKey::new([self.person.seed; 32])
    }

    fn site(&self) -> site::Site {
        site::Site {
            path: self.path(),
            key: self.file_key(),
            disk: Arc::new(StdDisk),
            device: self.person.device(),
        }
    }

    /// The owner, who signs by hand with a changed app.
    fn writer(&mut self) -> Writer {
        let key = self.person.key();
        let replica = self.replica();
        let anchors = replica.anchors().unwrap();
        let own = Arc::clone(replica.certificate().unwrap());
        Writer::new(key, own, anchors.authority())
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
    let mut content = Content::from(crate::fixtures::hazard(title));
    content.details_mut().description = description.into();
    content
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
