//! The colour profile of a photo.
//!
//! A profile has room for names, serial numbers and whole files. Phones write two: sRGB, which a viewer takes
//! where no profile is, and Display P3. So a profile that has the colours of Display P3 is written anew, always
//! with the same bytes, and every other one is left out. A photo of a rare camera then looks paler.

/// Begins the segment of a profile in one piece.
const IN_ONE_PIECE: &[u8; 14] = b"ICC_PROFILE\0\x01\x01";
const HEADER_BYTES: usize = 128;
const ENTRY_BYTES: usize = 12;
/// Length of the profile that is written, bytes.
const PROFILE_BYTES: u32 = 492;
/// Difference of one coordinate that rounding explains, in units of 1/65,536.
const ROUNDING: u32 = 0x42;

/// White of the profile's connection space (D50), as XYZ. Numbers here are s15Fixed16 of ICC.1:2010.
const WHITE: [i32; 3] = [0xf6d6, 0x1_0000, 0xd32d];
/// Red, green and blue of Display P3 (SMPTE EG 432-1) as XYZ, adapted to that white by Bradford's method.
const PRIMARIES: [([u8; 4], [i32; 3]); 3] = [
    (*b"rXYZ", [0x83df, 0x3dbf, -0x45]),
    (*b"gXYZ", [0x4abf, 0xb137, 0x0ab9]),
    (*b"bXYZ", [0x2838, 0x110b, 0xc8b9]),
];
/// The matrix of that adaptation, from D65.
const ADAPTATION: [i32; 9] = [
    0x1_0c42, 0x05de, -0x0cdb, 0x0793, 0xfd90, -0x045f, -0x025e, 0x03dc, 0xc06e,
];
/// The curve of sRGB (IEC 61966-2-1): gamma and four coefficients of function 3.
const CURVE: [i32; 5] = [0x2_6666, 0xf2a7, 0x0d59, 0x13d0, 0x0a5b];

/// Whether the data of a segment is a profile with the colours of Display P3.
pub(super) fn is_display_p3(data: &[u8]) -> bool {
    let Some(profile) = data.strip_prefix(IN_ONE_PIECE) else {
        return false;
    };
    let size = number(profile, 0).and_then(|size| usize::try_from(size).ok());
    size == Some(profile.len())
        && profile.get(36..40) == Some(b"acsp")
        && PRIMARIES.iter().all(|(name, expected)| {
            let found = coordinates(profile, *name);
            found.is_some_and(|found| {
                let mut pairs = found.iter().zip(expected);
                pairs.all(|(one, other)| one.abs_diff(*other) <= ROUNDING)
            })
        })
}

/// The data of the segment that stands for every such profile.
pub(super) fn display_p3() -> Vec<u8> {
    let curve = [b"para\0\0\0\0\0\x03\0\0".to_vec(), fixed(&CURVE)].concat();
    let adaptation = [b"sf32\0\0\0\0".to_vec(), fixed(&ADAPTATION)].concat();
    let mut tags = vec![
        (*b"desc", text("Display P3")),
        (*b"cprt", text("CC0")),
        (*b"wtpt", xyz(&WHITE)),
        (*b"chad", adaptation),
    ];
    tags.extend(PRIMARIES.map(|(name, of)| (name, xyz(&of))));
    tags.extend([
        (*b"rTRC", curve.clone()),
        (*b"gTRC", curve.clone()),
        (*b"bTRC", curve),
    ]);

    let mut out = IN_ONE_PIECE.to_vec();
    out.extend(PROFILE_BYTES.to_be_bytes());
    // No maker, version 4.2, a display whose colours are RGB.
    out.extend(b"\0\0\0\0\x04\x20\0\0mntrRGB XYZ ");
    // A profile needs a date; this one is always the same.
    out.extend(b"\x07\xd0\0\x01\0\x01\0\0\0\0\0\0acsp");
    out.extend([0; 28]);
    out.extend(fixed(&WHITE));
    out.extend([0; 48]);
    let count = u32::try_from(tags.len()).unwrap_or_default();
    out.extend(count.to_be_bytes());
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    let first = HEADER_BYTES + 4 + tags.len() * ENTRY_BYTES;
    let mut place = (0, 0);
    for (name, content) in tags {
        // Green and blue have the curve of red.
        if !data.ends_with(&content) {
            place = (first + data.len(), content.len());
            data.extend(content);
        }
        entries.extend(name);
        for value in [place.0, place.1] {
            entries.extend(u32::try_from(value).unwrap_or_default().to_be_bytes());
        }
    }
    out.extend(entries);
    out.extend(data);
    out
}

/// The three coordinates of a tag. Of two tags with one name, the first one counts.
fn coordinates(profile: &[u8], name: [u8; 4]) -> Option<[i32; 3]> {
    let count = usize::try_from(number(profile, HEADER_BYTES)?).ok()?;
    let entries = profile.get(HEADER_BYTES + 4..)?.chunks_exact(ENTRY_BYTES);
    let entry = entries.take(count).find(|entry| entry[..4] == name)?;
    let at = usize::try_from(number(entry, 4)?).ok()?;
    let tag = profile.get(at..)?.strip_prefix(b"XYZ \0\0\0\0")?;
    let mut found = [0; 3];
    for (one, bytes) in found
        .iter_mut()
        .zip(tag.first_chunk::<12>()?.as_chunks::<4>().0)
    {
        *one = i32::from_be_bytes(*bytes);
    }
    Some(found)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

fn fixed(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().flat_map(|one| one.to_be_bytes()).collect()
}

fn xyz(of: &[i32; 3]) -> Vec<u8> {
    [b"XYZ \0\0\0\0".to_vec(), fixed(of)].concat()
}

/// A text in one language: UTF-16, filled up to a multiple of four bytes.
fn text(words: &str) -> Vec<u8> {
    let words: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let length = u32::try_from(words.len()).unwrap_or_default();
    let mut out = b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0cenUS".to_vec();
    out.extend(length.to_be_bytes());
    out.extend(28_u32.to_be_bytes());
    out.extend(words);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn written_profile_is_recognised_and_whole() {
        let data = display_p3();
        assert!(is_display_p3(&data));
        let profile = &data[IN_ONE_PIECE.len()..];
        assert_eq!(profile.len(), PROFILE_BYTES as usize);
        // Red, green and blue together are white.
        let sum = |axis: usize| PRIMARIES.iter().map(|(_, of)| of[axis]).sum::<i32>();
        for (axis, white) in WHITE.into_iter().enumerate() {
            assert!(sum(axis).abs_diff(white) <= 1);
        }
        let count = number(profile, HEADER_BYTES).unwrap();
        let entries = profile[HEADER_BYTES + 4..].chunks_exact(ENTRY_BYTES);
        for entry in entries.take(count as usize) {
            let (at, length) = (number(entry, 4).unwrap(), number(entry, 8).unwrap());
            assert!(at.is_multiple_of(4) && at + length <= PROFILE_BYTES);
        }
        let golden = crate::id::Hash::of(&[&data]).to_string();
        assert_eq!(
            golden,
            "334adab8c258a8446ddecba856c03b3618a9e26863f12b8d54102f4dbeb7abc3"
        );
    }

    #[test]
    fn broken_profiles_are_none() {
        let data = display_p3();
        for end in 0..data.len() {
            assert!(!is_display_p3(&data[..end]), "{end}");
        }
        let tags = IN_ONE_PIECE.len() + HEADER_BYTES;
        for at in tags..tags + 4 + 10 * ENTRY_BYTES {
            for value in [0, 1, 0x7f, 0xff] {
                let mut other = data.clone();
                other[at] = value;
                // The answer may be yes; a panic may not be.
                let _ = is_display_p3(&other);
            }
        }
    }
}
