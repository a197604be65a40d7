//! Photos and recordings on this phone: added, listed, read, asked for, and removed where storage
//! is short.

use rusqlite::Connection;

use super::super::attachments::clean_up;
use super::super::attachments::folder::FileFolder;
use super::super::attachments::new::NewAttachment;
use super::super::error::ReplicaError;
use super::super::reader::Reader;
use super::super::table::attachment::{
    self, AttachmentInfo, AttachmentState, Facts, FileRow, Place, SealedFile,
};
use super::super::table::{meta, notice};
use super::Replica;
use super::describe::describe;
use crate::id::{Hash, RecordId};
use crate::limits::{FREE_BYTES_RESERVED, STAGED_DAYS_MAX};
use crate::media::MediaType;
use crate::media::sealed::SealKey;
use crate::sync::file_port::FilesLeft;
use crate::texts::{Lang, say};
use crate::wire::transfer::FileName;

const UNKNOWN: ReplicaError = ReplicaError::BadContent("media.unknown_id");
const DAY_MS: i64 = 24 * 3_600 * 1_000;

impl Reader {
    /// Photos and recordings that wait for their first use, oldest first.
    pub fn staged(&self) -> Result<Vec<AttachmentInfo>, ReplicaError> {
        Ok(attachment::infos(self.conn()?, None)?)
    }

    /// A photo or recording of a record; of no record if it is staged.
    pub fn attachment(
        &self,
        record: Option<RecordId>,
        id: Hash,
    ) -> Result<Option<AttachmentInfo>, ReplicaError> {
        Ok(attachment::info(self.conn()?, record, id)?)
    }

    /// Photos and recordings of a record, oldest first.
    pub fn attachments_of(&self, record: RecordId) -> Result<Vec<AttachmentInfo>, ReplicaError> {
        Ok(attachment::infos(self.conn()?, Some(record))?)
    }

    /// Own photos and recordings that the server does not take, oldest first: it refused the file, their
    /// description does not count, or their record is not here. Each stays until the person sends it
    /// again ([`Replica::send_again`]) or removes it ([`Replica::remove_void_attachment`]).
    pub fn refused_attachments(&self) -> Result<Vec<AttachmentInfo>, ReplicaError> {
        Ok(attachment::refused(self.conn()?)?)
    }

    /// The small picture of a photo, in JPEG. It is checked and may be shown.
    pub fn thumbnail(
        &self,
        record: Option<RecordId>,
        id: Hash,
    ) -> Result<Option<Vec<u8>>, ReplicaError> {
        Ok(attachment::thumbnail(self.conn()?, record, id)?)
    }

    /// Reads bytes of a file that is here, at most `bytes_max`; fewer only at its end. It takes
    /// memory for these bytes and for one segment.
    ///
    /// # Errors
    /// [`ReplicaError::MediaAbsent`] where the file is not here, [`ReplicaError::MediaUnreadable`]
    /// where it is damaged.
    pub fn read_attachment(
        &self,
        record: Option<RecordId>,
        id: Hash,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ReplicaError> {
        let row = attachment::file(self.conn()?, record, id)?.ok_or(UNKNOWN)?;
        read(&self.files, &row, offset, bytes_max)
    }

    /// How many files and bytes are still to be transferred.
    pub fn files_left(&self) -> Result<FilesLeft, ReplicaError> {
        Ok(attachment::left(self.conn()?)?)
    }
}

/// The code of the word for a type.
pub(in crate::replica) fn words_of(media: MediaType) -> &'static str {
    match media {
        MediaType::Jpeg => "media.photo",
        MediaType::M4a => "media.recording",
    }
}

pub(in crate::replica) fn read(
    files: &FileFolder,
    row: &FileRow,
    offset: u64,
    bytes_max: usize,
) -> Result<Vec<u8>, ReplicaError> {
    let file = row.whole().ok_or(ReplicaError::MediaAbsent)?;
    files.read(file, row.facts.bytes, offset, bytes_max)
}

impl Replica {
    /// Adds the bytes of a photo or recording as a camera or recorder made them. When this returns,
    /// a clean copy is sealed on the disk, and waits for its first use. A copy without a use is
    /// removed by a sync that comes [`STAGED_DAYS_MAX`] days or more after the first sync that
    /// found it, and the person is told; so an app asks the person before.
    ///
    /// # Errors
    /// [`ReplicaError::Media`] for bytes that cannot be kept; [`ReplicaError::MediaDiskFull`]
    /// before the first byte is written, if the disk has no room.
    pub fn add_attachment(
        &mut self,
        bytes: &[u8],
        now_ms: i64,
    ) -> Result<AttachmentInfo, ReplicaError> {
        self.stage(&NewAttachment::of(bytes)?, now_ms)
    }

    /// Adds a clean photo or recording. [`NewAttachment::of`] needs no replica, so a host makes it
    /// beside other work.
    pub fn stage(
        &mut self,
        new: &NewAttachment,
        now_ms: i64,
    ) -> Result<AttachmentInfo, ReplicaError> {
        self.conn()?;
        let bytes = new.bytes().len() as u64;
        self.make_room(bytes)?;
        let mut salt = [0; 16];
        self.entropy.fill_bytes(&mut salt);
        let (file, id) = (self.new_file(), new.id(&salt));
        let facts = Facts {
            media: new.media_type(),
            bytes,
            salt,
            extent: Some(new.extent()),
            thumbnail: new.thumbnail().map(<[u8]>::to_vec),
        };
        self.files.store(&file, new.bytes())?;
        let staged = self.change_files(|conn| {
            attachment::stage(conn, id, &facts, &file, now_ms)?;
            attachment::info(conn, None, id)?.ok_or(ReplicaError::Inconsistent)
        });
        if staged.is_err() {
            // No row names it, so the next opening removes it if this fails.
            let _ = self.files.remove(file.place);
        }
        staged.map_err(|error| match error {
            ReplicaError::DiskFull => ReplicaError::MediaDiskFull,
            other => other,
        })
    }

    /// Removes a staged photo or recording.
    pub fn remove_staged(&mut self, id: Hash) -> Result<(), ReplicaError> {
        self.change_files(|conn| {
            let row = attachment::file(conn, None, id)?.ok_or(UNKNOWN)?;
            Ok(attachment::delete(conn, row.no)?)
        })
    }

    /// Removes an own photo or recording that no record shows: its description does not count, or
    /// its record is no longer here. Others are `media.unknown_id`.
    pub fn remove_void_attachment(
        &mut self,
        record: RecordId,
        id: Hash,
    ) -> Result<(), ReplicaError> {
        self.change_files(|conn| {
            let is_gone = attachment::delete_void(conn, record, id)?;
            is_gone.then_some(()).ok_or(UNKNOWN)
        })
    }

    /// Sends a file again that the server refused, or that was damaged.
    pub fn send_again(&mut self, record: RecordId, id: Hash) -> Result<(), ReplicaError> {
        self.change_files(|conn| {
            let is_refused = attachment::forget_refusal(conn, record, id)?;
            is_refused.then_some(()).ok_or(UNKNOWN)
        })
    }

    /// Adds a staged photo or recording to a record without any other word. One that the record has
    /// already stays as it is.
    pub fn attach(&mut self, record: RecordId, id: Hash, now_ms: i64) -> Result<(), ReplicaError> {
        self.write(now_ms, |writing| describe(writing, record, &[id]))
    }

    /// Reads bytes of a file that is here, as [`Reader::read_attachment`] does. A damaged file that
    /// the server has in its present generation is removed and asked for again.
    pub fn read_attachment(
        &mut self,
        record: Option<RecordId>,
        id: Hash,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ReplicaError> {
        let row = attachment::file(self.conn()?, record, id)?.ok_or(UNKNOWN)?;
        let read = read(&self.files, &row, offset, bytes_max);
        match &read {
            Ok(_) if offset == 0 && row.state == AttachmentState::Delivered => {
                // The order of openings is a help for the clean-up alone, so a failure of it costs
                // nothing.
                let _ = self.change_files(|conn| Ok(attachment::set_opened(conn, row.no)?));
            }
            Err(ReplicaError::MediaUnreadable) if self.is_confirmed(&row)? => {
                self.change_files(|conn| {
                    attachment::drop_file(conn, row.no, AttachmentState::Absent)?;
                    if let Some(record) = record {
                        attachment::want(conn, record, id)?;
                    }
                    Ok(())
                })?;
            }
            _ => {}
        }
        read
    }

    /// Whether the server said in its present generation that it has the file.
    fn is_confirmed(&self, row: &FileRow) -> Result<bool, ReplicaError> {
        let generation = meta::generation(self.conn()?)?;
        let is_delivered = row.state == AttachmentState::Delivered;
        Ok(is_delivered && row.receipt.is_some() && row.receipt == generation)
    }

    /// Asks for a file that is not here. The next transfer fetches it.
    pub fn want_attachment(&mut self, record: RecordId, id: Hash) -> Result<(), ReplicaError> {
        self.change_files(|conn| {
            if !attachment::want(conn, record, id)? {
                // A file that is here, or was asked for, stays as it is.
                attachment::info(conn, Some(record), id)?.ok_or(UNKNOWN)?;
            }
            Ok(())
        })
    }

    /// The host says whether the phone is short of storage. While it is, files that the server has
    /// are removed after each sync; their small pictures stay.
    pub fn set_low_storage(&mut self, is_low: bool) {
        self.low_storage = is_low;
    }

    /// Removes files that the server has in its present generation, until so many bytes are free;
    /// the one opened longest ago first. Returns the bytes that were freed.
    pub fn free_space(&mut self, bytes: u64) -> Result<u64, ReplicaError> {
        self.change_files(|conn| clean_up::free(conn, bytes))
    }

    /// Notes that a file cannot be delivered. It stays, and the person is told once.
    pub(in crate::replica) fn refuse_file(
        &mut self,
        name: &FileName,
        code: &'static str,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let Some(row) = attachment::file(self.conn()?, Some(name.record), name.id)? else {
            return Ok(());
        };
        self.change_files(|conn| {
            if attachment::set_refused(conn, name, code)? {
                let what = say(words_of(row.facts.media), Lang::default(), &[]);
                notice::insert(conn, now_ms, code, (Some(name.record), None), &what)?;
            }
            Ok(())
        })
    }

    /// Tells the person which files cannot be read, and frees storage.
    pub(in crate::replica) fn keep_files_in_bounds(
        &mut self,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        for name in self.unreadable.take() {
            self.refuse_file(&name, "media.unreadable", now_ms)?;
        }
        let goal = clean_up::goal(&self.files, self.low_storage)?;
        if goal > 0 {
            self.free_space(goal)?;
        }
        Ok(())
    }

    /// Removes files that a sync found staged long ago, with a notice. The clock of the server
    /// counts, because the one of the phone may be wrong by years.
    pub(in crate::replica) fn keep_staged_in_bounds(
        &mut self,
        server_ms: i64,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let before_ms = server_ms.saturating_sub(STAGED_DAYS_MAX * DAY_MS);
        self.change_files(|conn| {
            attachment::note_staged(conn, server_ms)?;
            let count = attachment::delete_staged(conn, before_ms)?;
            if count > 0 {
                let (code, count) = ("media.staged_removed", count.to_string());
                notice::insert(conn, now_ms, code, (None, None), &count)?;
            }
            Ok(())
        })
    }

    /// Makes room for a file of so many bytes: where there is none, by removing files that the
    /// server has.
    pub(in crate::replica) fn make_room(&mut self, bytes: u64) -> Result<(), ReplicaError> {
        if self.files.has_room(bytes)? {
            return Ok(());
        }
        let needed = bytes.saturating_add(FREE_BYTES_RESERVED);
        self.free_space(needed.saturating_sub(self.files.free_bytes()?))?;
        if self.files.has_room(bytes)? {
            Ok(())
        } else {
            Err(ReplicaError::MediaDiskFull)
        }
    }

    /// A new name and a new key.
    pub(in crate::replica) fn new_file(&mut self) -> SealedFile {
        let mut place = [0; 16];
        self.entropy.fill_bytes(&mut place);
        SealedFile {
            place: Place(place),
            key: SealKey::generate(self.entropy.as_mut()),
        }
    }

    /// Changes rows of files in one durable transaction, and then removes the files that they gave
    /// up.
    pub(in crate::replica) fn change_files<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T, ReplicaError>,
    ) -> Result<T, ReplicaError> {
        let tx = self.reader.conn_mut()?.transaction()?;
        let changed = change(&tx)?;
        tx.commit()?;
        self.sweep_files();
        self.outbox_copy.follow(self.reader.conn()?);
        Ok(changed)
    }

    /// Removes files whose rows are gone. A file that cannot be removed waits for the next write.
    pub(super) fn sweep_files(&mut self) {
        let swept = self
            .reader
            .conn()
            .and_then(|conn| clean_up::sweep(conn, &self.files));
        if let Err(error) = swept {
            tracing::warn!(code = error.code(), "a file stays until the next write");
        }
    }
}
