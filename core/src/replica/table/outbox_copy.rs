//! The tables of the outbox copy, which live in a file of their own.
//!
//! Functions that use both files report the side of a failure, because damage of the replica needs another
//! remedy than damage of the copy.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::attachment::{Place, UndeliveredFile};
use super::meta::Name;
use super::{Sql, fixed};
use crate::id::{DeviceId, EnvelopeId};

/// The side of a failure.
#[derive(Debug)]
pub(in crate::replica) enum Fault {
    Main(rusqlite::Error),
    Copy,
}

const SCHEMA: &str = include_str!("../migrations/outbox_copy.sql");
/// The version of the file's form. A file of another form is made anew.
const VERSION: i64 = 4;

/// Makes the tables in an empty file; `false` when the file has another form.
pub(in crate::replica) fn prepare(conn: &Connection) -> Sql<bool> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        conn.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(version == 0 || version == VERSION)
}

/// Reads everything once, so that damage is found while there is another copy.
pub(in crate::replica) fn check(conn: &Connection) -> Sql<()> {
    for table in ["meta", "certificate", "anchor", "envelope", "attachment"] {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            row.get_ref(columns - 1)?;
        }
    }
    Ok(())
}

/// The envelopes of the copy, number and id of each, in the order of sending.
pub(in crate::replica) fn envelopes(conn: &Connection) -> Sql<Vec<(i64, EnvelopeId)>> {
    let mut rows: Vec<(i64, EnvelopeId)> = conn
        .prepare_cached("SELECT no, id FROM envelope INDEXED BY envelope_id ORDER BY id")?
        .query_map([], numbered)?
        .collect::<Sql<_>>()?;
    rows.sort_unstable();
    Ok(rows)
}

/// The owner of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Owner {
    device: DeviceId,
    root: Vec<u8>,
}

impl Owner {
    /// Whether the copy belongs to this device, and to its deployment where the replica knows one.
    pub(in crate::replica) fn is_of(&self, device: DeviceId, root: Option<&[u8]>) -> bool {
        self.device == device && root.is_none_or(|root| self.root == root)
    }
}

/// Returns the owner of the copy; `None` where its phone was not enrolled.
pub(in crate::replica) fn owner(conn: &Connection) -> Sql<Option<Owner>> {
    let (own, root) = (Name::OwnCertificate.as_str(), Name::Root.as_str());
    conn.prepare_cached(
        "SELECT certificate.device, root.value FROM meta AS own
         JOIN certificate ON certificate.hash = own.value
         JOIN meta AS root ON root.name = ?2 WHERE own.name = ?1",
    )?
    .query_row([own, root], |row| {
        Ok(Owner {
            device: DeviceId(fixed(row, 0)?),
            root: row.get(1)?,
        })
    })
    .optional()
}

fn numbered(row: &Row<'_>) -> Sql<(i64, EnvelopeId)> {
    Ok((row.get(0)?, EnvelopeId(fixed(row, 1)?)))
}

/// Copies an envelope of the replica, with its certificate. It replaces an envelope of the same number.
pub(in crate::replica) fn copy_envelope(
    main: &Connection,
    copy: &Connection,
    no: i64,
) -> Result<(), Fault> {
    across(
        (main, copy),
        "SELECT hash, device, member, facts, signature FROM certificate
         WHERE hash = (SELECT certificate FROM envelope WHERE no = ?1)",
        &[Value::Integer(no)],
        "INSERT OR IGNORE INTO certificate VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    across(
        (main, copy),
        "SELECT no, id, record, origin, carried, certificate, header, body, signature, standing
         FROM envelope WHERE no = ?1",
        &[Value::Integer(no)],
        "INSERT OR REPLACE INTO envelope VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
}

/// Copies the identity of this phone, because without it the outbox could not be sent.
pub(in crate::replica) fn copy_identity(main: &Connection, copy: &Connection) -> Result<(), Fault> {
    let names = [Name::OwnCertificate, Name::Root, Name::MeetingSecrets];
    let names = names.map(|name| Value::Text(name.as_str().to_owned()));
    across(
        (main, copy),
        "SELECT name, value FROM meta WHERE name IN (?1, ?2, ?3)",
        &names,
        "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
    )?;
    across(
        (main, copy),
        "SELECT key, bytes FROM anchor",
        &[],
        "INSERT OR REPLACE INTO anchor VALUES (?1, ?2)",
    )?;
    across(
        (main, copy),
        "SELECT hash, device, member, facts, signature FROM certificate
         WHERE hash = (SELECT value FROM meta WHERE name = ?1)",
        &names[..1],
        "INSERT OR REPLACE INTO certificate VALUES (?1, ?2, ?3, ?4, ?5)",
    )
}

/// Forgets an envelope.
pub(in crate::replica) fn delete(conn: &Connection, id: EnvelopeId) -> Sql<()> {
    conn.prepare_cached("DELETE FROM envelope WHERE id = ?1")?
        .execute([id.as_bytes()])
        .map(drop)
}

/// The files of the copy.
pub(in crate::replica) fn files(conn: &Connection) -> Sql<BTreeSet<UndeliveredFile>> {
    conn.prepare_cached("SELECT file, record, id FROM attachment")?
        .query_map([], UndeliveredFile::read)?
        .collect()
}

/// Copies the row of a file, if the server does not have the file.
pub(in crate::replica) fn copy_file(
    main: &Connection,
    copy: &Connection,
    place: Place,
) -> Result<(), Fault> {
    across(
        (main, copy),
        "SELECT file, key, record, id, media, bytes, salt, extent_a, extent_b, thumbnail, described,
           envelope, own, state, here, made_ms FROM attachment
         WHERE file = ?1 AND state IN (1, 2)",
        &[Value::Blob(place.0.to_vec())],
        "INSERT OR REPLACE INTO attachment VALUES
           (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )
}

/// Forgets a file.
pub(in crate::replica) fn delete_file(conn: &Connection, place: Place) -> Sql<()> {
    conn.prepare_cached("DELETE FROM attachment WHERE file = ?1")?
        .execute([place.0])
        .map(drop)
}

fn across(
    (main, copy): (&Connection, &Connection),
    read: &str,
    of: &[Value],
    write: &str,
) -> Result<(), Fault> {
    let found = rows(main, read, of).map_err(Fault::Main)?;
    let mut write = copy.prepare_cached(write).map_err(|_| Fault::Copy)?;
    for row in found {
        write
            .execute(params_from_iter(row))
            .map_err(|_| Fault::Copy)?;
    }
    Ok(())
}

fn rows(conn: &Connection, sql: &str, of: &[Value]) -> Sql<Vec<Vec<Value>>> {
    let mut statement = conn.prepare_cached(sql)?;
    let columns = statement.column_count();
    statement
        .query_map(params_from_iter(of), |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })?
        .collect()
}
