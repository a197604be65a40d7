//! A photo or recording on its way into a replica.

use crate::id::Hash;
use crate::media::{self, Clean, MediaError, MediaType, attachment_id, thumbnail};

/// A clean photo or recording with its small picture. Making it takes a moment of computing and no
/// replica.
#[derive(Debug, Clone)]
pub struct NewAttachment {
    clean: Clean,
    thumbnail: Option<Vec<u8>>,
}

impl NewAttachment {
    /// Recognises and cleans the bytes that a camera, a recorder or a file picker hands in.
    pub fn of(bytes: &[u8]) -> Result<Self, MediaError> {
        let clean = media::clean(bytes)?;
        let thumbnail = match &clean {
            Clean::Photo(photo) => Some(thumbnail::thumbnail(photo)?),
            Clean::Recording(_) => None,
        };
        Ok(Self { clean, thumbnail })
    }

    /// The clean bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.clean.bytes()
    }

    /// The type.
    #[must_use]
    pub fn media_type(&self) -> MediaType {
        self.clean.media_type()
    }

    /// A small picture of a photo, upright.
    #[must_use]
    pub fn thumbnail(&self) -> Option<&[u8]> {
        self.thumbnail.as_deref()
    }

    /// The id under a salt.
    pub(in crate::replica) fn id(&self, salt: &[u8; 16]) -> Hash {
        attachment_id(salt, self.bytes())
    }

    /// Width and height as shown, or milliseconds and 0.
    pub(in crate::replica) fn extent(&self) -> (u32, u32) {
        extent(&self.clean)
    }
}

/// Width and height as shown, or milliseconds and 0.
pub(in crate::replica) fn extent(clean: &Clean) -> (u32, u32) {
    match clean {
        Clean::Photo(photo) => {
            let (width, height) = photo.shown_size();
            (width.into(), height.into())
        }
        Clean::Recording(recording) => {
            let duration_ms = u32::try_from(recording.duration_ms());
            (duration_ms.unwrap_or(u32::MAX), 0)
        }
    }
}
