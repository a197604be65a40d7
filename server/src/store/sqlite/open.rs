//! Opening a file and updating its schema.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::convert::failure;
use super::{SqliteOptions, seal};
use crate::store::{SealKey, StoreError, StoreResult};

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
/// Bytes of the log that its file keeps after a merge. A long read lets it grow, and it would keep
/// that size.
const LOG_BYTES_MAX: i64 = 64 * 1_024 * 1_024;

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
    // Our schema has no triggers, views or functions, so one in the file is of another program. Without this, our
    // own writes would run it. The temporary triggers of the seal still run.
    for setting in [
        DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW,
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
    ] {
        connection.set_db_config(setting, false).map_err(failure)?;
    }
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA journal_size_limit = {LOG_BYTES_MAX};
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

/// Brings the schema up to date. Returns whether the file was empty.
pub(super) fn migrate(connection: &mut Connection, key: Option<&SealKey>) -> StoreResult<bool> {
    migrate_by(MIGRATIONS, connection, key)
}

fn migrate_by(
    migrations: &[(i64, &str)],
    connection: &mut Connection,
    key: Option<&SealKey>,
) -> StoreResult<bool> {
    let known = newest(migrations);
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found == known {
        // Commands that only read wait for nobody who writes.
        return Ok(false);
    }
    if (1..known).contains(&found) && seal::is_sealed(connection).map_err(failure)? {
        let key = key.ok_or(StoreError::Row("the key of the seal"))?;
        return migrate_sealed(migrations, connection, key).map(|()| false);
    }
    for (number, sql) in migrations {
        let tx = immediate(connection)?;
        // Checked again under the lock, because another process may have migrated already.
        if version(&tx)? < *number {
            apply(&tx, *number, sql)?;
            tx.commit().map_err(failure)?;
        }
    }
    Ok(found == 0)
}

/// Tables that get another form no longer fit their sums. So the rows are compared first, and counted again in the
/// same transaction. The seal of a store that does not fit it stays, and so fits no more.
fn migrate_sealed(
    migrations: &[(i64, &str)],
    connection: &mut Connection,
    key: &SealKey,
) -> StoreResult<()> {
    let tx = immediate(connection)?;
    let found = version(&tx)?;
    let missing = migrations.iter().filter(|(number, _)| *number > found);
    let missing: Vec<_> = missing.collect();
    if !missing.is_empty() {
        let is_good = seal::report(&tx, key).map_err(failure)?.is_good();
        for (number, sql) in missing {
            apply(&tx, *number, sql)?;
        }
        if is_good {
            seal::count(&tx, key).map_err(failure)?;
        }
    }
    tx.commit().map_err(failure)
}

fn immediate(connection: &mut Connection) -> StoreResult<Transaction<'_>> {
    connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failure)
}

fn apply(tx: &Transaction<'_>, number: i64, sql: &str) -> StoreResult<()> {
    tx.execute_batch(sql).map_err(failure)?;
    tx.pragma_update(None, "user_version", number)
        .map_err(failure)
}

/// Refuses to write when a newer program has brought the schema up to date meanwhile: the rows of this one would have
/// another form than the sums of that one.
pub(super) fn check_version(connection: &Connection) -> StoreResult<()> {
    let known = newest(MIGRATIONS);
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    Ok(())
}

fn newest(migrations: &[(i64, &str)]) -> i64 {
    let numbers = migrations.iter().map(|(number, _)| *number);
    numbers.max().unwrap_or_default()
}

fn version(connection: &Connection) -> StoreResult<i64> {
    connection
        .prepare_cached("PRAGMA user_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)).optional())
        .map_err(failure)
        .map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// A store with one table more than the newest one, made from a sealed store.
    fn grown(change: &str) -> (Connection, SealKey) {
        let (mut db, key) = (
            Connection::open_in_memory().unwrap(),
            SealKey::of(b"a secret"),
        );
        migrate(&mut db, None).unwrap();
        db.execute_batch("INSERT INTO meta VALUES ('a', x'01')")
            .unwrap();
        seal::count(&db, &key).unwrap();
        db.execute_batch(change).unwrap();
        let mut longer = MIGRATIONS.to_vec();
        longer.push((99, "CREATE TABLE more (no INTEGER PRIMARY KEY) STRICT"));
        assert!(migrate_by(&longer, &mut db, None).is_err());
        assert!(!migrate_by(&longer, &mut db, Some(&key)).unwrap());
        (db, key)
    }

    #[test]
    fn sealed_store_stays_sealed_under_a_new_schema() {
        let (db, key) = grown("");
        assert!(seal::report(&db, &key).unwrap().is_good());
    }

    /// A new version of the program does not make a foreign change valid.
    #[test]
    fn new_schema_makes_no_foreign_change_valid() {
        let (db, key) = grown("UPDATE meta SET value = x'02'");
        let report = seal::report(&db, &key).unwrap();
        assert!(report.changed.contains(&"meta".to_owned()), "{report:?}");
    }

    #[test]
    fn log_of_every_connection_shrinks_after_a_merge() {
        let folder = tempfile::tempdir().unwrap();
        let db = connect(&folder.path().join("a.db"), SqliteOptions::default()).unwrap();
        let limit = db.query_row("PRAGMA journal_size_limit", [], |row| row.get::<_, i64>(0));
        assert_eq!(limit.unwrap(), LOG_BYTES_MAX);
    }

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
        migrate(&mut db, None).unwrap();
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
