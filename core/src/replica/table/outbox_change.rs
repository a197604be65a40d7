//! `outbox_change` and `file_change`: envelopes and files that entered or left the outbox and that
//! the second copy does not reflect yet. It is in memory, and part of the transaction that changes
//! them. A transaction that is rolled back leaves no trace.

use rusqlite::Connection;

use super::attachment::Place;
use super::{Sql, fixed};
use crate::id::EnvelopeId;

/// Begins to watch. Once for each connection that writes. (`OR IGNORE` would not do: an upsert's
/// own policy reaches into its triggers.)
pub(in crate::replica) fn watch(conn: &Connection) -> Sql<()> {
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS outbox_change (id BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;
         CREATE TEMP TRIGGER IF NOT EXISTS outbox_entered AFTER INSERT ON main.envelope
           WHEN NEW.standing = 0 BEGIN INSERT INTO outbox_change SELECT NEW.id
             WHERE NOT EXISTS (SELECT 1 FROM outbox_change WHERE id = NEW.id); END;
         CREATE TEMP TRIGGER IF NOT EXISTS outbox_changed AFTER UPDATE OF standing ON main.envelope
           WHEN (NEW.standing = 0) <> (OLD.standing = 0) BEGIN
             INSERT INTO outbox_change SELECT NEW.id
             WHERE NOT EXISTS (SELECT 1 FROM outbox_change WHERE id = NEW.id); END;
         CREATE TEMP TRIGGER IF NOT EXISTS outbox_left AFTER DELETE ON main.envelope
           WHEN OLD.standing = 0 BEGIN INSERT INTO outbox_change SELECT OLD.id
             WHERE NOT EXISTS (SELECT 1 FROM outbox_change WHERE id = OLD.id); END;
         CREATE TEMP TABLE IF NOT EXISTS file_change (file BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;
         CREATE TEMP TRIGGER IF NOT EXISTS file_added AFTER INSERT ON main.attachment
           WHEN NEW.state IN (1, 2) BEGIN INSERT INTO file_change SELECT NEW.file
             WHERE NOT EXISTS (SELECT 1 FROM file_change WHERE file = NEW.file); END;
         CREATE TEMP TRIGGER IF NOT EXISTS file_changed AFTER UPDATE OF state, record
           ON main.attachment WHEN OLD.file IS NOT NULL
             AND (NEW.state IN (1, 2) OR OLD.state IN (1, 2)) BEGIN
             INSERT INTO file_change SELECT OLD.file
             WHERE NOT EXISTS (SELECT 1 FROM file_change WHERE file = OLD.file); END;
         CREATE TEMP TRIGGER IF NOT EXISTS file_gone AFTER DELETE ON main.attachment
           WHEN OLD.state IN (1, 2) BEGIN INSERT INTO file_change SELECT OLD.file
             WHERE NOT EXISTS (SELECT 1 FROM file_change WHERE file = OLD.file); END;",
    )
}

/// The next ones.
pub(in crate::replica) fn next(conn: &Connection, rows_max: usize) -> Sql<Vec<EnvelopeId>> {
    conn.prepare_cached("SELECT id FROM outbox_change LIMIT ?1")?
        .query_map([i64::try_from(rows_max).unwrap_or(i64::MAX)], |row| {
            Ok(EnvelopeId(fixed(row, 0)?))
        })?
        .collect()
}

/// The copy has followed these.
pub(in crate::replica) fn forget(conn: &Connection, ids: &[EnvelopeId]) -> Sql<()> {
    let tx = conn.unchecked_transaction()?;
    let mut forget = tx.prepare_cached("DELETE FROM outbox_change WHERE id = ?1")?;
    for id in ids {
        forget.execute([id.as_bytes()])?;
    }
    drop(forget);
    tx.commit()
}

/// The files that were added, or that the server has now.
pub(in crate::replica) fn files(conn: &Connection) -> Sql<Vec<Place>> {
    conn.prepare_cached("SELECT file FROM file_change")?
        .query_map([], |row| fixed(row, 0).map(Place))?
        .collect()
}

/// The copy has followed all files.
pub(in crate::replica) fn forget_files(conn: &Connection) -> Sql<()> {
    conn.execute_batch("DELETE FROM file_change;")
}

/// The copy reflects all of them.
pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch("DELETE FROM outbox_change; DELETE FROM file_change;")
}
