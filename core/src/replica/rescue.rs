//! The steps of a rescue. A phone may kill the app at any of them, and the next opening continues from
//! there.
//!
//! | step | state of the disk after it |
//! |---|---|
//! | [`build`] | a new file `<path>.rescuing`, with all readable data; the damaged files are unmoved |
//! | [`declare`] | it is whole, and is called `<path>.rescued` |
//! | [`put_in_place`] | the damaged files are set aside, and then the new one is at `<path>` |
//!
//! Invariant: until a new file is whole, the damaged ones are left in place, and half a file is never
//! opened. Once it is whole, no damaged one is opened any more. A file is moved only together with its own
//! logs, and the new one has none.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::ReplicaError;
use super::load::Certificates;
use super::projection::{notify, rebuild};
use super::salvage::{self, SalvageYield};
use super::site::{LOGS_AND_FILE, Site, with_suffix};
use super::table::meta::{self, Name};
use super::table::{notice, pack, stray};
use super::{identity, open};

/// The result of the rescue of a damaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescue {
    /// Where the damaged file is now.
    pub set_aside: PathBuf,
    /// Rows that were read and kept.
    pub rows_kept: u64,
    /// Whether a part of the file could not be read.
    pub incomplete: bool,
}

/// Puts a new file with all readable data in the place of the damaged ones.
pub(super) fn run(site: &Site, now_ms: i64) -> Result<Rescue, ReplicaError> {
    // Where this fails (the storage is full), all is as it was, and the attempt leaves no file.
    let SalvageYield { rows, incomplete } =
        build(site, now_ms).or_else(|error| discard(site).and(Err(error)))?;
    declare(site)?;
    Ok(Rescue {
        set_aside: put_in_place(site)?,
        rows_kept: rows,
        incomplete,
    })
}

/// Continues an interrupted rescue, if there was one. A whole file gets its place, and the place of the
/// damaged one is returned. Half a file is removed, because its source files are still in their place.
pub(super) fn resume(site: &Site) -> Result<Option<PathBuf>, ReplicaError> {
    discard(site)?;
    let is_whole = site.exists(&whole(&site.path))?;
    is_whole.then(|| put_in_place(site)).transpose()
}

/// Makes a complete file: all readable data, and the projections made from it.
pub(super) fn build(site: &Site, now_ms: i64) -> Result<SalvageYield, ReplicaError> {
    let mut conn = open::create(&half(&site.path), &site.key)?;
    let mut salvaged = SalvageYield::default();
    let tx = conn.transaction()?;
    salvage::copy(site, &tx, &mut salvaged)?;
    // The reservations of the old file are void, because the new one has an epoch of its own.
    meta::delete(&tx, Name::Epoch)?;
    tx.commit()?;
    // The second file is read against a whole index, because it may still hold envelopes that a pack
    // covers.
    pack::reindex(&mut conn)?;
    let tx = conn.transaction()?;
    salvage::take_back(site, &tx, &mut salvaged)?;
    tx.commit()?;
    identity::is_of(site.device, &conn, &Certificates::default())?;
    rebuild(&mut conn, now_ms)?;
    // The server is asked about each record that no stream takes up again, as after a restore of the
    // server.
    stray::insert_all(&conn)?;
    notice::insert(&conn, now_ms, "replica.rescued", (None, None), "")?;
    open::close_whole(conn)?;
    Ok(salvaged)
}

fn rebuild(conn: &mut Connection, now_ms: i64) -> Result<(), ReplicaError> {
    let certificates = Certificates::default();
    let identity = identity::of_file(conn, &certificates)?;
    let tx = conn.transaction()?;
    if identity.is_some() {
        // The second file does not hold the time of the enrolment, so later causes are news from now on.
        notify::enrolled(&tx, now_ms)?;
    }
    let own = identity.and_then(|identity| identity.certificate.facts().member);
    rebuild::whole(&tx, &certificates, own)?;
    Ok(tx.commit()?)
}

/// The new file is whole: from here on it is the replica.
pub(super) fn declare(site: &Site) -> Result<(), ReplicaError> {
    site.rename(&half(&site.path), &whole(&site.path))
}

/// Gives the whole file its place. A repeated call continues where the last one was interrupted.
pub(super) fn put_in_place(site: &Site) -> Result<PathBuf, ReplicaError> {
    let aside = salvage::set_aside(site, &site.path)?;
    site.rename(&whole(&site.path), &site.path)?;
    Ok(aside)
}

/// Removes half a file. The caller holds the lock of the replica, so no other process works on it.
fn discard(site: &Site) -> Result<(), ReplicaError> {
    let half = half(&site.path);
    for file in LOGS_AND_FILE.map(|ending| with_suffix(&half, ending)) {
        if site.exists(&file)? {
            let removed = site.disk.remove(&file);
            removed.map_err(|_| ReplicaError::Storage)?;
        }
    }
    Ok(())
}

pub(super) fn half(path: &Path) -> PathBuf {
    with_suffix(path, ".rescuing")
}

pub(super) fn whole(path: &Path) -> PathBuf {
    with_suffix(path, ".rescued")
}
