//! The tables of the outbox copy, which live in a file of their own.
//!
//! What goes across says on which side it failed: damage of the replica is another matter than of the copy.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::meta::Name;
use super::{Sql, fixed};
use crate::id::EnvelopeId;

/// On which side something failed.
#[derive(Debug)]
pub(in crate::replica) enum Fault {
    Main(rusqlite::Error),
    Copy,
}

const SCHEMA: &str = include_str!("../migrations/outbox_copy.sql");
/// Form of the file. Another one is made anew.
const VERSION: i64 = 2;

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
    for table in ["meta", "certificate", "anchor", "envelope"] {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            row.get_ref(columns - 1)?;
        }
    }
    Ok(())
}

/// How many envelopes the copy has, and the newest: from a few pages, however many they are.
pub(in crate::replica) fn summary(conn: &Connection) -> Sql<(u64, Option<(i64, EnvelopeId)>)> {
    let count: i64 = conn.query_row("SELECT count(*) FROM envelope", [], |row| row.get(0))?;
    let newest = conn
        .query_row(
            "SELECT no, id FROM envelope ORDER BY no DESC LIMIT 1",
            [],
            numbered,
        )
        .optional()?;
    Ok((count.unsigned_abs(), newest))
}

/// What the copy has: number and id of each envelope, in order.
pub(in crate::replica) fn envelopes(conn: &Connection) -> Sql<Vec<(i64, EnvelopeId)>> {
    conn.prepare_cached("SELECT no, id FROM envelope ORDER BY no")?
        .query_map([], numbered)?
        .collect()
}

fn numbered(row: &Row<'_>) -> Sql<(i64, EnvelopeId)> {
    Ok((row.get(0)?, EnvelopeId(fixed(row, 1)?)))
}

/// Takes an envelope of the replica in, with its certificate. One of this number that is there gives way.
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

/// Takes in who this phone is: without it nothing of the outbox could be sent.
pub(in crate::replica) fn copy_identity(main: &Connection, copy: &Connection) -> Result<(), Fault> {
    let (own, root) = (Name::OwnCertificate.as_str(), Name::Root.as_str());
    let names = [own, root].map(|name| Value::Text(name.to_owned()));
    across(
        (main, copy),
        "SELECT name, value FROM meta WHERE name IN (?1, ?2)",
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
pub(in crate::replica) fn delete(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM envelope WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

/// Forgets all envelopes.
pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute("DELETE FROM envelope", []).map(drop)
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
