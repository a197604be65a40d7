//! Photos and recordings: added by a camera or recorder, used in records, read, fetched, and removed where
//! storage is short. The transfer follows the records of each sync.

use onegrid_core::id::{Hash, RecordId};
use onegrid_core::limits::ATTACHMENT_BYTES_MAX;
use onegrid_core::media::MediaType;
use onegrid_core::replica::{self, NewAttachment, Reader, ReplicaError};

use super::read::no_record;
use super::{Phone, id, maybe_id};
use crate::error::{Answer, OneGridError, guarded};
use crate::types::{AttachmentInfo, FilesPolicy, Word};

#[uniffi::export]
impl Phone {
    /// Adds a photo (JPEG) or a recording (AAC in MP4) with the bytes that the camera, recorder or file picker
    /// gave, and returns it as staged. Its content decides which of both it is. The phone keeps a clean copy
    /// without place, time, device and names of the camera, sealed on the disk; when this returns, the copy
    /// survives power loss. It waits for its first use in a report, move, answer, comment or [`Self::attach`],
    /// and is removed with a notice when it was not used for 7 days.
    ///
    /// `bytes` has at most 32 MiB (`attachment_input_bytes_max`), and the clean copy at most 8 MiB. A photo has
    /// at most 25 million pixels. Errors: `media.needs_jpeg` for HEIC, PNG, WebP and other pictures (convert it to
    /// JPEG and add it again), `media.needs_m4a` for other sound, `media.unknown`, `media.damaged`,
    /// `media.too_large`, `media.too_many_pixels`, `media.disk_full`.
    pub fn add_attachment(&self, bytes: Vec<u8>) -> Answer<AttachmentInfo> {
        // Cleaning takes up to a second and needs no replica, so neither a write nor a suspension waits for it.
        self.0.call(|| Ok(()))?;
        let new = guarded(|| Ok(NewAttachment::of(&bytes).map_err(ReplicaError::from)?))?;
        drop(bytes);
        let added = self.0.keep(|replica, now| Ok(replica.stage(&new, now)?))?;
        Ok(shown(added))
    }

    /// Returns the photos and recordings that wait for their first use, oldest first.
    pub fn staged_attachments(&self) -> Answer<Vec<AttachmentInfo>> {
        self.0
            .read(|reader| Ok(reader.staged()?.into_iter().map(shown).collect()))
    }

    /// Removes a photo or recording that waits for its first use.
    ///
    /// Errors: `media.unknown_id` if no staged one has this id.
    pub fn remove_staged(&self, id: String) -> Answer<()> {
        let id: Hash = super::id(&id)?;
        self.0.keep(|replica, _| Ok(replica.remove_staged(id)?))
    }

    /// Adds a staged photo or recording to a record without further words. One that the record already has stays
    /// as it is.
    ///
    /// Errors: `media.unknown_id`, `replica.no_record`, `may.*`.
    pub fn attach(&self, record: String, id: String) -> Answer<()> {
        let (record, id): (RecordId, Hash) = (super::id(&record)?, super::id(&id)?);
        self.0
            .write(|replica, now| Ok(replica.attach(record, id, now)?))
    }

    /// Returns a photo or recording of a record; without `record`, a staged one.
    ///
    /// Errors: `media.unknown_id`.
    pub fn attachment(&self, record: Option<String>, id: String) -> Answer<AttachmentInfo> {
        let (record, id) = name(record.as_ref(), &id)?;
        self.0.read(|reader| Ok(shown(found(reader, record, id)?)))
    }

    /// Returns the photos and recordings of a record, oldest first. The record's budget of 2 MiB bounds their
    /// number, about 300 photos.
    ///
    /// Errors: `replica.no_record`.
    pub fn attachments(&self, record: String) -> Answer<Vec<AttachmentInfo>> {
        let record: RecordId = id(&record)?;
        self.0.read(|reader| {
            let all = reader.attachments_of(record)?;
            if all.is_empty() {
                reader.view(record)?.ok_or_else(no_record)?;
            }
            Ok(all.into_iter().map(shown).collect())
        })
    }

    /// Returns the small picture of a photo, in JPEG of at most 6 KiB and 224 pixels, upright; absent for a
    /// recording. It arrives with the record, before the photo. Without `record`, the photo is a staged one.
    ///
    /// Errors: `media.unknown_id`.
    pub fn thumbnail(&self, record: Option<String>, id: String) -> Answer<Option<Vec<u8>>> {
        let (record, id) = name(record.as_ref(), &id)?;
        self.0.read(|reader| {
            found(reader, record, id)?;
            Ok(reader.thumbnail(record, id)?)
        })
    }

    /// Reads bytes of a photo or recording that is on this phone, from `offset` on. The answer is shorter than
    /// `bytes_max` only at the end of the file, and empty behind it. Without `record`, it is a staged one.
    ///
    /// `bytes_max` counts as 1 to 8 MiB; memory is needed for so many bytes. Errors: `media.unknown_id`;
    /// `media.absent` if the file is not on this phone ([`Self::want_attachment`] asks for it);
    /// `media.unreadable` if it is damaged. A damaged file that the server has is asked for again by itself.
    pub fn read_attachment(
        &self,
        record: Option<String>,
        id: String,
        offset: u64,
        bytes_max: u32,
    ) -> Answer<Vec<u8>> {
        let (record, id) = name(record.as_ref(), &id)?;
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let bytes_max = bytes_max.clamp(1, ATTACHMENT_BYTES_MAX);
        let read = self
            .0
            .read(|reader| Ok(reader.read_attachment(record, id, offset, bytes_max)?));
        // The writer keeps the order of openings for the clean-up, for which one byte is enough, and asks again
        // for a damaged file. The answer of the reader stands.
        let noted = match &read {
            Ok(_) if offset == 0 => self.0.keep(|replica, _| {
                replica.read_attachment(record, id, 0, 1)?;
                Ok(())
            }),
            Err(error) if error.code() == "media.unreadable" => self.0.write(|replica, _| {
                // It is refused once more, and the file is wanted from now on.
                let _ = replica.read_attachment(record, id, offset, bytes_max);
                Ok(())
            }),
            _ => Ok(()),
        };
        if let Err(error) = noted {
            tracing::debug!(code = error.code(), "an opening was not noted");
        }
        read
    }

    /// Asks for a photo or recording that is not on this phone. The next sync that transfers files fetches it. One
    /// that is on the phone, or was asked for, stays as it is.
    ///
    /// Errors: `media.unknown_id`.
    pub fn want_attachment(&self, record: String, id: String) -> Answer<()> {
        let (record, id): (RecordId, Hash) = (super::id(&record)?, super::id(&id)?);
        self.0
            .write(|replica, _| Ok(replica.want_attachment(record, id)?))
    }

    /// Returns the member's photos and recordings that stay on this phone although the server does not take them,
    /// oldest first: it refused the file, the words about it do not count, or their record is no longer here.
    /// [`Self::send_again`] is for the first, [`Self::remove_void_attachment`] for the others.
    pub fn refused_attachments(&self) -> Answer<Vec<AttachmentInfo>> {
        self.0.read(|reader| {
            Ok(reader
                .refused_attachments()?
                .into_iter()
                .map(shown)
                .collect())
        })
    }

    /// Sends a file again that the server refused, or that could not be read. The next sync that transfers files
    /// tries it once more.
    ///
    /// Errors: `media.unknown_id` if no refused file of the record has this id.
    pub fn send_again(&self, record: String, id: String) -> Answer<()> {
        let (record, id): (RecordId, Hash) = (super::id(&record)?, super::id(&id)?);
        self.0
            .write(|replica, _| Ok(replica.send_again(record, id)?))
    }

    /// Removes a photo or recording of the member that no record shows, because the words about it do not count or
    /// their record is no longer here. It may be the only copy, so ask the person before.
    ///
    /// Errors: `media.unknown_id` if a record shows it, or another person added it.
    pub fn remove_void_attachment(&self, record: String, id: String) -> Answer<()> {
        let (record, id): (RecordId, Hash) = (super::id(&record)?, super::id(&id)?);
        self.0
            .keep(|replica, _| Ok(replica.remove_void_attachment(record, id)?))
    }

    /// Notes whether the phone is short of storage, until the phone is closed. While it is, files that the server
    /// has are removed after each sync; their small pictures stay.
    pub fn set_low_storage(&self, low: bool) -> Answer<()> {
        self.0.call(|| {
            self.0.writer().set_low_storage(low);
            Ok(())
        })
    }

    /// Removes photos and recordings that the server confirmed, the one opened longest ago first, until so many
    /// bytes are free. Returns the bytes that were freed, which may be fewer. Staged files, files that wait to be
    /// sent, and small pictures stay.
    pub fn free_space(&self, bytes: u64) -> Answer<u64> {
        self.0.keep(|replica, _| Ok(replica.free_space(bytes)?))
    }

    /// Says whether syncs transfer photos and recordings, until the phone is closed. A piece that is under way
    /// still ends. Without this call they do ([`FilesPolicy::EverySync`]).
    pub fn set_files_policy(&self, policy: FilesPolicy) -> Answer<()> {
        self.0.call(|| {
            self.0.line().set_files(policy.into());
            Ok(())
        })
    }
}

/// Parses the name of a photo or recording from the host.
fn name(record: Option<&String>, text: &str) -> Answer<(Option<RecordId>, Hash)> {
    Ok((maybe_id(record)?, id(text)?))
}

fn found(reader: &Reader, record: Option<RecordId>, id: Hash) -> Answer<replica::AttachmentInfo> {
    let found = reader.attachment(record, id)?;
    found.ok_or_else(|| OneGridError::of("media.unknown_id"))
}

/// Converts a photo or recording.
fn shown(one: replica::AttachmentInfo) -> AttachmentInfo {
    let media = match one.media {
        MediaType::Jpeg => "photo",
        MediaType::M4a => "recording",
    };
    AttachmentInfo {
        id: one.id.to_string(),
        record: one.record.map(|record| record.to_string()),
        media: Word::of("media", media),
        media_type: one.media.name().to_owned(),
        size: one.bytes,
        width: one.width,
        height: one.height,
        duration_ms: one.duration_ms,
        state: one.state.into(),
        confirmed: one.is_confirmed,
        delivered_ms: one.delivered_ms,
        refusal: one.refusal.as_deref().map(Word::coded),
        has_thumbnail: one.has_thumbnail,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use super::*;
    use crate::device::open_device;
    use crate::testing::MemoryVault;
    use crate::types::{AttachmentState, DeviceConfig};

    const TAKEN: &[u8] = include_bytes!("../../../mobile-bindings/scenarios/photos/before.jpg");
    const CLEAN: &[u8] =
        include_bytes!("../../../mobile-bindings/scenarios/photos/before_clean.jpg");

    fn code<T>(answer: Answer<T>) -> String {
        answer.map(drop).unwrap_err().code().to_owned()
    }

    /// A person takes a photo before anything else works: no network, no enrolment.
    #[test]
    fn staged_photo_survives_suspension_and_reads_clean() {
        let folder = tempfile::tempdir().unwrap();
        let config = DeviceConfig {
            folder: folder.path().to_str().unwrap().to_owned(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::new(MemoryVault::default())).unwrap();
        let phone = device.open_single().unwrap().phone;
        let added = phone.add_attachment(TAKEN.to_vec()).unwrap();
        assert_eq!((added.state, added.record), (AttachmentState::Staged, None));
        phone.suspend().unwrap();
        let suspended = phone.add_attachment(TAKEN.to_vec());
        assert_eq!(code(suspended), "replica.suspended");
        phone.resume().unwrap();
        let staged = phone.staged_attachments().unwrap();
        let ids: Vec<_> = staged.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, std::slice::from_ref(&added.id));
        let read = |offset, bytes_max| {
            let id = added.id.clone();
            phone.read_attachment(None, id, offset, bytes_max).unwrap()
        };
        assert_eq!(read(0, u32::MAX), CLEAN);
        assert_eq!(read(7, 0), CLEAN[7..8], "at least one byte");
        assert_eq!(read(CLEAN.len() as u64, 9), b"");
        assert!(phone.thumbnail(None, added.id.clone()).unwrap().is_some());
        phone.remove_staged(added.id.clone()).unwrap();
        for gone in [
            code(phone.remove_staged(added.id.clone())),
            code(phone.attachment(None, added.id.clone())),
            code(phone.thumbnail(None, added.id.clone())),
            code(phone.read_attachment(None, added.id.clone(), 0, 1)),
        ] {
            assert_eq!(gone, "media.unknown_id");
        }
        assert!(!added.confirmed);
        assert_eq!(phone.refused_attachments().unwrap(), []);
        let record = "0".repeat(32);
        for unknown in [
            code(phone.send_again(record.clone(), added.id.clone())),
            code(phone.remove_void_attachment(record, added.id)),
        ] {
            assert_eq!(unknown, "media.unknown_id");
        }
        phone.shut().unwrap();
    }

    #[test]
    fn input_beyond_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let config = DeviceConfig {
            folder: folder.path().to_str().unwrap().to_owned(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let device = open_device(config, Arc::new(MemoryVault::default())).unwrap();
        let phone = device.open_single().unwrap().phone;
        let bytes_max = usize::try_from(crate::attachment_input_bytes_max().unwrap()).unwrap();
        let mut bytes = TAKEN.to_vec();
        bytes.resize(bytes_max, 0);
        assert!(
            phone.add_attachment(bytes.clone()).is_ok(),
            "bytes behind the end are cut"
        );
        bytes.push(0);
        assert_eq!(code(phone.add_attachment(bytes)), "media.too_large");
        assert_eq!(phone.staged_attachments().unwrap().len(), 1);
        phone.shut().unwrap();
    }
}
