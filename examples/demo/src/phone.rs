//! One phone: a real replica in its own encrypted file, its marker elsewhere, and the net driver.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onegrid_core::id::{Hash, MemberId, RecordId};
use onegrid_core::limits::ATTACHMENT_BYTES_MAX;
use onegrid_core::net::{Driver, NetConfig, NetError, OsRandom, Status, Traffic, enrol, now_ms};
use onegrid_core::replica::{
    FileKey, MarkerFile, NewAttachment, Replica, ReplicaError, ReplicaOptions, StdDisk,
};
use onegrid_core::sync::report::Report;
use onegrid_core::sync::shared::{Shared, Turn};
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::SecretKey;
use rand_core::Rng as _;
use tokio::sync::watch;

use crate::deployment::io_failed;
use crate::photo::holds_place;
use onegrid_server::error::{Problem, Result};

struct Line {
    driver: Driver<Arc<Shared<Replica>>>,
    online: bool,
    /// Bytes of the earlier drivers.
    spent: Traffic,
    report: Option<Report>,
}

pub(crate) struct Phone {
    name: &'static str,
    member: MemberId,
    /// The screen and the driver share it.
    replica: Arc<Shared<Replica>>,
    config: NetConfig,
    line: Mutex<Line>,
    /// Photos whose originals named a place; the photos of this phone do not.
    without_place: Mutex<BTreeSet<Hash>>,
}

impl Phone {
    /// Redeems an invitation with a new phone. `database` and `elsewhere` are folders.
    pub(crate) async fn enrol(
        name: &'static str,
        code: &str,
        config: NetConfig,
        (database, elsewhere): (&Path, &Path),
    ) -> std::result::Result<Self, String> {
        let coded = |error: ReplicaError| error.code().to_owned();
        let mut file_key = [0; 32];
        OsRandom.fill_bytes(&mut file_key);
        let signer = SecretKey::generate(&mut OsRandom);
        let options = ReplicaOptions {
            path: database.join("replica.db"),
            disk: Arc::new(StdDisk),
            file_key: FileKey::new(file_key),
            marker: Box::new(MarkerFile::new(elsewhere.join("marker"))),
            signer: signer.clone(),
            entropy: Box::new(OsRandom),
        };
        let mut replica = Replica::create(options).map_err(coded)?;
        let ticket = Ticket::parse(code).map_err(|error| error.code().to_owned())?;
        let enrolled = enrol(&config, &ticket, &signer, name).await;
        let enrolled = enrolled.map_err(|error| error.code().to_owned())?;
        replica
            .enrol(&enrolled.anchors, &enrolled.secrets, &enrolled.certificate)
            .map_err(coded)?;
        let member = replica.own_member().ok_or("replica.not_enrolled")?;
        let replica = Arc::new(Shared::new(replica));
        let driver = Driver::new(Arc::clone(&replica), &config).map_err(|e| e.code().to_owned())?;
        Ok(Self {
            name,
            member,
            replica,
            config,
            line: Mutex::new(Line {
                driver,
                online: true,
                spent: Traffic::default(),
                report: None,
            }),
            without_place: Mutex::default(),
        })
    }

    /// Returns the short name of the phone, as in addresses of the page.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the owner of the phone.
    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// Whether the owner belongs to a volunteer team, which then shares the reports of this phone.
    pub(crate) fn is_of_team(&self) -> bool {
        matches!(self.name, "lead" | "volunteer-1" | "volunteer-2")
    }

    /// Locks the replica, after its present user is done.
    pub(crate) fn replica(&self) -> Turn<'_, Replica> {
        // Every call of a replica is one transaction, so a panic in one leaves the replica as it was
        // before.
        self.replica.lock()
    }

    /// Keeps a photo as the camera made it. The phone removes the place, the time and the camera.
    pub(crate) fn photograph(&self, original: &[u8]) -> std::result::Result<Hash, ReplicaError> {
        let photo = NewAttachment::of(original)?;
        let id = self.replica().stage(&photo, now_ms())?.id;
        if holds_place(original) && !holds_place(photo.bytes()) {
            self.places_removed().insert(id);
        }
        Ok(id)
    }

    /// Whether this phone removed the place from a photo.
    pub(crate) fn has_removed_place(&self, id: Hash) -> bool {
        self.places_removed().contains(&id)
    }

    /// Returns the bytes of a photo that is here.
    pub(crate) fn full_photo(
        &self,
        record: RecordId,
        id: Hash,
    ) -> std::result::Result<Vec<u8>, ReplicaError> {
        let mut replica = self.replica();
        replica.read_attachment(Some(record), id, 0, ATTACHMENT_BYTES_MAX)
    }

    fn places_removed(&self) -> MutexGuard<'_, BTreeSet<Hash>> {
        let set = self.without_place.lock();
        set.unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its network is switched on.
    pub(crate) fn is_online(&self) -> bool {
        self.line().online
    }

    /// Switches the network on or off and starts no driver, because the stories say when to sync.
    pub(crate) fn set_online(&self, online: bool) {
        self.line().online = online;
    }

    /// Syncs once by hand.
    pub(crate) async fn sync(&self) -> std::result::Result<Report, NetError> {
        let driver = {
            let line = self.line();
            if !line.online {
                return Err(NetError::Offline);
            }
            line.driver.clone()
        };
        let report = driver.sync_once().await?;
        self.line().report = Some(report.clone());
        Ok(report)
    }

    /// Syncs once over another way to the same server.
    pub(crate) async fn sync_by(
        &self,
        config: &NetConfig,
    ) -> std::result::Result<Report, NetError> {
        Driver::new(Arc::clone(&self.replica), config)?
            .sync_once()
            .await
    }

    /// Switches the network on or off, with a driver that syncs on its own; returns the new driver's
    /// status.
    pub(crate) fn switch(&self, online: bool) -> Result<Option<watch::Receiver<Status>>> {
        let mut line = self.line();
        line.online = online;
        line.driver.cancel();
        let spent = line.driver.traffic();
        line.spent = sum(line.spent, spent);
        let driver = Driver::new(Arc::clone(&self.replica), &self.config);
        line.driver = driver.map_err(|error| Problem::new("server.internal").because(&error))?;
        if !online {
            return Ok(None);
        }
        let running = line.driver.clone();
        let status = running.status();
        tokio::spawn(async move { running.run().await });
        Ok(Some(status))
    }

    /// Tells the running driver that this phone has something to send.
    pub(crate) fn notify(&self) {
        let line = self.line();
        if line.online {
            line.driver.notify();
        }
    }

    /// Returns the state of the connection.
    pub(crate) fn status(&self) -> Status {
        self.line().driver.status().borrow().clone()
    }

    /// Returns the bytes over the wire, headers included.
    pub(crate) fn traffic(&self) -> Traffic {
        let line = self.line();
        sum(line.spent, line.driver.traffic())
    }

    /// Returns the report of its last sync by hand.
    pub(crate) fn report(&self) -> Option<Report> {
        self.line().report.clone()
    }

    /// Stops the driver; folder and file are removed with the demo.
    pub(crate) fn close(&self) -> Result<()> {
        self.line().driver.cancel();
        let rested = self.replica().rest();
        rested.map_err(|error| io_failed(&std::io::Error::other(error.code())))
    }
}

fn sum(a: Traffic, b: Traffic) -> Traffic {
    Traffic {
        bytes_up: a.bytes_up + b.bytes_up,
        bytes_down: a.bytes_down + b.bytes_down,
        round_trips: a.round_trips + b.round_trips,
    }
}
