//! Numbered migrations of the schema, and the lock of the writers.

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{StoreError, StoreResult};

/// Numbered migrations, applied in order, each once.
const MIGRATIONS: &[(i64, &str)] = &[(1, include_str!("migrations/0001_tables.sql"))];

/// The lock that every writing transaction takes first, so that one node writes at a time. Its number spells the name
/// of the project.
pub(super) const LOCK: &str = "SELECT pg_advisory_xact_lock(x'006f6e6567726964'::bigint)";

/// Brings the schema up to date. Nodes that start together do this one after another.
pub(super) fn migrate(db: &Db) -> StoreResult<()> {
    // A node that starts beside others neither waits for writers nor writes, so it can start on a standby as well.
    if version(db)? == newest_version() {
        return Ok(());
    }
    db.command("BEGIN")?;
    let outcome = migrate_locked(db).and_then(|()| db.command("COMMIT"));
    match outcome.and_then(|()| db.settle()) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The transaction ends with the connection in any case.
            let _ = db.recover("ROLLBACK");
            Err(error)
        }
    }
}

fn migrate_locked(db: &Db) -> StoreResult<()> {
    db.all(LOCK, Vec::new())?;
    let found = version(db)?;
    let known = newest_version();
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > found) {
        db.run(sql)?;
        db.run(
            "CREATE TABLE IF NOT EXISTS schema_version (no BIGINT PRIMARY KEY CHECK (no = 1),
                 version BIGINT NOT NULL)",
        )?;
        db.change(
            "INSERT INTO schema_version (no, version) VALUES (1, $1)
             ON CONFLICT (no) DO UPDATE SET version = excluded.version",
            values![*number],
        )?;
    }
    Ok(())
}

/// Number of the newest migration in the database; 0 in an empty one.
fn version(db: &Db) -> StoreResult<i64> {
    let has_table = "SELECT (to_regclass('schema_version') IS NOT NULL)::int::bigint";
    let row = db.one(has_table, Vec::new())?;
    if !row.is_some_and(|row| row.flag(0).unwrap_or_default()) {
        return Ok(0);
    }
    let row = db.one(
        "SELECT version FROM schema_version WHERE no = 1",
        Vec::new(),
    )?;
    row.map_or(Ok(0), |row| row.int(0))
}

/// Number of the newest migration of this program.
pub(super) fn newest_version() -> i64 {
    let numbers = MIGRATIONS.iter().map(|(number, _)| *number);
    numbers.max().unwrap_or(0)
}
