//! Opening a file and updating its schema.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::SqliteOptions;
use super::convert::failure;
use crate::store::{StoreError, StoreResult};

/// Numbered migrations, applied in order, each once, each in a transaction of its own.
const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("migrations/0001_tables.sql")),
    (2, include_str!("migrations/0002_unread.sql")),
    (3, include_str!("migrations/0003_revoked.sql")),
    (4, include_str!("migrations/0004_readings.sql")),
    (5, include_str!("migrations/0005_written.sql")),
    (6, include_str!("migrations/0006_unread_copies.sql")),
    (7, include_str!("migrations/0007_templates.sql")),
    (8, include_str!("migrations/0008_attachments.sql")),
    (9, include_str!("migrations/0009_parcels.sql")),
    (10, include_str!("migrations/0010_open_visits.sql")),
    (11, include_str!("migrations/0011_parcels_brought.sql")),
    (12, include_str!("migrations/0012_people.sql")),
    (13, include_str!("migrations/0013_seal.sql")),
];

/// Longest time that a connection waits for another writing process.
const BUSY_WAIT: Duration = Duration::from_secs(20);
const STATEMENTS_MAX: usize = 128;

/// Creates the file for its owner alone, if it does not exist. `SQLite` gives the log beside it the same mode.
pub(super) fn create(path: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // If the file cannot be created, `SQLite` reports the reason when it opens it.
    let _ = options.open(path);
}

pub(super) fn connect(path: &Path, options: SqliteOptions) -> StoreResult<Connection> {
    let connection = Connection::open(path).map_err(failure)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failure)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without this setting, `SQLite` prepares a statement again for each new value of a bound LIMIT or
    // range.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(failure)?;
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -{};",
            options.cache_kib
        ))
        .map_err(failure)?;
    if let Some(pages) = options.pages_max {
        connection
            .pragma_update(None, "max_page_count", pages)
            .map_err(failure)?;
    }
    Ok(connection)
}

/// Number of the newest migration of this program.
pub(super) fn newest_version() -> i64 {
    let numbers = MIGRATIONS.iter().map(|(number, _)| *number);
    numbers.max().unwrap_or(0)
}

pub(super) fn migrate(connection: &mut Connection) -> StoreResult<()> {
    let known = newest_version();
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (number, sql) in MIGRATIONS {
        let tx = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(failure)?;
        // Checked again under the lock, because another process may have migrated already.
        if version(&tx)? < *number {
            tx.execute_batch(sql).map_err(failure)?;
            tx.pragma_update(None, "user_version", number)
                .map_err(failure)?;
            tx.commit().map_err(failure)?;
        }
    }
    Ok(())
}

fn version(connection: &Connection) -> StoreResult<i64> {
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .optional()
        .map_err(failure)
        .map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// A load that has passed the open records gets the visits with the rest, so each change has a later position.
    #[test]
    fn visits_of_an_older_store_become_open() {
        let mut db = Connection::open_in_memory().unwrap();
        for (number, sql) in &MIGRATIONS[..9] {
            db.execute_batch(sql).unwrap();
            db.pragma_update(None, "user_version", number).unwrap();
        }
        db.execute_batch("INSERT INTO streams VALUES (1, x'06', 7, x'00')")
            .unwrap();
        // A planned, a begun and a finished visit, and a case.
        for (no, kind, state, open) in
            [(1, 5, 101, 0), (2, 5, 102, 0), (3, 5, 103, 0), (4, 1, 2, 1)]
        {
            db.execute(
                "INSERT INTO records (no, id, kind, audience, home, created_ms, open, state, digest,
                     changed_ms) VALUES (?1, CAST(?1 AS BLOB), ?2, 1, x'00', 10, ?4, ?3, x'00', 1)",
                (no, kind, state, open),
            )
            .unwrap();
            db.execute(
                "INSERT INTO stream_records (stream_no, record_no, open, created_ms, turned_at, added_at)
                 VALUES (1, ?, ?, 10, 3, 3)",
                (no, open),
            )
            .unwrap();
        }
        migrate(&mut db).unwrap();
        let mut rows = db
            .prepare(
                "SELECT r.open, m.open, m.turned_at FROM records r
                 JOIN stream_records m ON m.record_no = r.no ORDER BY r.no",
            )
            .unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let rows: Vec<(bool, bool, i64)> = rows.unwrap().map(Result::unwrap).collect();
        let ended = (false, false, 3);
        assert_eq!(
            rows,
            [(true, true, 8), (true, true, 8), ended, (true, true, 3)]
        );
    }
}
