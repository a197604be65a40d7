//! Connections for readers: opened on first use, never more than the limit, and used again.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::connect::Connector;
use super::db::Db;
use crate::store::StoreResult;

pub(super) struct Pool {
    connector: Arc<Connector>,
    readers_max: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Db>,
    made: usize,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, readers_max: usize) -> Self {
        Self {
            connector,
            readers_max: readers_max.max(1),
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Takes a connection; waits while all are in use. A connection that was lost meanwhile is opened anew.
    pub(super) fn take(&self) -> StoreResult<Lease<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match state.idle.pop() {
                Some(db) if db.is_closed() => state.made -= 1,
                Some(db) => {
                    return Ok(Lease {
                        pool: self,
                        db: Some(db),
                    });
                }
                None if state.made < self.readers_max => {
                    state.made += 1;
                    break;
                }
                None => {
                    let waited = self.returned.wait(state);
                    state = waited.unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        drop(state);
        match self.connector.open() {
            Ok(db) => Ok(Lease {
                pool: self,
                db: Some(db),
            }),
            Err(error) => {
                self.forget();
                Err(error)
            }
        }
    }

    fn forget(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.made -= 1;
        drop(state);
        self.returned.notify_one();
    }

    fn give_back(&self, db: Db) {
        // A reader must not leave its snapshot open for the next one. Its end is awaited only after a failure.
        let is_well =
            !db.is_closed() && (db.command("ROLLBACK").is_ok() || db.recover("ROLLBACK").is_ok());
        if !is_well {
            self.forget();
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.push(db);
        drop(state);
        self.returned.notify_one();
    }
}

/// A connection that returns to the pool when dropped.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    db: Option<Db>,
}

impl Deref for Lease<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db.as_ref().expect("it is taken out only when dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            self.pool.give_back(db);
        }
    }
}
