//! The changed records, for listeners that refresh their screens.

use super::super::error::ReplicaError;
use super::super::table::changed;
use super::Replica;
use crate::id::RecordId;
use crate::limits::CHANGES_MAX;

/// The changes since the last call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Records that are new, changed or gone; empty where [`Changes::all`] is set.
    pub records: Vec<RecordId>,
    /// More records changed than are named one by one.
    pub all: bool,
    /// A notice or a notification arrived.
    pub notices: bool,
    /// Areas, units, categories or names changed.
    pub directory: bool,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Replica {
    /// Returns the changes of committed transactions since the last call, at most 1,000 records by id.
    pub fn take_changes(&mut self) -> Result<Changes, ReplicaError> {
        let taken = changed::take(self.conn()?, CHANGES_MAX + 1)?;
        let all = taken.records.len() > CHANGES_MAX;
        Ok(Changes {
            records: if all { Vec::new() } else { taken.records },
            all,
            notices: taken.notices,
            directory: taken.directory,
        })
    }
}
