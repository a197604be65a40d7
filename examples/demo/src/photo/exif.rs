//! EXIF: the place that a camera writes into a photo.

use onegrid_core::domain::point::GeoPoint;

/// The tag of the list with the place.
const PLACE: u16 = 0x8825;
const MARKER: [u8; 2] = [0xff, 0xe1];
const HEAD: &[u8] = b"Exif\0\0";
/// Bytes of an entry of a list.
const ENTRY: usize = 12;
const ASCII: u16 = 2;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

/// Returns a photo with a place, as a camera writes it behind the start of the file.
pub(super) fn with_place(photo: &[u8], at: GeoPoint) -> Vec<u8> {
    let exif = [HEAD, &tiff(at)].concat();
    let length = u16::try_from(exif.len() + 2).expect("a list of four entries is short");
    let (start, rest) = photo.split_at(2);
    [start, &MARKER, &length.to_be_bytes(), &exif, rest].concat()
}

/// Whether the EXIF of a photo names a place.
pub(crate) fn holds_place(photo: &[u8]) -> bool {
    tiff_of(photo).and_then(names_place).unwrap_or(false)
}

fn tiff(at: GeoPoint) -> Vec<u8> {
    // The first list has one entry and ends at 26; the second one has four and ends at 80.
    let (list, degrees) = (26, 80);
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend(1_u16.to_le_bytes());
    entry(&mut out, PLACE, LONG, 1, u32::to_le_bytes(list));
    out.extend([0; 4]);
    out.extend(4_u16.to_le_bytes());
    let letter = |is_negative: bool, [plus, minus]: [u8; 2]| {
        [if is_negative { minus } else { plus }, 0, 0, 0]
    };
    let (lat, lon) = (at.lat_e7(), at.lon_e7());
    entry(&mut out, 1, ASCII, 2, letter(lat < 0, *b"NS"));
    entry(&mut out, 2, RATIONAL, 3, u32::to_le_bytes(degrees));
    entry(&mut out, 3, ASCII, 2, letter(lon < 0, *b"EW"));
    entry(&mut out, 4, RATIONAL, 3, u32::to_le_bytes(degrees + 24));
    out.extend([0; 4]);
    out.extend(angle(lat));
    out.extend(angle(lon));
    out
}

fn entry(out: &mut Vec<u8>, tag: u16, kind: u16, count: u32, value: [u8; 4]) {
    out.extend(tag.to_le_bytes());
    out.extend(kind.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(value);
}

/// Degrees, minutes and seconds as three fractions.
fn angle(e7: i32) -> Vec<u8> {
    let whole = 10_000_000_u64;
    let all = u64::from(e7.unsigned_abs());
    let minutes = all % whole * 60;
    let seconds = minutes % whole * 60;
    let fractions = [
        (all / whole, 1),
        (minutes / whole, 1),
        (seconds / 1_000, 10_000),
    ];
    let parts = fractions.into_iter().flat_map(|(over, under)| {
        let over = u32::try_from(over).unwrap_or(0);
        [over.to_le_bytes(), u32::to_le_bytes(under)]
    });
    parts.flatten().collect()
}

/// Returns the EXIF of a photo, without its head.
fn tiff_of(photo: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        let &[0xff, marker, high, low] = photo.get(at..at + 4)? else {
            return None;
        };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let data = photo.get(at + 4..end)?;
        match data.strip_prefix(HEAD) {
            Some(tiff) if [0xff, marker] == MARKER => return Some(tiff),
            // Behind the start of the scan there are pixels.
            _ if marker == 0xda => return None,
            _ => at = end,
        }
    }
}

/// Whether the first list has an entry for the place.
fn names_place(tiff: &[u8]) -> Option<bool> {
    let is_little = tiff.starts_with(b"II");
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at + 2)?.try_into().ok()?;
        Some(if is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    // The list is near the beginning in every photo of a camera, so the low half says where.
    let list = usize::from(short(if is_little { 4 } else { 6 })?);
    let count = usize::from(short(list)?);
    let mut tags = (0..count).map_while(|at| short(list + 2 + ENTRY * at));
    Some(tags.any(|tag| tag == PLACE))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn place_is_found_where_it_was_written() {
        let at = GeoPoint::from_degrees(30.312_15, 120.118_78).unwrap();
        let plain = [0xff, 0xd8, 0xff, 0xda, 0, 2];
        assert!(!holds_place(&plain));
        let placed = with_place(&plain, at);
        assert!(holds_place(&placed));
        for end in 0..placed.len() {
            assert!(!holds_place(&placed[..end.min(30)]), "cut at {end}");
        }
        let degrees = angle(at.lat_e7());
        assert_eq!(degrees[..4], 30_u32.to_le_bytes());
        assert_eq!(degrees[8..12], 18_u32.to_le_bytes(), "0.31215 degrees");
    }
}
