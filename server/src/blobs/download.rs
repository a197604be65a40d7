//! A file that a device reads piece by piece.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use onegrid_core::id::DeviceId;
use onegrid_core::media::MediaType;

use super::rights::Access;
use super::{Blobs, failed, rights};
use crate::error::{Problem, Result};
use crate::feed::readings;
use crate::registry::reading;
use crate::store::{AttachmentKey, Reader, StoreError};

/// An open file.
#[derive(Debug)]
pub struct Download {
    file: File,
    /// Length of the whole file, bytes.
    pub bytes: u64,
    /// Type of its content.
    pub media: MediaType,
}

impl Blobs {
    /// Opens a file for a reader, and notes the reading of a sensitive record before the first byte leaves.
    pub fn open_file(&self, device: DeviceId, key: AttachmentKey, now_ms: i64) -> Result<Download> {
        let absent = || Problem::new("attachment.absent");
        let (file, lines) = self.shared.store.read::<_, Problem>(|tx| {
            let access = self.access(tx, device, key, now_ms)?.ok_or_else(absent)?;
            let file = tx.attachment_file(key)?.ok_or_else(absent)?;
            let lines = match access {
                Access::Author => Vec::new(),
                Access::Stream(stream) => {
                    let given = BTreeMap::from([(key.record, stream)]);
                    readings::lines(tx, device, &given, now_ms)?
                }
            };
            Ok((file, lines))
        })?;
        // A missing file may be on a disk that is not there now, so its row stays.
        let open = self.files.open(key).map_err(failed)?;
        let open = open.ok_or(StoreError::Missing("attachment"))?;
        if open.metadata().map_err(failed)?.len() != file.bytes {
            return Err(StoreError::Row("an attachment of another length").into());
        }
        let media = MediaType::from_code(file.media).ok_or(StoreError::Row("an attachment"))?;
        readings::note(&self.shared.store, lines)?;
        Ok(Download {
            file: open,
            bytes: file.bytes,
            media,
        })
    }

    /// Checks that a reader that began to read a file may still read it.
    pub fn look_again(&self, device: DeviceId, key: AttachmentKey, now_ms: i64) -> Result<()> {
        let access = self
            .shared
            .store
            .read::<_, Problem>(|tx| self.access(tx, device, key, now_ms))?;
        access
            .map(drop)
            .ok_or_else(|| Problem::new("attachment.absent"))
    }

    fn access(
        &self,
        tx: &dyn Reader,
        device: DeviceId,
        key: AttachmentKey,
        now_ms: i64,
    ) -> Result<Option<Access>> {
        let streams = reading::readable(&self.shared.views, tx, device, now_ms)?;
        Ok(rights::access(tx, &streams, device, key)?)
    }
}

impl Download {
    /// Reads the bytes at an offset.
    pub fn read(&mut self, offset: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut piece = vec![0; bytes];
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(&mut piece))
            .map_err(failed)?;
        Ok(piece)
    }
}
