//! The boxes of MP4: length, kind, content.

use std::ops::Range;

use crate::limits::RECORDING_BOXES_MAX;
use crate::media::MediaError;

/// One box. Ranges are places in the file.
#[derive(Debug, Clone)]
pub(super) struct Mp4Box {
    pub(super) kind: [u8; 4],
    pub(super) whole: Range<usize>,
    pub(super) body: Range<usize>,
    /// Its length is “to the end of the file”.
    pub(super) is_open: bool,
}

/// Splits a range of the file into boxes, which fill it exactly. Only the last box of the whole file may have an
/// open end.
pub(super) fn split(bytes: &[u8], range: Range<usize>) -> Result<Vec<Mp4Box>, MediaError> {
    let is_whole_file = range == (0..bytes.len());
    let mut boxes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        if boxes.len() == RECORDING_BOXES_MAX {
            return Err(MediaError::Damaged);
        }
        let head = bytes[at..range.end]
            .first_chunk::<8>()
            .ok_or(MediaError::Damaged)?;
        let [l0, l1, l2, l3, k0, k1, k2, k3] = *head;
        let (header, length) = match u32::from_be_bytes([l0, l1, l2, l3]) {
            0 if is_whole_file => (8, range.end - at),
            1 => {
                let long = bytes[at + 8..range.end].first_chunk::<8>();
                let long = u64::from_be_bytes(*long.ok_or(MediaError::Damaged)?);
                (16, usize::try_from(long).map_err(|_| MediaError::Damaged)?)
            }
            length => (8, usize::try_from(length).map_err(|_| MediaError::Damaged)?),
        };
        let end = at.checked_add(length).ok_or(MediaError::Damaged)?;
        if length < header || end > range.end {
            return Err(MediaError::Damaged);
        }
        boxes.push(Mp4Box {
            kind: [k0, k1, k2, k3],
            whole: at..end,
            body: at + header..end,
            is_open: [l0, l1, l2, l3] == [0; 4],
        });
        at = end;
    }
    Ok(boxes)
}

/// Makes a box an empty one of the same length.
pub(super) fn blank(bytes: &mut [u8], one: &Mp4Box) {
    let kind_at = one.whole.start + 4;
    bytes[kind_at..kind_at + 4].copy_from_slice(b"free");
    bytes[one.body.clone()].fill(0);
}

/// Blanks the boxes of other kinds.
pub(super) fn keep_only(bytes: &mut [u8], parts: &[Mp4Box], kinds: &[[u8; 4]]) {
    for other in parts.iter().filter(|part| !kinds.contains(&part.kind)) {
        blank(bytes, other);
    }
}

/// The boxes of one kind.
pub(super) fn of_kind(parts: &[Mp4Box], kind: [u8; 4]) -> impl DoubleEndedIterator<Item = &Mp4Box> {
    parts.iter().filter(move |part| part.kind == kind)
}

/// The box of a kind, where there is one. Two are an error.
pub(super) fn at_most_one(parts: &[Mp4Box], kind: [u8; 4]) -> Result<Option<&Mp4Box>, MediaError> {
    let mut found = of_kind(parts, kind);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        _ => Err(MediaError::Damaged),
    }
}

/// The one box of a kind.
pub(super) fn only(parts: &[Mp4Box], kind: [u8; 4]) -> Result<&Mp4Box, MediaError> {
    at_most_one(parts, kind)?.ok_or(MediaError::Damaged)
}
