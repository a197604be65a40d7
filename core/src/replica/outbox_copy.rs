//! The second copy of what no server has: a small encrypted file beside the replica.
//!
//! Invariant: damage in one of the two files costs nothing that somebody wrote and that is not delivered.
//! The replica decides what is saved; the copy follows each write. Where the copy can not be written (a full
//! disk), the write stands and the copy catches up later: it never stands in anybody's way. It is not synced
//! at each write: after a power cut the replica has what the copy may lack.
//!
//! Opening compares how many there are and which is the newest, so that a long outbox does not make a person
//! wait; when the app rests, all of it is read and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::ReplicaError;
use super::open::{self, FileKey};
use super::salvage;
use super::table::envelope;
use super::table::outbox_copy::{self as table, Fault};
use crate::id::EnvelopeId;

/// Rows of the outbox that are looked at in one step.
const ROWS: usize = 256;

/// The open copy.
pub(super) struct OutboxCopy {
    path: PathBuf,
    key: FileKey,
    /// Absent when the file can be neither read nor made: the replica works on without.
    conn: Option<Connection>,
    /// The newest envelope that was copied; all older ones of the outbox are in the copy too.
    newest: Option<(i64, EnvelopeId)>,
}

/// Where the copy of a replica is.
pub(super) fn path_of(replica: &Path) -> PathBuf {
    salvage::with_suffix(replica, ".outbox")
}

impl OutboxCopy {
    /// Opens the copy that belongs to an open replica and makes the two equal. A copy that can not be read is
    /// set aside and made anew. An error is one of the replica's own file.
    pub(super) fn open(
        replica: &Path,
        key: &FileKey,
        main: &Connection,
    ) -> Result<Self, ReplicaError> {
        let mut copy = Self {
            path: path_of(replica),
            key: key.clone(),
            conn: None,
            newest: None,
        };
        copy.conn = copy.readable().or_else(|| copy.anew());
        match copy.begin(main) {
            Err(Fault::Main(error)) => Err(error.into()),
            Ok(()) | Err(Fault::Copy) => Ok(copy),
        }
    }

    /// Reads all of the copy and compares it with the outbox; what is damaged is set aside and made anew.
    pub(super) fn rest(&mut self, main: &Connection) {
        let damaged = self
            .conn
            .as_ref()
            .is_none_or(|copy| table::check(copy).is_err());
        if damaged {
            // Closed before it is moved.
            self.conn = None;
            self.conn = self.anew();
        }
        if self.all(main).is_err() {
            self.newest = None;
        }
    }

    /// Sets aside what is there and begins anew. Whatever it is, it is kept; where even that fails there is no
    /// copy for now.
    fn anew(&self) -> Option<Connection> {
        salvage::set_aside(&self.path).ok()?;
        self.readable()
    }

    fn readable(&self) -> Option<Connection> {
        let conn = open::second(&self.path, &self.key).ok()?;
        let known = table::prepare(&conn).ok()?;
        table::summary(&conn).ok()?;
        known.then_some(conn)
    }

    /// The replica has committed a write.
    pub(super) fn follow(&mut self, main: &Connection) {
        if self.news(main).is_err() {
            // The next time looks at all of it.
            self.newest = None;
        }
    }

    /// The replica has a new certificate or new keys of its deployment.
    pub(super) fn follow_identity(&mut self, main: &Connection) {
        if self.all(main).is_err() {
            self.newest = None;
        }
    }

    fn begin(&mut self, main: &Connection) -> Result<(), Fault> {
        let Some(copy) = &self.conn else {
            return Ok(());
        };
        table::copy_identity(main, copy)?;
        let count = envelope::count_unjudged(main).map_err(Fault::Main)?;
        let newest = envelope::newest_unjudged(main).map_err(Fault::Main)?;
        if table::summary(copy).map_err(|_| Fault::Copy)? != (count, newest) {
            return self.catch_up(main);
        }
        self.newest = newest;
        Ok(())
    }

    fn all(&mut self, main: &Connection) -> Result<(), Fault> {
        if let Some(copy) = &self.conn {
            table::copy_identity(main, copy)?;
        }
        self.catch_up(main)
    }

    /// Copies what was written since the last time.
    fn news(&mut self, main: &Connection) -> Result<(), Fault> {
        let Some(copy) = &self.conn else {
            return Ok(());
        };
        let Some((no, id)) = self.newest else {
            return self.catch_up(main);
        };
        // Once it is delivered, its number may go to another envelope.
        if !envelope::is_unjudged(main, no, id).map_err(Fault::Main)? {
            return self.catch_up(main);
        }
        let mut newest = (no, id);
        loop {
            let rows = envelope::unjudged_ids(main, newest.0, ROWS).map_err(Fault::Main)?;
            let Some(last) = rows.last().copied() else {
                break;
            };
            let tx = copy.unchecked_transaction().map_err(|_| Fault::Copy)?;
            for (no, _) in rows {
                table::copy_envelope(main, &tx, no)?;
            }
            tx.commit().map_err(|_| Fault::Copy)?;
            newest = last;
        }
        self.newest = Some(newest);
        Ok(())
    }

    /// Makes the copy equal to the outbox, whatever it has.
    fn catch_up(&mut self, main: &Connection) -> Result<(), Fault> {
        let Some(copy) = &self.conn else {
            return Ok(());
        };
        let newest = envelope::newest_unjudged(main).map_err(Fault::Main)?;
        let there = table::envelopes(copy).map_err(|_| Fault::Copy)?;
        if newest.is_some() || !there.is_empty() {
            let tx = copy.unchecked_transaction().map_err(|_| Fault::Copy)?;
            equalise(main, &tx, there)?;
            tx.commit().map_err(|_| Fault::Copy)?;
        }
        self.newest = newest;
        Ok(())
    }
}

fn equalise(
    main: &Connection,
    copy: &Connection,
    there: Vec<(i64, EnvelopeId)>,
) -> Result<(), Fault> {
    let there: BTreeMap<i64, EnvelopeId> = there.into_iter().collect();
    let mut outbox = BTreeSet::new();
    let mut after = 0;
    loop {
        let rows = envelope::unjudged_ids(main, after, ROWS).map_err(Fault::Main)?;
        let Some(last) = rows.last() else { break };
        after = last.0;
        for (no, id) in rows {
            outbox.insert(no);
            if there.get(&no) != Some(&id) {
                table::copy_envelope(main, copy, no)?;
            }
        }
    }
    if outbox.is_empty() {
        return table::clear(copy).map_err(|_| Fault::Copy);
    }
    for no in there.keys().filter(|no| !outbox.contains(no)) {
        table::delete(copy, *no).map_err(|_| Fault::Copy)?;
    }
    Ok(())
}
