//! Backup while the server runs, and restore while it does not run.
//!
//! A backup is a folder with a consistent copy of the database, the server's keys, and the photos and recordings.
//! The files are copied after the database, so each row of the copy has its file. Where the disk allows it, a
//! copy is a second name of the file, which costs no space. **Invariant:** a
//! restored store gets a generation that no store of this deployment ever had, so the phones notice the
//! restore and give back everything that the backup lacks.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_core::trust::certificate::Anchors;

use super::ADMIN;
use super::data_dir::{DATABASE, DataDir, is_at, sync, sync_parent, unusable, with_suffix};
use super::verify::is_sound;
use crate::blobs::files::Files;
use crate::directory;
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::registry::audit;
use crate::registry::members::Stamp;
use crate::store::sqlite;
use crate::store::{Store, StoreError};

/// Begins the name of a database that a restore set aside, after [`DATABASE`] and a dot.
const BEFORE: &str = "before-";
/// Rows of files that are read at once.
const FILES_A_STEP: usize = 500;

/// Result of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupResult {
    /// Photos and recordings that could not be read, so the backup lacks them.
    pub left_out: u64,
    /// Whether the rows are those that were sealed. A restore of others asks for `--damaged`.
    pub is_as_sealed: bool,
}

/// Result of a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreResult {
    /// Generation of the restored data.
    pub generation: u32,
    /// Photos and recordings that neither the backup nor the data folder has sound.
    pub lost: u64,
    /// New path of the previous database; `None` if there was none.
    pub set_aside: Option<PathBuf>,
}

impl BackupResult {
    /// Whether a restore brings everything back.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.left_out == 0 && self.is_as_sealed
    }
}

/// Copies all committed data and the keys into a new folder, and reads the copy again.
pub fn backup(data: &DataDir, to: &Path, actor: &str, now_ms: i64) -> Result<BackupResult> {
    backup_unless(&|| false, data, to, actor, now_ms)
}

/// Like [`backup`], for a process that may end meanwhile. Then the copying of files ends early.
pub(super) fn backup_unless(
    is_stopped: &dyn Fn() -> bool,
    data: &DataDir,
    to: &Path,
    actor: &str,
    now_ms: i64,
) -> Result<BackupResult> {
    if to.exists() {
        return Err(Problem::new("backup.exists").with("path", to.display()));
    }
    // The folder gets its final name only when the backup is complete.
    let part = with_suffix(to, "part");
    let _claim = claim_part(&part)?;
    let done = or_remove(&part, fill(is_stopped, data, &part, actor, now_ms))?;
    std::fs::rename(&part, to).map_err(|error| unusable(to, &error))?;
    sync_parent(to)?;
    Ok(done)
}

/// Makes the folder of an unfinished backup for this process alone. The remainder of a killed one goes away.
fn claim_part(part: &Path) -> Result<File> {
    let failed = |error: std::io::Error| unusable(part, &error);
    let running = || Problem::new("backup.running").with("path", part.display());
    if !part.exists() {
        // Without the folder above, a disk may not be mounted, and the keys would land on another one.
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(part).map_err(failed)?;
    }
    let claim = File::open(part).map_err(failed)?;
    match claim.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(running()),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // Another process may have renamed its finished backup before the lock was taken. The path is then of a third one.
    if !is_at(&claim, part) {
        return Err(running());
    }
    for entry in std::fs::read_dir(part).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        removed.map_err(failed)?;
    }
    Ok(claim)
}

/// Whether a process fills this part now.
pub(super) fn is_claimed(part: &Path) -> bool {
    let lock = File::open(part).map(|part| part.try_lock());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Copies the data and the keys into this new folder, durably.
fn fill(
    is_stopped: &dyn Fn() -> bool,
    data: &DataDir,
    part: &Path,
    actor: &str,
    now_ms: i64,
) -> Result<BackupResult> {
    let keys = data.read_keys()?;
    let store = data.store()?;
    let actor = actor.to_owned();
    store
        .write::<_, Problem>(move |tx| Ok(audit::note(tx, now_ms, &actor, "server.backup", "")?))?;
    drop(store);
    let copy = DataDir::at(part);
    data.copy_database(&copy.database())?;
    keys.write(&copy.keys())?;
    sync(&copy.database())?;
    let left_out = add_files(&data.files(), &copy.files(), is_stopped)?;
    sync(part)?;
    // A disk that lies is found today and not on the day of the restore.
    let is_as_sealed = sqlite::is_as_sealed(&copy.database(), &keys.seal_key())?;
    // The empty log goes away.
    sqlite::merge_log(&copy.database())?;
    Ok(BackupResult {
        left_out,
        is_as_sealed,
    })
}

/// Adds all files of one folder to another. One that cannot be read is left out, because it must not end a backup of
/// everything else. Returns the number of those left out.
fn add_files(from: &Files, to: &Files, is_stopped: &dyn Fn() -> bool) -> Result<u64> {
    let failed = |error: std::io::Error| unusable(to.folder(), &error);
    to.make().map_err(failed)?;
    let mut left_out = 0_u64;
    for number in 0..=u8::MAX {
        for key in from
            .keys(number)
            .map_err(|error| unusable(from.folder(), &error))?
        {
            if is_stopped() {
                return Err(Problem::new("server.stopping"));
            }
            // The server may also remove an orphan meanwhile.
            left_out += u64::from(!to.add(from, key).map_err(failed)?);
        }
    }
    to.sync_folders().map_err(failed)?;
    Ok(left_out)
}

/// Reads every file that the database has a row of, and replaces a damaged one by a sound one of the backup.
/// Forgets those without a sound one, so that the phones give them back, and all uploads, because their staging
/// files are of another time. Returns the number of forgotten files.
fn settle_files(store: &Arc<dyn Store>, backup: &Files, files: &Files) -> Result<u64> {
    let failed = |error: std::io::Error| unusable(files.folder(), &error);
    store.write::<_, Problem>(|tx| Ok(tx.forget_uploads()?))?;
    let (mut after, mut count) = (None, 0);
    loop {
        let rows = store.read(|tx| tx.attachment_files(after, FILES_A_STEP))?;
        let Some(last) = rows.last() else {
            files.sync_folders().map_err(failed)?;
            return Ok(count);
        };
        after = Some(last.key);
        let mut lost = Vec::new();
        for row in &rows {
            let is_here = is_sound(files, row)
                || is_sound(backup, row) && files.replace(backup, row.key).map_err(failed)?;
            if !is_here {
                lost.push(row.key);
            }
        }
        count += lost.len() as u64;
        store.write::<_, Problem>(move |tx| {
            for key in &lost {
                tx.drop_attachment_file(*key)?;
            }
            Ok(())
        })?;
    }
}

/// Removes the folder when the work in it failed, because a large remainder could fill the disk.
pub(super) fn or_remove<T>(folder: &Path, done: Result<T>) -> Result<T> {
    if done.is_err() && folder.exists() && std::fs::remove_dir_all(folder).is_err() {
        tracing::warn!(path = %folder.display(), "the remainder of a failed copy could not be removed");
    }
    done
}

/// Decisions of an administrator about a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreOptions {
    /// Generation to exceed, when the previous data is lost and the clock is wrong. It normally follows from
    /// the previous data and the clock.
    pub above: Option<u32>,
    /// Whether a backup whose rows are not those that were sealed is taken all the same.
    pub takes_damaged: bool,
}

/// Replaces the data with a backup, with the usual options except for `above`.
pub fn restore(
    data: &DataDir,
    from: &Path,
    above: Option<u32>,
    now_ms: i64,
) -> Result<RestoreResult> {
    let options = RestoreOptions {
        above,
        ..RestoreOptions::default()
    };
    let stamp = Stamp {
        actor: ADMIN,
        now_ms,
    };
    restore_with(data, from, options, stamp)
}

/// Replaces the data with a backup. The previous data is set aside, never deleted. Refused while a server or a
/// command works with it, when the backup is damaged, or when it belongs to another deployment.
pub fn restore_with(
    data: &DataDir,
    from: &Path,
    options: RestoreOptions,
    stamp: Stamp<'_>,
) -> Result<RestoreResult> {
    let source = DataDir::at(from);
    if !source.is_prepared() {
        return Err(Problem::new("backup.none").with("path", from.display()));
    }
    let keys = Keys::read(&source.keys())?;
    data.make()?;
    let _lock = data.lock()?;
    // A command with an open database would write on into the file that is set aside.
    let _alone = data.claim()?;
    if data.keys().exists() {
        let ours = Keys::read(&data.keys())?;
        if ours.anchors().root() != keys.anchors().root() {
            return Err(Problem::new("keys.of_another_deployment"));
        }
    }
    // The copy is prepared in a folder inside the data folder, so it is complete before it replaces the data.
    let fresh = DataDir::at(&data.path().join("restoring"));
    let prepared = prepare(data, &source, &fresh, keys, options, stamp);
    let (generation, lost) = or_remove(fresh.path(), prepared)?;
    let set_aside = put_aside(data, stamp.now_ms)?;
    data.take(&fresh)?;
    Ok(RestoreResult {
        generation,
        lost,
        set_aside,
    })
}

/// Copies the backup into the folder `fresh` and gives the copy its new generation. Returns the generation and the
/// number of lost files.
fn prepare(
    data: &DataDir,
    source: &DataDir,
    fresh: &DataDir,
    keys: Keys,
    options: RestoreOptions,
    stamp: Stamp<'_>,
) -> Result<(u32, u64)> {
    fresh.make_anew()?;
    // The folder of a server that died has its last commits in the log beside the database.
    for (from, to) in [
        (source.database(), fresh.database()),
        (log_of(&source.database()), log_of(&fresh.database())),
    ] {
        if from.exists() {
            copy_private(&from, &to).map_err(|error| fresh.unusable(&error))?;
        }
    }
    let damaged = |error: &dyn std::error::Error| {
        Problem::new("backup.damaged")
            .with("path", source.path().display())
            .because(error)
    };
    let checked = sqlite::check(&fresh.database());
    checked.map_err(|error| match &error {
        StoreError::Damaged(_) => damaged(&error),
        _ => error.into(),
    })?;
    if options.takes_damaged {
        sqlite::seal_anew(&fresh.database(), &keys.seal_key())?;
    } else if !sqlite::is_as_sealed(&fresh.database(), &keys.seal_key())? {
        return Err(damaged(&StoreError::Row("the seal")));
    }
    keys.write(&fresh.keys())?;
    let before = generation_before(data)?;
    let kept = if data.keys().exists() {
        Keys::read(&data.keys())?
    } else {
        keys
    };
    let generation = raise(fresh, before, options.above, stamp, kept.anchors())?;
    // Sound files that are in place stay: phones that give a description back find its file here.
    add_files(&source.files(), &data.files(), &|| false)?;
    let lost = settle_files(&fresh.store()?, &source.files(), &data.files())?;
    // Only the database moves into place, so its log has to be empty by now.
    sqlite::merge_log(&fresh.database())?;
    sync(&fresh.database())?;
    Ok((generation, lost))
}

/// Copies a file into a new one that its owner alone can read and write, whatever the mode of the source. A backup
/// may be read-only or open to all.
fn copy_private(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let (mut from, mut to) = (File::open(from)?, options.open(to)?);
    std::io::copy(&mut from, &mut to).map(drop)
}

/// The log that `SQLite` keeps beside a database.
fn log_of(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

/// Highest generation among the database in place and the databases that were set aside. Unreadable ones are
/// skipped. An interrupted restore may have left the newest database among those set aside.
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

/// Reads it without opening the store, because that brings the schema up to date, and a database that was set
/// aside stays as it is.
fn generation_of(database: &Path) -> Option<u32> {
    directory::generation_in(&sqlite::peek(database, directory::GENERATION).ok()??)
}

/// Gives the copy a new generation, and returns it. The generation is at least the time in seconds, so that
/// two restores of one backup differ even when no data from between them is left.
///
/// All open invitations end, because the backup does not know which of them were redeemed later: a person who
/// saw such a code could redeem it again. Administrators then invite again.
fn raise(
    fresh: &DataDir,
    before: u32,
    above: Option<u32>,
    stamp: Stamp<'_>,
    anchors: &Anchors,
) -> Result<u32> {
    let (anchors, now_ms, actor) = (anchors.clone(), stamp.now_ms, stamp.actor.to_owned());
    let store = fresh.store()?;
    let seconds = u32::try_from(now_ms / 1_000).unwrap_or_default();
    store.write::<_, Problem>(move |tx| {
        let last = tx.audit_last()?;
        if above.is_none() && last.is_some_and(|last| last.at_ms > now_ms) {
            return Err(Problem::new("restore.clock_behind"));
        }
        let highest = directory::generation(tx)?.max(before);
        let highest = highest.max(above.unwrap_or_default());
        let next = if highest < seconds {
            seconds
        } else {
            // After a leaked key the generation is ahead of the clock for years. The minutes since the list of keys
            // take the place of the clock.
            let minutes = now_ms.saturating_sub_unsigned(anchors.list().number) / 60_000;
            let minutes = u32::try_from(minutes).unwrap_or_default();
            highest.saturating_add(1).saturating_add(minutes)
        };
        if !anchors.certifies(next) {
            return Err(Problem::new("keys.generation_not_listed"));
        }
        directory::set_generation(tx, next)?;
        directory::bump_policy(tx)?;
        tx.forget_visitors()?;
        audit::note(tx, now_ms, &actor, "server.restored", &next.to_string())?;
        Ok(next)
    })
}

/// Sets the database and its log aside, and returns the new path. An interrupted restore may have left a log
/// without its database. It is moved too, because `SQLite` would take it for a log of the next database.
pub(super) fn put_aside(data: &DataDir, now_ms: i64) -> Result<Option<PathBuf>> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::admin::setup;

    const NOW: i64 = 1_760_000_000_000;

    fn prepared(folder: &Path) -> DataDir {
        let data = DataDir::at(&folder.join("data"));
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        setup::prepare(&data, &folder.join("root.key"), NOW, &mut rng).unwrap();
        data
    }

    /// Copies are large, and on a full disk the remainder of one would stop the server for good.
    #[test]
    fn failed_backup_leaves_no_remainder() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        std::fs::write(data.keys(), "no keys").unwrap();
        let to = folder.path().join("2025-10-09");
        backup(&data, &to, "zhang", NOW).unwrap_err();
        assert!(!with_suffix(&to, "part").exists());
    }

    /// The one that a person starts again because the first one seems to hang.
    #[test]
    fn two_backups_share_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let to = folder.path().join("2025-10-09");
        let first = claim_part(&with_suffix(&to, "part")).unwrap();
        let problem = backup(&data, &to, "zhang", NOW).unwrap_err();
        assert_eq!(problem.code(), "backup.running");
        drop(first);
        // It was killed, and its remainder does not get into the next one.
        std::fs::write(with_suffix(&to, "part").join("rest"), "half").unwrap();
        assert!(backup(&data, &to, "zhang", NOW).unwrap().is_as_sealed);
        assert!(!to.join("rest").exists());
    }

    #[test]
    fn backup_of_changed_rows_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let file = rusqlite::Connection::open(data.database()).unwrap();
        file.execute("UPDATE meta SET value = x'01' WHERE name = 'policy'", [])
            .unwrap();
        drop(file);
        let done = backup(&data, &folder.path().join("2025-10-09"), "zhang", NOW).unwrap();
        assert!(!done.is_as_sealed);
    }

    /// The only second folder may be on a disk that is not mounted.
    #[test]
    fn backup_makes_no_folder_above() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let to = folder.path().join("stick/2025-10-09");
        assert_eq!(
            backup(&data, &to, "zhang", NOW).unwrap_err().code(),
            "data.unusable"
        );
    }

    /// After a leaked key the generation is ahead of the clock, and the folder with the last restore may be lost.
    #[test]
    fn restores_differ_when_the_clock_is_behind_the_generation() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let ahead = u32::try_from(NOW / 1_000).unwrap() + 1_000_000;
        let store = data.store().unwrap();
        store
            .write::<_, StoreError>(move |tx| directory::set_generation(tx, ahead))
            .unwrap();
        drop(store);
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let generations = [1, 2].map(|minutes| {
            let to = DataDir::at(&folder.path().join(format!("lost-{minutes}")));
            let restored = restore(&to, &from, None, NOW + minutes * 60_000).unwrap();
            restored.generation
        });
        assert!(ahead < generations[0] && generations[0] < generations[1]);
    }

    /// The folder of a server that died: its last commits are in the log beside the database.
    #[test]
    fn restore_takes_the_log_beside_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("copied");
        std::fs::create_dir(&from).unwrap();
        let store = data.store().unwrap();
        let note = |tx: &mut dyn crate::store::Writer| tx.set_meta("noted", &[1]);
        store.write::<_, StoreError>(note).unwrap();
        for path in [data.database(), log_of(&data.database()), data.keys()] {
            std::fs::copy(&path, from.join(path.file_name().unwrap())).unwrap();
        }
        let to = DataDir::at(&folder.path().join("restored"));
        restore(&to, &from, None, NOW + 1_000).unwrap();
        let noted = to.store().unwrap().read(|tx| tx.meta("noted")).unwrap();
        assert_eq!(noted, Some(vec![1]));
    }

    /// Backups are often made read-only, so that they stay as they are.
    #[cfg(unix)]
    #[test]
    fn restore_of_a_read_only_backup_is_writable() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let read_only = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(DataDir::at(&from).database(), read_only).unwrap();
        let to = DataDir::at(&folder.path().join("restored"));
        restore(&to, &from, None, NOW + 1_000).unwrap();
        let restored = std::fs::metadata(to.database()).unwrap().permissions();
        assert_eq!(restored.mode() & 0o777, 0o600);
    }

    #[test]
    fn restore_refuses_a_damaged_copy() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let database = DataDir::at(&from).database();
        let mut bytes = std::fs::read(&database).unwrap();
        // The last page is of no table that the restore itself reads.
        let last = bytes.len() - 4_096;
        bytes[last..].fill(0xff);
        std::fs::write(&database, bytes).unwrap();
        let to = DataDir::at(&folder.path().join("restored"));
        let problem = restore(&to, &from, None, NOW + 1_000).unwrap_err();
        assert_eq!(problem.code(), "backup.damaged");
        assert!(!to.database().exists());
    }

    /// `SQLite` finds nothing wrong with it, because the pages fit together.
    #[test]
    fn restore_refuses_a_copy_with_changed_rows() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let file = rusqlite::Connection::open(DataDir::at(&from).database()).unwrap();
        file.execute("DELETE FROM audit", []).unwrap();
        drop(file);
        let to = DataDir::at(&folder.path().join("restored"));
        let problem = restore(&to, &from, None, NOW + 1_000).unwrap_err();
        assert_eq!(problem.code(), "backup.damaged");
        assert!(!to.database().exists());
        // It may be the best that is left. Then it is sealed as it is.
        let options = RestoreOptions {
            takes_damaged: true,
            ..RestoreOptions::default()
        };
        let stamp = Stamp {
            actor: "zhang",
            now_ms: NOW + 1_000,
        };
        restore_with(&to, &from, options, stamp).unwrap();
        let seal_key = Keys::read(&to.keys()).unwrap().seal_key();
        assert!(sqlite::is_as_sealed(&to.database(), &seal_key).unwrap());
    }

    /// A command with an open database would write on into the file that is set aside.
    #[test]
    fn restore_waits_for_no_command_and_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let command = data.store().unwrap();
        let problem = restore(&data, &from, None, NOW + 1_000).unwrap_err();
        assert_eq!(problem.code(), "data.in_use");
        drop(command);
        restore(&data, &from, None, NOW + 1_000).unwrap();
    }

    /// A database that was set aside is the last way back, so nothing changes it.
    #[test]
    fn set_aside_database_stays_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let first = restore(&data, &from, None, NOW + 1_000).unwrap();
        let aside = first.set_aside.unwrap();
        let before = std::fs::read(&aside).unwrap();
        let next = restore(&data, &from, None, NOW + 2_000).unwrap();
        assert!(next.generation > first.generation);
        assert_eq!(std::fs::read(&aside).unwrap(), before);
        assert!(!log_of(&aside).exists());
    }

    #[test]
    fn failed_restore_leaves_no_remainder() {
        let folder = tempfile::tempdir().unwrap();
        let data = prepared(folder.path());
        let from = folder.path().join("2025-10-09");
        backup(&data, &from, "zhang", NOW).unwrap();
        let problem = restore(&data, &from, None, NOW - 1_000).unwrap_err();
        assert_eq!(problem.code(), "restore.clock_behind");
        assert!(!data.path().join("restoring").exists());
    }
}
