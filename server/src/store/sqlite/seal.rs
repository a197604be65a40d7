//! A sum over the rows of each table, sealed at the end of every transaction.
//!
//! ```text
//!  row changes ─▶ temporary trigger ─▶ onegrid_seal() ─▶ sums in memory ─▶ table seal, encrypted
//! ```
//!
//! The triggers belong to the writer's connection, so a change by any other program leaves the sums as they
//! were, and [`report`] finds its table. Each row counts by a code under a key that is not in the file, and the
//! sums are encrypted under another one. Otherwise a thief of codes could find other rows with the same sum.
//!
//! **Invariant:** only a store that this program makes, brings up to a new schema, or is told to take as it is
//! gets sums without having some ([`count`]). A lost seal, a foreign one, or tables of another form stay as they
//! are, so no later transaction makes a foreign change valid.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use minicbor::{Decode, Encode};
use onegrid_core::wire::digest::Digest;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, OptionalExtension, Result};

use crate::store::{SealKey, SealReport};

/// The sums as the table `seal` has them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Noted {
    /// Sum over the definitions of tables and indices.
    #[n(0)]
    schema: Digest,
    /// Sum over the rows of each table.
    #[n(1)]
    tables: BTreeMap<String, Digest>,
}

/// The sums of the writer's connection.
pub(super) struct Sealer {
    tables: Vec<String>,
    sums: Arc<Mutex<Vec<Digest>>>,
    key: Arc<OnceLock<SealKey>>,
    /// Whether this process has made the file, so its first sealed transaction counts the rows.
    is_new: AtomicBool,
    schema: Mutex<Option<KnownSchema>>,
}

/// The sum over the definitions, under the number that `SQLite` gives each state of them.
#[derive(Debug, Clone, Copy)]
struct KnownSchema {
    version: i64,
    sum: Digest,
}

/// State of one transaction. Without sums it leaves the seal as it is.
pub(super) struct Sealing(Option<Noted>);

/// Sums to return to when a job is undone.
pub(super) struct Snapshot(Vec<Digest>);

impl Sealer {
    /// Installs the triggers on the writer's connection. The schema must be up to date.
    pub(super) fn install(
        db: &Connection,
        key: Arc<OnceLock<SealKey>>,
        is_new: bool,
    ) -> Result<Self> {
        let tables = tables(db)?;
        let sums = Arc::new(Mutex::new(vec![Digest::EMPTY; tables.len()]));
        // Rows that INSERT OR REPLACE removes count too.
        db.execute_batch("PRAGMA recursive_triggers = ON;")?;
        let (added, names, known) = (Arc::clone(&sums), tables.clone(), Arc::clone(&key));
        let flags = FunctionFlags::SQLITE_UTF8;
        db.create_scalar_function("onegrid_seal", -1, flags, move |row| {
            let Some(key) = known.get() else {
                return Ok(None::<i64>);
            };
            let (is_new, no): (bool, i64) = (row.get(0)?, row.get(1)?);
            let no = usize::try_from(no).unwrap_or(usize::MAX);
            let values = (2..row.len()).map(|at| row.get_raw(at));
            let mut sums = added.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(sum), Some(name)) = (sums.get_mut(no), names.get(no)) {
                let line = line(key, name, values);
                *sum = if is_new {
                    sum.plus(line)
                } else {
                    sum.minus(line)
                };
            }
            Ok(None::<i64>)
        })?;
        for (no, table) in tables.iter().enumerate() {
            let columns = columns(db, table)?;
            let of = |row: &str| {
                let named = columns.iter().map(|column| format!("{row}.\"{column}\""));
                named.collect::<Vec<_>>().join(", ")
            };
            let (old, new) = (of("OLD"), of("NEW"));
            db.execute_batch(&format!(
                "CREATE TEMP TRIGGER \"seal_insert_{table}\" AFTER INSERT ON main.\"{table}\"
                 BEGIN SELECT onegrid_seal(1, {no}, {new}); END;
                 CREATE TEMP TRIGGER \"seal_delete_{table}\" AFTER DELETE ON main.\"{table}\"
                 BEGIN SELECT onegrid_seal(0, {no}, {old}); END;
                 CREATE TEMP TRIGGER \"seal_update_{table}\" AFTER UPDATE ON main.\"{table}\"
                 BEGIN SELECT onegrid_seal(0, {no}, {old}), onegrid_seal(1, {no}, {new}); END;"
            ))?;
        }
        Ok(Self {
            tables,
            sums,
            key,
            is_new: AtomicBool::new(is_new),
            schema: Mutex::new(None),
        })
    }

    /// Reads the sums at the beginning of a transaction, because another process may have written.
    pub(super) fn begin(&self, db: &Connection) -> Result<Sealing> {
        let sealed = sealed(db)?;
        let Some(key) = self.key.get() else {
            // Rows that change without the key would look like those of another program.
            return match sealed {
                Some(_) => Err(without_key()),
                None => Ok(Sealing(None)),
            };
        };
        let noted = match sealed {
            Some(sealed) => open(key, &sealed),
            None if self.is_new.load(Ordering::Relaxed) => Some(noted(db, key)?),
            None => None,
        };
        let noted = match noted {
            Some(noted) if self.is_of(db, key, &noted)? => noted,
            _ => return Ok(Sealing(None)),
        };
        *self.lock() = noted.tables.values().copied().collect();
        Ok(Sealing(Some(noted)))
    }

    /// Whether the sums belong to the tables as they are now. Another program may have added a trigger or an
    /// index, so that the changes of this program have effects that it does not ask for.
    fn is_of(&self, db: &Connection, key: &SealKey, noted: &Noted) -> Result<bool> {
        let version: i64 = db
            .prepare_cached("PRAGMA schema_version")?
            .query_row([], |row| row.get(0))?;
        let mut known = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = match *known {
            Some(known) if known.version == version => known.sum,
            _ => schema(db, key)?,
        };
        *known = Some(KnownSchema { version, sum });
        Ok(sum == noted.schema && noted.tables.keys().eq(&self.tables))
    }

    /// Notes the sums before the transaction commits.
    pub(super) fn end(&self, db: &Connection, sealing: &Sealing) -> Result<()> {
        let (Some(key), Some(before)) = (self.key.get(), &sealing.0) else {
            return Ok(());
        };
        let sums = self.lock();
        let tables = self.tables.iter().cloned().zip(sums.iter().copied());
        let noted = Noted {
            schema: before.schema,
            tables: tables.collect(),
        };
        drop(sums);
        // A transaction without changes writes nothing.
        if noted == *before && !self.is_new.load(Ordering::Relaxed) {
            return Ok(());
        }
        put(db, key, &noted)
    }

    /// The transaction has committed, so a new file is counted.
    pub(super) fn committed(&self, sealing: &Sealing) {
        if sealing.0.is_some() {
            self.is_new.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().clone())
    }

    pub(super) fn undo(&self, to: Snapshot) {
        *self.lock() = to.0;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Digest>> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the store has a seal, of whatever key.
pub(super) fn is_sealed(db: &Connection) -> Result<bool> {
    Ok(sealed(db)?.is_some())
}

/// Counts all rows as they are and seals them.
pub(super) fn count(db: &Connection, key: &SealKey) -> Result<()> {
    put(db, key, &noted(db, key)?)
}

/// Compares the sealed sums with the rows.
pub(super) fn report(db: &Connection, key: &SealKey) -> Result<SealReport> {
    let whole: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let known = sealed(db)?.and_then(|sealed| open(key, &sealed));
    let mut changed = Vec::new();
    if let Some(known) = &known {
        if schema(db, key)? != known.schema {
            changed.push("sqlite_schema".to_owned());
        }
        let tables = tables(db)?;
        for table in &tables {
            let is_same = known.tables.get(table) == Some(&sum(db, key, table)?);
            changed.extend((!is_same).then(|| table.clone()));
        }
        let gone = known.tables.keys().filter(|known| !tables.contains(known));
        changed.extend(gone.cloned());
    }
    Ok(SealReport {
        is_sealed: known.is_some(),
        changed,
        is_whole: whole == "ok",
    })
}

fn without_key() -> Error {
    Error::UserFunctionError("a sealed store was opened without its key".into())
}

fn open(key: &SealKey, sealed: &[u8]) -> Option<Noted> {
    minicbor::decode(&key.open(sealed)?).ok()
}

fn put(db: &Connection, key: &SealKey, noted: &Noted) -> Result<()> {
    let bytes = minicbor::to_vec(noted).expect("writing CBOR to memory does not fail");
    let sealed = key.close(&bytes);
    let sealed =
        sealed.ok_or_else(|| Error::UserFunctionError("no random bytes for the seal".into()))?;
    db.prepare_cached("INSERT OR REPLACE INTO seal (no, sealed) VALUES (1, ?)")?
        .execute([sealed])
        .map(drop)
}

fn sealed(db: &Connection) -> Result<Option<Vec<u8>>> {
    match db.prepare_cached("SELECT sealed FROM seal WHERE no = 1") {
        Ok(mut statement) => statement.query_row([], |row| row.get(0)).optional(),
        Err(_) if !tables_with_seal(db)?.contains(&"seal".to_owned()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn noted(db: &Connection, key: &SealKey) -> Result<Noted> {
    let tables = tables(db)?.into_iter().map(|table| {
        let sum = sum(db, key, &table)?;
        Ok((table, sum))
    });
    Ok(Noted {
        schema: schema(db, key)?,
        tables: tables.collect::<Result<_>>()?,
    })
}

/// All tables but the one of the seal, in the order of their names.
fn tables(db: &Connection) -> Result<Vec<String>> {
    let mut tables = tables_with_seal(db)?;
    tables.retain(|table| table != "seal");
    Ok(tables)
}

fn tables_with_seal(db: &Connection) -> Result<Vec<String>> {
    db.prepare(
        "SELECT name FROM main.sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

fn columns(db: &Connection, table: &str) -> Result<Vec<String>> {
    db.prepare("SELECT name FROM pragma_table_info(?) ORDER BY cid")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

fn schema(db: &Connection, key: &SealKey) -> Result<Digest> {
    sum_of(
        db,
        key,
        "sqlite_schema",
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema",
    )
}

fn sum(db: &Connection, key: &SealKey, table: &str) -> Result<Digest> {
    sum_of(db, key, table, &format!("SELECT * FROM main.\"{table}\""))
}

fn sum_of(db: &Connection, key: &SealKey, table: &str, query: &str) -> Result<Digest> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut sum = Digest::EMPTY;
    while let Some(row) = rows.next()? {
        let values: Vec<ValueRef<'_>> = (0..columns)
            .map(|at| row.get_ref(at))
            .collect::<Result<_>>()?;
        sum = sum.plus(line(key, table, values.into_iter()));
    }
    Ok(sum)
}

/// The code of a row: over the table's name and all values, each with its type and length.
fn line<'v>(key: &SealKey, table: &str, values: impl Iterator<Item = ValueRef<'v>>) -> Digest {
    let mut code = key.line();
    let mut add = |kind: u8, bytes: &[u8]| {
        code.update(&[kind]);
        code.update(&(bytes.len() as u64).to_be_bytes());
        code.update(bytes);
    };
    add(0, table.as_bytes());
    for value in values {
        match value {
            ValueRef::Null => add(1, &[]),
            ValueRef::Integer(number) => add(2, &number.to_be_bytes()),
            ValueRef::Real(number) => add(3, &number.to_bits().to_be_bytes()),
            ValueRef::Text(bytes) => add(4, bytes),
            ValueRef::Blob(bytes) => add(5, bytes),
        }
    }
    let code = code.sign();
    let mut start = [0; 16];
    start.copy_from_slice(&code.as_ref()[..16]);
    Digest::from_bytes(start)
}
