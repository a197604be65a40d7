//! A file that a device sends piece by piece.
//!
//! ```text
//!  begin ─▶ row, staging file ─▶ resume ─▶ write … ─▶ save (fsync, then the row) ─▶ finish
//!                                   ▲                   │ cut                        │ hash, content
//!                                   └───────────────────┘                            ▼
//!                                                                              file in place, row
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::id::DeviceId;
use onegrid_core::media::{self, MediaType};

use super::adopt::Adoption;
use super::files::{Files, Staged};
use super::turns::Turn;
use super::{Blobs, adopt, failed, rights};
use crate::error::{Problem, Result};
use crate::limits::{SALTS_TRIED_MAX, UPLOAD_SYNC_BYTES};
use crate::store::{
    AttachmentFile, AttachmentKey, Description, Reader, Store, StoreResult, UploadAmount, UploadRow,
};

const DAY_MS: i64 = 24 * 3_600_000;

/// The standing of a file: whole when the offset is the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are durable here.
    pub offset: u64,
    /// Length of the whole file, bytes.
    pub bytes: u64,
    /// Whether this call completed the file.
    pub is_new: bool,
}

impl Progress {
    fn of(row: &UploadRow) -> Self {
        Self {
            offset: row.durable,
            bytes: row.bytes,
            is_new: false,
        }
    }

    fn whole(bytes: u64, is_new: bool) -> Self {
        Self {
            offset: bytes,
            bytes,
            is_new,
        }
    }
}

/// The answer to a device that continues.
pub enum Resumption {
    /// The file is whole.
    Whole(Progress),
    /// The next bytes are expected.
    Open(Receiver),
}

/// An upload that receives bytes.
pub struct Receiver {
    row: UploadRow,
    staged: Staged,
    /// Bytes in the staging file, durable or not.
    written: u64,
}

/// The facts about a file that one snapshot shows to a giver.
struct Sight {
    given: Vec<Description>,
    file: Option<AttachmentFile>,
    upload: Option<UploadRow>,
}

impl Blobs {
    /// Waits for the turn of a request about an upload.
    pub async fn take_turn(&self, device: DeviceId, key: AttachmentKey) -> Result<Turn> {
        self.turns.take(device, key).await
    }

    /// Whether the next request about this file checks all of its bytes: every byte of the upload has arrived,
    /// or the file is here without a row.
    pub fn is_unchecked(&self, device: DeviceId, key: AttachmentKey) -> Result<bool> {
        let (upload, row) = self
            .shared
            .store
            .read::<_, Problem>(|tx| Ok((tx.upload(device, key)?, tx.attachment_file(key)?)))?;
        let has_all = upload.is_some_and(|upload| upload.durable == upload.bytes);
        Ok(has_all || row.is_none() && self.files.length(key).is_ok_and(|found| found.is_some()))
    }

    /// Begins an upload, or continues the one that is there.
    pub fn begin(
        &self,
        device: DeviceId,
        key: AttachmentKey,
        bytes: u64,
        now_ms: i64,
    ) -> Result<Progress> {
        let sight = self.see(device, key, now_ms)?;
        if sight.given.is_empty() {
            return Err(Problem::new("attachment.not_described"));
        }
        let mut fitting = sight.given;
        fitting.retain(|description| description.bytes == bytes);
        match sight.file {
            Some(file) if file.bytes == bytes => {
                self.forget(device, key)?;
                return Ok(Progress::whole(bytes, false));
            }
            Some(_) => return Err(Problem::new("attachment.length")),
            None if fitting.is_empty() => return Err(Problem::new("attachment.length")),
            None => {}
        }
        if adopt::adopt(self, key, &fitting, now_ms)? == Adoption::Adopted {
            self.forget(device, key)?;
            return Ok(Progress::whole(bytes, true));
        }
        if let Some(row) = sight.upload.filter(|row| row.bytes == bytes) {
            return self.as_far_as_it_is(&row, now_ms);
        }
        self.check_reserve()?;
        let row = UploadRow {
            device,
            key,
            bytes,
            durable: 0,
            begun_ms: now_ms,
            touched_ms: now_ms,
        };
        let ended = self.put_new(row)?;
        for key in ended {
            self.files.unstage(device, key).map_err(failed)?;
        }
        self.files.stage(device, key, 0).map_err(failed)?;
        Ok(Progress::of(&row))
    }

    /// Stores the row of a new upload. Returns the keys whose staging files are to be removed.
    fn put_new(&self, row: UploadRow) -> Result<Vec<AttachmentKey>> {
        let (device, now_ms) = (row.device, row.begun_ms);
        let ceilings = self.ceilings;
        self.shared.store.write::<_, Problem>(move |tx| {
            let day = day_of(now_ms);
            let used = tx.uploaded(day, device)?;
            if used.files >= ceilings.device_day_files
                || used.bytes.saturating_add(row.bytes) > ceilings.device_day_bytes
            {
                return Err(too_many(now_ms));
            }
            // A phone sends one file after the other, so the one that rested longest waits least.
            let mut open = tx.uploads_of(device)?;
            open.retain(|open| open.key != row.key);
            let over = (open.len() + 1).saturating_sub(ceilings.open_per_device);
            let mut ended = vec![row.key];
            for rested in open.iter().take(over) {
                tx.drop_upload(device, rested.key)?;
                ended.push(rested.key);
            }
            tx.put_upload(&row)?;
            let more = UploadAmount { files: 1, bytes: 0 };
            tx.add_uploaded(day, device, more)?;
            Ok(ended)
        })
    }

    /// The number of durable bytes of an upload, or of the whole file.
    pub fn progress(&self, device: DeviceId, key: AttachmentKey, now_ms: i64) -> Result<Progress> {
        let sight = self.see(device, key, now_ms)?;
        match (sight.file, sight.upload) {
            (Some(file), _) if !sight.given.is_empty() => Ok(Progress::whole(file.bytes, false)),
            (None, Some(row)) => self.as_far_as_it_is(&row, now_ms),
            _ => Err(Problem::new("attachment.absent")),
        }
    }

    /// A server that died between the last byte and the check makes up for it here.
    fn as_far_as_it_is(&self, row: &UploadRow, now_ms: i64) -> Result<Progress> {
        if row.durable < row.bytes {
            return Ok(Progress::of(row));
        }
        self.finish(row.device, row.key, now_ms)
    }

    /// Continues an upload at an offset. `announced` is the number of bytes that follow, if the request
    /// tells it.
    pub fn resume(
        &self,
        device: DeviceId,
        key: AttachmentKey,
        offset: u64,
        announced: Option<u64>,
        now_ms: i64,
    ) -> Result<Resumption> {
        let sight = self.see(device, key, now_ms)?;
        let (at, bytes) = match (sight.file, sight.upload) {
            (Some(file), _) if !sight.given.is_empty() => (file.bytes, file.bytes),
            (None, Some(row)) => (row.durable, row.bytes),
            _ => return Err(Problem::new("attachment.absent")),
        };
        if offset != at {
            return Err(Problem::new("attachment.offset"));
        }
        let left = bytes - at;
        if announced.is_some_and(|announced| announced > left) {
            return Err(too_long(left));
        }
        let Some(row) = sight.upload.filter(|_| sight.file.is_none()) else {
            return Ok(Resumption::Whole(Progress::whole(bytes, false)));
        };
        if sight.given.is_empty() {
            return Err(Problem::new("attachment.not_described"));
        }
        self.check_reserve()?;
        let day = day_of(now_ms);
        let used = self.shared.store.read(|tx| tx.uploaded(day, device))?;
        if used.bytes >= self.ceilings.device_day_bytes {
            return Err(too_many(now_ms));
        }
        let staged = match self.files.stage(device, key, row.durable) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                // The disk lost what it had promised. The phone begins again.
                self.discard(device, key)?;
                return Err(Problem::new("attachment.absent"));
            }
            staged => staged.map_err(failed)?,
        };
        Ok(Resumption::Open(Receiver {
            written: row.durable,
            row,
            staged,
        }))
    }

    /// Appends bytes, and makes them durable at times. Bytes behind the length of the file are a refusal; those
    /// before it stay.
    pub fn write(&self, receiver: &mut Receiver, bytes: &[u8], now_ms: i64) -> Result<()> {
        let left = receiver.left();
        let fits = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        receiver.staged.append(&bytes[..fits]).map_err(failed)?;
        receiver.written += fits as u64;
        if receiver.written - receiver.row.durable >= UPLOAD_SYNC_BYTES {
            self.save(receiver, now_ms)?;
        }
        if fits < bytes.len() {
            return Err(too_long(left));
        }
        Ok(())
    }

    /// Makes all appended bytes durable, and then notes their number.
    pub fn save(&self, receiver: &mut Receiver, now_ms: i64) -> Result<()> {
        if receiver.written == receiver.row.durable {
            return Ok(());
        }
        if let Err(error) = receiver.staged.sync() {
            // A second sync would succeed without the bytes, so they have to come again.
            receiver.written = receiver.row.durable;
            return Err(failed(error));
        }
        let before = receiver.row;
        let after = UploadRow {
            durable: receiver.written,
            touched_ms: now_ms,
            ..before
        };
        self.shared.store.write::<_, Problem>(move |tx| {
            // Another request may have ended this upload.
            if tx.upload(before.device, before.key)? != Some(before) {
                return Err(Problem::new("attachment.absent"));
            }
            tx.put_upload(&after)?;
            let more = UploadAmount {
                files: 0,
                bytes: after.durable - before.durable,
            };
            Ok(tx.add_uploaded(day_of(now_ms), before.device, more)?)
        })?;
        receiver.row = after;
        Ok(())
    }

    /// Checks a file whose last byte is durable, and takes it. A file with another hash or with content that is
    /// not clean is removed.
    pub fn finish(&self, device: DeviceId, key: AttachmentKey, now_ms: i64) -> Result<Progress> {
        let _alone = self.alone()?;
        let sight = self.see(device, key, now_ms)?;
        if let Some(file) = sight.file.filter(|_| !sight.given.is_empty()) {
            // Another device was faster.
            self.forget(device, key)?;
            return Ok(Progress::whole(file.bytes, false));
        }
        let Some(row) = sight.upload else {
            return Err(Problem::new("attachment.absent"));
        };
        let Some(bytes) = self.files.read_staged(device, key).map_err(failed)? else {
            self.discard(device, key)?;
            return Err(Problem::new("attachment.absent"));
        };
        let checked = check(&sight.given, row.bytes, key, &bytes);
        drop(bytes);
        let described = match checked {
            Ok(described) => described,
            Err(problem) => {
                self.discard(device, key)?;
                return Err(problem);
            }
        };
        self.files.keep(device, key).map_err(failed)?;
        let file = file_of(&described, now_ms);
        self.shared.store.write::<_, Problem>(move |tx| {
            tx.put_attachment_file(&file)?;
            tx.drop_attachment_orphan(key)?;
            Ok(tx.drop_upload(device, key)?)
        })?;
        Ok(Progress::whole(file.bytes, true))
    }

    /// Ends an upload and removes its bytes.
    pub fn end(&self, device: DeviceId, key: AttachmentKey) -> Result<()> {
        let row = self.shared.store.read(|tx| tx.upload(device, key))?;
        if row.is_none() {
            return Err(Problem::new("attachment.absent"));
        }
        self.discard(device, key)
    }

    /// Forgets an upload, if there is one, because the file is here.
    fn forget(&self, device: DeviceId, key: AttachmentKey) -> Result<()> {
        if self
            .shared
            .store
            .read(|tx| tx.upload(device, key))?
            .is_some()
        {
            self.discard(device, key)?;
        }
        Ok(())
    }

    /// The row goes first, because a row without its file would promise bytes that are gone.
    pub(super) fn discard(&self, device: DeviceId, key: AttachmentKey) -> Result<()> {
        self.shared
            .store
            .write::<_, Problem>(move |tx| Ok(tx.drop_upload(device, key)?))?;
        self.files.unstage(device, key).map_err(failed)
    }

    fn see(&self, device: DeviceId, key: AttachmentKey, now_ms: i64) -> Result<Sight> {
        let views = &self.shared.views;
        self.shared.store.read::<_, Problem>(|tx| {
            let streams = rights::streams_of_giver(views, tx, device, now_ms)?;
            Ok(Sight {
                given: rights::giveable(tx, &streams, device, key)?,
                file: self.file_here(tx, key)?,
                upload: tx.upload(device, key)?,
            })
        })
    }

    /// The row of a file that is here. A missing, shortened or unreadable file is none, so that a phone is asked
    /// for it.
    pub(super) fn file_here(
        &self,
        tx: &dyn Reader,
        key: AttachmentKey,
    ) -> Result<Option<AttachmentFile>> {
        let Some(row) = tx.attachment_file(key)? else {
            return Ok(None);
        };
        let bytes = self.files.length(key).unwrap_or_else(|error| {
            tracing::warn!(%error, "a file cannot be read, so it counts as absent");
            None
        });
        Ok((bytes == Some(row.bytes)).then_some(row))
    }

    fn check_reserve(&self) -> Result<()> {
        if self.files.free_bytes().map_err(failed)? < self.ceilings.free_bytes_min {
            return Err(Problem::new("attachment.server_full"));
        }
        Ok(())
    }
}

impl Receiver {
    /// Bytes that are still to come.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.row.bytes - self.written
    }

    /// Durable bytes.
    #[must_use]
    pub const fn durable(&self) -> u64 {
        self.row.durable
    }

    /// The standing without any further byte.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::of(&self.row)
    }
}

/// Finds the description whose salt makes the id of these bytes, and checks their content.
pub(super) fn check(
    given: &[Description],
    length: u64,
    key: AttachmentKey,
    bytes: &[u8],
) -> Result<Description> {
    if given.is_empty() {
        return Err(Problem::new("attachment.not_described"));
    }
    // A reader of the record could describe the file once more, with a false salt or length.
    let mut authors = HashSet::new();
    let described = given
        .iter()
        .filter(|one| one.bytes == length && length == bytes.len() as u64)
        .filter(|one| authors.insert(one.author))
        .take(SALTS_TRIED_MAX)
        .find(|one| media::attachment_id(&one.salt, bytes) == key.id);
    let described = *described.ok_or_else(|| Problem::new("attachment.hash"))?;
    let content = MediaType::from_code(described.media)
        .is_some_and(|media| media::check(media, bytes).is_ok());
    if content {
        Ok(described)
    } else {
        Err(Problem::new("attachment.content"))
    }
}

/// The row of a file that is in place.
pub(super) fn file_of(described: &Description, now_ms: i64) -> AttachmentFile {
    AttachmentFile {
        key: described.key,
        media: described.media,
        bytes: described.bytes,
        salt: described.salt,
        stored_ms: now_ms,
    }
}

/// Removes staging files without a row, cuts the others to their durable bytes, and removes rows without a
/// file.
pub(super) fn recover(store: &Arc<dyn Store>, files: &Files) -> Result<()> {
    let rows = store.read(all_uploads)?;
    let durable: HashMap<_, _> = rows
        .iter()
        .map(|row| ((row.device, row.key), row.durable))
        .collect();
    let kept = files
        .recover(|device, key| durable.get(&(device, key)).copied())
        .map_err(failed)?;
    let lost: Vec<_> = durable
        .into_keys()
        .filter(|upload| !kept.contains(upload))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    store.write::<_, Problem>(move |tx| {
        for (device, key) in &lost {
            tx.drop_upload(*device, *key)?;
        }
        Ok(())
    })
}

fn all_uploads(tx: &dyn Reader) -> StoreResult<Vec<UploadRow>> {
    tx.uploads_before(i64::MAX, usize::MAX)
}

pub(super) fn day_of(now_ms: i64) -> i64 {
    now_ms.div_euclid(DAY_MS)
}

/// Refuses until the next day, UTC.
fn too_many(now_ms: i64) -> Problem {
    let seconds = (DAY_MS - now_ms.rem_euclid(DAY_MS)).div_euclid(1_000) + 1;
    Problem::new("attachment.too_many").retry_after(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn too_long(left: u64) -> Problem {
    Problem::new("http.too_large").with("max", left)
}
