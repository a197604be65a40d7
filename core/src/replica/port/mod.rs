//! The replica during a sync: every envelope from outside passes the same admission, and every answer is
//! applied in short durable transactions.

mod apply;
mod bundle_file;
pub(in crate::replica) mod carried;
mod certificates;
mod directory;
mod files;
mod give;
mod intake;
mod join;
mod membership;
mod outbox;
mod parcel;
mod peer;
mod peer_reader;
mod peer_room;
mod queue;
mod receipt;
mod server_keys;
mod star;

use super::error::ReplicaError;
use crate::sync::port::PortError;

impl From<ReplicaError> for PortError {
    fn from(error: ReplicaError) -> Self {
        Self { code: error.code() }
    }
}

/// Errors of SQL on their way to a port.
fn sql(error: rusqlite::Error) -> PortError {
    ReplicaError::from(error).into()
}
