//! Lists and counts over `record`: filters become conditions with bound values, pages go by key.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::Sql;
use super::record::{COLUMNS, RecordRow, read};
use crate::id::AreaId;

/// Which records; every filter that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Stable code of the kind.
    pub kind: Option<u8>,
    /// Stable codes of stages; empty means any.
    pub stages: Vec<u8>,
    /// `true`: somebody still has to work on it; `false`: nobody has.
    pub open: Option<bool>,
    /// Category code.
    pub category: Option<String>,
    /// Home or responsible area, or one above it.
    pub area: Option<AreaId>,
    /// Made by this phone's member.
    pub mine: bool,
    /// Something of it has not reached the server.
    pub undelivered: bool,
    /// It has a conflict that people have to settle.
    pub in_conflict: bool,
}

/// Where a page of a list begins: after this row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    pub(in crate::replica) updated_ms: i64,
    pub(in crate::replica) no: i64,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// The rows, newest change first.
    pub rows: Vec<RecordRow>,
    /// Where the next page begins; absent at the end.
    pub next: Option<PageKey>,
}

pub(in crate::replica) fn page(
    conn: &Connection,
    filter: &Filter,
    after: Option<PageKey>,
    rows_max: usize,
) -> Sql<ListPage> {
    let (mut condition, mut values) = conditions(filter);
    if let Some(key) = after {
        condition.push_str(" AND (record.updated_ms, record.no) < (?, ?)");
        values.extend([Value::from(key.updated_ms), Value::from(key.no)]);
    }
    values.push(Value::from(i64::try_from(rows_max + 1).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT {COLUMNS} FROM record WHERE {condition}
         ORDER BY record.updated_ms DESC, record.no DESC LIMIT ?"
    );
    let mut rows: Vec<(RecordRow, i64)> = conn
        .prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| {
            Ok((read(row)?, row.get(21)?))
        })?
        .collect::<Sql<_>>()?;
    let more = rows.len() > rows_max;
    rows.truncate(rows_max);
    let next = rows.last().filter(|_| more).map(|(row, no)| PageKey {
        updated_ms: row.updated_ms,
        no: *no,
    });
    let rows = rows.into_iter().map(|(row, _)| row).collect();
    Ok(ListPage { rows, next })
}

pub(in crate::replica) fn count(conn: &Connection, filter: &Filter) -> Sql<u64> {
    let (condition, values) = conditions(filter);
    conn.prepare_cached(&format!("SELECT count(*) FROM record WHERE {condition}"))?
        .query_row(params_from_iter(values), |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Records by stage, for the head of a list.
pub(in crate::replica) fn count_by_stage(
    conn: &Connection,
    filter: &Filter,
) -> Sql<Vec<(u8, u64)>> {
    let (condition, values) = conditions(filter);
    conn.prepare_cached(&format!(
        "SELECT record.state, count(*) FROM record WHERE {condition} GROUP BY record.state"
    ))?
    .query_map(params_from_iter(values), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?
    .collect()
}

fn conditions(filter: &Filter) -> (String, Vec<Value>) {
    let mut condition = String::from("1");
    let mut values = Vec::new();
    if let Some(kind) = filter.kind {
        condition.push_str(" AND record.kind = ?");
        values.push(Value::from(i64::from(kind)));
    }
    if !filter.stages.is_empty() {
        let marks = vec!["?"; filter.stages.len()].join(", ");
        condition.extend([" AND record.state IN (", &marks, ")"]);
        values.extend(
            filter
                .stages
                .iter()
                .map(|stage| Value::from(i64::from(*stage))),
        );
    }
    if let Some(open) = filter.open {
        condition.push_str(" AND record.open = ?");
        values.push(Value::from(i64::from(open)));
    }
    if let Some(category) = &filter.category {
        condition.push_str(" AND record.category = ?");
        values.push(Value::from(category.clone()));
    }
    if let Some(area) = filter.area {
        condition.push_str(
            " AND EXISTS (SELECT 1 FROM record_area AS a WHERE a.area = ? AND a.record = record.no)",
        );
        values.push(Value::from(area.as_bytes().to_vec()));
    }
    if filter.mine {
        condition.push_str(" AND record.mine = 1");
    }
    if filter.undelivered {
        condition.push_str(" AND record.undelivered > 0");
    }
    if filter.in_conflict {
        condition.push_str(" AND record.conflicts > 0");
    }
    (condition, values)
}
