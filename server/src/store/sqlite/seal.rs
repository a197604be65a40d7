//! A sum over the rows of each table, sealed at the end of every transaction.
//!
//! ```text
//!  row changes ─▶ temporary trigger ─▶ onegrid_seal() ─▶ sums in memory ─▶ table seal, with its code
//! ```
//!
//! The triggers belong to the writer's connection, so a change by any other program leaves the sums as they
//! were, and [`report`] finds its table. The code over the sums needs a key that is not in the file.
//!
//! **Invariant:** sums that do not fit their code are carried on without a code, so no later transaction
//! makes a foreign change valid.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use minicbor::{Decode, Encode};
use onegrid_core::wire::digest::Digest;
use ring::digest::{Context, SHA256};
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Result};

use super::open::newest_version;
use crate::store::{SealKey, SealReport};

/// The sums as the table `seal` notes them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Noted {
    /// The migration under which the rows were counted.
    #[n(0)]
    version: i64,
    /// Sum over the definitions of tables and indices.
    #[n(1)]
    schema: Digest,
    /// Sum over the rows of each table.
    #[n(2)]
    tables: BTreeMap<String, Digest>,
}

/// The code that the end of a transaction writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The table stays as it is: it has no sums yet, or its sums belong to other tables.
    Off,
    /// The sums fit their code, so they get the next one.
    Sealed,
    /// There is no key, or the sums do not fit their code.
    Broken,
}

/// The sums of the writer's connection.
pub(super) struct Sealer {
    tables: Vec<String>,
    sums: Arc<Mutex<Vec<Digest>>>,
    key: Arc<OnceLock<SealKey>>,
}

/// State of one transaction.
pub(super) struct Sealing {
    mode: Mode,
    schema: Digest,
    /// The noted bytes; a transaction without changes writes nothing.
    noted: Option<Vec<u8>>,
}

/// Sums to return to when a job is undone.
pub(super) struct Snapshot(Vec<Digest>);

impl Sealer {
    /// Installs the triggers on the writer's connection. The schema must be up to date.
    pub(super) fn install(db: &Connection, key: Arc<OnceLock<SealKey>>) -> Result<Self> {
        let tables = tables(db)?;
        let sums = Arc::new(Mutex::new(vec![Digest::EMPTY; tables.len()]));
        // Rows that INSERT OR REPLACE removes count too.
        db.execute_batch("PRAGMA recursive_triggers = ON;")?;
        let (added, names) = (Arc::clone(&sums), tables.clone());
        let flags = FunctionFlags::SQLITE_UTF8;
        db.create_scalar_function("onegrid_seal", -1, flags, move |row| {
            let (is_new, no): (bool, i64) = (row.get(0)?, row.get(1)?);
            let no = usize::try_from(no).unwrap_or(usize::MAX);
            let values = (2..row.len()).map(|at| row.get_raw(at));
            let mut sums = added.lock().unwrap_or_else(PoisonError::into_inner);
            if let (Some(sum), Some(name)) = (sums.get_mut(no), names.get(no)) {
                let line = line(name, values);
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
        Ok(Self { tables, sums, key })
    }

    /// Reads the noted sums at the beginning of a transaction, because another process may have written. A
    /// store that was never sealed, or has a new schema, is counted.
    pub(super) fn begin(&self, db: &Connection) -> Result<Sealing> {
        let (noted, code) = noted(db)?;
        let key = self.key.get();
        let known = noted.as_deref().and_then(decode);
        let fits = key.zip(noted.as_deref()).zip(code.as_deref());
        let fits = fits.is_some_and(|((key, noted), code)| key.fits(noted, code));
        let is_older = fits
            && known
                .as_ref()
                .is_some_and(|known| known.version < newest_version());
        let is_counted = is_older || noted.is_none() && key.is_some() && has_row(db)?;
        let (mode, sums, schema) = if is_counted {
            (Mode::Sealed, self.count(db)?, schema(db)?)
        } else {
            match known {
                Some(known) if known.tables.keys().eq(&self.tables) => {
                    let mode = if fits { Mode::Sealed } else { Mode::Broken };
                    (mode, known.tables.into_values().collect(), known.schema)
                }
                // Sums of other tables stay as they are, so that a check still finds what was changed.
                _ => (Mode::Off, self.empty(), Digest::EMPTY),
            }
        };
        *self.lock() = sums;
        Ok(Sealing {
            mode,
            schema,
            noted,
        })
    }

    /// Notes the sums before the transaction commits.
    pub(super) fn end(&self, db: &Connection, sealing: &Sealing) -> Result<()> {
        if sealing.mode == Mode::Off {
            return Ok(());
        }
        let sums = self.lock();
        let tables = self.tables.iter().cloned().zip(sums.iter().copied());
        let noted = Noted {
            version: newest_version(),
            schema: sealing.schema,
            tables: tables.collect(),
        };
        drop(sums);
        let bytes = minicbor::to_vec(&noted).expect("writing CBOR to memory does not fail");
        if sealing.noted.as_deref() == Some(&bytes) {
            return Ok(());
        }
        let key = self.key.get().filter(|_| sealing.mode == Mode::Sealed);
        let code = key.map(|key| key.seal(&bytes));
        db.prepare_cached("UPDATE seal SET sums = ?, code = ? WHERE no = 1")?
            .execute((bytes, code))
            .map(drop)
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

    fn empty(&self) -> Vec<Digest> {
        vec![Digest::EMPTY; self.tables.len()]
    }

    fn count(&self, db: &Connection) -> Result<Vec<Digest>> {
        self.tables.iter().map(|table| sum(db, table)).collect()
    }
}

/// Whether the schema has the seal.
pub(super) fn exists(db: &Connection) -> Result<bool> {
    db.prepare("SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'seal'")?
        .exists([])
}

/// Whether the sums are still to be counted when a key is there.
pub(super) fn is_uncounted(db: &Connection) -> Result<bool> {
    let (noted, _) = noted(db)?;
    let known = noted.as_deref().and_then(decode);
    Ok(match (noted, known) {
        (None, _) => has_row(db)?,
        (Some(_), known) => known.is_some_and(|known| known.version < newest_version()),
    })
}

/// Forgets the sums, so that the store is counted and sealed anew. Only an administrator may decide this, about
/// a damaged store that is the best that is left.
pub(super) fn forget(db: &Connection) -> Result<()> {
    db.execute(
        "INSERT OR REPLACE INTO seal (no, sums, code) VALUES (1, NULL, NULL)",
        [],
    )
    .map(drop)
}

/// Compares the noted sums with the rows.
pub(super) fn report(db: &Connection) -> Result<SealReport> {
    let whole: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    let (sums, seal) = noted(db)?;
    let mut changed = Vec::new();
    if let Some(known) = sums.as_deref().and_then(decode) {
        if schema(db)? != known.schema {
            changed.push("sqlite_schema".to_owned());
        }
        let tables = tables(db)?;
        for table in &tables {
            let is_same = known.tables.get(table) == Some(&sum(db, table)?);
            changed.extend((!is_same).then(|| table.clone()));
        }
        let gone = known
            .tables
            .into_keys()
            .filter(|known| !tables.contains(known));
        changed.extend(gone);
    }
    Ok(SealReport {
        sums,
        seal,
        changed,
        is_whole: whole == "ok",
    })
}

fn decode(bytes: &[u8]) -> Option<Noted> {
    minicbor::decode(bytes).ok()
}

type Sealed = (Option<Vec<u8>>, Option<Vec<u8>>);

fn noted(db: &Connection) -> Result<Sealed> {
    let found = db
        .prepare_cached("SELECT sums, code FROM seal WHERE no = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Whether the migration's row is there. A store that lost it is not counted again.
fn has_row(db: &Connection) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM seal WHERE no = 1")?
        .exists([])
}

/// All tables but the one of the seal, in the order of their names.
fn tables(db: &Connection) -> Result<Vec<String>> {
    db.prepare(
        "SELECT name FROM main.sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'seal'
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

fn schema(db: &Connection) -> Result<Digest> {
    sum_of(
        db,
        "sqlite_schema",
        "SELECT type, name, tbl_name, sql FROM main.sqlite_schema",
    )
}

fn sum(db: &Connection, table: &str) -> Result<Digest> {
    sum_of(db, table, &format!("SELECT * FROM main.\"{table}\""))
}

fn sum_of(db: &Connection, table: &str, query: &str) -> Result<Digest> {
    let mut statement = db.prepare(query)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut sum = Digest::EMPTY;
    while let Some(row) = rows.next()? {
        let values: Vec<ValueRef<'_>> = (0..columns)
            .map(|at| row.get_ref(at))
            .collect::<Result<_>>()?;
        sum = sum.plus(line(table, values.into_iter()));
    }
    Ok(sum)
}

/// The line of a row: a hash over the table's name and all values, each with its type and length.
fn line<'v>(table: &str, values: impl Iterator<Item = ValueRef<'v>>) -> Digest {
    let mut hash = Context::new(&SHA256);
    let mut add = |kind: u8, bytes: &[u8]| {
        hash.update(&[kind]);
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
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
    let hash = hash.finish();
    let mut start = [0; 16];
    start.copy_from_slice(&hash.as_ref()[..16]);
    Digest::from_bytes(start)
}
