//! Removal of files that no description needs any more, and of uploads that rest.
//!
//! A file is an orphan if all its descriptions are void, refused or erased, or if it has no row, as after a
//! restore. It stays for [`ORPHAN_MS`], because a description may return.

use std::sync::PoisonError;

use super::adopt::{self, Adoption};
use super::{Blobs, failed, rights};
use crate::error::{Problem, Result};
use crate::limits::{CLEAN_UP_ROWS_A_STEP, ORPHAN_MS, UPLOAD_IDLE_MS_MAX};
use crate::store::{AttachmentKey, Reader, StoreResult};

/// The place where the next step of the clean-up begins.
#[derive(Debug, Default)]
pub(super) struct CleanUpPlace {
    row: Option<AttachmentKey>,
    folder: u8,
    orphan: Option<AttachmentKey>,
    /// Orphans on this lap that the disk does not give or let go.
    unreadable: u64,
    /// Their number at the last line of the log about them.
    told: u64,
}

/// The result of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CleanedUp {
    /// Removed files.
    pub files: u64,
    /// Forgotten uploads.
    pub uploads: u64,
    /// Orphans that the disk does not give or let go.
    pub unreadable: u64,
}

/// The outcome for an orphan.
enum Fate {
    Stays,
    Removed,
    /// The disk does not let it go.
    Stuck,
}

impl Blobs {
    /// Makes one step: some rows, one folder of files, some orphans, some uploads. To be called again and again
    /// with the time.
    pub fn clean_up(&self, now_ms: i64) -> Result<CleanedUp> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        let uploads = self.forget_idle(now_ms)?;
        self.mark_rows(&mut place, now_ms)?;
        self.mark_files(&mut place, now_ms)?;
        let done = self.remove_orphans(&mut place, now_ms)?;
        Ok(CleanedUp { uploads, ..done })
    }

    fn forget_idle(&self, now_ms: i64) -> Result<u64> {
        let before_ms = now_ms.saturating_sub(UPLOAD_IDLE_MS_MAX);
        let idle = self
            .shared
            .store
            .read(|tx| tx.uploads_before(before_ms, CLEAN_UP_ROWS_A_STEP))?;
        for row in &idle {
            self.discard(row.device, row.key)?;
        }
        Ok(idle.len() as u64)
    }

    /// Marks files whose descriptions do not count.
    fn mark_rows(&self, place: &mut CleanUpPlace, now_ms: i64) -> Result<()> {
        let after = place.row;
        let (last, orphans) = self.shared.store.read::<_, Problem>(|tx| {
            let rows = tx.attachment_files(after, CLEAN_UP_ROWS_A_STEP)?;
            let mut orphans = Vec::new();
            for row in &rows {
                if !is_described(tx, row.key)? {
                    orphans.push(row.key);
                }
            }
            Ok((rows.last().map(|row| row.key), orphans))
        })?;
        place.row = last;
        self.mark(orphans, now_ms)
    }

    /// Marks files without a row.
    fn mark_files(&self, place: &mut CleanUpPlace, now_ms: i64) -> Result<()> {
        // A folder that cannot be read does not hold the others up.
        let folder = place.folder;
        place.folder = folder.wrapping_add(1);
        let keys = self.files.keys(folder).map_err(failed)?;
        let orphans = self.shared.store.read::<_, Problem>(|tx| {
            let mut orphans = Vec::new();
            for key in keys {
                if tx.attachment_file(key)?.is_none() {
                    orphans.push(key);
                }
            }
            Ok(orphans)
        })?;
        self.mark(orphans, now_ms)
    }

    fn mark(&self, orphans: Vec<AttachmentKey>, now_ms: i64) -> Result<()> {
        if orphans.is_empty() {
            return Ok(());
        }
        self.shared.store.write::<_, Problem>(move |tx| {
            for key in &orphans {
                tx.put_attachment_orphan(*key, now_ms)?;
            }
            Ok(())
        })
    }

    /// Removes orphans. One that cannot be read does not hold the others up.
    fn remove_orphans(&self, place: &mut CleanUpPlace, now_ms: i64) -> Result<CleanedUp> {
        let after = place.orphan;
        let orphans = self
            .shared
            .store
            .read(|tx| tx.attachment_orphans(after, CLEAN_UP_ROWS_A_STEP))?;
        place.orphan = orphans.last().map(|(key, _)| *key);
        let is_lap_over = orphans.is_empty();
        let mut done = CleanedUp::default();
        for (key, since_ms) in orphans {
            let adopted = self.take_back(key, now_ms)?;
            if adopted == Adoption::Adopted {
                continue;
            }
            let is_over = now_ms.saturating_sub(since_ms) >= ORPHAN_MS;
            let fate = self.look_at(key, is_over)?;
            done.files += u64::from(matches!(fate, Fate::Removed));
            let is_unreadable = match fate {
                Fate::Stays => adopted == Adoption::Unreadable,
                Fate::Removed => false,
                Fate::Stuck => {
                    self.mark(vec![key], since_ms)?;
                    true
                }
            };
            done.unreadable += u64::from(is_unreadable);
        }
        place.unreadable += done.unreadable;
        if is_lap_over {
            place.tell();
        }
        Ok(done)
    }

    /// Gives a described file without a row its row again. After a restore the phones bring back its description, and
    /// maybe none of them has the bytes.
    fn take_back(&self, key: AttachmentKey, now_ms: i64) -> Result<Adoption> {
        let (has_row, described) = self.shared.store.read::<_, Problem>(|tx| {
            Ok((tx.attachment_file(key)?.is_some(), tx.descriptions(key)?))
        })?;
        let Ok(length) = self.files.length(key) else {
            return Ok(Adoption::Unreadable);
        };
        if has_row {
            return Ok(Adoption::Unfit);
        }
        let fitting: Vec<_> = described
            .into_iter()
            .filter(|(one, status)| rights::counts_or_waits(*status) && Some(one.bytes) == length)
            .map(|(one, _)| one)
            .collect();
        adopt::adopt(self, key, &fitting, now_ms)
    }

    /// Removes an orphan whose time is over, and forgets one that is none any more.
    fn look_at(&self, key: AttachmentKey, is_over: bool) -> Result<Fate> {
        // No upload puts the file in place meanwhile.
        let _alone = self.alone()?;
        let is_needed = |tx: &dyn Reader| -> StoreResult<bool> {
            Ok(tx.attachment_file(key)?.is_some() && is_described(tx, key)?)
        };
        if !is_over && !self.shared.store.read(is_needed)? {
            return Ok(Fate::Stays);
        }
        let goes = self.shared.store.write::<_, Problem>(move |tx| {
            let is_needed = tx.attachment_file(key)?.is_some() && is_described(tx, key)?;
            if is_needed || is_over {
                tx.drop_attachment_orphan(key)?;
            }
            if is_needed || !is_over {
                return Ok(false);
            }
            tx.drop_attachment_file(key)?;
            Ok(true)
        })?;
        Ok(match goes.then(|| self.files.remove(key)) {
            None => Fate::Stays,
            Some(Ok(())) => Fate::Removed,
            Some(Err(_)) => Fate::Stuck,
        })
    }
}

impl CleanUpPlace {
    /// Ends a lap over all orphans. The log tells a number once.
    fn tell(&mut self) {
        let unreadable = std::mem::take(&mut self.unreadable);
        if unreadable > 0 && unreadable != self.told {
            tracing::warn!(
                unreadable,
                "files without a description cannot be read or removed; onegrid verify names them"
            );
        }
        self.told = unreadable;
    }
}

fn is_described(tx: &dyn Reader, key: AttachmentKey) -> StoreResult<bool> {
    let described = tx.descriptions(key)?;
    let counts = |status| rights::counts_or_waits(status);
    Ok(described.into_iter().any(|(_, status)| counts(status)))
}
