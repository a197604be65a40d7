//! The steps of a rescue. A phone may kill the app at any of them: whoever opens next goes on from there.
//!
//! | step | what is on the disk after it |
//! |---|---|
//! | [`build`] | a new file `<path>.rescuing`, with what is readable; the damaged files lie where they were |
//! | [`declare`] | it is whole, and is called `<path>.rescued` |
//! | [`put_in_place`] | the damaged files are set aside, and then the new one is at `<path>` |
//!
//! Invariant: until a new file is whole nothing of the damaged ones is moved, and half a file is never opened;
//! once it is whole no damaged one is opened any more. A file is moved only together with the logs that belong
//! to it, and the new one has none.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::engine::load::Certificates;
use super::engine::{self, project};
use super::error::ReplicaError;
use super::marker::sync_dir;
use super::open::{self, FileKey};
use super::salvage::{self, LOGS_AND_FILE, Salvaged, with_suffix};
use super::table::meta::{self, Name};
use super::table::{notice, pack, stray};

/// What the rescue of a damaged file brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescue {
    /// Where the damaged file is now.
    pub set_aside: PathBuf,
    /// Rows that were read and kept.
    pub rows_kept: u64,
    /// Whether a part of the file could not be read.
    pub incomplete: bool,
}

/// Puts a new file with what is readable in the place of the damaged ones.
pub(super) fn run(path: &Path, key: &FileKey, now_ms: i64) -> Result<Rescue, ReplicaError> {
    // Where it fails (the storage is full), all is as it was, and nothing takes up room.
    let Salvaged { rows, incomplete } =
        build(path, key, now_ms).or_else(|error| discard(path, key).and(Err(error)))?;
    declare(path)?;
    Ok(Rescue {
        set_aside: put_in_place(path)?,
        rows_kept: rows,
        incomplete,
    })
}

/// Goes on where a rescue was interrupted, if one was: a whole file gets its place. Half a one goes; what it
/// was made from is where it was.
pub(super) fn resume(path: &Path, key: &FileKey) -> Result<(), ReplicaError> {
    discard(path, key)?;
    if whole(path).exists() {
        put_in_place(path)?;
    }
    Ok(())
}

/// Makes a file that wants nothing: all that is readable, and all that is made from it.
pub(super) fn build(path: &Path, key: &FileKey, now_ms: i64) -> Result<Salvaged, ReplicaError> {
    let mut conn = open::create(&half(path), key)?;
    let salvaged = salvage::copy(path, key, &mut conn)?;
    // Whatever the old file had reserved is past: an epoch of its own for the new one.
    meta::delete(&conn, Name::Epoch)?;
    pack::reindex(&mut conn)?;
    rebuild(&mut conn)?;
    // What no stream takes up again is asked about, as after a restore of the server.
    stray::insert_all(&conn)?;
    notice::insert(&conn, now_ms, "replica.rescued", (None, None), "")?;
    open::close_whole(conn)?;
    Ok(salvaged)
}

fn rebuild(conn: &mut Connection) -> Result<(), ReplicaError> {
    let mut certificates = Certificates::default();
    let identity = engine::identity(conn, &certificates)?;
    let own = identity.and_then(|identity| identity.certificate.facts().member);
    let tx = conn.transaction()?;
    project::rebuild(&tx, &mut certificates, own)?;
    Ok(tx.commit()?)
}

/// The new file is whole: from here on it is the replica.
pub(super) fn declare(path: &Path) -> Result<(), ReplicaError> {
    rename(&half(path), &whole(path))
}

/// Gives the whole file its place. Done again, it goes on where it was interrupted.
pub(super) fn put_in_place(path: &Path) -> Result<PathBuf, ReplicaError> {
    let aside = salvage::set_aside(path)?;
    rename(&whole(path), path)?;
    Ok(aside)
}

fn rename(from: &Path, to: &Path) -> Result<(), ReplicaError> {
    fs::rename(from, to)
        .and_then(|()| sync_dir(to))
        .map_err(|_| ReplicaError::Storage)
}

/// Removes half a file, unless another process is at work on it.
fn discard(path: &Path, key: &FileKey) -> Result<(), ReplicaError> {
    let half = half(path);
    if half.exists() && matches!(look(&half, key), Err(ReplicaError::InUse)) {
        return Err(ReplicaError::InUse);
    }
    for file in LOGS_AND_FILE.map(|ending| with_suffix(&half, ending)) {
        if file.exists() {
            fs::remove_file(file).map_err(|_| ReplicaError::Storage)?;
        }
    }
    Ok(())
}

fn look(half: &Path, key: &FileKey) -> Result<i64, ReplicaError> {
    let conn = open::open_damaged(half, key)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    Ok(conn.query_row(tables, [], |row| row.get(0))?)
}

pub(super) fn half(path: &Path) -> PathBuf {
    with_suffix(path, ".rescuing")
}

pub(super) fn whole(path: &Path) -> PathBuf {
    with_suffix(path, ".rescued")
}
