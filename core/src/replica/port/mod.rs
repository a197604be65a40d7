//! The replica as sync sees it: every envelope from outside goes through the same admission, and every
//! answer is applied in one durable transaction.

mod apply;
mod certificates;
mod directory;
mod give;
mod intake;
mod membership;
mod outbox;
mod peer;
mod receipt;
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
