//! A phone: a real replica in an encrypted file, connected by the real driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onegrid_core::crdt::{Content, Details, Hazard, Request};
use onegrid_core::domain::AreaPath;
use onegrid_core::id::{AreaId, RecordId};
use onegrid_core::net::{Address, Driver, NetConfig, NetError, OsRandom, Roots, enrol, now_ms};
use onegrid_core::replica::{Draft, FileKey, MarkerFile, Replica, ReplicaOptions};
use onegrid_core::sync::port::StarPort as _;
use onegrid_core::sync::report::Report;
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::SecretKey;
use tempfile::TempDir;

/// One phone; its file goes when it is dropped.
pub struct Phone {
    replica: Arc<Mutex<Replica>>,
    /// The way to the server.
    pub driver: Driver<Arc<Mutex<Replica>>>,
    signer: SecretKey,
    folder: TempDir,
}

/// How to reach a server of this machine.
///
/// # Panics
/// When the address is none.
#[must_use]
pub fn way_to(url: &str, roots: Roots) -> NetConfig {
    let address = Address::parse(url, false).expect("an address");
    NetConfig { address, roots }
}

impl Phone {
    /// A new phone redeems an invitation.
    ///
    /// # Errors
    /// What the server, or the check of its answer, says.
    ///
    /// # Panics
    /// When the phone itself can not be made.
    pub async fn enrol(code: &str, config: &NetConfig) -> Result<Self, NetError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let signer = SecretKey::generate(&mut OsRandom);
        let options = ReplicaOptions {
            path: folder.path().join("replica.db"),
            file_key: FileKey::new(*signer.seed()),
            marker: Box::new(MarkerFile::new(folder.path().join("marker"))),
            signer: signer.clone(),
            entropy: Box::new(OsRandom),
        };
        let mut replica = Replica::create(options).expect("a new replica");
        let ticket = Ticket::parse(code).expect("an invitation");
        let enrolled = enrol(config, &ticket, &signer, "a phone").await?;
        let root = enrolled.anchors.root();
        replica
            .enrol(root, &enrolled.server_keys, &enrolled.certificate)
            .expect("the certificate is this phone's");
        let replica = Arc::new(Mutex::new(replica));
        let driver = Driver::new(Arc::clone(&replica), config)?;
        Ok(Self {
            replica,
            driver,
            signer,
            folder,
        })
    }

    /// The same phone goes on with another server address.
    ///
    /// # Panics
    /// When there is no way to it.
    pub fn move_to(&mut self, config: &NetConfig) {
        self.driver = Driver::new(Arc::clone(&self.replica), config).expect("a driver");
    }

    /// The replica.
    pub fn replica(&self) -> MutexGuard<'_, Replica> {
        self.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The replica, for somebody who holds it together with this phone.
    #[must_use]
    pub fn handle(&self) -> Arc<Mutex<Replica>> {
        Arc::clone(&self.replica)
    }

    /// How many streams it follows.
    ///
    /// # Panics
    /// When the replica can not be read.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.replica()
            .cursors()
            .expect("a replica that reads")
            .len()
    }

    /// The app is put away: its folder, and its key, which opens the files as well.
    ///
    /// # Panics
    /// When somebody else holds the replica, or it can not be closed.
    #[must_use]
    pub fn put_away(self) -> (TempDir, SecretKey) {
        let Self {
            replica,
            driver,
            signer,
            folder,
        } = self;
        drop(driver);
        let replica = Arc::into_inner(replica).expect("nobody else holds it");
        let replica = replica.into_inner().unwrap_or_else(PoisonError::into_inner);
        replica.close().expect("a replica that closes");
        (folder, signer)
    }

    /// The device's key, for somebody who plays it by hand.
    #[must_use]
    pub fn signer(&self) -> &SecretKey {
        &self.signer
    }

    /// Reports without any network.
    ///
    /// # Panics
    /// When the replica refuses.
    #[must_use]
    pub fn report(&self, title: &str) -> RecordId {
        self.report_at(title, now_ms())
    }

    /// The same by a clock that says something else, ms UTC.
    ///
    /// # Panics
    /// When the replica refuses.
    #[must_use]
    pub fn report_at(&self, title: &str, clock_ms: i64) -> RecordId {
        self.write(hazard(title), clock_ms)
    }

    /// Somebody needs help.
    ///
    /// # Panics
    /// When the replica refuses.
    #[must_use]
    pub fn ask_for_help(&self, title: &str) -> RecordId {
        let details = Details {
            title: Some(title.to_owned()),
            ..Details::default()
        };
        let content = Content::Request(Request {
            details,
            ..Request::default()
        });
        self.write(content, now_ms())
    }

    fn write(&self, content: Content, clock_ms: i64) -> RecordId {
        let draft = Draft::staff(content, home());
        self.replica()
            .report(&draft, clock_ms)
            .expect("a report is always taken")
    }

    /// Syncs until both hold the same.
    ///
    /// # Panics
    /// When that fails.
    pub async fn sync(&self) -> Report {
        let report = self.driver.sync_once().await.expect("a sync");
        assert!(report.equal, "{report:?}");
        report
    }

    /// The title of a record, where the phone has it.
    ///
    /// # Panics
    /// When the replica can not be read.
    #[must_use]
    pub fn title(&self, record: RecordId) -> Option<String> {
        let row = self.replica().row(record).expect("a replica that reads");
        row.map(|row| row.title)
    }
}

/// Content of a hazard.
#[must_use]
pub fn hazard(title: &str) -> Content {
    Content::Hazard(Hazard {
        details: Details {
            title: Some(title.to_owned()),
            category: Some("gas.cylinder".to_owned()),
            ..Details::default()
        },
        severity: None,
    })
}

/// A grid of the village of the demo's people.
///
/// # Panics
/// Never.
#[must_use]
pub fn home() -> AreaPath {
    let codes = [
        "330105000000",
        "330105013000",
        "330105013003",
        "330105013003001",
    ];
    AreaPath::new(&codes.map(AreaId::of_first_code)).expect("four levels")
}
