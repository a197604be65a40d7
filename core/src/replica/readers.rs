//! The readers of a replica: connections that are lent to other threads and returned before it is
//! suspended.
//!
//! Invariant: once [`Readers::close`] has returned `Ok`, no connection of theirs is open, and none is opened
//! before [`Readers::open`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

use super::attachments::folder::FileFolder;
use super::error::ReplicaError;
use super::identity::Identity;
use super::load::Certificates;
use super::open;
use super::site::{FileKey, Site};
use crate::crdt::Rebuilds;
use crate::id::DeviceId;
use crate::limits::{READERS_IDLE_MAX, READERS_WAIT_MS_MAX};

/// Hands out [`super::Reader`]s. It outlives any lock that the host holds around the [`super::Replica`], so that
/// screens read while an answer of the server is applied.
#[derive(Clone)]
pub struct Readers(Arc<Shared>);

struct Shared {
    path: PathBuf,
    key: FileKey,
    device: DeviceId,
    files: FileFolder,
    rebuilds: Rebuilds,
    halted: AtomicBool,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    is_open: bool,
    identity: Option<Identity>,
    idle: Vec<(Connection, Certificates)>,
    /// Running statements of these can be ended from outside.
    lent: BTreeMap<u64, InterruptHandle>,
    loans: u64,
    /// Loans up to this one are closed when they are returned.
    renewed: u64,
}

/// The place of a reader among those that are lent.
pub(super) struct Loan {
    readers: Readers,
    no: u64,
}

/// A lent connection with its place among the loans.
pub(super) struct LentConnection {
    pub(super) conn: Connection,
    pub(super) certificates: Certificates,
    pub(super) identity: Option<Identity>,
    pub(super) device: DeviceId,
    pub(super) path: PathBuf,
    pub(super) files: FileFolder,
    pub(super) loan: Loan,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Readers({} lent)", self.lent())
    }
}

impl Readers {
    pub(super) fn new(site: &Site, files: FileFolder) -> Self {
        Self(Arc::new(Shared {
            path: site.path.clone(),
            key: site.key.clone(),
            device: site.device,
            files,
            rebuilds: Rebuilds::remembering(),
            halted: AtomicBool::new(true),
            state: Mutex::default(),
            returned: Condvar::new(),
        }))
    }

    /// Lends a connection, with all that a reader needs beside it.
    pub(super) fn lend(&self) -> Result<LentConnection, ReplicaError> {
        let shared = &self.0;
        let mut state = self.state();
        if self.is_halted() || !state.is_open {
            return Err(ReplicaError::Suspended);
        }
        let (conn, certificates) = match state.idle.pop() {
            Some(idle) => idle,
            None => (
                open::reader(&shared.path, &shared.key)?,
                Certificates::with(shared.rebuilds.clone()),
            ),
        };
        state.loans += 1;
        let no = state.loans;
        state.lent.insert(no, conn.get_interrupt_handle());
        Ok(LentConnection {
            conn,
            certificates,
            identity: state.identity.clone(),
            device: shared.device,
            path: shared.path.clone(),
            files: shared.files.clone(),
            loan: Loan {
                readers: self.clone(),
                no,
            },
        })
    }

    /// The app is about to go to the background: from now on no reader is lent, reads end with
    /// [`ReplicaError::Suspended`], and an answer that is being applied stops after its present slice. Then
    /// the host gets at the replica and calls [`super::Replica::suspend`].
    pub fn halt(&self) {
        self.0.halted.store(true, Ordering::SeqCst);
        for running in self.state().lent.values() {
            running.interrupt();
        }
    }

    /// Moves reads to new connections, because a connection that has met damage refuses sound pages too.
    pub fn renew(&self) {
        let mut state = self.state();
        state.renewed = state.loans;
        state.idle.clear();
    }

    /// How many readers are lent.
    #[must_use]
    pub fn lent(&self) -> usize {
        self.state().lent.len()
    }

    pub(super) fn is_halted(&self) -> bool {
        self.0.halted.load(Ordering::SeqCst)
    }

    /// Documents that were made lately, by any reader of this replica.
    pub(super) fn rebuilds(&self) -> &Rebuilds {
        &self.0.rebuilds
    }

    /// Readers may be lent from now on.
    pub(super) fn open(&self, identity: Option<Identity>) {
        let mut state = self.state();
        state.is_open = true;
        state.identity = identity;
        self.0.halted.store(false, Ordering::SeqCst);
    }

    /// Sets the identity of this phone, for readers from now on.
    pub(super) fn set_identity(&self, identity: Option<Identity>) {
        self.state().identity = identity;
    }

    /// Halts, and closes all readers that are not lent.
    pub(super) fn shut(&self) {
        self.halt();
        let mut state = self.state();
        state.is_open = false;
        state.idle.clear();
    }

    /// Stops lending, and waits a moment for lent readers. They are closed when they are returned.
    pub(super) fn close(&self) -> Result<(), ReplicaError> {
        self.shut();
        let state = self.state();
        let at_most = Duration::from_millis(READERS_WAIT_MS_MAX);
        let waited = self
            .0
            .returned
            .wait_timeout_while(state, at_most, |state| !state.lent.is_empty());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.0.rebuilds.forget();
        if state.lent.is_empty() {
            Ok(())
        } else {
            Err(ReplicaError::ReadersOpen)
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loan {
    pub(super) fn is_halted(&self) -> bool {
        self.readers.is_halted()
    }

    pub(super) fn give_back(self, conn: Connection, certificates: Certificates) {
        let mut state = self.readers.state();
        let is_well = self.no > state.renewed;
        if is_well && state.is_open && state.idle.len() < READERS_IDLE_MAX {
            state.idle.push((conn, certificates));
        } else {
            drop(conn);
        }
        // The loan ends last, so a caller that waits for it finds the connection closed.
        state.lent.remove(&self.no);
        self.readers.0.returned.notify_all();
    }
}
