//! The replica during a transfer of files.

use std::collections::BTreeSet;

use super::super::attachments::folder::FileProgress;
use super::super::attachments::new::extent;
use super::super::engine::{Replica, attach};
use super::super::error::ReplicaError;
use super::super::projection::attachments::standing_facts;
use super::super::table::attachment::{self, AttachmentState, Facts, FilePart, FileRow};
use super::super::table::record;
use super::sql;
use crate::media::{self, attachment_id};
use crate::sync::file_port::{Download, FilePort, FilesLeft, Giver, Upload};
use crate::sync::port::PortError;
use crate::wire::transfer::FileName;

impl Replica {
    fn file_row(&self, name: &FileName) -> Result<FileRow, ReplicaError> {
        let row = attachment::file(self.conn()?, Some(name.record), name.id)?;
        row.ok_or(ReplicaError::BadContent("media.unknown_id"))
    }

    /// The bytes that a giver has sent of a file that was asked for.
    fn part(&self, row: &FileRow, giver: Giver) -> Result<FilePart, ReplicaError> {
        if !row.is_asked_for() {
            return Err(ReplicaError::MediaOffset);
        }
        Ok(attachment::part(self.conn()?, row, giver)?)
    }

    /// Whether a crash came after the key of a part had sealed bytes, and before its row told so. Another
    /// phone may send other bytes in their place, so this part begins anew. The server always sends the same
    /// bytes.
    fn is_longer(&self, row: &FileRow, giver: Giver, part: &FilePart) -> bool {
        let Some(file) = part.file.as_ref().filter(|_| giver == Giver::Phone) else {
            return false;
        };
        let longer = self.files.is_longer(file, row.facts.bytes, part.here);
        longer.unwrap_or(true)
    }

    /// Whether the host wants the replica to stop.
    fn check_running(&self) -> Result<(), ReplicaError> {
        if self.readers.is_halted() {
            return Err(ReplicaError::Suspended);
        }
        Ok(())
    }

    fn take_receipt(
        &mut self,
        name: &FileName,
        generation: u32,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        let row = self.file_row(name)?;
        if row.whole().is_none() {
            return Ok(());
        }
        let is_low = self.low_storage;
        self.change_files(|conn| {
            if record::number(conn, name.record)?.is_none() {
                // The record was withdrawn, and the file stayed only because it was not delivered.
                return Ok(attachment::delete(conn, row.no)?);
            }
            Ok(attachment::set_delivered(
                conn,
                row.no,
                Some(generation),
                now_ms,
            )?)
        })?;
        if is_low && let Err(error) = self.keep_files_in_bounds(now_ms) {
            // The receipt is kept.
            tracing::warn!(code = error.code(), "storage is freed after the next sync");
        }
        Ok(())
    }

    fn take_bytes(
        &mut self,
        (name, giver): (&FileName, Giver),
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), ReplicaError> {
        self.check_running()?;
        let row = self.file_row(name)?;
        let mut part = self.part(&row, giver)?;
        if self.is_longer(&row, giver, &part) {
            self.drop_arrived(name, giver)?;
            part = FilePart::default();
        }
        let left = row.facts.bytes.saturating_sub(offset);
        if offset != part.bytes() || bytes.len() as u64 > left {
            return Err(ReplicaError::MediaOffset);
        }
        let is_new = part.file.is_none();
        let file = if let Some(file) = part.file {
            file
        } else {
            self.make_room(row.facts.bytes)?;
            self.new_file()
        };
        let before = FileProgress {
            here: part.here,
            tail: part.tail,
        };
        let arrived = self.files.arrive(&file, row.facts.bytes, &before, bytes);
        let noted = arrived.and_then(|after| {
            self.change_files(|conn| {
                let progress = (after.here, after.tail.as_slice());
                Ok(attachment::set_arrived(
                    conn,
                    (row.no, giver),
                    &file,
                    progress,
                )?)
            })
        });
        match noted {
            Err(ReplicaError::MediaUnreadable) => {
                // A part of the file is gone, so the next download begins anew.
                self.drop_arrived(name, giver)?;
                Err(ReplicaError::MediaOffset)
            }
            Err(error) if is_new => {
                // No row names it, so the next opening removes it if this fails.
                let _ = self.files.remove(file.place);
                Err(error)
            }
            noted => noted,
        }
    }

    fn take_whole(
        &mut self,
        (name, giver): (&FileName, Giver),
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<bool, ReplicaError> {
        self.check_running()?;
        let row = self.file_row(name)?;
        let part = self.part(&row, giver)?;
        let whole = part.file.filter(|_| part.here == row.facts.bytes);
        let file = whole.ok_or(ReplicaError::MediaOffset)?;
        let length = usize::try_from(row.facts.bytes).unwrap_or(usize::MAX);
        let read = self.files.read(&file, row.facts.bytes, 0, length);
        let checked = match read {
            Ok(plain) if attachment_id(&row.facts.salt, &plain) == name.id => {
                media::check(row.facts.media, &plain).ok()
            }
            Ok(_) | Err(ReplicaError::MediaUnreadable) => None,
            Err(error) => return Err(error),
        };
        let others = match checked {
            Some(_) => None,
            // The bytes of the server are under the present description.
            None if giver == Giver::Phone && row.file.is_some() => None,
            None => self.other_facts(name, &row.facts, |_| true)?,
        };
        self.change_files(|conn| {
            if let Some(clean) = &checked {
                if giver == Giver::Phone {
                    attachment::keep_part(conn, row.no)?;
                }
                attachment::set_delivered(conn, row.no, generation, now_ms)?;
                attachment::set_extent(conn, row.no, extent(clean))?;
            } else if let Some(facts) = &others {
                attachment::drop_file(conn, row.no, AttachmentState::Wanted)?;
                attachment::set_facts(conn, row.no, facts)?;
            } else {
                attachment::drop_part(conn, row.no, giver)?;
            }
            Ok(())
        })?;
        Ok(checked.is_some())
    }

    fn take_other_length(
        &mut self,
        (name, giver): (&FileName, Giver),
        bytes: Option<u64>,
    ) -> Result<bool, ReplicaError> {
        let row = self.file_row(name)?;
        if !row.is_asked_for() || (giver == Giver::Phone && row.file.is_some()) {
            return Ok(false);
        }
        let tried = row.facts.bytes;
        let fits = |facts: &Facts| facts.bytes != tried && bytes.is_none_or(|b| b == facts.bytes);
        let Some(facts) = self.other_facts(name, &row.facts, fits)? else {
            return Ok(false);
        };
        self.change_files(|conn| {
            attachment::drop_file(conn, row.no, AttachmentState::Wanted)?;
            Ok(attachment::set_facts(conn, row.no, &facts)?)
        })?;
        Ok(true)
    }

    /// The facts of the next fitting description of a file whose bytes are not the described ones.
    /// After the last description the first one follows.
    fn other_facts(
        &self,
        name: &FileName,
        tried: &Facts,
        fits: impl Fn(&Facts) -> bool,
    ) -> Result<Option<Facts>, ReplicaError> {
        let Some(record) = self.load(name.record)? else {
            return Ok(None);
        };
        let mut facts = standing_facts(&record, name.id);
        let key = |facts: &Facts| (facts.salt, facts.bytes, facts.media);
        if let Some(at) = facts.iter().position(|facts| key(facts) == key(tried)) {
            facts.rotate_left(at);
        }
        let mut others = facts.into_iter();
        Ok(others.find(|facts| key(facts) != key(tried) && fits(facts)))
    }

    fn next_from(
        &self,
        giver: Giver,
        without: &BTreeSet<FileName>,
    ) -> Result<Option<Download>, PortError> {
        let downloads = attachment::downloads(self.conn()?, giver, without.len() + 1);
        let next = downloads
            .map_err(sql)?
            .into_iter()
            .find(|(name, _)| !without.contains(name));
        let Some((name, row)) = next else {
            return Ok(None);
        };
        let part = self.part(&row, giver)?;
        let begins_anew = self.is_longer(&row, giver, &part);
        Ok(Some(Download {
            name,
            media: row.facts.media,
            bytes: row.facts.bytes,
            offset: if begins_anew { 0 } else { part.bytes() },
        }))
    }

    /// Drops the bytes that a giver has sent of a download.
    fn drop_arrived(&mut self, name: &FileName, giver: Giver) -> Result<(), ReplicaError> {
        let row = self.file_row(name)?;
        if row.state != AttachmentState::Arriving {
            return Ok(());
        }
        self.change_files(|conn| Ok(attachment::drop_part(conn, row.no, giver)?))
    }
}

impl FilePort for Replica {
    fn next_upload(&self, without: &BTreeSet<FileName>) -> Result<Option<Upload>, PortError> {
        let uploads = attachment::uploads(self.conn()?, without.len() + 1).map_err(sql)?;
        let next = uploads
            .into_iter()
            .find(|(name, _)| !without.contains(name));
        Ok(next.map(|(name, bytes)| Upload { name, bytes }))
    }

    fn read(&self, name: &FileName, offset: u64, bytes_max: usize) -> Result<Vec<u8>, PortError> {
        let row = self.file_row(name)?;
        match attach::read(&self.files, &row, offset, bytes_max) {
            Ok(read) => Ok(read),
            Err(ReplicaError::MediaUnreadable | ReplicaError::MediaAbsent) => {
                if row.state == AttachmentState::Waiting {
                    self.unreadable.borrow_mut().insert(*name);
                }
                Err(ReplicaError::MediaUnreadable.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn delivered(
        &mut self,
        name: &FileName,
        generation: u32,
        now_ms: i64,
    ) -> Result<(), PortError> {
        Ok(self.take_receipt(name, generation, now_ms)?)
    }

    fn refused(
        &mut self,
        name: &FileName,
        code: &'static str,
        now_ms: i64,
    ) -> Result<(), PortError> {
        Ok(self.refuse_file(name, code, now_ms)?)
    }

    fn unconfirmed(
        &self,
        generation: u32,
        after: Option<&FileName>,
        files_max: usize,
    ) -> Result<Vec<FileName>, PortError> {
        attachment::unconfirmed(self.conn()?, generation, after, files_max).map_err(sql)
    }

    fn lacking(&mut self, files: &[FileName], _now_ms: i64) -> Result<(), PortError> {
        let noted = self.change_files(|conn| {
            for name in files {
                attachment::set_lacking(conn, name)?;
            }
            Ok(())
        });
        Ok(noted?)
    }

    fn next_download(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.next_from(Giver::Server, without)
    }

    fn next_wanted(&self, without: &BTreeSet<FileName>) -> Result<Option<Download>, PortError> {
        self.next_from(Giver::Phone, without)
    }

    fn arrived(
        &mut self,
        name: &FileName,
        giver: Giver,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), PortError> {
        Ok(self.take_bytes((name, giver), offset, bytes)?)
    }

    fn complete(
        &mut self,
        name: &FileName,
        giver: Giver,
        generation: Option<u32>,
        now_ms: i64,
    ) -> Result<bool, PortError> {
        Ok(self.take_whole((name, giver), generation, now_ms)?)
    }

    fn begin_anew(&mut self, name: &FileName) -> Result<(), PortError> {
        Ok(self.drop_arrived(name, Giver::Server)?)
    }

    fn other_length(
        &mut self,
        name: &FileName,
        giver: Giver,
        bytes: Option<u64>,
    ) -> Result<bool, PortError> {
        Ok(self.take_other_length((name, giver), bytes)?)
    }

    fn files_left(&self) -> Result<FilesLeft, PortError> {
        attachment::left(self.conn()?).map_err(sql)
    }
}
