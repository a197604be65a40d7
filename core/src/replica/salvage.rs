//! Reading a damaged file. It is set aside, never deleted, and its readable rows go into a new one
//! ([`super::rescue`]).
//!
//! Damage is by page. Each table is read row by row from both ends up to the damage, and the part between is
//! halved. So every row is read once, memory holds one row, and a fixed number of reads may fail. Undelivered
//! work is in a second file as well (`outbox_copy`), which is read after the first; pulled data would come
//! again anyway.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, params_from_iter};

use super::attachments::folder::FileFolder;
use super::error::ReplicaError;
use super::open;
use super::site::{FileKey, LOGS_AND_FILE, Site, outbox_copy_path, with_suffix};
use super::table::attachment::{self, Place, UndeliveredFile};
use super::table::meta::{self, Name};
use super::table::{envelope, outbox_copy as second, pack};
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::wire::pack::Pack;

/// The yield of a salvage.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SalvageYield {
    /// Rows that were read and kept.
    pub(super) rows: u64,
    /// Whether a part of the files could not be read.
    pub(super) incomplete: bool,
}

/// The tables that are worth saving, the person's own work first. Projections are made again, streams and
/// directory are pulled again. Revocations are kept, because a restored server may lack them.
const TABLES: &[(&str, Key)] = &[
    ("meta", Key::Name("name")),
    ("anchor", Key::Hash("key")),
    ("certificate", Key::Hash("hash")),
    ("envelope", Key::Number("no")),
    ("revocation", Key::Hash("device")),
    ("notice", Key::Number("no")),
    ("attestation", Key::Number("no")),
    ("pack_proof", Key::Number("no")),
    ("pack", Key::Number("no")),
    ("sealed_certificate", Key::Hash("hash")),
    ("verdict_change", Key::Hash("id")),
    // The tally of removed records, and notifications that wait to be shown.
    ("own_work", Key::Hash("id")),
    // Own words that wait until a restored server is whole.
    ("own_void", Key::Hash("id")),
    ("notification", Key::Number("no")),
    // The keys of photos and recordings. Their files stay where they are.
    ("attachment", Key::Number("no")),
];

/// The tables of the second file that are read before its envelopes, which need them.
const SECOND_TABLES: &[(&str, Key)] = &[
    ("meta", Key::Name("name")),
    ("anchor", Key::Hash("key")),
    ("certificate", Key::Hash("hash")),
];

/// The column that orders a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    /// Numbers, which are nearly dense.
    Number(&'static str),
    /// 16 bytes or more that spread evenly.
    Hash(&'static str),
    /// A few names.
    Name(&'static str),
}

/// Moves the file, its outbox copy and their logs to the first free name `<path>.aside-<n>`. When an
/// interrupted attempt moved them all, it returns the last name that is taken.
pub(super) fn set_aside(site: &Site, path: &Path) -> Result<PathBuf, ReplicaError> {
    let mut aside = with_suffix(path, ".aside-1");
    let mut taken = None;
    for n in 2..=u32::MAX {
        if is_free(site, path, &aside)? {
            break;
        }
        taken = Some(aside);
        aside = with_suffix(path, &format!(".aside-{n}"));
    }
    let mut moved_any = false;
    for (from, to) in moves(path, &aside) {
        if site.exists(&from)? {
            let moved = site.disk.rename(&from, &to);
            moved.map_err(|_| ReplicaError::Storage)?;
            moved_any = true;
        }
    }
    let durable = site.disk.sync_folder(path);
    durable.map_err(|_| ReplicaError::Storage)?;
    Ok(taken.filter(|_| !moved_any).unwrap_or(aside))
}

/// Whether this name is free. The files that an interrupted attempt moved do not block it, because the rest
/// follows under the same name.
fn is_free(site: &Site, path: &Path, aside: &Path) -> Result<bool, ReplicaError> {
    if site.exists(aside)? {
        return Ok(false);
    }
    for (from, to) in moves(path, aside) {
        if site.exists(&from)? && site.exists(&to)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The moves of a file and its logs, in order.
pub(super) fn moves(path: &Path, aside: &Path) -> Vec<(PathBuf, PathBuf)> {
    let files = |path: &Path| {
        [outbox_copy_path(path), path.to_owned()]
            .into_iter()
            .flat_map(|file| LOGS_AND_FILE.map(|ending| with_suffix(&file, ending)))
    };
    files(path).zip(files(aside)).collect()
}

/// Copies the readable rows of a damaged file, without its outbox copy.
pub(super) fn copy(
    site: &Site,
    target: &Connection,
    salvaged: &mut SalvageYield,
) -> Result<(), ReplicaError> {
    let mut source = Source::of(&site.path, &site.key);
    if !source.is_readable() {
        salvaged.incomplete = true;
        return Ok(());
    }
    tables(&mut source, TABLES, target, salvaged)
}

/// Restores rows that the second file has and the replica lacks: the phone's identity, and envelopes that
/// the replica does not know. Returns the records of these envelopes. The replica keeps every row that it
/// has. The second file of another phone is left as it is.
pub(super) fn take_back(
    site: &Site,
    target: &Connection,
    salvaged: &mut SalvageYield,
) -> Result<BTreeSet<RecordId>, ReplicaError> {
    let mut records = BTreeSet::new();
    let path = outbox_copy_path(&site.path);
    if !site.exists(&path)? {
        return Ok(records);
    }
    let mut source = Source::of(&path, &site.key);
    if !source.is_readable() {
        salvaged.incomplete = true;
        return Ok(records);
    }
    let owner = source.read(|conn| Ok(second::owner(conn)?));
    let root = meta::get(target, Name::Root)?;
    if let Ok(Some(owner)) = owner
        && !owner.is_of(site.device, root.as_deref())
    {
        return Ok(records);
    }
    if source.has_table("envelope") == Some(false) {
        return Ok(records);
    }
    tables(&mut source, SECOND_TABLES, target, salvaged)?;
    let mut incomplete = false;
    let is_whole = walk(&mut source, "envelope", Key::Number("no"), &mut |row| {
        let id = row.fixed("id").map(EnvelopeId);
        let record = row.fixed("record").map(RecordId);
        let (Some(id), Some(record)) = (id, record) else {
            incomplete = true;
            return Ok(());
        };
        if is_known(target, id)? {
            return Ok(());
        }
        if insert(target, "envelope", row, &mut incomplete)? {
            salvaged.rows += 1;
            records.insert(record);
        }
        Ok(())
    })?;
    salvaged.incomplete |= incomplete || !is_whole;
    if source.has_table("attachment") != Some(false) {
        files(site, &mut source, target, salvaged)?;
    }
    Ok(records)
}

/// Restores the rows of files that are on the disk and that the replica lacks.
fn files(
    site: &Site,
    source: &mut Source<'_>,
    target: &Connection,
    salvaged: &mut SalvageYield,
) -> Result<(), ReplicaError> {
    let mut incomplete = false;
    let is_whole = walk(source, "attachment", Key::Hash("file"), &mut |row| {
        let (Some(place), Some(id)) = (row.fixed("file"), row.fixed("id")) else {
            incomplete = true;
            return Ok(());
        };
        let file = UndeliveredFile {
            place: Place(place),
            record: row.fixed("record").map(RecordId),
            id: Hash(id),
        };
        if lacks(site, target, &file)? {
            attachment::make_place(target, &file)?;
            salvaged.rows += u64::from(insert(target, "attachment", row, &mut incomplete)?);
        }
        Ok(())
    })?;
    salvaged.incomplete |= incomplete || !is_whole;
    Ok(())
}

/// Whether the replica has no row for a file that is on the disk.
pub(super) fn lacks(
    site: &Site,
    conn: &Connection,
    file: &UndeliveredFile,
) -> Result<bool, ReplicaError> {
    Ok(
        !attachment::has(conn, file)?
            && FileFolder::of(&site.disk, &site.path).holds(file.place)?,
    )
}

/// Whether the replica has an envelope, alone or in a pack.
pub(super) fn is_known(conn: &Connection, id: EnvelopeId) -> Result<bool, rusqlite::Error> {
    if envelope::has(conn, id)? {
        return Ok(true);
    }
    let Some(record) = pack::record_of(conn, id)? else {
        return Ok(false);
    };
    // The index knows a part of each id.
    let packs = pack::of_record(conn, record)?;
    let mut opened = packs
        .iter()
        .filter_map(|pack| Pack::from_bytes(&pack.bytes).ok());
    Ok(opened.any(|pack| pack.entries.iter().any(|entry| entry.id == id)))
}

fn tables(
    source: &mut Source<'_>,
    tables: &[(&'static str, Key)],
    target: &Connection,
    salvaged: &mut SalvageYield,
) -> Result<(), ReplicaError> {
    for (table, key) in tables {
        if source.has_table(table) == Some(false) {
            // An older app wrote the file.
            continue;
        }
        let mut incomplete = false;
        let is_whole = walk(source, table, *key, &mut |row| {
            salvaged.rows += u64::from(insert(target, table, row, &mut incomplete)?);
            Ok(())
        })?;
        salvaged.incomplete |= incomplete || !is_whole;
    }
    Ok(())
}

/// A damaged file. After an error the connection is made again, because the cipher would stay in its error.
pub(super) struct Source<'a> {
    path: &'a Path,
    key: &'a FileKey,
    conn: Option<Connection>,
}

/// A row as it was read.
pub(super) struct SourceRow<'a> {
    columns: &'a [String],
    values: Vec<Value>,
}

impl SourceRow<'_> {
    pub(super) fn value(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|name| name == column)?;
        self.values.get(at)
    }

    fn fixed<const N: usize>(&self, column: &str) -> Option<[u8; N]> {
        match self.value(column)? {
            Value::Blob(bytes) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
    }
}

/// Takes one row.
type Take<'t> = dyn FnMut(&SourceRow<'_>) -> Result<(), ReplicaError> + 't;

/// How far a table was read.
struct Reading {
    /// Key of the last row.
    last: Option<Value>,
    is_whole: bool,
}

/// Why reading stopped.
enum Stop {
    Source,
    Target(ReplicaError),
}

impl From<rusqlite::Error> for Stop {
    fn from(_: rusqlite::Error) -> Self {
        Self::Source
    }
}

impl<'a> Source<'a> {
    pub(super) fn of(path: &'a Path, key: &'a FileKey) -> Self {
        Self {
            path,
            key,
            conn: None,
        }
    }

    fn read<T>(&mut self, read: impl FnOnce(&Connection) -> Result<T, Stop>) -> Result<T, Stop> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None => open::open_damaged(self.path, self.key).map_err(|_| Stop::Source)?,
        };
        // The evidence must stay unwritten, even by the log.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let found = read(&conn)?;
        self.conn = Some(conn);
        Ok(found)
    }

    fn is_readable(&mut self) -> bool {
        let schema = |conn: &Connection| {
            let sql = "SELECT count(*) FROM sqlite_schema";
            Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)
        };
        self.read(schema).is_ok()
    }

    fn has_table(&mut self, table: &str) -> Option<bool> {
        let known = |conn: &Connection| {
            let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            Ok(conn.prepare(sql)?.exists([table])?)
        };
        self.read(known).ok()
    }

    fn pages(&mut self) -> Option<u64> {
        let pages =
            |conn: &Connection| Ok(conn.query_row("PRAGMA page_count", [], |row| row.get(0))?);
        self.read(pages).ok().map(i64::unsigned_abs)
    }

    /// The first or last number of a table; `None` where it cannot be read or there is none.
    fn end(&mut self, table: &str, column: &str, order: &str) -> Option<i64> {
        let sql = format!("SELECT {column} FROM {table} ORDER BY {column} {order} LIMIT 1");
        let end = |conn: &Connection| {
            let mut statement = conn.prepare(&sql)?;
            let mut rows = statement.query([])?;
            let first = rows.next()?;
            Ok(first.map(|row| row.get::<_, i64>(0)).transpose()?)
        };
        self.read(end).ok().flatten()
    }

    /// Reads the rows between two keys, neither of them included, one at a time.
    fn rows(
        &mut self,
        (table, column): (&str, &str),
        (low, high): (Option<&Value>, Option<&Value>),
        order: &str,
        take: &mut Take<'_>,
    ) -> Result<Reading, ReplicaError> {
        let above = low.map_or(String::new(), |_| format!(" AND {column} > ?1"));
        let below = high.map_or(String::new(), |_| {
            format!(" AND {column} < ?{}", 1 + u8::from(low.is_some()))
        });
        let sql = format!("SELECT * FROM {table} WHERE 1{above}{below} ORDER BY {column} {order}");
        let mut last = None;
        let read = self.read(|conn| {
            let mut statement = conn.prepare(&sql)?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut rows = statement.query(params_from_iter(low.into_iter().chain(high)))?;
            while let Some(row) = rows.next()? {
                let values = (0..columns.len())
                    .map(|at| row.get(at))
                    .collect::<Result<_, _>>()?;
                let row = SourceRow {
                    columns: &columns,
                    values,
                };
                take(&row).map_err(Stop::Target)?;
                last = row.value(column).cloned();
            }
            Ok(())
        });
        match read {
            Ok(()) | Err(Stop::Source) => Ok(Reading {
                last,
                is_whole: read.is_ok(),
            }),
            Err(Stop::Target(error)) => Err(error),
        }
    }
}

/// The number of reads of one table that may fail before the rest of its damage is given up: as many as
/// rows were found, within these bounds. A table without a readable row costs the lower bound.
const FAILED_READS: RangeInclusive<usize> = 256..=4_096;

/// Numbers that are tried when the end of a table cannot be read.
const RANGE_GUESS: i64 = 1 << 20;
/// Rows on one page, at most.
const PAGE_ROWS_MAX: i64 = 64;

/// Reads all readable rows of a table, each once; `false` where a part is unreadable.
pub(super) fn walk(
    source: &mut Source<'_>,
    table: &str,
    key: Key,
    take: &mut Take<'_>,
) -> Result<bool, ReplicaError> {
    let column = match key {
        Key::Number(column) | Key::Hash(column) | Key::Name(column) => column,
    };
    // The widest ranges come first, so that sound rows are read before damage is narrowed down.
    let mut ranges: VecDeque<(Option<Value>, Option<Value>)> = VecDeque::from([(None, None)]);
    let (mut failed, found) = (0_usize, Cell::new(0_usize));
    let mut count = |row: &SourceRow<'_>| {
        found.set(found.get() + 1);
        take(row)
    };
    // Keys spread evenly, so a sound page is no narrower than a fraction of an even part.
    let finest = match key {
        Key::Hash(_) => u64::MAX / 8 / source.pages().unwrap_or(1).max(1),
        Key::Number(_) | Key::Name(_) => 0,
    };
    while let Some((mut low, mut high)) = ranges.pop_front() {
        if failed
            > found
                .get()
                .clamp(*FAILED_READS.start(), *FAILED_READS.end())
        {
            break;
        }
        let between = (low.as_ref(), high.as_ref());
        let up = source.rows((table, column), between, "ASC", &mut count)?;
        if up.is_whole {
            continue;
        }
        low = up.last.or(low);
        let between = (low.as_ref(), high.as_ref());
        let down = source.rows((table, column), between, "DESC", &mut count)?;
        failed += 2;
        if down.is_whole {
            continue;
        }
        high = down.last.or(high);
        if let Key::Number(_) = key {
            bound(source, (table, column), &mut low, &mut high);
        }
        if let Some(middle) = middle(key, low.as_ref(), high.as_ref(), finest) {
            let (below, above) = match middle {
                // The number may be a row's own.
                Value::Integer(no) => (Value::Integer(no + 1), Value::Integer(no)),
                middle => (middle.clone(), middle),
            };
            ranges.extend([(low, Some(below)), (Some(above), high)]);
        }
    }
    Ok(failed == 0)
}

/// Ends for a range of numbers that has none. Numbers start at 1 and are nearly dense, so where an end cannot
/// be read, a generous range is walked.
fn bound(
    source: &mut Source<'_>,
    (table, column): (&str, &str),
    low: &mut Option<Value>,
    high: &mut Option<Value>,
) {
    if low.is_none() {
        let first = source.end(table, column, "ASC");
        *low = Some(Value::Integer(first.unwrap_or(1).saturating_sub(1)));
    }
    if high.is_none() {
        let last = source.end(table, column, "DESC");
        let first = match low {
            Some(Value::Integer(first)) => *first,
            _ => 0,
        };
        // Numbers are nearly dense, so they do not exceed the room on all pages.
        let pages = source.pages().and_then(|pages| i64::try_from(pages).ok());
        let guess = pages.map_or(RANGE_GUESS, |pages| pages.saturating_mul(PAGE_ROWS_MAX));
        let last = last.unwrap_or(first.saturating_add(guess));
        *high = Some(Value::Integer(last.saturating_add(1)));
    }
}

/// Where a range is divided; `None` where it is not worth it.
fn middle(key: Key, low: Option<&Value>, high: Option<&Value>, finest: u64) -> Option<Value> {
    match key {
        Key::Name(_) => None,
        Key::Number(_) => {
            let (Value::Integer(low), Value::Integer(high)) = (low?, high?) else {
                return None;
            };
            let width = high.saturating_sub(*low);
            // Only one number is between two that are two apart, and both directions have failed at it.
            (width > 2).then(|| Value::Integer(low + width / 2))
        }
        Key::Hash(_) => {
            let (low, high) = (prefix(low, 0), prefix(high, u64::MAX));
            let width = high.saturating_sub(low);
            // This value is shorter than any key, so it is no key, and it sorts before the keys that begin
            // with it.
            (width > finest.max(1)).then(|| Value::Blob((low + width / 2).to_be_bytes().to_vec()))
        }
    }
}

/// The first 8 bytes of a key.
fn prefix(key: Option<&Value>, otherwise: u64) -> u64 {
    match key {
        Some(Value::Blob(bytes)) => bytes
            .first_chunk()
            .map_or(otherwise, |first| u64::from_be_bytes(*first)),
        _ => otherwise,
    }
}

/// Stores a row; `false` where it is there. A row that the schema refuses is damage too, and the next row
/// follows.
fn insert(
    target: &Connection,
    table: &str,
    row: &SourceRow<'_>,
    incomplete: &mut bool,
) -> Result<bool, ReplicaError> {
    let statement = |columns: &[String]| -> Result<CachedStatement<'_>, ReplicaError> {
        let marks = vec!["?"; columns.len()].join(", ");
        Ok(target.prepare_cached(&format!(
            "INSERT OR IGNORE INTO {table} ({}) VALUES ({marks})",
            columns.join(", ")
        ))?)
    };
    let mut stored = statement(row.columns)?.execute(params_from_iter(&row.values));
    // A number that another row has taken cannot name the row, so the row gets the next one.
    if matches!(stored, Ok(0)) && row.columns.first().is_some_and(|column| column == "no") {
        stored = statement(&row.columns[1..])?.execute(params_from_iter(&row.values[1..]));
    }
    match stored.map_err(ReplicaError::from) {
        Ok(rows) => Ok(rows > 0),
        Err(full @ (ReplicaError::DiskFull | ReplicaError::Storage)) => Err(full),
        Err(_) => {
            *incomplete = true;
            Ok(false)
        }
    }
}
