//! Backup while the server runs, and restore while it does not.
//!
//! A backup is a folder with a consistent copy of the database and the server's keys. **Invariant:** a store
//! that comes from a backup has a generation that no store of this deployment ever had, so that phones notice
//! and give back what the backup lacks.

use std::path::{Path, PathBuf};

use super::ADMIN;
use super::data_dir::{
    DATABASE, DataDir, KEYS, make_private, sync, sync_parent, unusable, with_suffix,
};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::registry::{audit, directory};
use crate::store::sqlite::{SqliteOptions, SqliteStore};
use crate::store::{Store, StoreError};

/// Begins the name of a database that was set aside, after [`DATABASE`] and a dot.
const BEFORE: &str = "before-";

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The generation of the data from now on.
    pub generation: u32,
    /// Where the data that was there before lies now.
    pub set_aside: Option<PathBuf>,
}

/// Copies everything that is committed now, and the keys, into a new folder.
pub fn backup(data: &DataDir, to: &Path, now_ms: i64) -> Result<()> {
    if to.exists() {
        return Err(Problem::new("backup.exists").with("path", to.display()));
    }
    let store = data.store()?;
    // A folder that is named like a backup is a whole one.
    let part = with_suffix(to, "part");
    if part.exists() {
        std::fs::remove_dir_all(&part).map_err(|error| unusable(&part, &error))?;
    }
    make_private(&part)?;
    store
        .write::<_, Problem>(move |tx| Ok(audit::note(tx, now_ms, ADMIN, "server.backup", "")?))?;
    store.backup(&part.join(DATABASE))?;
    Keys::read(&data.keys())?.write(&part.join(KEYS))?;
    for path in [part.join(DATABASE), part.clone()] {
        sync(&path)?;
    }
    std::fs::rename(&part, to).map_err(|error| unusable(to, &error))?;
    sync_parent(to)
}

/// Puts a backup in the place of the data. Refused while a server runs, when the backup is damaged, or when
/// it is of another deployment. What was there is set aside, never deleted. Where nothing of it is left, a
/// clock that goes wrong can not tell how high the generation was: it is told by `above` then.
pub fn restore(data: &DataDir, from: &Path, above: Option<u32>, now_ms: i64) -> Result<Restored> {
    let source = DataDir::at(from);
    if !source.is_prepared() {
        return Err(Problem::new("backup.none").with("path", from.display()));
    }
    let keys = Keys::read(&source.keys())?;
    data.make()?;
    let _lock = data.lock()?;
    if data.keys().exists() {
        let ours = Keys::read(&data.keys())?;
        if ours.anchors().root() != keys.anchors().root() {
            return Err(Problem::new("keys.of_another_deployment"));
        }
    }
    // Copied beside the data and raised to its generation there: what takes the place is ready for use.
    let fresh = DataDir::at(&data.path().join("restoring"));
    fresh.make_anew()?;
    std::fs::copy(source.database(), fresh.database()).map_err(|error| fresh.unusable(&error))?;
    keys.write(&fresh.keys())?;
    let before = generation_before(data)?;
    let generation = raise(&fresh, before, above, now_ms)?;
    sync(&fresh.database())?;
    let set_aside = put_aside(data, now_ms)?;
    data.take(&fresh)?;
    Ok(Restored {
        generation,
        set_aside,
    })
}

/// The highest generation of what is there and of what was set aside, as far as that can still be read: a
/// restore that was broken off may have left the last one there.
fn generation_before(data: &DataDir) -> Result<u32> {
    let unusable = |error| data.unusable(&error);
    let aside = with_suffix(Path::new(DATABASE), BEFORE);
    let aside = aside.to_string_lossy();
    let mut highest = 0;
    for entry in std::fs::read_dir(data.path()).map_err(unusable)? {
        let name = entry.map_err(unusable)?.file_name();
        let name = name.to_string_lossy();
        let after = name.strip_prefix(&*aside);
        let is_aside = after.is_some_and(|at_ms| at_ms.parse::<i64>().is_ok());
        if is_aside || name == DATABASE {
            let found = generation_of(&data.path().join(&*name));
            highest = highest.max(found.unwrap_or_default());
        }
    }
    Ok(highest)
}

fn generation_of(database: &Path) -> Option<u32> {
    let store = SqliteStore::open(database, SqliteOptions::default()).ok()?;
    let store: &dyn Store = &store;
    store
        .read::<_, StoreError>(|tx| directory::generation(tx))
        .ok()
}

/// Gives the copy a generation of its own. It counts seconds, so that two restores of one backup differ even
/// when nothing that ran between them is left. Who saw the code of an invitation that was redeemed after the
/// backup could redeem it once more: open invitations end, and administrators invite again.
fn raise(fresh: &DataDir, before: u32, above: Option<u32>, now_ms: i64) -> Result<u32> {
    let store = fresh.store()?;
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or_default();
    store.write::<_, Problem>(move |tx| {
        let last = tx.audit_last()?;
        if above.is_none() && last.is_some_and(|last| last.at_ms > now_ms) {
            return Err(Problem::new("restore.clock_behind"));
        }
        let highest = directory::generation(tx)?.max(before);
        let highest = highest.max(above.unwrap_or_default());
        let next = highest.saturating_add(1).max(seconds);
        directory::set_generation(tx, next)?;
        directory::bump_policy(tx)?;
        tx.forget_visitors()?;
        audit::note(tx, now_ms, ADMIN, "server.restored", &next.to_string())?;
        Ok(next)
    })
}

/// Where the database lies now, with what belongs to it. A restore that was broken off may have left a log
/// without its database: it would be taken for one of the next database.
fn put_aside(data: &DataDir, now_ms: i64) -> Result<Option<PathBuf>> {
    let aside = with_suffix(&data.database(), &format!("{BEFORE}{now_ms}"));
    let mut found = None;
    for ending in ["", "-wal", "-shm"] {
        let name = |path: &Path| PathBuf::from(format!("{}{ending}", path.display()));
        let (from, to) = (name(&data.database()), name(&aside));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(|error| data.unusable(&error))?;
            found = Some(aside.clone());
        }
    }
    Ok(found)
}
