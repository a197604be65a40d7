//! Backup while the server runs, and restore while it does not.
//!
//! A backup is a folder with a consistent copy of the database and the server's keys. **Invariant:** a store
//! that comes from a backup has a generation that no store of this deployment ever had, so that phones notice
//! and give back what the backup lacks.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::ADMIN;
use super::data_dir::{DATABASE, DataDir, KEYS, make_private, unusable};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::registry::{audit, directory};
use crate::store::StoreError;

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
    to.canonicalize()
        .ok()
        .and_then(|whole| whole.parent().map(sync))
        .transpose()
        .map(drop)
}

/// Puts a backup in the place of the data. Refused while a server runs, when the backup is damaged, or when
/// it is of another deployment. What was there is set aside, never deleted.
pub fn restore(data: &DataDir, from: &Path, now_ms: i64) -> Result<Restored> {
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
    if fresh.path().exists() {
        std::fs::remove_dir_all(fresh.path()).map_err(|error| fresh.unusable(&error))?;
    }
    fresh.make()?;
    std::fs::copy(source.database(), fresh.database()).map_err(|error| fresh.unusable(&error))?;
    keys.write(&fresh.keys())?;
    let before = generation_of(data).unwrap_or_default();
    let generation = raise(&fresh, before, now_ms)?;
    sync(&fresh.database())?;
    let set_aside = put_aside(data, now_ms)?;
    // The database comes last: without it nothing starts, and this can be done again.
    if !data.keys().exists() {
        std::fs::rename(fresh.keys(), data.keys()).map_err(|error| data.unusable(&error))?;
    }
    std::fs::rename(fresh.database(), data.database()).map_err(|error| data.unusable(&error))?;
    std::fs::remove_dir_all(fresh.path()).map_err(|error| fresh.unusable(&error))?;
    sync(data.path())?;
    Ok(Restored {
        generation,
        set_aside,
    })
}

/// The generation of what is there, as far as that can still be read.
fn generation_of(data: &DataDir) -> Option<u32> {
    let store = data.is_prepared().then(|| data.store().ok()).flatten()?;
    store
        .read::<_, StoreError>(|tx| directory::generation(tx))
        .ok()
}

/// Gives the copy a generation of its own. It counts seconds, so that two restores of one backup differ even
/// when nothing that ran between them is left.
fn raise(fresh: &DataDir, before: u32, now_ms: i64) -> Result<u32> {
    let store = fresh.store()?;
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or_default();
    store.write::<_, Problem>(move |tx| {
        let own = directory::generation(tx)?;
        let next = own.max(before).saturating_add(1).max(seconds);
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
    let aside = with_suffix(&data.database(), &format!("before-{now_ms}"));
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

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| unusable(path, &error))
}
