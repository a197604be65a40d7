//! One end of a copy between backends: a database, table by table.

use super::convert::{Columns as _, Value};
use super::db::Db;
use super::pool::Lease;
use super::{PostgresStore, schema};
use crate::store::{Cell, CopyEnd, StoreError, StoreResult, Table};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

impl CopyEnd for PostgresStore {
    fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        count_max: usize,
    ) -> StoreResult<Vec<Vec<Cell>>> {
        let db = self.pool.take()?;
        rows(&db, table, after, count_max)
    }

    fn put(&self, table: &Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
        let (columns, key) = (table.columns.join(", "), table.key.join(", "));
        let others = table
            .columns
            .iter()
            .filter(|name| !table.key.contains(name));
        let replaced: Vec<String> = others
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        let how = if replaced.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {}", replaced.join(", "))
        };
        let sql = format!(
            "INSERT INTO {} ({columns}) VALUES ({}) ON CONFLICT ({key}) DO {how}",
            table.name,
            holes(table.columns.len())
        );
        self.write_alone(|db| {
            rows.iter()
                .try_for_each(|row| db.send(&sql, row.iter().map(Value::from).collect()))
        })
    }

    fn clear(&self, table: &Table) -> StoreResult<()> {
        let sql = format!("DELETE FROM {}", table.name);
        self.write_alone(|db| db.patiently(|| db.run(&sql)))
    }
}

impl PostgresStore {
    /// Runs statements in a durable transaction under the lock of the writers.
    fn write_alone(&self, work: impl FnOnce(&Db) -> StoreResult<()>) -> StoreResult<()> {
        let db = self.pool.take()?;
        db.command("BEGIN")?;
        db.send(schema::LOCK, Vec::new())?;
        work(&db)?;
        // A statement that failed turns the commit into a rollback, and its error comes first.
        db.command("COMMIT")?;
        db.settle()
    }
}

/// One snapshot of a database in use. It can only be read.
pub struct Snapshot<'a>(Lease<'a>);

impl PostgresStore {
    /// Begins a snapshot for a copy. It holds one of the connections for readers.
    pub fn snapshot(&self) -> StoreResult<Snapshot<'_>> {
        let db = self.pool.take()?;
        db.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        // The other end of the copy may be slow.
        db.command("SET LOCAL idle_in_transaction_session_timeout = 0")?;
        // The first query fixes the state that is seen.
        db.all("SELECT 1::bigint", Vec::new())?;
        Ok(Snapshot(db))
    }
}

impl CopyEnd for Snapshot<'_> {
    fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        count_max: usize,
    ) -> StoreResult<Vec<Vec<Cell>>> {
        rows(&self.0, table, after, count_max)
    }

    fn put(&self, _: &Table, _: &[Vec<Cell>]) -> StoreResult<()> {
        Err(StoreError::ReadOnly)
    }

    fn clear(&self, _: &Table) -> StoreResult<()> {
        Err(StoreError::ReadOnly)
    }
}

fn rows(
    db: &Db,
    table: &Table,
    after: Option<&[Cell]>,
    count_max: usize,
) -> StoreResult<Vec<Vec<Cell>>> {
    let (columns, key) = (table.columns.join(", "), table.key.join(", "));
    let beyond = match after {
        Some(_) => format!(" WHERE ({key}) > ({})", holes(table.key.len())),
        None => String::new(),
    };
    let name = table.name;
    let sql = format!("SELECT {columns} FROM {name}{beyond} ORDER BY {key} LIMIT {count_max}");
    let after = after.unwrap_or_default().iter().map(Value::from);
    let rows = db.all(&sql, after.collect())?;
    rows.iter()
        .map(|row| (0..table.columns.len()).map(|at| cell(row, at)).collect())
        .collect()
}

fn holes(count: usize) -> String {
    let holes = (1..=count).map(|number| format!("${number}"));
    holes.collect::<Vec<_>>().join(", ")
}

impl From<&Cell> for Value {
    fn from(cell: &Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(number) => Self::Int(Some(*number)),
            Cell::Text(text) => Self::Text(Some(text.clone())),
            Cell::Bytes(bytes) => Self::Bytes(Some(bytes.clone())),
        }
    }
}

fn cell(row: &Row, at: usize) -> StoreResult<Cell> {
    let column = row.columns().get(at);
    let kind = column.ok_or(StoreError::Row("a column"))?.type_();
    let found = if *kind == Type::INT8 {
        row.maybe_int(at)?.map(Cell::Int)
    } else if *kind == Type::BYTEA {
        row.maybe_bytes(at)?.map(Cell::Bytes)
    } else {
        row.maybe_text(at)?.map(Cell::Text)
    };
    Ok(found.unwrap_or(Cell::Null))
}
