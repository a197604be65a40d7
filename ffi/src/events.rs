//! One thread for each phone that calls its listeners, and subscriptions that end the calls.
//!
//! Every event is first merged into one pending state under a short lock. So ten thousand changes cost no more
//! memory than one, and the reporter of an event never waits for a listener.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use crate::host::{ChangeListener, ListenerError, NotificationListener, StatusListener};
use crate::types::{Notification, RecordChanges, SyncStatus};

/// The limit of records that one event names; beyond it `all` is set.
const RECORDS_NAMED_MAX: usize = 1_000;

/// The source of the data for the events thread, which is the phone.
pub(crate) trait Source: Send + Sync {
    /// Returns the present status.
    fn status(&self) -> SyncStatus;
    /// Returns notifications with a number above this one, oldest first.
    fn notifications_after(&self, no: i64) -> Vec<Notification>;
}

/// The kind of event that one listener receives.
#[derive(Clone)]
enum Listener {
    Changes(Arc<dyn ChangeListener>),
    Status(Arc<dyn StatusListener>),
    Notifications(Arc<dyn NotificationListener>, i64),
}

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "news that come independently of each other"
)]
struct Pending {
    records: BTreeSet<String>,
    changes: RecordChanges,
    changed: bool,
    status: bool,
    notifications: bool,
    ended: bool,
}

struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    listeners: Mutex<Vec<(u64, Listener)>>,
    next: Mutex<u64>,
}

/// The events of one phone.
pub(crate) struct Events(Arc<Shared>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    /// Starts the thread. It ends when this handle is dropped.
    pub(crate) fn start(source: Weak<dyn Source>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            wake: Condvar::new(),
            listeners: Mutex::default(),
            next: Mutex::new(1),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("onegrid-events".to_owned())
            .spawn(move || tell(&of_thread, &source))?;
        Ok(Self(shared))
    }

    /// Reports changed records.
    pub(crate) fn changed(&self, changes: RecordChanges) {
        let mut pending = lock(&self.0.pending);
        pending.changed = true;
        pending.changes.all |= changes.all;
        pending.changes.directory |= changes.directory;
        pending.changes.notices |= changes.notices;
        pending.notifications = true;
        pending.status = true;
        for record in changes.records {
            if pending.records.len() >= RECORDS_NAMED_MAX {
                pending.changes.all = true;
                break;
            }
            pending.records.insert(record);
        }
        self.0.wake.notify_one();
    }

    /// Reports a changed status.
    pub(crate) fn status(&self) {
        lock(&self.0.pending).status = true;
        self.0.wake.notify_one();
    }

    /// Reports that there may be new notifications.
    pub(crate) fn notifications(&self) {
        lock(&self.0.pending).notifications = true;
        self.0.wake.notify_one();
    }

    pub(crate) fn on_changes(&self, listener: Arc<dyn ChangeListener>) -> Arc<Subscription> {
        self.add(Listener::Changes(listener))
    }

    /// Subscribes a listener, which gets the status at once.
    pub(crate) fn on_status(&self, listener: Arc<dyn StatusListener>) -> Arc<Subscription> {
        let subscription = self.add(Listener::Status(listener));
        self.status();
        subscription
    }

    /// Subscribes a listener, which gets the notifications that were not taken at once.
    pub(crate) fn on_notifications(
        &self,
        listener: Arc<dyn NotificationListener>,
    ) -> Arc<Subscription> {
        let subscription = self.add(Listener::Notifications(listener, 0));
        self.notifications();
        subscription
    }

    fn add(&self, listener: Listener) -> Arc<Subscription> {
        let no = {
            let mut next = lock(&self.0.next);
            *next += 1;
            *next
        };
        lock(&self.0.listeners).push((no, listener));
        Arc::new(Subscription {
            no,
            shared: Arc::downgrade(&self.0),
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        lock(&self.0.pending).ended = true;
        self.0.wake.notify_one();
    }
}

fn tell(shared: &Arc<Shared>, source: &Weak<dyn Source>) {
    loop {
        let (changes, status, notifications) = {
            let mut pending = lock(&shared.pending);
            while !(pending.changed || pending.status || pending.notifications || pending.ended) {
                pending = shared
                    .wake
                    .wait(pending)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if pending.ended {
                return;
            }
            let changes = std::mem::take(&mut pending.changed).then(|| RecordChanges {
                records: std::mem::take(&mut pending.records).into_iter().collect(),
                ..std::mem::take(&mut pending.changes)
            });
            (
                changes,
                std::mem::take(&mut pending.status),
                std::mem::take(&mut pending.notifications),
            )
        };
        // No lock is held here, because a listener may subscribe, cancel or ask anything.
        let listeners = lock(&shared.listeners).clone();
        for (no, listener) in listeners {
            if !lock(&shared.listeners)
                .iter()
                .any(|(known, _)| *known == no)
            {
                continue;
            }
            let told = match (&listener, &changes) {
                (Listener::Changes(listener), Some(changes)) => listener.changed(changes.clone()),
                (Listener::Status(listener), _) if status => match source.upgrade() {
                    Some(source) => listener.status(source.status()),
                    None => return,
                },
                (Listener::Notifications(listener, after), _) if notifications => {
                    let Some(source) = source.upgrade() else {
                        return;
                    };
                    let news = source.notifications_after(*after);
                    drop(source);
                    match news.last().map(|last| last.no) {
                        Some(last) => {
                            heard(shared, no, last);
                            // There may be more notifications than one call holds.
                            lock(&shared.pending).notifications = true;
                            listener.notifications(news)
                        }
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            };
            if let Err(ListenerError::Failed { reason }) = told {
                tracing::warn!(code = "phone.listener_failed", reason, "a listener failed");
            }
        }
    }
}

/// A listener gets each notification once in its life; a new listener gets all notifications that were not
/// taken.
fn heard(shared: &Shared, no: u64, up_to: i64) {
    for (known, listener) in lock(&shared.listeners).iter_mut() {
        if let (true, Listener::Notifications(_, after)) = (*known == no, listener) {
            *after = up_to;
        }
    }
}

/// A subscription of a listener, which lasts until it is cancelled or dropped.
#[derive(uniffi::Object)]
pub struct Subscription {
    no: u64,
    shared: Weak<Shared>,
}

#[uniffi::export]
impl Subscription {
    /// Ends the subscription. A call of the listener that runs already finishes; no further call begins.
    pub fn cancel(&self) -> Result<(), crate::error::OneGridError> {
        self.end();
        Ok(())
    }
}

impl Subscription {
    fn end(&self) {
        if let Some(shared) = self.shared.upgrade() {
            lock(&shared.listeners).retain(|(no, _)| *no != self.no);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.end();
    }
}
