//! One phone: a real replica in its own encrypted file, its marker elsewhere, and the net driver.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onegrid_core::id::MemberId;
use onegrid_core::net::{Driver, NetConfig, NetError, OsRandom, Status, Traffic, enrol};
use onegrid_core::replica::{FileKey, MarkerFile, Replica, ReplicaError, ReplicaOptions};
use onegrid_core::sync::report::Report;
use onegrid_core::trust::invitation::Ticket;
use onegrid_core::trust::sign::SecretKey;
use rand_core::Rng as _;
use tokio::sync::watch;

use super::deployment::io_failed;
use crate::error::{Problem, Result};

/// The way to the server.
struct Line {
    driver: Driver<Arc<Mutex<Replica>>>,
    online: bool,
    /// Bytes of the drivers before this one.
    spent: Traffic,
    report: Option<Report>,
}

/// A phone.
pub(super) struct Phone {
    name: &'static str,
    member: MemberId,
    /// The screen holds it, and the driver.
    replica: Arc<Mutex<Replica>>,
    config: NetConfig,
    line: Mutex<Line>,
}

impl Phone {
    /// A new phone redeems an invitation. `database` and `elsewhere` are folders.
    pub(super) async fn enrol(
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
            file_key: FileKey::new(file_key),
            marker: Box::new(MarkerFile::new(elsewhere.join("marker"))),
            signer: signer.clone(),
            entropy: Box::new(OsRandom),
        };
        let mut replica = Replica::create(options).map_err(coded)?;
        let ticket = Ticket::parse(code).map_err(|error| error.code().to_owned())?;
        let enrolled = enrol(&config, &ticket, &signer, name).await;
        let enrolled = enrolled.map_err(|error| error.code().to_owned())?;
        let root = enrolled.anchors.root();
        replica
            .enrol(root, &enrolled.server_keys, &enrolled.certificate)
            .map_err(coded)?;
        let member = replica.own_member().ok_or("replica.not_enrolled")?;
        let replica = Arc::new(Mutex::new(replica));
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
        })
    }

    /// Its short name, as in addresses of the page.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Whose phone it is.
    pub(super) fn member(&self) -> MemberId {
        self.member
    }

    /// Whether its person belongs to a volunteer team, which then shares what is reported here.
    pub(super) fn is_of_team(&self) -> bool {
        matches!(self.name, "lead" | "volunteer-1" | "volunteer-2")
    }

    /// The replica, once whoever uses it now is done.
    pub(super) fn replica(&self) -> MutexGuard<'_, Replica> {
        // Every call of a replica is one transaction: a panic in one leaves it as it was before.
        self.replica.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its network is switched on.
    pub(super) fn is_online(&self) -> bool {
        self.line().online
    }

    /// The offline switch, without a driver that runs by itself: the stories say when to sync.
    pub(super) fn set_online(&self, online: bool) {
        self.line().online = online;
    }

    /// One sync by hand.
    pub(super) async fn sync(&self) -> std::result::Result<Report, NetError> {
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

    /// One sync over another way to the same server.
    pub(super) async fn sync_by(
        &self,
        config: &NetConfig,
    ) -> std::result::Result<Report, NetError> {
        Driver::new(Arc::clone(&self.replica), config)?
            .sync_once()
            .await
    }

    /// Switches the network on or off for a driver that runs by itself; gives the new driver's status.
    pub(super) fn switch(&self, online: bool) -> Result<Option<watch::Receiver<Status>>> {
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

    /// Something was written here: the running driver sends it.
    pub(super) fn notify(&self) {
        let line = self.line();
        if line.online {
            line.driver.notify();
        }
    }

    /// How its connection stands.
    pub(super) fn status(&self) -> Status {
        self.line().driver.status().borrow().clone()
    }

    /// Bytes over the wire, headers included.
    pub(super) fn traffic(&self) -> Traffic {
        let line = self.line();
        sum(line.spent, line.driver.traffic())
    }

    /// What its last sync by hand found.
    pub(super) fn report(&self) -> Option<Report> {
        self.line().report.clone()
    }

    /// Stops the driver; folder and file go with the demo.
    pub(super) fn close(&self) -> Result<()> {
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
