//! Frames: a whole message as it travels. One version byte, one form byte, the message.
//!
//! A frame never inflates beyond a small multiple of the bytes that arrived. Its declared size is
//! checked before a byte is inflated, and inflation stops at that size whatever the frame does. A
//! message that compresses too well travels uncompressed, so a sender never makes a frame that a
//! receiver would refuse.

use std::io::Read;
use std::sync::LazyLock;

use minicbor::{Decode, Encode};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::stream::read::Decoder;
use zstd::zstd_safe;

use crate::cbor::canonical;
use crate::limits::{INFLATED_BYTES_MAX, INFLATION_FREE_BYTES, INFLATION_RATIO_MAX};

/// The version of frames.
const VERSION: u8 = 1;
/// The message follows as zstd frame.
const ZSTD: u8 = 0;
/// The message follows as zstd frame that was made with the dictionary.
const ZSTD_DICTIONARY: u8 = 1;
/// The message follows as it is.
const STORED: u8 = 2;
/// The usual compression level, and the level for lines whose bytes cost more than the time to save
/// them.
const LEVEL: i32 = 3;
const LEVEL_THOROUGH: i32 = 19;
/// The common parts of small messages, as raw content for zstd. The dictionary is part of the
/// protocol, so another one needs another form byte. `dictionary_tests.rs` makes it.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");
/// Messages up to this size are compressed with the dictionary.
const DICTIONARY_MESSAGE_BYTES_MAX: usize = 64 * 1_024;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static ENCODER_THOROUGH: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL_THOROUGH));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// How much time a sender spends on making a frame small. A reader sees no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Little.
    Usual,
    /// About ten times as much, for some four bytes of a hundred.
    Thorough,
}

/// A limit on the growth of a message while it is read, because the packs of a batch are written
/// out one by one.
pub trait Allowance {
    /// Takes `bytes` off the allowance; `false` when it does not suffice.
    fn take(&mut self, bytes: usize) -> bool;
}

/// For writers, which need no allowance.
impl Allowance for () {
    fn take(&mut self, _: usize) -> bool {
        true
    }
}

/// The bytes that a message may still inflate to. All packs of a message share one allowance, as
/// large as the message itself may become.
pub struct Growth(usize);

impl Allowance for Growth {
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

coded_error! {
    /// Why bytes are no message.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum FrameError {
        /// More bytes than a message may have.
        #[error("wire.too_large")]
        TooLarge,
        /// It would inflate beyond the limit of a message of its size.
        #[error("wire.inflates")]
        Inflates,
        /// A version of the frame or of the protocol that this code does not know.
        #[error("wire.newer")]
        Version,
        /// The bytes are damaged.
        #[error("wire.damaged")]
        Damaged,
        /// Undamaged, but not this message, or over one of its limits.
        #[error("wire.shape")]
        Shape,
    }
}

/// Writes a message whose frame has at most `bytes_max` bytes.
pub fn encode<T: Encode<()>>(message: &T, bytes_max: usize) -> Result<Vec<u8>, FrameError> {
    encode_with(message, bytes_max, Effort::Usual)
}

/// Writes a message with more or less effort into a frame of at most `bytes_max` bytes.
pub fn encode_with<T: Encode<()>>(
    message: &T,
    bytes_max: usize,
    effort: Effort,
) -> Result<Vec<u8>, FrameError> {
    let plain = minicbor::to_vec(message).map_err(|_| FrameError::Shape)?;
    if plain.len() > INFLATED_BYTES_MAX {
        return Err(FrameError::TooLarge);
    }
    let frame = deflate(&plain, effort).ok_or(FrameError::Damaged)?;
    if frame.len() > bytes_max {
        Err(FrameError::TooLarge)
    } else {
        Ok(frame)
    }
}

/// Reads a message from a frame of at most `bytes_max` bytes.
pub fn decode<T: for<'b> Decode<'b, Growth>>(
    frame: &[u8],
    bytes_max: usize,
) -> Result<T, FrameError> {
    if frame.len() > bytes_max {
        return Err(FrameError::TooLarge);
    }
    let plain = inflate(frame)?;
    canonical::check(&plain).map_err(|_| FrameError::Damaged)?;
    let mut growth = Growth(inflated_max(frame.len()));
    minicbor::decode_with(&plain, &mut growth).map_err(|_| FrameError::Shape)
}

fn deflate(plain: &[u8], effort: Effort) -> Option<Vec<u8>> {
    let small = plain.len() <= DICTIONARY_MESSAGE_BYTES_MAX;
    let form = if small { ZSTD_DICTIONARY } else { ZSTD };
    let (level, encoder) = match effort {
        Effort::Usual => (LEVEL, &ENCODER),
        Effort::Thorough => (LEVEL_THOROUGH, &ENCODER_THOROUGH),
    };
    let mut compressor = if small {
        zstd::bulk::Compressor::with_prepared_dictionary(encoder).ok()?
    } else {
        zstd::bulk::Compressor::new(level).ok()?
    };
    let packed = compressor.compress(plain).ok()?;
    let worth = packed.len() < plain.len() && plain.len() <= inflated_max(packed.len());
    let (form, payload) = if worth {
        (form, packed.as_slice())
    } else {
        (STORED, plain)
    };
    let mut frame = vec![VERSION, form];
    frame.extend_from_slice(payload);
    Some(frame)
}

fn inflate(frame: &[u8]) -> Result<Vec<u8>, FrameError> {
    let (head, payload) = frame.split_at_checked(2).ok_or(FrameError::Damaged)?;
    let with_dictionary = match head {
        [VERSION, ZSTD] => false,
        [VERSION, ZSTD_DICTIONARY] => true,
        [VERSION, STORED] => return Ok(payload.to_vec()),
        _ => return Err(FrameError::Version),
    };
    let declared = zstd_safe::get_frame_content_size(payload).ok().flatten();
    let declared = declared.ok_or(FrameError::Damaged)?;
    let max = inflated_max(payload.len());
    if usize::try_from(declared).map_or(true, |declared| declared > max) {
        return Err(FrameError::Inflates);
    }
    let damaged = |_| FrameError::Damaged;
    let decoder = if with_dictionary {
        Decoder::with_prepared_dictionary(payload, &DECODER)
    } else {
        Decoder::with_buffer(payload)
    };
    let mut decoder = decoder.map_err(damaged)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
    let mut plain = Vec::new();
    decoder
        .by_ref()
        .take(declared + 1)
        .read_to_end(&mut plain)
        .map_err(damaged)?;
    if plain.len() as u64 != declared || !decoder.finish().is_empty() {
        return Err(FrameError::Damaged);
    }
    Ok(plain)
}

/// A window of [`INFLATED_BYTES_MAX`].
const WINDOW_LOG_MAX: u32 = INFLATED_BYTES_MAX.ilog2();

fn inflated_max(packed: usize) -> usize {
    packed
        .saturating_mul(INFLATION_RATIO_MAX)
        .saturating_add(INFLATION_FREE_BYTES)
        .min(INFLATED_BYTES_MAX)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "dictionary_tests.rs"]
mod dictionary_tests;
