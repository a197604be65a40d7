//! A phone: a real replica in an encrypted file, connected by the real driver.

use std::sync::Arc;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::kinds::request::Request;
use onegrid_core::id::{AreaId, RecordId};
use onegrid_core::net::{
    Address, Driver, NetConfig, NetError, OsRandom, Roots, State, enrol, now_ms,
};
use onegrid_core::replica::{Draft, FileKey, MarkerFile, Replica, ReplicaOptions, StdDisk};
use onegrid_core::sync::port::StarPort as _;
use onegrid_core::sync::report::Report;
use onegrid_core::sync::shared::{Shared, Turn};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::SecretKey;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// One phone. Its file is removed when the phone is dropped.
pub struct OnlinePhone {
    replica: Arc<Shared<Replica>>,
    /// The way to the server.
    pub driver: Driver<Arc<Shared<Replica>>>,
    signer: SecretKey,
    folder: TempDir,
}

/// Returns the way to a server of this machine.
///
/// # Panics
/// If `url` is not an address.
#[must_use]
pub fn way_to(url: &str, roots: Roots) -> NetConfig {
    let address = Address::parse(url, false).expect("an address");
    NetConfig { address, roots }
}

impl OnlinePhone {
    /// Redeems an invitation with a new phone.
    ///
    /// # Errors
    /// The error of the server, or of the check of its answer.
    ///
    /// # Panics
    /// If the phone itself cannot be made.
    pub async fn enrol(code: &str, config: &NetConfig) -> Result<Self, NetError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let signer = SecretKey::generate(&mut OsRandom);
        let options = ReplicaOptions {
            path: folder.path().join("replica.db"),
            disk: Arc::new(StdDisk),
            file_key: FileKey::new(*signer.seed()),
            marker: Box::new(MarkerFile::new(folder.path().join("marker"))),
            signer: signer.clone(),
            entropy: Box::new(OsRandom),
        };
        let mut replica = Replica::create(options).expect("a new replica");
        let ticket = Ticket::parse(code).expect("an invitation");
        let enrolled = enrol(config, &ticket, &signer, "a phone").await?;
        replica
            .enrol(&enrolled.anchors, &enrolled.secrets, &enrolled.certificate)
            .expect("the certificate is this phone's");
        let replica = Arc::new(Shared::new(replica));
        let driver = Driver::new(Arc::clone(&replica), config)?;
        Ok(Self {
            replica,
            driver,
            signer,
            folder,
        })
    }

    /// Moves the phone to another server address.
    ///
    /// # Panics
    /// If the address cannot be used.
    pub fn move_to(&mut self, config: &NetConfig) {
        self.driver = Driver::new(Arc::clone(&self.replica), config).expect("a driver");
    }

    /// Locks the replica for a turn.
    #[must_use]
    pub fn replica(&self) -> Turn<'_, Replica> {
        self.replica.lock()
    }

    /// Returns a shared handle of the replica.
    #[must_use]
    pub fn handle(&self) -> Arc<Shared<Replica>> {
        Arc::clone(&self.replica)
    }

    /// Returns the number of streams that the phone follows.
    ///
    /// # Panics
    /// If the replica cannot be read.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.replica()
            .cursors()
            .expect("a replica that reads")
            .len()
    }

    /// Closes the app; returns its folder, and its key, which also opens the files.
    ///
    /// # Panics
    /// If another handle of the replica exists, or if the replica cannot be closed.
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
        let replica = replica.into_inner();
        replica.close().expect("a replica that closes");
        (folder, signer)
    }

    /// Returns the device's key, for a test that acts for the phone by hand.
    #[must_use]
    pub fn signer(&self) -> &SecretKey {
        &self.signer
    }

    /// Reports without any network.
    ///
    /// # Panics
    /// If the replica refuses.
    #[must_use]
    pub fn report(&self, title: &str) -> RecordId {
        self.report_at(title, now_ms())
    }

    /// Reports at this time of the phone's clock, ms UTC.
    ///
    /// # Panics
    /// If the replica refuses.
    #[must_use]
    pub fn report_at(&self, title: &str, clock_ms: i64) -> RecordId {
        self.write(hazard(title), clock_ms)
    }

    /// Asks for help.
    ///
    /// # Panics
    /// If the replica refuses.
    #[must_use]
    pub fn ask_for_help(&self, title: &str) -> RecordId {
        let details = Details {
            title: Some(title.to_owned()),
            ..Details::default()
        };
        let content = Content::from(Request {
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

    /// Syncs until phone and server agree.
    ///
    /// # Panics
    /// If the sync fails.
    pub async fn sync(&self) -> Report {
        let report = self.driver.sync_once().await.expect("a sync");
        assert!(report.equal, "{report:?}");
        report
    }

    /// Starts live sync of a phone that is in step. Returns once the phone listens for wake-ups: after its first
    /// sync, and after the sync that a new wake-up connection asks for.
    ///
    /// # Panics
    /// If the driver is gone.
    pub async fn live(&self) -> JoinHandle<()> {
        let before = self.driver.traffic().round_trips;
        let running = tokio::spawn({
            let driver = self.driver.clone();
            async move { driver.run().await }
        });
        let mut status = self.driver.status();
        let listens = status.wait_for(|status| {
            status.state == State::UpToDate && self.driver.traffic().round_trips >= before + 2
        });
        drop(listens.await.expect("the driver lives"));
        running
    }

    /// Returns the title of a record; `None` if the phone does not have it.
    ///
    /// # Panics
    /// If the replica cannot be read.
    #[must_use]
    pub fn title(&self, record: RecordId) -> Option<String> {
        let row = self.replica().row(record).expect("a replica that reads");
        row.map(|row| row.title)
    }
}

/// Returns the content of a hazard.
#[must_use]
pub fn hazard(title: &str) -> Content {
    Content::from(Hazard {
        details: Details {
            title: Some(title.to_owned()),
            category: Some("gas.cylinder".to_owned()),
            ..Details::default()
        },
        severity: None,
    })
}

/// Returns a grid in the village of the demo's people.
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
