//! Removing files from a phone that is short of storage.
//!
//! Invariant: a file goes only if the server said in its present generation that it has the whole
//! file. After a restore of the server no receipt is of the present generation, so all files stay
//! until it has confirmed them.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::table::attachment::{self, AttachmentState};
use super::super::table::meta;
use super::folder::FileFolder;
use crate::limits::{FREE_BYTES_LOW, SWEPT_FILES_MAX};

/// Bytes that are to be freed now.
pub(in crate::replica) fn goal(files: &FileFolder, is_low: bool) -> Result<u64, ReplicaError> {
    if is_low {
        return Ok(u64::MAX);
    }
    Ok(FREE_BYTES_LOW.saturating_sub(files.free_bytes()?))
}

/// Gives up files that the server has, the one opened longest ago first, until so many bytes are
/// free. Returns the bytes that are freed.
pub(in crate::replica) fn free(conn: &Connection, goal: u64) -> Result<u64, ReplicaError> {
    let generation = meta::generation(conn)?.unwrap_or(0);
    let mut freed = 0;
    for (no, bytes) in attachment::removable(conn, generation)? {
        if freed >= goal {
            break;
        }
        attachment::drop_file(conn, no, AttachmentState::Absent)?;
        freed += bytes;
    }
    Ok(freed)
}

/// Removes files that rows gave up, a slice of them. A file that cannot be removed keeps no other
/// one; its error is returned at the end.
pub(in crate::replica) fn sweep(conn: &Connection, files: &FileFolder) -> Result<(), ReplicaError> {
    let mut swept = Vec::new();
    let mut failed = Ok(());
    for place in attachment::garbage(conn)? {
        if swept.len() == SWEPT_FILES_MAX {
            break;
        }
        match files.remove(place) {
            Ok(()) => swept.push(place),
            Err(error) => failed = Err(error),
        }
    }
    if !swept.is_empty() {
        let tx = conn.unchecked_transaction()?;
        for place in swept {
            attachment::forget_garbage(&tx, place)?;
        }
        tx.commit()?;
    }
    failed
}

/// Removes files that a crash left behind. The storage may refuse that, and then they wait for the
/// next start. Whole files wait for it too while the second copy of the outbox is not open, because
/// they may be named in it alone.
///
/// # Errors
/// [`ReplicaError::Damaged`], because a connection that has met damage reads nothing any more.
pub(in crate::replica) fn tidy(
    conn: &Connection,
    files: &FileFolder,
    has_copy: bool,
) -> Result<(), ReplicaError> {
    let swept = sweep(conn, files);
    let named = has_copy.then(|| attachment::places(conn)).transpose();
    let tidied = named.map_err(ReplicaError::from);
    let tidied = tidied
        .and_then(|named| files.tidy(named.as_ref()))
        .and(swept);
    match tidied {
        Err(ReplicaError::Damaged) => Err(ReplicaError::Damaged),
        Err(error) => {
            tracing::warn!(code = error.code(), "files stay until the next start");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
