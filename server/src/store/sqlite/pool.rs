//! Connections for readers: opened on first use, never more than the limit, and used again.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::convert::failure;
use super::{SqliteOptions, open};
use crate::store::StoreResult;

pub(super) struct Pool {
    path: PathBuf,
    options: SqliteOptions,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    made: usize,
}

impl Pool {
    pub(super) fn new(path: PathBuf, options: SqliteOptions) -> Self {
        Self {
            path,
            options,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Takes a connection; waits while all are in use.
    pub(super) fn take(&self) -> StoreResult<Lease<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = state.idle.pop() {
                return Ok(Lease {
                    pool: self,
                    connection: Some(connection),
                });
            }
            if state.made < self.options.readers.max(1) {
                state.made += 1;
                break;
            }
            state = self
                .returned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let made = open::connect(&self.path, self.options).and_then(|connection| {
            connection
                .pragma_update(None, "query_only", true)
                .map_err(failure)?;
            Ok(connection)
        });
        if made.is_err() {
            self.state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .made -= 1;
            self.returned.notify_one();
        }
        made.map(|connection| Lease {
            pool: self,
            connection: Some(connection),
        })
    }

    fn give_back(&self, connection: Connection) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A failed reader must not leave its snapshot open for the next one.
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            state.idle.push(connection);
        } else {
            state.made -= 1;
        }
        drop(state);
        self.returned.notify_one();
    }
}

/// A connection that returns to the pool when dropped.
pub(super) struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("it is taken out only when dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.give_back(connection);
        }
    }
}
