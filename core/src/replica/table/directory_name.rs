//! `directory_name` and `directory_search`: units and people by name.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::{Sql, fixed};
use crate::id::AreaId;

/// A unit or a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::replica) struct Named {
    pub(in crate::replica) id: [u8; 16],
    pub(in crate::replica) area: AreaId,
    pub(in crate::replica) sort: u16,
    pub(in crate::replica) zh: String,
    pub(in crate::replica) en: String,
    pub(in crate::replica) dissolved_ms: Option<i64>,
}

/// The kind of names, and the row number to start after.
#[derive(Debug, Clone, Copy)]
pub(in crate::replica) struct Ask<'a> {
    pub(in crate::replica) kind: u16,
    /// An expression for the search index.
    pub(in crate::replica) words: Option<&'a str>,
    /// Of this area or one below it.
    pub(in crate::replica) area: Option<AreaId>,
    /// Not dissolved at this instant.
    pub(in crate::replica) now_ms: i64,
    pub(in crate::replica) after: Option<i64>,
    pub(in crate::replica) rows_max: usize,
}

const COLUMNS: &str = "n.id, n.area, n.sort, n.zh, n.en, n.dissolved_ms, n.no";

/// Stores a name with the words that it is found by.
pub(in crate::replica) fn put(conn: &Connection, kind: u16, named: &Named, words: &str) -> Sql<()> {
    let before = number(conn, kind, &named.id)?;
    conn.prepare_cached(
        "INSERT INTO directory_name (no, kind, id, area, sort, zh, en, dissolved_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (no) DO UPDATE SET area = excluded.area, sort = excluded.sort,
           zh = excluded.zh, en = excluded.en, dissolved_ms = excluded.dissolved_ms",
    )?
    .execute((
        before,
        kind,
        &named.id,
        named.area.as_bytes(),
        named.sort,
        &named.zh,
        &named.en,
        named.dissolved_ms,
    ))?;
    let no = before.unwrap_or_else(|| conn.last_insert_rowid());
    if before.is_some() {
        unindex(conn, no)?;
    }
    conn.prepare_cached("INSERT INTO directory_search (rowid, words) VALUES (?1, ?2)")?
        .execute((no, words))
        .map(drop)
}

/// Forgets a name.
pub(in crate::replica) fn delete(conn: &Connection, kind: u16, id: &[u8; 16]) -> Sql<()> {
    let Some(no) = number(conn, kind, id)? else {
        return Ok(());
    };
    unindex(conn, no)?;
    conn.prepare_cached("DELETE FROM directory_name WHERE no = ?1")?
        .execute([no])
        .map(drop)
}

/// The names, in their order, each with its number.
pub(in crate::replica) fn find(conn: &Connection, ask: &Ask<'_>) -> Sql<Vec<(Named, i64)>> {
    let mut values = vec![Value::from(i64::from(ask.kind)), Value::from(ask.now_ms)];
    let mut bind = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let mut condition =
        String::from("n.kind = ?1 AND (n.dissolved_ms IS NULL OR n.dissolved_ms > ?2)");
    let mut with = String::new();
    let mut from = "directory_name AS n";
    if let Some(words) = ask.words {
        let words = bind(words.to_owned().into());
        condition.extend([" AND directory_search MATCH ", &words]);
        from = "directory_search CROSS JOIN directory_name AS n ON n.no = directory_search.rowid";
    }
    if let Some(area) = ask.area {
        let area = bind(area.as_bytes().to_vec().into());
        with = format!(
            "WITH RECURSIVE below (id) AS (VALUES ({area}) UNION
               SELECT area.id FROM below CROSS JOIN area ON area.parent = below.id) "
        );
        condition.push_str(" AND n.area IN (SELECT id FROM below)");
    }
    if let Some(after) = ask.after {
        let after = bind(after.into());
        condition.extend([
            " AND (n.zh, n.no) > (SELECT zh, no FROM directory_name WHERE no = ",
            &after,
            ")",
        ]);
    }
    let limit = bind(i64::try_from(ask.rows_max).unwrap_or(i64::MAX).into());
    let sql = format!(
        "{with}SELECT {COLUMNS} FROM {from} WHERE {condition} ORDER BY n.zh, n.no LIMIT {limit}"
    );
    conn.prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| {
            Ok((named(row)?, row.get(6)?))
        })?
        .collect()
}

/// Whether the row with a number exists.
pub(in crate::replica) fn has(conn: &Connection, no: i64) -> Sql<bool> {
    conn.prepare_cached("SELECT 1 FROM directory_name WHERE no = ?1")?
        .exists([no])
}

/// Forgets every name. They are made again from the directory.
pub(in crate::replica) fn clear(conn: &Connection) -> Sql<()> {
    conn.execute_batch(
        "DELETE FROM directory_name;
         INSERT INTO directory_search (directory_search) VALUES ('delete-all');",
    )
}

fn number(conn: &Connection, kind: u16, id: &[u8; 16]) -> Sql<Option<i64>> {
    conn.prepare_cached("SELECT no FROM directory_name WHERE kind = ?1 AND id = ?2")?
        .query_row((kind, id), |row| row.get(0))
        .optional()
}

fn unindex(conn: &Connection, no: i64) -> Sql<()> {
    conn.prepare_cached("DELETE FROM directory_search WHERE rowid = ?1")?
        .execute([no])
        .map(drop)
}

fn named(row: &Row<'_>) -> Sql<Named> {
    Ok(Named {
        id: fixed(row, 0)?,
        area: AreaId(fixed(row, 1)?),
        sort: row.get(2)?,
        zh: row.get(3)?,
        en: row.get(4)?,
        dissolved_ms: row.get(5)?,
    })
}
