//! Photos and recordings as bytes: recognised by their content, cleaned of everything that a reader does not
//! need, and named by a hash.
//!
//! ```text
//!  bytes of a host ─▶ recognise ─▶ jpeg::clean ─┬▶ attachment_id ─▶ sealed file (phone)
//!                                  m4a::clean ──┘                 └▶ thumbnail (phone)
//!  bytes of an upload ─▶ check: cleaning changes nothing ─▶ server
//! ```
//!
//! **Contract.** Cleaning keeps only the parts that a whitelist names, so a clean file has no place, time, device
//! or second picture in it, and nothing behind its end. It is idempotent: a clean file is the clean form of
//! itself, so the server checks an upload with the same code. Memory is at most a few times the input, and bytes
//! from outside never panic.
//!
//! **Not here:** files, keys in a database, transfer, and pictures of other formats (the host converts them).

mod error;
pub mod jpeg;
pub mod m4a;
mod recognise;
#[cfg(feature = "replica")]
pub mod sealed;
#[cfg(feature = "replica")]
pub mod thumbnail;

#[cfg(test)]
mod samples;

use sha2::{Digest, Sha256};

pub use self::error::MediaError;
pub use self::recognise::{Recognised, recognise};
use crate::id::Hash;
use crate::limits::{
    ATTACHMENT_BYTES_MAX, MEDIA_INPUT_BYTES_MAX, THUMBNAIL_BYTES_MAX, THUMBNAIL_SIDE_MAX,
};

coded_enum! {
    /// The type of an attachment. Its code is on the wire.
    MediaType, u8 {
        /// A photo in JPEG.
        Jpeg = 1, "image/jpeg";
        /// A recording: AAC in MP4. Every phone records and plays it without further software.
        M4a = 2, "audio/mp4";
    }
}

/// A clean photo or recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clean {
    /// A photo.
    Photo(jpeg::Photo),
    /// A recording.
    Recording(m4a::Recording),
}

impl Clean {
    /// The bytes to keep.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Photo(photo) => photo.bytes(),
            Self::Recording(recording) => recording.bytes(),
        }
    }

    /// The type of the content.
    #[must_use]
    pub fn media_type(&self) -> MediaType {
        match self {
            Self::Photo(_) => MediaType::Jpeg,
            Self::Recording(_) => MediaType::M4a,
        }
    }
}

/// Recognises and cleans the bytes that a host hands in.
pub fn clean(bytes: &[u8]) -> Result<Clean, MediaError> {
    if bytes.len() > MEDIA_INPUT_BYTES_MAX {
        return Err(MediaError::TooLarge);
    }
    let clean = match recognise(bytes) {
        Recognised::Jpeg => Clean::Photo(jpeg::clean(bytes)?),
        Recognised::Mp4 => Clean::Recording(m4a::clean(bytes)?),
        Recognised::OtherPicture => return Err(MediaError::NeedsJpeg),
        Recognised::OtherSound => return Err(MediaError::NeedsM4a),
        Recognised::Unknown => return Err(MediaError::Unknown),
    };
    if clean.bytes().len() > ATTACHMENT_BYTES_MAX {
        return Err(MediaError::TooLarge);
    }
    Ok(clean)
}

/// Checks an upload or download: it is of this type, and cleaning would change nothing.
pub fn check(media: MediaType, bytes: &[u8]) -> Result<Clean, MediaError> {
    if bytes.len() > ATTACHMENT_BYTES_MAX {
        return Err(MediaError::TooLarge);
    }
    let clean = clean(bytes)?;
    if clean.media_type() != media || clean.bytes() != bytes {
        return Err(MediaError::Damaged);
    }
    Ok(clean)
}

/// Whether a thumbnail from a record may be shown: a clean, small, plain photo.
#[must_use]
pub fn thumbnail_is_sound(bytes: &[u8]) -> bool {
    bytes.len() <= THUMBNAIL_BYTES_MAX
        && jpeg::clean(bytes).is_ok_and(|photo| {
            photo.bytes() == bytes
                && !photo.is_progressive()
                && photo.width().max(photo.height()) <= THUMBNAIL_SIDE_MAX
        })
}

/// The id of an attachment, computed piece by piece.
#[derive(Clone)]
pub struct IdHasher(Sha256);

impl IdHasher {
    /// Begins with the salt. Equal photos under two salts have unrelated ids.
    #[must_use]
    pub fn new(salt: &[u8; 16]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"onegrid.attachment.v1");
        hasher.update(salt);
        Self(hasher)
    }

    /// Adds the next bytes of the clean file.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The id.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl std::fmt::Debug for IdHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdHasher(..)")
    }
}

/// The id of an attachment: SHA-256 over “onegrid.attachment.v1”, the salt and the clean file.
#[must_use]
pub fn attachment_id(salt: &[u8; 16], bytes: &[u8]) -> Hash {
    let mut hasher = IdHasher::new(salt);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests;
