//! The tables of samples: how many, how long, where. Bytes of `mdat` that belong to no sample are zeroed.

use std::ops::Range;

use super::boxes::{Mp4Box, at_most_one, only};
use crate::limits::RECORDING_SAMPLES_MAX;
use crate::media::MediaError;

/// Checks the tables against each other and against the data. Returns the length of all samples in units of the
/// track.
pub(super) fn clean(
    bytes: &mut [u8],
    parts: &[Mp4Box],
    data: &[Range<usize>],
) -> Result<u64, MediaError> {
    let sizes = sizes(&bytes[only(parts, *b"stsz")?.body.clone()])?;
    let samples = sizes.len();
    let units = units(&bytes[only(parts, *b"stts")?.body.clone()], samples)?;
    let offsets = match at_most_one(parts, *b"stco")? {
        Some(short) => offsets(&bytes[short.body.clone()], 4)?,
        None => offsets(&bytes[only(parts, *b"co64")?.body.clone()], 8)?,
    };
    if at_most_one(parts, *b"stco")?.is_some() && at_most_one(parts, *b"co64")?.is_some() {
        return Err(MediaError::Damaged);
    }
    let chunks = table(&bytes[only(parts, *b"stsc")?.body.clone()], 12)?;
    let per_chunk = per_chunk(chunks, offsets.len())?;

    let mut pieces = Vec::with_capacity(offsets.len());
    let mut next = 0_usize;
    for (start, count) in offsets.iter().zip(per_chunk) {
        let count = usize::try_from(count).map_err(|_| MediaError::Damaged)?;
        let end = next.checked_add(count).ok_or(MediaError::Damaged)?;
        let own = sizes.get(next..end).ok_or(MediaError::Damaged)?;
        let length: u64 = own.iter().map(|size| u64::from(*size)).sum();
        pieces.push(place(*start, length, data)?);
        next = end;
    }
    if next != samples {
        return Err(MediaError::Damaged);
    }
    zero_between(bytes, pieces, data);
    Ok(units)
}

/// The sizes of all samples.
fn sizes(body: &[u8]) -> Result<Vec<u32>, MediaError> {
    let [0, _, _, _, s0, s1, s2, s3, c0, c1, c2, c3, entries @ ..] = body else {
        return Err(MediaError::Damaged);
    };
    let same = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let count = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
    if count > RECORDING_SAMPLES_MAX {
        return Err(MediaError::TooLarge);
    }
    let count = usize::try_from(count).map_err(|_| MediaError::Damaged)?;
    if count == 0 {
        return Err(MediaError::Damaged);
    }
    if same != 0 {
        return if entries.is_empty() {
            Ok(vec![same; count])
        } else {
            Err(MediaError::Damaged)
        };
    }
    if entries.len() != count * 4 {
        return Err(MediaError::Damaged);
    }
    Ok(entries
        .as_chunks::<4>()
        .0
        .iter()
        .map(|size| u32::from_be_bytes(*size))
        .collect())
}

/// The sum of the lengths of all samples in units of the track.
fn units(body: &[u8], samples: usize) -> Result<u64, MediaError> {
    let times = table(body, 8)?;
    let (mut count, mut units) = (0_u64, 0_u64);
    for [n, each] in numbers::<2>(times) {
        count += u64::from(n);
        units = units
            .checked_add(u64::from(n) * u64::from(each))
            .ok_or(MediaError::Damaged)?;
    }
    if usize::try_from(count) == Ok(samples) {
        Ok(units)
    } else {
        Err(MediaError::Damaged)
    }
}

fn offsets(body: &[u8], width: usize) -> Result<Vec<u64>, MediaError> {
    let table = table(body, width)?;
    Ok(match width {
        4 => numbers::<1>(table).map(|[at]| u64::from(at)).collect(),
        _ => numbers::<2>(table)
            .map(|[high, low]| u64::from(high) << 32 | u64::from(low))
            .collect(),
    })
}

/// The number of samples of each chunk. An entry holds from its first chunk up to the next entry.
fn per_chunk(entries: &[u8], chunks: usize) -> Result<Vec<u32>, MediaError> {
    let rows: Vec<[u32; 3]> = numbers::<3>(entries).collect();
    let mut counts = Vec::with_capacity(chunks);
    for (at, [first, samples, description]) in rows.iter().enumerate() {
        let is_next = usize::try_from(*first) == Ok(counts.len() + 1);
        if !is_next || *samples == 0 || *description != 1 {
            return Err(MediaError::Damaged);
        }
        let end = match rows.get(at + 1) {
            Some([next, ..]) => usize::try_from(next.saturating_sub(1)).unwrap_or(usize::MAX),
            None => chunks,
        };
        if end <= counts.len() || end > chunks {
            return Err(MediaError::Damaged);
        }
        counts.resize(end, *samples);
    }
    if counts.len() == chunks {
        Ok(counts)
    } else {
        Err(MediaError::Damaged)
    }
}

/// The place of a chunk in the file, within one of the ranges of data.
fn place(start: u64, length: u64, data: &[Range<usize>]) -> Result<Range<usize>, MediaError> {
    let end = start.checked_add(length).ok_or(MediaError::Damaged)?;
    let start = usize::try_from(start).map_err(|_| MediaError::Damaged)?;
    let end = usize::try_from(end).map_err(|_| MediaError::Damaged)?;
    let is_inside = data
        .iter()
        .any(|range| range.start <= start && end <= range.end);
    if is_inside {
        Ok(start..end)
    } else {
        Err(MediaError::Damaged)
    }
}

/// Zeroes the data that no piece covers.
fn zero_between(bytes: &mut [u8], mut pieces: Vec<Range<usize>>, data: &[Range<usize>]) {
    pieces.sort_by_key(|piece| piece.start);
    for range in data {
        let mut at = range.start;
        for piece in pieces.iter().filter(|piece| range.contains(&piece.start)) {
            if at < piece.start {
                bytes[at..piece.start].fill(0);
            }
            at = at.max(piece.end);
        }
        bytes[at..range.end].fill(0);
    }
}

/// The entries of a table, of `width` bytes each. Their number fits exactly.
fn table(body: &[u8], width: usize) -> Result<&[u8], MediaError> {
    let [0, _, _, _, c0, c1, c2, c3, entries @ ..] = body else {
        return Err(MediaError::Damaged);
    };
    let count = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
    if count > RECORDING_SAMPLES_MAX {
        return Err(MediaError::TooLarge);
    }
    let length = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(width));
    if length != Some(entries.len()) {
        return Err(MediaError::Damaged);
    }
    Ok(entries)
}

/// The numbers of entries that have `N` each.
fn numbers<const N: usize>(entries: &[u8]) -> impl Iterator<Item = [u32; N]> {
    entries.chunks_exact(4 * N).map(|entry| {
        let mut row = [0; N];
        for (number, part) in row.iter_mut().zip(entry.as_chunks::<4>().0) {
            *number = u32::from_be_bytes(*part);
        }
        row
    })
}
