//! The move of a deployment to a database server and back, and a backup from there: table by table.
//!
//! ```text
//!  for each table: slice of the source ≠ slice of the target ─▶ written to the target
//!  ─▶ digests of both sides ─▶ the notes and the end of the copy, in one transaction
//! ```
//!
//! **Invariants.** The source is only read. A target with other data is refused. An unfinished target has a note
//! of the copy, so no server starts on it; the same command continues the copy, after a break at any instant. The note
//! changes together with the last rows, once every table has the digest of its source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::wire::digest::Digest;

use super::backup::put_aside;
use super::data_dir::{DataDir, sync, with_suffix};
use super::remote;
use crate::config::DatabaseConfig;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::{COPY_ROWS_A_STEP, TRIAL_EVERY};
use crate::registry::audit;
use crate::server::Server;
use crate::store::sqlite::{self, SqliteEnd, SqliteOptions, SqliteStore};
use crate::store::{Cell, CopyEnd, Store, StoreResult, TABLES, Table};

/// Result of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveResult {
    /// Rows that both sides have.
    pub rows: u64,
    /// New path of the database that was moved to a server; `None` on the way back.
    pub set_aside: Option<PathBuf>,
}

/// Moves the database of a data folder to a database server. Refused while a server or a command uses the folder.
///
/// `progress` is called with the name of each table that is copied and the number of its rows.
pub fn to_server(
    data: &DataDir,
    to: &DatabaseConfig,
    actor: &str,
    now_ms: i64,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<MoveResult> {
    let _lock = data.lock()?;
    let _alone = data.claim()?;
    let keys = data.read_keys()?;
    if !sqlite::is_as_sealed(&data.database(), &keys.seal_key())? {
        return Err(Problem::new("migrate.changed").with("path", data.path().display()));
    }
    let rows = copy_in(&data.database(), &keys, to, progress)?;
    note_move(&remote::open(to, 1)?, actor, now_ms)?;
    Ok(MoveResult {
        rows,
        // A server that is started without the address of the database must not continue from here.
        set_aside: put_aside(data, now_ms)?,
    })
}

/// Moves a deployment from a database server into the data folder. Refused while a node uses the database.
pub fn to_folder(
    data: &DataDir,
    from: &DatabaseConfig,
    actor: &str,
    now_ms: i64,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<MoveResult> {
    let _lock = data.lock()?;
    let _alone = data.claim()?;
    // The folder has no database yet.
    let keys = Keys::read(&data.keys())?;
    if data.database().exists() {
        return Err(Problem::new("migrate.occupied"));
    }
    let source = remote::connect(from, 1)?;
    let source = source.snapshot()?;
    let notes = own_notes(&source, notes_table())?;
    check_rest(note_of(&notes, Server::TRIAL), now_ms)?;
    // The database gets its name when it is whole and sealed. One that was whole before a break may be older than
    // its source by now.
    let part = with_suffix(&data.database(), "moving");
    if is_whole(&part) {
        remove(&part).map_err(|error| data.unusable(&error))?;
    }
    let rows = copy(&source, &SqliteEnd::open(&part, None)?, progress)?;
    let key = keys.seal_key();
    sqlite::seal_anew(&part, &key)?;
    let store = SqliteStore::open_sealed(&part, SqliteOptions::default(), &key)?;
    note_move(&(Arc::new(store) as _), actor, now_ms)?;
    sqlite::merge_log(&part)?;
    sync(&part)?;
    std::fs::rename(&part, data.database()).map_err(|error| data.unusable(&error))?;
    sync(data.path())?;
    Ok(MoveResult {
        rows,
        set_aside: None,
    })
}

/// Whether an earlier attempt has copied everything into this file.
fn is_whole(part: &Path) -> bool {
    let note = |name| sqlite::peek(part, name).ok().flatten();
    note(Server::ROOT).is_some() && note(Server::COPY).is_none_or(|of| of.is_empty())
}

/// Removes a database with its log.
fn remove(database: &Path) -> std::io::Result<()> {
    for ending in ["-shm", "-wal", ""] {
        let path = PathBuf::from(format!("{}{ending}", database.display()));
        if path.exists() {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn notes_table() -> &'static Table {
    TABLES.last().expect("there are tables")
}

/// Refuses a store that a node used a moment ago, because a serving node notes the time again and again.
pub(super) fn check_rest(noted: Option<Vec<u8>>, now_ms: i64) -> Result<()> {
    let noted = noted.and_then(|noted| noted.try_into().ok());
    let served_ms = noted.map_or(i64::MIN, i64::from_be_bytes);
    let rest_ms = i64::try_from(TRIAL_EVERY.as_millis()).unwrap_or(i64::MAX) * 2;
    if (now_ms.saturating_sub(rest_ms)..=now_ms.saturating_add(rest_ms)).contains(&served_ms) {
        return Err(Problem::new("migrate.served"));
    }
    Ok(())
}

/// Copies a closed database into an empty one on a database server. Returns the number of rows.
pub fn copy_in(
    from: &Path,
    keys: &Keys,
    to: &DatabaseConfig,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<u64> {
    let source = SqliteEnd::open(from, Some(&keys.seal_key()))?;
    copy(&source, &remote::connect(to, 1)?, progress)
}

/// Copies a snapshot of the deployment on a database server into a new file, while its nodes work.
pub fn copy_out(from: &DatabaseConfig, keys: &Keys, to: &Path) -> Result<()> {
    let source = remote::connect(from, 1)?;
    let target = SqliteEnd::open(to, None)?;
    copy(&source.snapshot()?, &target, &mut |_, _| {})?;
    drop(target);
    // Sealed, so that a restore finds every later change.
    sqlite::seal_anew(to, &keys.seal_key())?;
    Ok(sqlite::merge_log(to)?)
}

fn note_move(store: &Arc<dyn Store>, actor: &str, now_ms: i64) -> Result<()> {
    let actor = actor.to_owned();
    store.write::<_, Problem>(move |tx| Ok(audit::note(tx, now_ms, &actor, "server.migrated", "")?))
}

/// Copies every table, and returns the number of rows.
fn copy(
    source: &dyn CopyEnd,
    target: &dyn CopyEnd,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<u64> {
    let (notes, tables) = TABLES.split_last().expect("there are tables");
    let mut deployment = own_notes(source, notes)?;
    let root =
        note_of(&deployment, Server::ROOT).ok_or_else(|| Problem::new("store.not_initialised"))?;
    claim(target, notes, tables, &root)?;
    let mut rows = fill(source, target, tables, progress)?;
    if let Some(wrong) = first_difference(source, target, tables)? {
        // The source has changed since an earlier attempt, which left rows that are gone there.
        for table in tables[wrong..].iter().rev() {
            target.clear(table)?;
        }
        rows = fill(source, target, tables, progress)?;
        if let Some(wrong) = first_difference(source, target, tables)? {
            return Err(Problem::new("migrate.differs").with("table", tables[wrong].name));
        }
    }
    rows += deployment.len() as u64;
    let whole = deployment.clone();
    deployment.push(vec![
        Cell::Text(Server::COPY.to_owned()),
        Cell::Bytes(Vec::new()),
    ]);
    target.put(notes, &deployment)?;
    if own_notes(target, notes)? != whole {
        return Err(Problem::new("migrate.differs").with("table", notes.name));
    }
    Ok(rows)
}

/// The notes of a deployment, without the one about a copy.
fn own_notes(end: &dyn CopyEnd, notes: &Table) -> StoreResult<Vec<Vec<Cell>>> {
    let mut all = Vec::new();
    walk(end, notes, |rows| all.extend_from_slice(rows))?;
    all.retain(|row| row.first() != Some(&Cell::Text(Server::COPY.to_owned())));
    Ok(all)
}

fn note_of(notes: &[Vec<Cell>], name: &str) -> Option<Vec<u8>> {
    notes.iter().find_map(|row| match &row[..] {
        [Cell::Text(found), Cell::Bytes(value)] if found == name => Some(value.clone()),
        _ => None,
    })
}

/// Notes in an empty target which deployment it gets, or finds that note of an earlier attempt. Any other target is
/// refused.
fn claim(target: &dyn CopyEnd, notes: &Table, tables: &[Table], root: &[u8]) -> Result<()> {
    let mut found = Vec::new();
    walk(target, notes, |rows| found.extend_from_slice(rows))?;
    if note_of(&found, Server::COPY).is_some_and(|noted| noted == root) {
        return Ok(());
    }
    let mut is_empty = found.is_empty();
    for table in tables {
        is_empty &= target.rows(table, None, 1)?.is_empty();
    }
    if !is_empty {
        return Err(Problem::new("migrate.occupied"));
    }
    let note = vec![
        Cell::Text(Server::COPY.to_owned()),
        Cell::Bytes(root.to_vec()),
    ];
    Ok(target.put(notes, &[note])?)
}

/// Writes the slices that the target does not have yet. Returns the number of rows.
fn fill(
    source: &dyn CopyEnd,
    target: &dyn CopyEnd,
    tables: &[Table],
    progress: &mut dyn FnMut(&str, u64),
) -> StoreResult<u64> {
    let mut all = 0;
    for table in tables {
        let (mut after, mut count) = (None, 0);
        loop {
            let rows = source.rows(table, after.as_deref(), COPY_ROWS_A_STEP)?;
            let Some(last) = rows.last() else { break };
            if target.rows(table, after.as_deref(), rows.len())? != rows {
                target.put(table, &rows)?;
            }
            count += rows.len() as u64;
            after = Some(table.key_of(last));
        }
        progress(table.name, count);
        all += count;
    }
    Ok(all)
}

/// Index of the first table whose rows differ.
fn first_difference(
    source: &dyn CopyEnd,
    target: &dyn CopyEnd,
    tables: &[Table],
) -> StoreResult<Option<usize>> {
    for (at, table) in tables.iter().enumerate() {
        if digest(source, table)? != digest(target, table)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Number and digest of the rows of a table.
fn digest(end: &dyn CopyEnd, table: &Table) -> StoreResult<(u64, Digest)> {
    let (mut count, mut sum) = (0, Digest::EMPTY);
    walk(end, table, |rows| {
        count += rows.len() as u64;
        sum = rows
            .iter()
            .fold(sum, |sum, row| sum.plus(table.digest_of(row)));
    })?;
    Ok((count, sum))
}

/// Reads a table slice by slice.
fn walk(end: &dyn CopyEnd, table: &Table, mut take: impl FnMut(&[Vec<Cell>])) -> StoreResult<()> {
    let mut after = None;
    loop {
        let rows = end.rows(table, after.as_deref(), COPY_ROWS_A_STEP)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(table.key_of(last));
        take(&rows);
    }
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
