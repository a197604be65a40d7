//! The work of administrators in a database that is not opened as a store, such as one that was set
//! aside. It stays byte for byte as it is, so that its schema is not brought up to date: an older
//! one cannot be read here.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Result;

use super::convert::failure;
use super::{administration, open_unchanged, people};
use crate::store::{AdminRow, AuditRow, MemberRow, StoreResult};

/// Work of administrators that phones do not have.
#[derive(Debug, Default)]
pub(crate) struct Administration {
    pub(crate) members: Vec<MemberRow>,
    pub(crate) admins: Vec<AdminRow>,
    /// Ids that the office uses, by the id of the member or unit.
    pub(crate) external_ids: HashMap<[u8; 16], String>,
    /// Lines of the audit log after the number that was asked for.
    pub(crate) audit: Vec<AuditRow>,
}

/// Reads members, accounts and the audit log after a line.
pub(crate) fn peek_administration(path: &Path, after: u64) -> StoreResult<Administration> {
    let db = open_unchanged(path)?;
    let read = || -> Result<Administration> {
        Ok(Administration {
            members: people::members(&db)?,
            admins: people::admins(&db)?,
            external_ids: people::external_ids(&db)?,
            audit: administration::audit(&db, after, usize::MAX)?,
        })
    };
    read().map_err(failure)
}
