//! The second copy of all undelivered work: a small encrypted file beside the replica.
//!
//! Invariant: damage or loss of one of the two files, or an older copy of it, costs no undelivered work.
//! Undelivered work of either file is always taken back: before a row of the copy is removed, the replica
//! has its envelope. An envelope is named by its id; its number only gives the order of sending, so two
//! files that gave one number to different envelopes lose neither.
//!
//! The replica decides whether a write is saved, and the copy follows each write. Where the copy cannot be
//! written (a full disk), the write is kept and the copy catches up later, so it never blocks a person. It
//! is not synced at each write, because after a power cut the replica has the rows that the copy may lack.
//!
//! Opening compares numbers and ids, so that a long outbox does not make a person wait; when the app rests,
//! all of it is read.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::Connection;

use super::error::ReplicaError;
use super::identity::{self, Own};
use super::load::{self, Certificates};
use super::open;
use super::projection::project;
use super::salvage::{self, SalvageYield};
use super::site::{Site, outbox_copy_path};
use super::table::attachment::{self, Place};
use super::table::meta::{self, Name};
use super::table::outbox_copy::{self as table, Fault};
use super::table::{envelope, outbox_change};
use crate::id::{EnvelopeId, RecordId};

/// Rows of the outbox that are examined in one step.
const ROWS: usize = 256;

/// The open copy.
pub(super) struct OutboxCopy {
    site: Site,
    path: PathBuf,
    /// Absent while the file can be neither read nor made: the replica works without it.
    conn: Option<Connection>,
}

/// A first look at the file of the copy.
enum CopyState {
    /// It can be used as it is.
    Well(Connection),
    /// It cannot be read whole, has another form, or holds rows that the replica lacks.
    Other,
    /// There is none.
    Absent,
    /// The storage does not allow reading it now.
    Unreachable,
}

impl OutboxCopy {
    /// Opens the copy that belongs to an open replica, takes back the work that only the copy has, and
    /// makes the two equal. A copy that cannot be read, or is another phone's, is set aside and made anew.
    /// An error is one of the replica's own file.
    pub(super) fn open(site: &Site, main: &Connection) -> Result<Self, ReplicaError> {
        let mut copy = Self {
            path: outbox_copy_path(&site.path),
            site: site.clone(),
            conn: None,
        };
        copy.resume(main)?;
        Ok(copy)
    }

    /// Opens the file again after [`OutboxCopy::suspend`].
    pub(super) fn resume(&mut self, main: &Connection) -> Result<(), ReplicaError> {
        self.conn = None;
        outbox_change::watch(main)?;
        match self.find(main)? {
            CopyState::Well(conn) => self.conn = Some(conn),
            CopyState::Absent => self.conn = self.made().ok(),
            CopyState::Unreachable => return Ok(()),
            CopyState::Other => {
                if !self.take_back(main)? {
                    return Ok(());
                }
                self.conn = match self.find(main)? {
                    CopyState::Well(conn) => Some(conn),
                    // The storage may answer later, so the file keeps its place.
                    CopyState::Unreachable => return Ok(()),
                    // The file is kept under another name. If that fails too, there is no copy for now.
                    _ => self.anew(),
                };
            }
        }
        self.begin(main)
    }

    /// Whether the file is open. Then the replica has all that it holds.
    pub(super) fn is_open(&self) -> bool {
        self.conn.is_some()
    }

    /// Closes the file. Nothing is copied before it is opened again.
    pub(super) fn suspend(&mut self) {
        self.conn = None;
    }

    /// Reads all of the copy and compares it with the outbox; a damaged one is set aside and made anew.
    pub(super) fn rest(&mut self, main: &Connection) -> Result<(), ReplicaError> {
        let Some(copy) = &self.conn else {
            return self.resume(main);
        };
        if table::check(copy).is_err() {
            // The file is closed before it is moved. All of its envelopes are in the replica.
            self.conn = None;
            self.conn = self.anew();
        }
        self.begin(main)
    }

    /// The replica has committed a write.
    pub(super) fn follow(&mut self, main: &Connection) {
        if let Some(copy) = &self.conn
            && Self::changes(main, copy).is_err()
        {
            // The notes stay, and the next write tries again.
            tracing::warn!(code = "replica.storage", "the second copy is behind");
        }
    }

    /// The replica has a new certificate or new keys of its deployment.
    pub(super) fn follow_identity(&mut self, main: &Connection) {
        if let Some(copy) = &self.conn
            && table::copy_identity(main, copy).is_err()
        {
            tracing::warn!(code = "replica.storage", "the second copy is behind");
        }
        self.follow(main);
    }

    /// Looks at the file, without a change to it. An error is one of the replica's own file.
    fn find(&self, main: &Connection) -> Result<CopyState, ReplicaError> {
        if !self.site.exists(&self.path)? {
            return Ok(CopyState::Absent);
        }
        let looked = open::second(&self.path, &self.site.key).and_then(|conn| {
            if !table::prepare(&conn)? {
                return Ok(None);
            }
            let (owner, rows) = (table::owner(&conn)?, table::envelopes(&conn)?);
            let files = table::files(&conn)?;
            Ok(Some((conn, owner, rows, files)))
        });
        let (conn, owner, rows, files) = match looked {
            Ok(Some(found)) => found,
            Err(ReplicaError::DiskFull | ReplicaError::Storage | ReplicaError::InUse) => {
                return Ok(CopyState::Unreachable);
            }
            Ok(None) | Err(_) => return Ok(CopyState::Other),
        };
        let root = meta::get(main, Name::Root)?;
        if owner.is_some_and(|owner| !owner.is_of(self.site.device, root.as_deref())) {
            return Ok(CopyState::Other);
        }
        let outbox = outbox_rows(main)?;
        for row in rows {
            if outbox.binary_search(&row).is_err() && !salvage::is_known(main, row.1)? {
                return Ok(CopyState::Other);
            }
        }
        for file in files {
            if salvage::lacks(&self.site, main, &file)? {
                return Ok(CopyState::Other);
            }
        }
        Ok(CopyState::Well(conn))
    }

    /// Copies everything readable in the copy into the replica; `false` where the storage is full. Then the
    /// copy stays as it is.
    fn take_back(&self, main: &Connection) -> Result<bool, ReplicaError> {
        let mut salvaged = SalvageYield::default();
        let tx = main.unchecked_transaction()?;
        let taken = salvage::take_back(&self.site, &tx, &mut salvaged)
            .and_then(|records| shown(&tx, &records).map(|()| records.len()))
            .and_then(|records| {
                if records > 0 {
                    // The marker may be as old as the replica, so the epoch is used up.
                    meta::delete(&tx, Name::Epoch)?;
                }
                tx.commit()?;
                Ok(records)
            });
        if salvaged.incomplete {
            // The replica holds it all, unless it is an older copy.
            tracing::warn!(
                code = "replica.damaged",
                "a part of the second file is unreadable"
            );
        }
        match taken {
            Ok(0) => Ok(true),
            Ok(records) => {
                tracing::info!(records, "undelivered work came back from the second file");
                Ok(true)
            }
            Err(ReplicaError::DiskFull) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sets the file aside and begins anew.
    fn anew(&self) -> Option<Connection> {
        salvage::set_aside(&self.site, &self.path).ok()?;
        self.made().ok()
    }

    fn made(&self) -> Result<Connection, ReplicaError> {
        let conn = open::second(&self.path, &self.site.key)?;
        table::prepare(&conn)?;
        Ok(conn)
    }

    /// Makes the copy equal to the outbox. A fault of the copy leaves it behind until the next rest.
    fn begin(&mut self, main: &Connection) -> Result<(), ReplicaError> {
        let Some(copy) = &self.conn else {
            return Ok(());
        };
        match table::copy_identity(main, copy).and_then(|()| equalise(main, copy)) {
            Err(Fault::Main(error)) => Err(error.into()),
            Ok(()) | Err(Fault::Copy) => Ok(()),
        }
    }

    /// Copies the envelopes that entered the outbox since the last time, and removes those that left it.
    fn changes(main: &Connection, copy: &Connection) -> Result<(), Fault> {
        loop {
            let changed = outbox_change::next(main, ROWS).map_err(Fault::Main)?;
            if changed.is_empty() {
                return file_changes(main, copy);
            }
            let tx = copy.unchecked_transaction().map_err(|_| Fault::Copy)?;
            let mut queued = Vec::new();
            for id in &changed {
                match envelope::number_unjudged(main, *id).map_err(Fault::Main)? {
                    Some(no) => queued.push(no),
                    None => table::delete(&tx, *id).map_err(|_| Fault::Copy)?,
                }
            }
            for no in queued {
                table::copy_envelope(main, &tx, no)?;
            }
            tx.commit().map_err(|_| Fault::Copy)?;
            outbox_change::forget(main, &changed).map_err(Fault::Main)?;
        }
    }
}

/// Copies the rows of files that were added, and removes the rows of files that the server has now.
fn file_changes(main: &Connection, copy: &Connection) -> Result<(), Fault> {
    let changed = outbox_change::files(main).map_err(Fault::Main)?;
    if changed.is_empty() {
        return Ok(());
    }
    copy_files(main, copy, &changed)?;
    outbox_change::forget_files(main).map_err(Fault::Main)
}

fn copy_files(main: &Connection, copy: &Connection, places: &[Place]) -> Result<(), Fault> {
    let tx = copy.unchecked_transaction().map_err(|_| Fault::Copy)?;
    for place in places {
        table::delete_file(&tx, *place).map_err(|_| Fault::Copy)?;
        table::copy_file(main, &tx, *place)?;
    }
    tx.commit().map_err(|_| Fault::Copy)
}

/// Number and id of each envelope without verdict, in the order of the numbers.
fn outbox_rows(main: &Connection) -> rusqlite::Result<Vec<(i64, EnvelopeId)>> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let more = envelope::unjudged_ids(main, after, ROWS)?;
        let Some(last) = more.last() else {
            return Ok(rows);
        };
        after = last.0;
        rows.extend(more);
    }
}

/// Makes the copy equal to the outbox. The replica knows every envelope that is removed.
fn equalise(main: &Connection, copy: &Connection) -> Result<(), Fault> {
    outbox_change::clear(main).map_err(Fault::Main)?;
    let files = attachment::undelivered(main).map_err(Fault::Main)?;
    let copied = table::files(copy).map_err(|_| Fault::Copy)?;
    let differ: Vec<Place> = files
        .symmetric_difference(&copied)
        .map(|file| file.place)
        .collect();
    if !differ.is_empty() {
        copy_files(main, copy, &differ)?;
    }
    let there = table::envelopes(copy).map_err(|_| Fault::Copy)?;
    let mut there: BTreeSet<(i64, EnvelopeId)> = there.into_iter().collect();
    let mut missing = outbox_rows(main).map_err(Fault::Main)?;
    missing.retain(|row| !there.remove(row));
    if missing.is_empty() && there.is_empty() {
        return Ok(());
    }
    let tx = copy.unchecked_transaction().map_err(|_| Fault::Copy)?;
    for (_, id) in there {
        table::delete(&tx, id).map_err(|_| Fault::Copy)?;
    }
    for (no, _) in missing {
        table::copy_envelope(main, &tx, no)?;
    }
    tx.commit().map_err(|_| Fault::Copy)
}

/// Makes the projections of records that came back.
fn shown(conn: &Connection, records: &BTreeSet<RecordId>) -> Result<(), ReplicaError> {
    if records.is_empty() {
        return Ok(());
    }
    let certificates = Certificates::default();
    let own = Own::of(identity::of_file(conn, &certificates)?.as_ref());
    for id in records {
        if let Some(record) = load::record(conn, &certificates, *id)? {
            project::write(conn, &certificates.templates, &record, &own)?;
        }
    }
    Ok(())
}
