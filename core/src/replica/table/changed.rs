//! `changed`: the records whose rows changed, and other news, since the last call. It is in memory, and
//! part of the transaction that changes them. A transaction that is rolled back leaves no trace.

use rusqlite::Connection;

use super::{Sql, fixed};
use crate::id::RecordId;

/// The result of [`take`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::replica) struct ChangeSet {
    pub(in crate::replica) records: Vec<RecordId>,
    pub(in crate::replica) notices: bool,
    pub(in crate::replica) directory: bool,
}

/// Begins to watch. Once for each connection that writes. (`OR IGNORE` would not do: an upsert's own policy
/// reaches into its triggers.)
pub(in crate::replica) fn watch(conn: &Connection) -> Sql<()> {
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS changed (id BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;
         CREATE TEMP TABLE IF NOT EXISTS news (what INTEGER PRIMARY KEY) STRICT;
         CREATE TEMP TRIGGER IF NOT EXISTS record_made AFTER INSERT ON main.record
           BEGIN INSERT INTO changed SELECT NEW.id
             WHERE NOT EXISTS (SELECT 1 FROM changed WHERE id = NEW.id); END;
         CREATE TEMP TRIGGER IF NOT EXISTS record_changed AFTER UPDATE ON main.record
           BEGIN INSERT INTO changed SELECT NEW.id
             WHERE NOT EXISTS (SELECT 1 FROM changed WHERE id = NEW.id); END;
         CREATE TEMP TRIGGER IF NOT EXISTS record_gone AFTER DELETE ON main.record
           BEGIN INSERT INTO changed SELECT OLD.id
             WHERE NOT EXISTS (SELECT 1 FROM changed WHERE id = OLD.id); END;
         CREATE TEMP TRIGGER IF NOT EXISTS attachment_changed AFTER UPDATE OF state, described, refusal
           ON main.attachment WHEN NEW.record IS NOT NULL BEGIN INSERT INTO changed SELECT NEW.record
             WHERE NOT EXISTS (SELECT 1 FROM changed WHERE id = NEW.record); END;
         CREATE TEMP TRIGGER IF NOT EXISTS notice_made AFTER INSERT ON main.notice
           BEGIN INSERT INTO news SELECT 1
             WHERE NOT EXISTS (SELECT 1 FROM news WHERE what = 1); END;
         CREATE TEMP TRIGGER IF NOT EXISTS notification_made AFTER INSERT ON main.notification
           WHEN NEW.taken = 0 BEGIN INSERT INTO news SELECT 1
             WHERE NOT EXISTS (SELECT 1 FROM news WHERE what = 1); END;
         CREATE TEMP TRIGGER IF NOT EXISTS entry_made AFTER INSERT ON main.directory
           BEGIN INSERT INTO news SELECT 2
             WHERE NOT EXISTS (SELECT 1 FROM news WHERE what = 2); END;
         CREATE TEMP TRIGGER IF NOT EXISTS entry_changed AFTER UPDATE ON main.directory
           BEGIN INSERT INTO news SELECT 2
             WHERE NOT EXISTS (SELECT 1 FROM news WHERE what = 2); END;
         CREATE TEMP TRIGGER IF NOT EXISTS entry_gone AFTER DELETE ON main.directory
           BEGIN INSERT INTO news SELECT 2
             WHERE NOT EXISTS (SELECT 1 FROM news WHERE what = 2); END;",
    )
}

/// Returns the changes since the last time, at most `records_max` records, and forgets them.
pub(in crate::replica) fn take(conn: &Connection, records_max: usize) -> Sql<ChangeSet> {
    let limit = i64::try_from(records_max).unwrap_or(i64::MAX);
    let records: Vec<RecordId> = conn
        .prepare_cached("SELECT id FROM changed LIMIT ?1")?
        .query_map([limit], |row| Ok(RecordId(fixed(row, 0)?)))?
        .collect::<Sql<_>>()?;
    let news: Vec<i64> = conn
        .prepare_cached("SELECT what FROM news")?
        .query_map([], |row| row.get(0))?
        .collect::<Sql<_>>()?;
    if !records.is_empty() || !news.is_empty() {
        conn.execute_batch("DELETE FROM changed; DELETE FROM news;")?;
    }
    Ok(ChangeSet {
        records,
        notices: news.contains(&1),
        directory: news.contains(&2),
    })
}
