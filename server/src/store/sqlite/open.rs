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

pub(super) fn migrate(connection: &mut Connection) -> StoreResult<()> {
    let known = MIGRATIONS
        .iter()
        .map(|(number, _)| *number)
        .max()
        .unwrap_or(0);
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
