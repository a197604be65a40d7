//! One end of a copy between backends: a closed database, table by table.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, Row, ToSql, params_from_iter};

use super::convert::{failure, limit};
use super::{SqliteOptions, open};
use crate::store::{Cell, CopyEnd, SealKey, StoreResult, Table};

/// A database that this process alone has open.
pub struct SqliteEnd(Connection);

impl SqliteEnd {
    /// Opens the file, creates it if it does not exist, and brings its schema up to date. A store that is sealed
    /// and older needs its key for that.
    pub fn open(path: &Path, key: Option<&SealKey>) -> StoreResult<Self> {
        open::create(path);
        let mut connection = open::connect(path, SqliteOptions::default())?;
        open::migrate(&mut connection, key)?;
        Ok(Self(connection))
    }
}

impl CopyEnd for SqliteEnd {
    fn rows(
        &self,
        table: &Table,
        after: Option<&[Cell]>,
        count_max: usize,
    ) -> StoreResult<Vec<Vec<Cell>>> {
        let (columns, key) = (table.columns.join(", "), table.key.join(", "));
        let mut sql = format!("SELECT {columns} FROM {}", table.name);
        if after.is_some() {
            let holes = holes(table.key.len());
            let _ = write!(sql, " WHERE ({key}) > ({holes})");
        }
        let _ = write!(sql, " ORDER BY {key} LIMIT {}", limit(count_max));
        let mut statement = self.0.prepare_cached(&sql).map_err(failure)?;
        let rows = statement
            .query_map(params_from_iter(after.unwrap_or_default()), |row| {
                (0..table.columns.len()).map(|at| cell(row, at)).collect()
            })
            .map_err(failure)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failure)
    }

    fn put(&self, table: &Table, rows: &[Vec<Cell>]) -> StoreResult<()> {
        let (columns, key) = (table.columns.join(", "), table.key.join(", "));
        let holes = holes(table.columns.len());
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
            "INSERT INTO {} ({columns}) VALUES ({holes}) ON CONFLICT ({key}) DO {how}",
            table.name
        );
        let tx = self.0.unchecked_transaction().map_err(failure)?;
        {
            let mut statement = tx.prepare_cached(&sql).map_err(failure)?;
            for row in rows {
                statement.execute(params_from_iter(row)).map_err(failure)?;
            }
        }
        tx.commit().map_err(failure)
    }

    fn clear(&self, table: &Table) -> StoreResult<()> {
        let sql = format!("DELETE FROM {}", table.name);
        self.0.execute(&sql, []).map(drop).map_err(failure)
    }
}

fn holes(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn cell(row: &Row<'_>, at: usize) -> rusqlite::Result<Cell> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|error| Error::Utf8Error(at, error))?;
            Cell::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Error::IntegralValueOutOfRange(at, 0)),
    })
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::store::TABLES;

    /// A table or column that a migration adds would silently be missing from every copy.
    #[test]
    fn copied_tables_are_those_of_the_schema() {
        let folder = tempfile::tempdir().unwrap();
        let end = SqliteEnd::open(&folder.path().join("onegrid.db"), None).unwrap();
        let names = |sql: &str| -> Vec<String> {
            let mut found = end.0.prepare(sql).unwrap();
            let found = found.query_map([], |row| row.get(0)).unwrap();
            found.collect::<rusqlite::Result<_>>().unwrap()
        };
        let all = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seal'");
        let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        known.sort_unstable();
        let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
        all.sort_unstable();
        assert_eq!(all, known);
        for table in TABLES {
            let form = format!("FROM pragma_table_info('{}')", table.name);
            assert_eq!(names(&format!("SELECT name {form}")), table.columns);
            let key = format!("SELECT name {form} WHERE pk > 0 ORDER BY pk");
            assert_eq!(names(&key), table.key, "{}", table.name);
        }
    }
}
