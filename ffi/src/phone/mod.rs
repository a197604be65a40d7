//! One member's replica, and every operation of an app on it.
//!
//! Reads use a few readers of their own and never wait for the writer. Writes and sync share the writer, for
//! one short transaction at a time. Both pass the gate first: while the phone is suspended or shut, every call
//! returns that error. Suspending waits for the calls under way.

mod attachments;
mod directory;
mod forms;
mod lifecycle;
mod meeting;
mod read;
mod show;
mod show_form;
mod sync;
mod walk;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

use onegrid_core::domain::Grant;
use onegrid_core::net::meeting::MeetingProgress;
use onegrid_core::net::now_ms;
use onegrid_core::replica::{Changes, Reader, Readers, Replica, ReplicaError};
use onegrid_core::sync::shared::{Shared, Turn};
use tokio::sync::watch;

use crate::device::Reach;
use crate::ending::Open;
use crate::error::{Answer, OneGridError, guarded};
use crate::events::{Events, Source};
use crate::types::{Notification, RecordChanges, SyncStatus};
use crate::vault::refuse_in_callback;
pub use meeting::MeetingListener;
use sync::Line;

/// The file that marks damage in the replica beside it.
pub(crate) const DAMAGED_FILE: &str = "damaged";

/// One member's replica on this phone.
#[derive(uniffi::Object)]
pub struct Phone(pub(crate) Arc<Inner>);

/// Whether the phone takes calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    Suspended,
    Shut,
}

pub(crate) struct Inner {
    /// The account's folder.
    folder: PathBuf,
    reach: Reach,
    gate: RwLock<Gate>,
    writer: Arc<Shared<Replica>>,
    pub(crate) readers: Readers,
    /// The grant that [`Phone::act_as`] chose. It is kept here so that a read never waits for the writer.
    acting_as: Mutex<Option<Grant>>,
    line: Mutex<Line>,
    /// How far the meeting under way has come.
    meeting: watch::Sender<MeetingProgress>,
    events: OnceLock<Events>,
    /// Released once the replica is closed for good.
    open: Mutex<Option<Open>>,
}

impl Inner {
    pub(crate) fn start(
        replica: Replica,
        open: Open,
        folder: &Path,
        reach: Reach,
    ) -> Answer<Arc<Self>> {
        let inner = Arc::new(Self {
            folder: folder.to_owned(),
            reach,
            gate: RwLock::new(Gate::Open),
            readers: replica.readers(),
            writer: Arc::new(Shared::new(replica)),
            acting_as: Mutex::default(),
            line: Mutex::default(),
            meeting: watch::Sender::default(),
            events: OnceLock::new(),
            open: Mutex::new(Some(open)),
        });
        let source: Weak<dyn Source> = {
            let weak: Weak<Self> = Arc::downgrade(&inner);
            weak
        };
        let events = Events::start(source).map_err(|_| OneGridError::of("phone.bug"))?;
        drop(inner.events.set(events));
        inner.begin_upkeep();
        Ok(inner)
    }

    /// Tidies the replica up on a thread for blocking work, slice by slice, so that a write never waits long.
    fn begin_upkeep(self: &Arc<Self>) {
        let phone = Arc::downgrade(self);
        if let Ok(runtime) = sync::runtime() {
            drop(runtime.spawn_blocking(move || {
                while let Some(phone) = phone.upgrade() {
                    if !matches!(phone.upkeep_slice(), Ok(true)) {
                        return;
                    }
                }
            }));
        }
    }

    /// One slice of the upkeep; `false` when all is done.
    pub(crate) fn upkeep_slice(&self) -> Answer<bool> {
        let more = self.call(|| {
            let mut replica = self.writer();
            let more = replica.upkeep_slice()?;
            if !more {
                replica.rest()?;
            }
            Ok(more)
        })?;
        self.tell_changes();
        Ok(more)
    }

    pub(crate) fn is_shut(&self) -> bool {
        *self.gate_read() == Gate::Shut
    }

    fn gate_read(&self) -> RwLockReadGuard<'_, Gate> {
        self.gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate_write(&self) -> RwLockWriteGuard<'_, Gate> {
        self.gate.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for everybody who asked before: a write, or one slice of an answer of the server. A panic in a call
    /// leaves the replica as it was before, because every call is one transaction.
    fn writer(&self) -> Turn<'_, Replica> {
        self.writer.lock()
    }

    fn acting_as(&self) -> MutexGuard<'_, Option<Grant>> {
        self.acting_as
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn events(&self) -> Option<&Events> {
        self.events.get()
    }

    /// Runs `work` while the phone takes calls.
    fn call<T>(&self, work: impl FnOnce() -> Answer<T>) -> Answer<T> {
        guarded(|| {
            refuse_in_callback()?;
            let gate = self.gate_read();
            passes(*gate)?;
            self.noted(work())
        })
    }

    /// Marks a damaged file when the answer is such an error.
    pub(crate) fn noted<T>(&self, answer: Answer<T>) -> Answer<T> {
        if let Err(error) = &answer {
            self.note_damage(error.code());
        }
        answer
    }

    /// Marks a damaged file, because opening reads only a part of it; the next opening repairs it. Other codes
    /// have no effect.
    fn note_damage(&self, code: &str) {
        if !matches!(code, "replica.damaged" | "replica.inconsistent") {
            return;
        }
        self.readers.renew();
        if std::fs::File::create(self.folder.join(DAMAGED_FILE)).is_err() {
            tracing::warn!(code, "the damage is met again next time");
        }
    }

    /// Reads through a reader of its own.
    fn read<T>(&self, ask: impl FnOnce(&Reader) -> Answer<T>) -> Answer<T> {
        self.call(|| {
            let reader = self.readers.reader()?;
            ask(&reader)
        })
    }

    /// Writes, in one durable transaction, and notifies the listeners and the sync.
    fn write<T>(&self, act: impl FnOnce(&mut Replica, i64) -> Answer<T>) -> Answer<T> {
        let answer = self.keep(act);
        if answer.is_ok() {
            self.line().nudge();
        }
        answer
    }

    /// Writes facts that concern this phone alone, in one durable transaction, and notifies the listeners.
    fn keep<T>(&self, act: impl FnOnce(&mut Replica, i64) -> Answer<T>) -> Answer<T> {
        self.call(|| {
            let (answer, changes) = {
                let mut replica = self.writer();
                let answer = act(&mut replica, now_ms());
                (answer, replica.take_changes())
            };
            // The write is on disk, so a failure to notify must not look like a failure of the write.
            self.tell_of(changes);
            answer
        })
    }

    /// Notifies the listeners of the changes of a sync so far.
    fn tell_changes(&self) {
        if self.call(|| Ok(())).is_err() {
            return;
        }
        let changes = self.writer().take_changes();
        self.tell_of(changes);
    }

    fn tell_of(&self, changes: Result<Changes, ReplicaError>) {
        match changes {
            Ok(changes) => self.tell(changes),
            Err(error) => tracing::warn!(code = error.code(), "changes were not told"),
        }
    }

    fn tell(&self, changes: Changes) {
        let nothing =
            changes.records.is_empty() && !(changes.all || changes.directory || changes.notices);
        if let (false, Some(events)) = (nothing, self.events()) {
            events.changed(RecordChanges {
                records: changes.records.iter().map(ToString::to_string).collect(),
                all: changes.all,
                directory: changes.directory,
                notices: changes.notices,
            });
        }
    }
}

/// A phone that its host forgot is closed like one that was shut.
impl Drop for Inner {
    fn drop(&mut self) {
        drop(guarded(|| self.shut()));
    }
}

fn passes(gate: Gate) -> Answer<()> {
    match gate {
        Gate::Open => Ok(()),
        Gate::Suspended => Err(OneGridError::of("replica.suspended")),
        Gate::Shut => Err(OneGridError::of("phone.shut")),
    }
}

impl Source for Inner {
    fn status(&self) -> SyncStatus {
        self.sync_status()
    }

    fn notifications_after(&self, no: i64) -> Vec<Notification> {
        let asked = self.read(|reader| read::notifications(reader, no, read::ROWS_MAX));
        asked.unwrap_or_default()
    }
}

/// Parses an id from the host.
fn id<T: std::str::FromStr>(text: &str) -> Answer<T> {
    text.parse()
        .map_err(|_| OneGridError::with("id.malformed", &[("expected", "an id that OneGrid gave")]))
}

/// Parses ids from the host.
fn ids<T: std::str::FromStr>(texts: &[String]) -> Answer<Vec<T>> {
    texts.iter().map(|text| id(text)).collect()
}

/// Parses an optional id from the host.
fn maybe_id<T: std::str::FromStr>(text: Option<&String>) -> Answer<Option<T>> {
    text.map(|text| id(text)).transpose()
}
