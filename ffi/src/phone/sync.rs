//! Sync: its plan, once within a budget, or live; the status; interruption.

use std::sync::{Arc, OnceLock, Weak};

use onegrid_core::net::{self, Budget, Cancel, Driver, FilesPolicy, FilesProgress, State, Status};
use onegrid_core::replica::Replica;
use onegrid_core::sync::file_port::FilesLeft;
use onegrid_core::sync::report::Report;
use onegrid_core::sync::shared::Shared;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Gate, Inner, Phone};
use crate::error::{Answer, OneGridError, guarded};
use crate::events::Subscription;
use crate::host::{ChangeListener, NotificationListener, StatusListener};
use crate::types::{PlannedAmount, SyncBudget, SyncPlan, SyncReport, SyncState, SyncStatus, Word};
use crate::vault::refuse_in_callback;

type PhoneDriver = Driver<Arc<Shared<Replica>>>;

/// The threads that all phones of the process use for the network. They live as long as the process, because a
/// runtime must not end on one of its own threads.
pub(super) fn runtime() -> Answer<&'static Runtime> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(8)
            .thread_name("onegrid-net")
            .enable_all()
            .build()
            .ok()
    });
    runtime
        .as_ref()
        .ok_or_else(|| OneGridError::of("phone.bug"))
}

/// The way to the server.
#[derive(Default)]
pub(super) struct Line {
    driver: Option<PhoneDriver>,
    /// Whether the host wants live sync, suspended or not.
    live: bool,
    /// Whether syncs transfer files.
    files: FilesPolicy,
    /// The running task of live sync.
    running: Option<AbortHandle>,
    /// Ends the calls that wait for the network now.
    cancel: Cancel,
}

impl Line {
    /// Wakes live sync, because there is work to send.
    pub(super) fn nudge(&self) {
        if let (true, Some(driver)) = (self.live, &self.driver) {
            driver.notify();
        }
    }

    /// Says whether syncs transfer files.
    pub(super) fn set_files(&mut self, policy: FilesPolicy) {
        self.files = policy;
        if let Some(driver) = &self.driver {
            driver.set_files(policy);
        }
    }

    /// Returns the token that ends a call that begins now.
    pub(super) fn token(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Ends the calls that wait for the network.
    fn cancel(&mut self) {
        std::mem::take(&mut self.cancel).cancel();
    }

    /// Stops live sync. Unfinished work is dropped, and the next sync asks for it again.
    fn rest(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }

    /// Starts live sync if the host wants it and it does not run yet.
    fn go_on(&mut self) -> Answer<()> {
        let runs = self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_finished());
        if let (true, false, Some(driver)) = (self.live, runs, &self.driver) {
            let driver = driver.clone();
            let running = runtime()?.spawn(async move { driver.run().await });
            self.running = Some(running.abort_handle());
        }
        Ok(())
    }

    /// Ends live sync and every source of events for listeners.
    pub(super) fn end(&mut self) {
        self.live = false;
        self.rest();
        self.driver = None;
    }
}

#[uniffi::export]
impl Phone {
    /// Asks the server what the next sync would cost, so that the app can ask the person first. The call moves no
    /// work. Beside live sync it waits for its turn. Minutes are known once a page has come: a new phone syncs with
    /// a small budget, shows the open cases, and asks for the plan of the rest.
    ///
    /// Errors: those of [`Self::sync_once`], `session.certificate_expired`, and `sync.unmeasured` from an older
    /// server.
    pub fn plan(&self) -> Answer<SyncPlan> {
        self.0.plan()
    }

    /// Exchanges data with the server until both hold the same or the budget is used up, for work in the
    /// background. Exchanged data are always kept. Beside live sync the call waits for its turn. Photos and
    /// recordings follow the records, as [`Self::set_files_policy`] allows. They never make a sync fail: if some
    /// are left, the report says `more`, and the status gives the reason.
    ///
    /// Errors: `replica.not_enrolled`, `sync.offline`, `net.cancelled`, `replica.suspended`, and the refusals
    /// of the server.
    pub fn sync_once(&self, budget: SyncBudget) -> Answer<SyncReport> {
        self.0.sync(budget, FilesWish::Policy)
    }

    /// Syncs as [`Self::sync_once`] does, with photos and recordings under each `FilesPolicy`, because the person
    /// asked for them.
    ///
    /// Errors: those of [`Self::sync_once`].
    pub fn sync_files(&self, budget: SyncBudget) -> Answer<SyncReport> {
        self.0.sync(budget, FilesWish::Now)
    }

    /// Starts live sync: the phone syncs after each write, when the server has something new, and every few
    /// minutes. It continues after [`Self::resume`].
    ///
    /// Errors: `replica.not_enrolled`.
    pub fn live_start(&self) -> Answer<()> {
        self.0.call(|| {
            self.0.driver()?;
            let mut line = self.0.line();
            line.live = true;
            line.go_on()
        })
    }

    /// Stops live sync.
    pub fn live_stop(&self) -> Answer<()> {
        self.0.call(|| {
            let mut line = self.0.line();
            line.live = false;
            line.rest();
            Ok(())
        })
    }

    /// Makes live sync ask the server now, because the network is back, the phone is charging, or a push
    /// arrived. A push carries no content and means no more than this.
    pub fn nudge(&self) -> Answer<()> {
        self.0.call(|| {
            self.0.line().nudge();
            Ok(())
        })
    }

    /// Interrupts a call that waits for the network or for another phone (`enrol`, `plan`, `sync_once`, `sync_files`,
    /// `meet`, `accept_meeting`, `meet_over`). It ends with `net.cancelled` or `meeting.cancelled` within a second.
    /// Acknowledged and imported work is kept.
    pub fn cancel(&self) -> Answer<()> {
        guarded(|| {
            self.0.line().cancel();
            Ok(())
        })
    }

    /// Returns the state of the connection, for the line at the top of the app. It answers at any time.
    pub fn status(&self) -> Answer<SyncStatus> {
        guarded(|| Ok(self.0.sync_status()))
    }

    /// Gives the listener the records that change, until the subscription is cancelled or dropped.
    pub fn subscribe_changes(
        &self,
        listener: Arc<dyn ChangeListener>,
    ) -> Answer<Arc<Subscription>> {
        self.0.subscribed(|events| events.on_changes(listener))
    }

    /// Gives the listener the status, now and after each change.
    pub fn subscribe_status(&self, listener: Arc<dyn StatusListener>) -> Answer<Arc<Subscription>> {
        self.0.subscribed(|events| events.on_status(listener))
    }

    /// Gives the listener the notifications that the phone should show, beginning with those that were not
    /// taken yet.
    pub fn subscribe_notifications(
        &self,
        listener: Arc<dyn NotificationListener>,
    ) -> Answer<Arc<Subscription>> {
        self.0
            .subscribed(|events| events.on_notifications(listener))
    }
}

/// Why a sync transfers files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FilesWish {
    /// The policy of the host allows it.
    Policy,
    /// The person asked for it.
    Now,
}

impl Inner {
    fn plan(self: &Arc<Self>) -> Answer<SyncPlan> {
        guarded(|| {
            refuse_in_callback()?;
            let driver = self.call(|| self.driver())?;
            let cancel = self.line().token();
            let plan = runtime()?.block_on(driver.plan(&cancel));
            self.noted(plan.map_err(OneGridError::from).map(planned))
        })
    }

    fn sync(self: &Arc<Self>, budget: SyncBudget, wish: FilesWish) -> Answer<SyncReport> {
        guarded(|| {
            refuse_in_callback()?;
            let driver = self.call(|| self.driver())?;
            let budget = Budget {
                time_ms: budget.time_ms,
                bytes: budget.bytes,
            };
            let cancel = self.line().token();
            let report = runtime()?.block_on(async {
                match wish {
                    FilesWish::Policy => driver.sync_within(budget, &cancel).await,
                    FilesWish::Now => driver.sync_files_within(budget, &cancel).await,
                }
            });
            self.synced();
            self.noted(report.map_err(OneGridError::from).map(shown))
        })
    }

    fn subscribed(
        &self,
        subscribe: impl FnOnce(&crate::events::Events) -> Arc<Subscription>,
    ) -> Answer<Arc<Subscription>> {
        guarded(|| {
            if *self.gate_read() == Gate::Shut {
                return Err(OneGridError::of("phone.shut"));
            }
            let events = self.events();
            events
                .map(subscribe)
                .ok_or_else(|| OneGridError::of("phone.bug"))
        })
    }

    /// Returns the driver of this phone, and makes it at the first need.
    fn driver(self: &Arc<Self>) -> Answer<PhoneDriver> {
        let mut line = self.line();
        if let Some(driver) = &line.driver {
            return Ok(driver.clone());
        }
        let address = self.server();
        let address = address.ok_or_else(|| OneGridError::of("replica.not_enrolled"))?;
        let driver = Driver::new(Arc::clone(&self.writer), &self.config(&address)?)?;
        if line.files == FilesPolicy::Never {
            driver.set_files(line.files);
        }
        runtime()?.spawn(follow(driver.status(), Arc::downgrade(self)));
        line.driver = Some(driver.clone());
        Ok(driver)
    }

    /// Continues live sync if the host wants it.
    pub(super) fn go_on(&self) -> Answer<()> {
        self.line().go_on()
    }

    /// Interrupts every call that waits for the network.
    pub(super) fn break_off(&self) {
        let mut line = self.line();
        line.cancel();
        line.rest();
    }

    /// Notifies the listeners of the end of a sync.
    pub(super) fn synced(&self) {
        self.tell_changes();
        self.tell_status();
    }

    pub(super) fn tell_notifications(&self) {
        if let Some(events) = self.events() {
            events.notifications();
        }
    }

    pub(super) fn tell_status(&self) {
        if let Some(events) = self.events() {
            events.status();
        }
    }

    pub(super) fn sync_status(&self) -> SyncStatus {
        let status = {
            let line = self.line();
            let driver = line.driver.as_ref();
            driver.map(|driver| driver.status().borrow().clone())
        };
        let status = status.unwrap_or_default();
        let state = match (*self.gate_read(), status.state) {
            (Gate::Suspended | Gate::Shut, _) => SyncState::Suspended,
            (_, State::Starting) => SyncState::Idle,
            (_, State::Paused | State::Stopped) => SyncState::Paused,
            (_, State::Syncing) => SyncState::Syncing,
            (_, State::UpToDate) => SyncState::UpToDate,
            (_, State::Waiting) => SyncState::Waiting,
        };
        let counted = self.read(|reader| Ok((reader.undelivered()?, reader.files_left()?)));
        let (pending, left) = counted.ok().unzip();
        let files = files_left(left, status.progress.files);
        SyncStatus {
            state,
            reason: status.code.as_deref().map(Word::coded),
            pending: pending.unwrap_or(status.progress.pending),
            synced_ms: status.synced_ms,
            retry_ms: status.retry_ms,
            pulled: status.progress.pulled,
            bytes_up: status.progress.bytes_up,
            bytes_down: status.progress.bytes_down,
            files_left: files.files_left,
            bytes_left: files.bytes_left,
            minutes_left: files.minutes_left.filter(|_| state == SyncState::Syncing),
        }
    }
}

/// Returns the files that are left. The replica counts them at any time. The driver alone knows the part of a
/// file that the server has, so its number of bytes counts as long as it means the same files.
fn files_left(counted: Option<FilesLeft>, driven: FilesProgress) -> FilesProgress {
    let Some(left) = counted else {
        return driven;
    };
    let files = left.uploads + left.downloads;
    let bytes = left.upload_bytes + left.download_bytes;
    let is_same = files == driven.files_left;
    FilesProgress {
        files_left: files,
        bytes_left: if is_same {
            driven.bytes_left.min(bytes)
        } else {
            bytes
        },
        minutes_left: driven.minutes_left.filter(|_| files > 0),
    }
}

/// Passes on the events of the driver, and marks a file that live sync found damaged, until the phone or its
/// driver is gone.
async fn follow(mut status: watch::Receiver<Status>, phone: Weak<Inner>) {
    while status.changed().await.is_ok() {
        let Some(phone) = phone.upgrade() else {
            return;
        };
        let code = status.borrow_and_update().code.clone();
        // The replica reads and writes a disk, so it needs a thread that may block.
        let told = tokio::task::spawn_blocking(move || {
            if let Some(code) = code {
                phone.note_damage(&code);
            }
            phone.tell_changes();
            phone.tell_status();
        });
        if told.await.is_err() {
            tracing::error!(code = "phone.bug", "an event was not told");
        }
    }
}

fn planned(plan: net::SyncPlan) -> SyncPlan {
    let amount = |planned: net::PlannedAmount| PlannedAmount {
        count: planned.count,
        bytes: planned.bytes,
        minutes: planned.minutes,
    };
    SyncPlan {
        records: amount(plan.records),
        open: amount(plan.open),
        changes: plan.changes,
        uploads: plan.uploads,
        photos: amount(plan.photos),
        photos_open: amount(plan.photos_open),
        photos_wanted: amount(plan.photos_wanted),
        photos_to_send: amount(plan.photos_to_send),
        at_least: plan.is_partial,
    }
}

fn shown(report: Report) -> SyncReport {
    SyncReport {
        equal: report.equal,
        more: report.more,
        pushed: report.pushed,
        pulled: report.pulled,
        bytes_up: report.bytes_up,
        bytes_down: report.bytes_down,
        round_trips: report.round_trips,
        incidents: report
            .incidents
            .iter()
            .map(|incident| Word::coded(incident.code()))
            .collect(),
        closed: report.closed.map(|closed| Word::coded(closed.code())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::device::open_device;
    use crate::testing::MemoryVault;
    use crate::types::{DeviceConfig, WayBackKind};

    /// The driver says more about the files that it transfers, and nothing about those added since.
    #[test]
    fn files_of_the_replica_win_over_older_counts() {
        let driven = FilesProgress {
            files_left: 2,
            bytes_left: 70,
            minutes_left: Some(1),
        };
        let counted = |uploads, upload_bytes| {
            Some(FilesLeft {
                uploads,
                upload_bytes,
                ..FilesLeft::default()
            })
        };
        assert_eq!(files_left(None, driven), driven);
        assert_eq!(files_left(counted(2, 100), driven), driven);
        assert_eq!(files_left(counted(3, 150), driven).bytes_left, 150);
        let none = files_left(counted(0, 0), driven);
        assert_eq!(none, FilesProgress::default());
    }

    /// Only live sync reads the damaged page. Nothing is delivered until the file is repaired, so the next
    /// opening repairs it.
    #[test]
    fn damage_of_live_sync_is_repaired_at_opening() {
        let folder = tempfile::tempdir().unwrap();
        let config = DeviceConfig {
            folder: folder.path().to_str().unwrap().to_owned(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::new(MemoryVault::default())).unwrap();
        for code in ["replica.damaged", "replica.inconsistent"] {
            let phone = device.open_single().unwrap().phone;
            let (told, status) = watch::channel(Status::default());
            let following = follow(status, Arc::downgrade(&phone.0));
            told.send(Status {
                state: State::Waiting,
                code: Some(code.to_owned()),
                ..Status::default()
            })
            .unwrap();
            drop(told);
            runtime().unwrap().block_on(following);
            phone.shut().unwrap();
            let opened = device.open_single().unwrap();
            assert_eq!(opened.way_back.kind, WayBackKind::Rescued, "{code}");
            opened.phone.shut().unwrap();
        }
    }
}
