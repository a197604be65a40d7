//! A file that does not open is set aside, never deleted, and what is readable goes into a new one
//! ([`super::rescue`]).
//!
//! Damage is by page: a range of rows that can not be read is halved until the bad rows are alone. What the
//! person wrote and no server has is in a second file as well (`outbox_copy`), which is read after the first;
//! pulled data would come again anyway.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::error::ReplicaError;
use super::marker::sync_dir;
use super::open::{self, FileKey};
use super::outbox_copy;

/// What was readable.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Salvaged {
    /// Rows that were read and kept.
    pub(super) rows: u64,
    /// Whether a part of the files could not be read.
    pub(super) incomplete: bool,
}

/// Endings of what `SQLite` keeps beside a file, and takes for that of whatever file lies there. The file itself
/// is the last: while it is at its place, not all of it has been moved.
pub(super) const LOGS_AND_FILE: [&str; 4] = ["-wal", "-journal", "-shm", ""];

/// The tables that are worth saving, the person's own work first. Projections are made again, streams and
/// directory are pulled again.
const TABLES: &[(&str, Walk)] = &[
    ("meta", Walk::ByKey("name")),
    ("anchor", Walk::ByKey("key")),
    ("certificate", Walk::ByKey("hash")),
    ("envelope", Walk::ByNumber("no")),
    ("notice", Walk::ByNumber("no")),
    ("attestation", Walk::ByNumber("no")),
    ("pack_proof", Walk::ByNumber("no")),
    ("pack", Walk::ByNumber("no")),
    ("verdict_change", Walk::ByKey("id")),
];

/// How many of them the outbox copy has too.
const OUTBOX_TABLES: usize = 4;

#[derive(Clone, Copy)]
enum Walk {
    /// By ranges of a number, halved around what can not be read.
    ByNumber(&'static str),
    /// From both ends up to what can not be read.
    ByKey(&'static str),
}

/// Moves the file, its outbox copy and their logs to the first free name `<path>.aside-<n>`.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf, ReplicaError> {
    let free = |aside: &PathBuf| {
        // What an interrupted attempt has moved is no longer in the way: the rest follows under the same name.
        let taken = |(from, to): (PathBuf, PathBuf)| from.exists() && to.exists();
        !aside.exists() && !moves(path, aside).into_iter().any(taken)
    };
    let aside = (1..=u32::MAX)
        .map(|n| with_suffix(path, &format!(".aside-{n}")))
        .find(free)
        .ok_or(ReplicaError::Storage)?;
    for (from, to) in moves(path, &aside) {
        if from.exists() {
            fs::rename(from, to).map_err(|_| ReplicaError::Storage)?;
        }
    }
    sync_dir(path).map_err(|_| ReplicaError::Storage)?;
    Ok(aside)
}

/// What is moved to where, in order.
pub(super) fn moves(path: &Path, aside: &Path) -> Vec<(PathBuf, PathBuf)> {
    let files = |path: &Path| {
        [outbox_copy::path_of(path), path.to_owned()]
            .into_iter()
            .flat_map(|file| LOGS_AND_FILE.map(|ending| with_suffix(&file, ending)))
    };
    files(path).zip(files(aside)).collect()
}

/// Copies what is readable in a damaged file and in its outbox copy.
pub(super) fn copy(
    path: &Path,
    key: &FileKey,
    target: &mut Connection,
) -> Result<Salvaged, ReplicaError> {
    let mut salvaged = Salvaged::default();
    let tx = target.transaction()?;
    read_file(path, key, TABLES, &tx, &mut salvaged)?;
    let second = outbox_copy::path_of(path);
    if second.exists() {
        read_file(&second, key, &TABLES[..OUTBOX_TABLES], &tx, &mut salvaged)?;
    }
    tx.commit()?;
    Ok(salvaged)
}

fn read_file(
    path: &Path,
    key: &FileKey,
    tables: &[(&'static str, Walk)],
    tx: &Connection,
    salvaged: &mut Salvaged,
) -> Result<(), ReplicaError> {
    let mut source = Source {
        path,
        key,
        conn: None,
    };
    let schema = |conn: &Connection| {
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    if source.read(schema).is_none() {
        salvaged.incomplete = true;
        return Ok(());
    }
    for (table, walk) in tables {
        let mut sink = Sink {
            tx,
            table,
            salvaged,
        };
        match walk {
            Walk::ByNumber(column) => by_number(&mut source, &mut sink, column)?,
            Walk::ByKey(column) => by_key(&mut source, &mut sink, column)?,
        }
    }
    Ok(())
}

/// A damaged file. After an error the connection is made again: the cipher stays in its error otherwise.
struct Source<'a> {
    path: &'a Path,
    key: &'a FileKey,
    conn: Option<Connection>,
}

impl Source<'_> {
    fn read<T>(&mut self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Option<T> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => open::open_damaged(self.path, self.key).ok()?,
        };
        // Nothing may be written into the evidence, not even the log.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .ok()?;
        let found = read(&conn).ok()?;
        self.conn = Some(conn);
        Some(found)
    }
}

struct Sink<'a> {
    tx: &'a Connection,
    table: &'static str,
    salvaged: &'a mut Salvaged,
}

impl<'a> Sink<'a> {
    fn insert(&self, columns: &[String]) -> Result<CachedStatement<'a>, ReplicaError> {
        let marks = vec!["?"; columns.len()].join(", ");
        Ok(self.tx.prepare_cached(&format!(
            "INSERT OR IGNORE INTO {} ({}) VALUES ({marks})",
            self.table,
            columns.join(", ")
        ))?)
    }

    fn write(&mut self, columns: &[String], rows: &[Vec<Value>]) -> Result<(), ReplicaError> {
        // A number that is taken by another row is not the row's name: it gets the next one.
        let unnumbered = columns.iter().filter(|column| *column != "no").count();
        let from = columns.len() - unnumbered;
        let mut insert = self.insert(columns)?;
        let mut insert_unnumbered = self.insert(&columns[from..])?;
        for row in rows {
            let kept = match insert.execute(params_from_iter(row)) {
                Ok(0) if from == 1 => insert_unnumbered.execute(params_from_iter(&row[1..])),
                other => other,
            };
            // A row that the new schema refuses is damage too; the rest goes on.
            match kept {
                Ok(kept) => self.salvaged.rows += kept as u64,
                Err(error) => match ReplicaError::from(error) {
                    full @ (ReplicaError::DiskFull | ReplicaError::Storage) => return Err(full),
                    _ => self.salvaged.incomplete = true,
                },
            }
        }
        Ok(())
    }
}

type Rows = (Vec<String>, Vec<Vec<Value>>);

fn by_number(
    source: &mut Source<'_>,
    sink: &mut Sink<'_>,
    column: &str,
) -> Result<(), ReplicaError> {
    let table = sink.table;
    let end = |source: &mut Source<'_>, order: &str| {
        source.read(|conn| {
            let sql = format!("SELECT {column} FROM {table} ORDER BY {column} {order} LIMIT 1");
            let mut statement = conn.prepare(&sql)?;
            let mut rows = statement.query([])?;
            rows.next()?.map(|row| row.get::<_, i64>(0)).transpose()
        })
    };
    let (first, last) = match (end(source, "ASC"), end(source, "DESC")) {
        (Some(Some(first)), Some(Some(last))) => (first, last),
        (Some(None), _) | (_, Some(None)) => return Ok(()),
        // One end can not be read: numbers start at 1 and are dense, so a generous range is walked.
        (first, last) => {
            sink.salvaged.incomplete = true;
            let first = first.flatten().unwrap_or(1);
            (first, last.flatten().unwrap_or(first + RANGE_GUESS))
        }
    };
    // The widest ranges first, so that what is well is read before damage is narrowed down.
    let mut ranges = VecDeque::from([(first, last)]);
    let mut failed = 0;
    while let Some((low, high)) = ranges.pop_front() {
        if failed > FAILED_READS_MAX {
            sink.salvaged.incomplete = true;
            return Ok(());
        }
        let sql =
            format!("SELECT * FROM {table} WHERE {column} BETWEEN ?1 AND ?2 ORDER BY {column}");
        let found = source.read(|conn| rows(conn, &sql, &[low, high], i64::MAX));
        if let Some((columns, rows)) = found {
            sink.write(&columns, &rows)?;
        } else if low < high {
            failed += 1;
            let middle = low + (high - low) / 2;
            ranges.extend([(middle + 1, high), (low, middle)]);
        } else {
            failed += 1;
            sink.salvaged.incomplete = true;
        }
    }
    Ok(())
}

/// Reads of one table that may fail before the rest of its damage is given up.
const FAILED_READS_MAX: u32 = 4_096;

/// Numbers that are tried when the end of a table can not be read.
const RANGE_GUESS: i64 = 1 << 20;

fn by_key(source: &mut Source<'_>, sink: &mut Sink<'_>, key: &str) -> Result<(), ReplicaError> {
    let table = sink.table;
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT * FROM {table} ORDER BY {key} {order}");
        if let Some((columns, rows)) = source.read(|conn| rows(conn, &sql, &[], i64::MAX)) {
            return sink.write(&columns, &rows);
        }
        // Not whole: row by row until the damage, from this end.
        sink.salvaged.incomplete = true;
        let mut count = 1;
        while let Some((columns, rows)) = source.read(|conn| rows(conn, &sql, &[], count)) {
            if rows.len() < usize::try_from(count).unwrap_or(usize::MAX) {
                break;
            }
            sink.write(&columns, &rows[rows.len() - 1..])?;
            count += 1;
        }
    }
    Ok(())
}

fn rows(conn: &Connection, sql: &str, range: &[i64], rows_max: i64) -> rusqlite::Result<Rows> {
    let mut statement = conn.prepare(sql)?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut cursor = statement.query(params_from_iter(range))?;
    while let Some(row) = cursor.next()? {
        let values = (0..columns.len())
            .map(|at| row.get(at))
            .collect::<Result<_, _>>()?;
        found.push(values);
        if i64::try_from(found.len()).unwrap_or(i64::MAX) >= rows_max {
            break;
        }
    }
    Ok((columns, found))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
