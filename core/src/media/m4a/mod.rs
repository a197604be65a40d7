//! Cleaning of recordings: one track of AAC in MP4.
//!
//! ```text
//!  kept     ftyp · mdat (the bytes of samples alone) · moov: mvhd, one trak with tkhd, edts, mdia down to its tables
//!  zeroed   times of making, names, reserved bytes of headers, bytes of mdat between samples
//!  the same language, numbers of tracks, volume and picture matrix of headers
//!  blanked  every other box: it becomes `free` of the same length, so no offset changes
//!  cut      blanked boxes at the end
//!  refused  a second track, film, other codecs, fragments, samples in other files
//! ```
//!
//! **Invariant:** lengths and offsets stay as they are, each byte that stays is one that a player reads, and
//! cleaning again changes nothing.

mod boxes;
mod codec;
mod samples;

use std::ops::Range;

use self::boxes::{Mp4Box, at_most_one, blank, keep_only, of_kind, only, split};
use super::MediaError;
use crate::limits::{RECORDING_BRANDS_BYTES_MAX, RECORDING_MS_MAX};

/// A clean recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    bytes: Vec<u8>,
    duration_ms: u64,
}

impl Recording {
    /// The clean bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The clean bytes, owned.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The length in milliseconds, as its table of times says.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.duration_ms
    }
}

/// The brand that every clean recording has.
const BRAND: [u8; 4] = *b"M4A ";
/// The brand that stands for each further one.
const FURTHER_BRAND: [u8; 4] = *b"mp42";

/// The end of `mvhd`, behind the length: speed, volume, reserved bytes, matrix, and the number of the next track.
const MOVIE_HEADER: [u8; 80] = {
    let mut end = with_matrix([0; 80]);
    end[1] = 1;
    end[4] = 1;
    end[79] = 2;
    end
};
/// The end of `tkhd`, behind the length: reserved bytes, layer, group, volume, matrix, width and height.
const TRACK_HEADER: [u8; 60] = {
    let mut end = with_matrix([0; 60]);
    end[12] = 1;
    end
};
/// The end of `mdhd`, behind the length: no language, and two reserved bytes.
const MEDIA_HEADER: [u8; 4] = [0x55, 0xc4, 0, 0];

/// Cleans a recording.
pub fn clean(bytes: &[u8]) -> Result<Recording, MediaError> {
    let mut bytes = bytes.to_vec();
    let top = split(&bytes, 0..bytes.len())?;
    // Fragments spread the tables over the file, so only the host can bring them together.
    if top
        .iter()
        .any(|one| [*b"moof", *b"styp", *b"sidx"].contains(&one.kind))
    {
        return Err(MediaError::NeedsM4a);
    }
    let brands = top
        .first()
        .filter(|one| one.kind == *b"ftyp")
        .ok_or(MediaError::Unknown)?;
    clean_brands(&mut bytes, &brands.body)?;
    let movie = only(&top, *b"moov")?;
    let data: Vec<Range<usize>> = of_kind(&top, *b"mdat")
        .map(|one| one.body.clone())
        .collect();
    let duration_ms = clean_movie(&mut bytes, &movie.body, &data)?;
    let mut end = bytes.len();
    for one in top.iter().skip(1).rev() {
        if !matches!(&one.kind, b"moov" | b"mdat") {
            if one.whole.end == end {
                end = one.whole.start;
            }
            blank(&mut bytes, one);
        }
    }
    bytes.truncate(end);
    settle_last(&mut bytes, top.iter().rfind(|one| one.whole.end == end))?;
    Ok(Recording { bytes, duration_ms })
}

/// A last box may reach “to the end of the file”; then its length is written.
fn settle_last(bytes: &mut [u8], last: Option<&Mp4Box>) -> Result<(), MediaError> {
    if let Some(last) = last.filter(|last| last.is_open) {
        let length = u32::try_from(last.whole.len()).map_err(|_| MediaError::TooLarge)?;
        bytes[last.whole.start..last.whole.start + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn clean_brands(bytes: &mut [u8], body: &Range<usize>) -> Result<(), MediaError> {
    if body.len() < 8 || !body.len().is_multiple_of(4) || body.len() > RECORDING_BRANDS_BYTES_MAX {
        return Err(MediaError::Damaged);
    }
    let (main, further) = bytes[body.clone()].split_at_mut(8);
    main[..4].copy_from_slice(&BRAND);
    main[4..].fill(0);
    for brand in further.chunks_exact_mut(4) {
        brand.copy_from_slice(&FURTHER_BRAND);
    }
    Ok(())
}

/// Cleans the description of the recording, and the data that it refers to. Returns the length in milliseconds.
fn clean_movie(
    bytes: &mut [u8],
    movie: &Range<usize>,
    data: &[Range<usize>],
) -> Result<u64, MediaError> {
    let parts = split(bytes, movie.clone())?;
    if of_kind(&parts, *b"mvex").next().is_some() {
        return Err(MediaError::NeedsM4a);
    }
    let head = only(&parts, *b"mvhd")?.body.clone();
    clean_times(bytes, &head, 96)?;
    put_at_end(bytes, &head, &MOVIE_HEADER);
    // A second track is film, text or a second recording.
    if of_kind(&parts, *b"trak").count() > 1 {
        return Err(MediaError::NeedsM4a);
    }
    let track = only(&parts, *b"trak")?.body.clone();
    keep_only(bytes, &parts, &[*b"mvhd", *b"trak"]);

    let parts = split(bytes, track)?;
    let head = only(&parts, *b"tkhd")?.body.clone();
    clean_times(bytes, &head, 80)?;
    clean_track_header(bytes, &head);
    if let Some(edits) = at_most_one(&parts, *b"edts")? {
        let edits_parts = split(bytes, edits.body.clone())?;
        if let Some(list) = at_most_one(&edits_parts, *b"elst")? {
            check_edits(&bytes[list.body.clone()])?;
        }
        keep_only(bytes, &edits_parts, &[*b"elst"]);
    }
    let media = only(&parts, *b"mdia")?.body.clone();
    keep_only(bytes, &parts, &[*b"tkhd", *b"edts", *b"mdia"]);
    clean_media(bytes, media, data)
}

fn clean_media(
    bytes: &mut [u8],
    media: Range<usize>,
    data: &[Range<usize>],
) -> Result<u64, MediaError> {
    let parts = split(bytes, media)?;
    let head = only(&parts, *b"mdhd")?.body.clone();
    let units_a_second = clean_times(bytes, &head, 20)?;
    put_at_end(bytes, &head, &MEDIA_HEADER);
    let handler = only(&parts, *b"hdlr")?.body.clone();
    clean_handler(&mut bytes[handler])?;
    let information = only(&parts, *b"minf")?.body.clone();
    keep_only(bytes, &parts, &[*b"mdhd", *b"hdlr", *b"minf"]);

    let parts = split(bytes, information)?;
    let sound = only(&parts, *b"smhd")?.body.clone();
    if sound.len() != 8 {
        return Err(MediaError::Damaged);
    }
    bytes[sound].fill(0);
    if let Some(place) = at_most_one(&parts, *b"dinf")? {
        clean_place(bytes, place.body.clone())?;
    }
    let tables = only(&parts, *b"stbl")?.body.clone();
    keep_only(bytes, &parts, &[*b"smhd", *b"dinf", *b"stbl"]);

    let parts = split(bytes, tables)?;
    let kept = [*b"stsd", *b"stts", *b"stsc", *b"stsz", *b"stco", *b"co64"];
    let codec = only(&parts, *b"stsd")?.body.clone();
    codec::clean(bytes, codec)?;
    let units = samples::clean(bytes, &parts, data)?;
    keep_only(bytes, &parts, &kept);
    let ms = units
        .checked_mul(1_000)
        .and_then(|ms| ms.checked_div(u64::from(units_a_second)))
        .ok_or(MediaError::Damaged)?;
    if ms > RECORDING_MS_MAX {
        return Err(MediaError::TooLarge);
    }
    Ok(ms)
}

/// Zeroes both times of a header, and returns the number after them: units a second, where the header has them.
/// `short` is the length of the header with times of four bytes.
fn clean_times(bytes: &mut [u8], body: &Range<usize>, short: usize) -> Result<u32, MediaError> {
    let head = &mut bytes[body.clone()];
    let version = *head.first().ok_or(MediaError::Damaged)?;
    // The duration is eight bytes long, too, beside two long times.
    let (width, length) = match version {
        0 => (4, short + 4),
        1 => (8, short + 4 + 12),
        _ => return Err(MediaError::Damaged),
    };
    if head.len() != length {
        return Err(MediaError::Damaged);
    }
    let after = 4 + 2 * width;
    // Flags, and then the times.
    head[1..after].fill(0);
    let next: [u8; 4] = head[after..after + 4]
        .try_into()
        .map_err(|_| MediaError::Damaged)?;
    Ok(u32::from_be_bytes(next))
}

/// Writes the end of a header whose length was checked.
fn put_at_end(bytes: &mut [u8], body: &Range<usize>, end: &[u8]) {
    bytes[body.end - end.len()..body.end].copy_from_slice(end);
}

/// The track plays and has the number 1. Four reserved bytes follow its number.
fn clean_track_header(bytes: &mut [u8], body: &Range<usize>) {
    put_at_end(bytes, body, &TRACK_HEADER);
    let width = if bytes[body.start] == 0 { 4 } else { 8 };
    // Enabled, in the movie, in its preview.
    bytes[body.start + 3] = 7;
    let number = body.start + 4 + 2 * width;
    bytes[number..number + 8].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
}

/// Adds a matrix that turns nothing; both headers have it at the same place of their end.
const fn with_matrix<const N: usize>(mut end: [u8; N]) -> [u8; N] {
    end[16 + 1] = 1;
    end[16 + 17] = 1;
    end[16 + 32] = 0x40;
    end
}

/// The list of edits leaves out the silence that an encoder puts before the first word.
fn check_edits(list: &[u8]) -> Result<(), MediaError> {
    let [version, _, _, _, c0, c1, c2, c3, entries @ ..] = list else {
        return Err(MediaError::Damaged);
    };
    let count = usize::try_from(u32::from_be_bytes([*c0, *c1, *c2, *c3]));
    let size = match version {
        0 => 12,
        1 => 20,
        _ => return Err(MediaError::Damaged),
    };
    let is_whole = count.ok().and_then(|count| count.checked_mul(size)) == Some(entries.len());
    if is_whole && entries.len() <= 8 * size {
        Ok(())
    } else {
        Err(MediaError::Damaged)
    }
}

/// The track is sound; the name of the software that made it is zeroed.
fn clean_handler(body: &mut [u8]) -> Result<(), MediaError> {
    if body.len() < 24 {
        return Err(MediaError::Damaged);
    }
    if body[8..12] != *b"soun" {
        return Err(MediaError::NeedsM4a);
    }
    body[..8].fill(0);
    body[12..].fill(0);
    Ok(())
}

/// The samples lie in this file, and nowhere else.
fn clean_place(bytes: &mut [u8], body: Range<usize>) -> Result<(), MediaError> {
    let parts = split(bytes, body)?;
    let list = only(&parts, *b"dref")?.body.clone();
    let is_here = bytes[list.clone()] == *b"\0\0\0\0\0\0\0\x01\0\0\0\x0curl \0\0\0\x01";
    keep_only(bytes, &parts, &[*b"dref"]);
    if is_here {
        Ok(())
    } else {
        Err(MediaError::NeedsM4a)
    }
}

#[cfg(test)]
mod tests;
