//! Removing files from a phone that is short of storage.
//!
//! Invariant: a file goes only if the server said in its present generation that it has the whole
//! file. After a restore of the server no receipt is of the present generation, so all files stay
//! until it has confirmed them.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::table::attachment::{self, AttachmentState};
use super::super::table::meta::{self, Name};
use super::folder::FileFolder;
use crate::limits::FREE_BYTES_LOW;

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
    let generation = meta::get_fixed(conn, Name::Generation)?.map_or(0, u32::from_be_bytes);
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

/// Removes the files that rows gave up.
pub(in crate::replica) fn sweep(conn: &Connection, files: &FileFolder) -> Result<(), ReplicaError> {
    for place in attachment::garbage(conn)? {
        files.remove(place)?;
        attachment::forget_garbage(conn, place)?;
    }
    Ok(())
}

/// Removes files that a crash left behind. The storage may refuse that, and then they wait for the next start.
///
/// # Errors
/// [`ReplicaError::Damaged`], because a connection that has met damage reads nothing any more.
pub(in crate::replica) fn tidy(conn: &Connection, files: &FileFolder) -> Result<(), ReplicaError> {
    let tidied = sweep(conn, files).and_then(|()| files.tidy(&attachment::places(conn)?));
    match tidied {
        Err(ReplicaError::Damaged) => Err(ReplicaError::Damaged),
        Err(error) => {
            tracing::warn!(code = error.code(), "files stay until the next start");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
