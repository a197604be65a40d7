//! Projections after an update of the app: made again in slices, each a transaction of its own, while reads
//! return the present rows. An interruption costs nothing, because a table holds the records that are left.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::identity::{self, Identity, Own};
use super::super::load::{self, Certificates};
use super::super::reader::Reader;
use super::super::table::meta::{self, Name};
use super::super::table::record as record_table;
use super::super::table::{attachment, directory, envelope, notice, pack, pending, stream};
use super::{notify, places, project};
use crate::id::{MemberId, RecordId};
use crate::limits::REBUILD_SLICE_ROWS;
use crate::wire::digest::Digest;

/// The version of the code that makes projections. A change of their content needs a new number.
pub(in crate::replica) const PROJECTIONS: u32 = 10;

/// How far projections are behind the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilding {
    /// The number of records and directory entries that are still to be made again.
    pub left: u64,
}

/// Notes all rows for a rebuild, where another version of the app made them.
pub(in crate::replica) fn begin(conn: &mut Connection) -> Result<(), ReplicaError> {
    let made_by = meta::get_fixed(conn, Name::Projections)?.map(u32::from_be_bytes);
    if made_by == Some(PROJECTIONS) {
        return Ok(());
    }
    let identity: Option<Identity> = identity::of_file(conn, &Certificates::default())?;
    let tx = conn.transaction()?;
    if let Some(identity) = identity {
        // The phone was enrolled by an app that noted no news, so everything that is here now is known.
        notify::enrolled(&tx, identity.certificate.facts().issued_ms)?;
    }
    pending::fill(&tx, &places::PROJECTED)?;
    meta::put(&tx, Name::Projections, &PROJECTIONS.to_be_bytes())?;
    Ok(tx.commit()?)
}

/// All rows have been made again at once.
fn done(conn: &Connection) -> Result<(), ReplicaError> {
    pending::clear(conn)?;
    Ok(meta::put(
        conn,
        Name::Projections,
        &PROJECTIONS.to_be_bytes(),
    )?)
}

/// Makes every projection again, and the digests of the streams.
pub(in crate::replica) fn whole(
    conn: &Connection,
    certificates: &Certificates,
    own: Option<MemberId>,
) -> Result<(), ReplicaError> {
    let identity = identity::of_file(conn, certificates)?;
    let own = Own {
        member: own,
        ..Own::of(identity.as_ref())
    };
    record_table::clear(conn)?;
    for known in stream::all(conn)? {
        stream::set_digest(conn, known.no, Digest::EMPTY)?;
    }
    // Rows of records need the templates of the directory.
    let left_out = places::project_all(conn)?;
    let mut records: BTreeSet<RecordId> = envelope::records(conn)?.into_iter().collect();
    records.extend(pack::records(conn)?);
    for id in records {
        if let Some(record) = load::record(conn, certificates, id)? {
            project::write_anew(conn, &certificates.templates, &record, &own)?;
        }
    }
    attachment::delete_lost(conn)?;
    tell_left_out(conn, left_out)?;
    done(conn)
}

/// Notes that entries of the directory were left out, and how many, unless the person has still to
/// see such a note.
fn tell_left_out(conn: &Connection, count: usize) -> Result<(), ReplicaError> {
    const CODE: &str = "incident.directory_entry";
    if count == 0 {
        return Ok(());
    }
    tracing::warn!(code = CODE, count, "entries of the directory were left out");
    if notice::is_unseen(conn, CODE)? {
        return Ok(());
    }
    let at_ms = record_table::newest_ms(conn)?;
    let count = count.to_string();
    Ok(notice::insert(conn, at_ms, CODE, (None, None), &count)?)
}

/// Makes a slice again. Returns the number of records that are left.
pub(in crate::replica) fn slice(
    conn: &Connection,
    certificates: &Certificates,
    own: &Own,
) -> Result<u64, ReplicaError> {
    let mut left_out = 0;
    for next in pending::next(conn, REBUILD_SLICE_ROWS)? {
        if next.what == pending::RECORD {
            let id = RecordId::from_slice(&next.key).ok_or(ReplicaError::Inconsistent)?;
            match load::record(conn, certificates, id)? {
                Some(record) => {
                    project::write_anew(conn, &certificates.templates, &record, own)?;
                }
                None => project::remove(conn, id)?,
            }
        } else if let Some(bytes) = directory::get(conn, next.what, &next.key)? {
            match minicbor::decode(&bytes) {
                Ok(entry) => places::project(conn, &next.key, &entry)?,
                Err(_) => left_out += 1,
            }
        }
        pending::delete(conn, &next)?;
    }
    tell_left_out(conn, left_out)?;
    Ok(pending::count(conn)?)
}

impl Reader {
    /// How far projections are behind the app; `None` when they are up to date.
    pub fn rebuilding(&self) -> Result<Option<Rebuilding>, ReplicaError> {
        let left = pending::count(self.conn()?)?;
        Ok((left > 0).then_some(Rebuilding { left }))
    }
}
