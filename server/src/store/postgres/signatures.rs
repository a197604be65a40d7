//! Signing again what the server signed and keeps, after its keys have changed.

use onegrid_core::trust::certificate::RawCertificate;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{Renewals, StoreResult};

/// Returns the number of new signatures.
pub(super) fn sign_again(db: &Db, renewals: &dyn Renewals) -> StoreResult<u64> {
    db.patiently(|| Ok(certificates(db, renewals)? + feed(db, renewals)? + entries(db, renewals)?))
}

fn certificates(db: &Db, renewals: &dyn Renewals) -> StoreResult<u64> {
    let rows = db.all(
        "SELECT no, facts, signature FROM certificates WHERE facts IS NOT NULL",
        Vec::new(),
    )?;
    let mut count = 0;
    for row in &rows {
        let raw = RawCertificate {
            facts: row.bytes(1)?,
            signature: row.array(2)?,
        };
        if let Some(renewed) = renewals.certificate(&raw) {
            db.send(
                "UPDATE certificates SET signature = $2 WHERE no = $1",
                values![row.int(0)?, renewed.signature],
            )?;
            count += 1;
        }
    }
    Ok(count)
}

/// The directory entries in the feeds, as they were published.
fn feed(db: &Db, renewals: &dyn Renewals) -> StoreResult<u64> {
    let rows = db.all(
        "SELECT stream_no, position, data FROM feed WHERE kind = 5",
        Vec::new(),
    )?;
    let mut count = 0;
    for row in &rows {
        if let Some(data) = renewals.entry(&row.bytes(2)?) {
            db.send(
                "UPDATE feed SET data = $3 WHERE stream_no = $1 AND position = $2",
                values![row.int(0)?, row.int(1)?, data],
            )?;
            count += 1;
        }
    }
    Ok(count)
}

/// The directory entries in force.
fn entries(db: &Db, renewals: &dyn Renewals) -> StoreResult<u64> {
    let rows = db.all(
        "SELECT e.stream_no, e.name, e.data FROM stream_entries e
         JOIN streams s ON s.no = e.stream_no
         WHERE substr(s.id, 1, 1) IN ('\\x06'::bytea, '\\x07'::bytea)",
        Vec::new(),
    )?;
    let mut count = 0;
    for row in &rows {
        if let Some(data) = renewals.entry(&row.bytes(2)?) {
            db.send(
                "UPDATE stream_entries SET data = $3 WHERE stream_no = $1 AND name = $2",
                values![row.int(0)?, row.bytes(1)?, data],
            )?;
            count += 1;
        }
    }
    Ok(count)
}
