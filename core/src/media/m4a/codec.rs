//! The description of the codec: one entry, AAC.

use std::ops::Range;

use super::boxes::{blank, split};
use crate::media::MediaError;

/// Bytes of an entry of sound before its own boxes.
const SOUND_BYTES: usize = 28;
/// The number of the standard for AAC (ISO/IEC 14496-3).
const AAC: u8 = 0x40;

/// Checks the description in the body of `stsd`, and blanks all boxes in it but the one of the codec.
pub(super) fn clean(bytes: &mut [u8], body: Range<usize>) -> Result<(), MediaError> {
    if bytes[body.clone()].first_chunk::<8>() != Some(&[0, 0, 0, 0, 0, 0, 0, 1]) {
        return Err(MediaError::NeedsM4a);
    }
    let entries = split(bytes, body.start + 8..body.end)?;
    let [entry] = entries.as_slice() else {
        return Err(MediaError::Damaged);
    };
    if entry.kind != *b"mp4a" {
        return Err(MediaError::NeedsM4a);
    }
    if entry.body.len() < SOUND_BYTES {
        return Err(MediaError::Damaged);
    }
    let own = entry.body.start..entry.body.start + SOUND_BYTES;
    // Versions above 0 of this entry belong to QuickTime and are longer.
    if bytes[own.start + 8..own.start + 10] != [0, 0] {
        return Err(MediaError::NeedsM4a);
    }
    // Revision and vendor say which software wrote the file.
    bytes[own.start + 10..own.start + 16].fill(0);
    let parts = split(bytes, own.end..entry.body.end)?;
    let mut found = 0;
    for part in &parts {
        if part.kind == *b"esds" {
            check(&bytes[part.body.clone()])?;
            found += 1;
        } else {
            blank(bytes, part);
        }
    }
    if found == 1 {
        Ok(())
    } else {
        Err(MediaError::NeedsM4a)
    }
}

/// Descriptor 3 (the stream) holds descriptor 4 (the decoder), whose first byte names the codec.
fn check(body: &[u8]) -> Result<(), MediaError> {
    let body = body.strip_prefix(&[0; 4]).ok_or(MediaError::Damaged)?;
    if body.len() > 256 {
        return Err(MediaError::Damaged);
    }
    let stream = descriptor(body, 3)?;
    // An id of two bytes, then flags. No flag is set in a file.
    let &[_, _, 0, ref rest @ ..] = stream else {
        return Err(MediaError::NeedsM4a);
    };
    match descriptor(rest, 4)? {
        [AAC, ..] => Ok(()),
        _ => Err(MediaError::NeedsM4a),
    }
}

/// The content of the descriptor that `bytes` begin with. Its length has up to four bytes of seven bits.
fn descriptor(bytes: &[u8], tag: u8) -> Result<&[u8], MediaError> {
    let (first, mut rest) = bytes.split_first().ok_or(MediaError::Damaged)?;
    if *first != tag {
        return Err(MediaError::Damaged);
    }
    let mut length = 0;
    for _ in 0..4 {
        let (byte, after) = rest.split_first().ok_or(MediaError::Damaged)?;
        rest = after;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..length).ok_or(MediaError::Damaged)
}
