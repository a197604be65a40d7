//! Signing again what the server signed and keeps, after its keys have changed.

use onegrid_core::trust::certificate::RawCertificate;
use rusqlite::{Connection, Result, params};

use crate::store::Renewals;

/// Returns the number of new signatures.
pub(super) fn sign_again(db: &Connection, renewals: &dyn Renewals) -> Result<u64> {
    Ok(certificates(db, renewals)? + feed(db, renewals)? + entries(db, renewals)?)
}

fn certificates(db: &Connection, renewals: &dyn Renewals) -> Result<u64> {
    let mut select =
        db.prepare("SELECT no, facts, signature FROM certificates WHERE facts NOT NULL")?;
    let renewed = select.query_map([], |row| {
        let raw = RawCertificate {
            facts: row.get(1)?,
            signature: row.get(2)?,
        };
        Ok((row.get::<_, i64>(0)?, renewals.certificate(&raw)))
    })?;
    let mut changed = Vec::new();
    for row in renewed {
        if let (no, Some(raw)) = row? {
            changed.push((no, raw.signature));
        }
    }
    let mut update = db.prepare("UPDATE certificates SET signature = ?2 WHERE no = ?1")?;
    for (no, signature) in &changed {
        update.execute(params![no, signature])?;
    }
    Ok(changed.len() as u64)
}

/// The directory entries in the feeds, as they were published.
fn feed(db: &Connection, renewals: &dyn Renewals) -> Result<u64> {
    let mut select = db.prepare("SELECT stream_no, position, data FROM feed WHERE kind = 5")?;
    let renewed = select.query_map([], |row| {
        let data: Vec<u8> = row.get(2)?;
        let key = (row.get::<_, i64>(0)?, row.get::<_, i64>(1)?);
        Ok((key, renewals.entry(&data)))
    })?;
    let mut changed = Vec::new();
    for row in renewed {
        if let (key, Some(data)) = row? {
            changed.push((key, data));
        }
    }
    let mut update =
        db.prepare("UPDATE feed SET data = ?3 WHERE stream_no = ?1 AND position = ?2")?;
    for ((stream, position), data) in &changed {
        update.execute(params![stream, position, data])?;
    }
    Ok(changed.len() as u64)
}

/// The directory entries in force.
fn entries(db: &Connection, renewals: &dyn Renewals) -> Result<u64> {
    let mut select = db.prepare(
        "SELECT e.stream_no, e.name, e.data FROM stream_entries e JOIN streams s ON s.no = e.stream_no
         WHERE substr(s.id, 1, 1) IN (x'06', x'07')",
    )?;
    let renewed = select.query_map([], |row| {
        let data: Vec<u8> = row.get(2)?;
        let key = (row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?);
        Ok((key, renewals.entry(&data)))
    })?;
    let mut changed = Vec::new();
    for row in renewed {
        if let (key, Some(data)) = row? {
            changed.push((key, data));
        }
    }
    let mut update =
        db.prepare("UPDATE stream_entries SET data = ?3 WHERE stream_no = ?1 AND name = ?2")?;
    for ((stream, name), data) in &changed {
        update.execute(params![stream, name, data])?;
    }
    Ok(changed.len() as u64)
}
