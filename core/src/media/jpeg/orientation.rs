//! The orientation of a photo: the one fact of EXIF that is kept.

/// How stored pixels are turned before people see them, by the numbers of EXIF.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Orientation {
    /// As stored.
    #[default]
    Upright = 1,
    /// Left and right change places.
    Mirrored = 2,
    /// By 180 degrees.
    HalfTurn = 3,
    /// Top and bottom change places.
    Flipped = 4,
    /// Rows become columns.
    Transposed = 5,
    /// By 90 degrees clockwise.
    QuarterRight = 6,
    /// Rows become columns, from the opposite corner.
    Transversed = 7,
    /// By 90 degrees anticlockwise.
    QuarterLeft = 8,
}

/// The number of the entry in EXIF.
const TAG: u16 = 0x0112;
/// The type of its value: a number of two bytes.
const SHORT: u16 = 3;
/// Where the only directory begins in the segment that [`Orientation::to_exif`] writes.
const DIRECTORY_AT: u32 = 8;

impl Orientation {
    /// Finds the orientation in a segment of EXIF. Damaged EXIF has none, because the photo is worth more.
    pub(super) fn in_exif(data: &[u8]) -> Option<Self> {
        let tiff = data.strip_prefix(b"Exif\0\0")?;
        let is_little = match tiff.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let u16_at = |at: usize| {
            let pair: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
            Some(if is_little {
                u16::from_le_bytes(pair)
            } else {
                u16::from_be_bytes(pair)
            })
        };
        let start: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
        let start = if is_little {
            u32::from_le_bytes(start)
        } else {
            u32::from_be_bytes(start)
        };
        let start = usize::try_from(start).ok()?;
        let entries = usize::from(u16_at(start)?);
        let first = start.checked_add(2)?;
        // The segment has at most 64 KiB, so the number of entries that are there is bounded.
        for entry in 0..entries {
            let at = first.checked_add(entry * 12)?;
            if u16_at(at)? == TAG {
                let value = (u16_at(at + 2)? == SHORT)
                    .then(|| u16_at(at + 8))
                    .flatten()?;
                return Self::from_number(value);
            }
        }
        None
    }

    /// A segment of EXIF with this entry alone.
    pub(super) fn to_exif(self) -> Vec<u8> {
        let mut out = b"Exif\0\0MM\0*".to_vec();
        out.extend(DIRECTORY_AT.to_be_bytes());
        out.extend(1_u16.to_be_bytes());
        out.extend(TAG.to_be_bytes());
        out.extend(SHORT.to_be_bytes());
        out.extend(1_u32.to_be_bytes());
        out.extend((self as u16).to_be_bytes());
        out.extend([0; 2 + 4]);
        out
    }

    /// Whether width and height change places.
    #[must_use]
    pub fn swaps_sides(self) -> bool {
        self as u16 >= 5
    }

    fn from_number(number: u16) -> Option<Self> {
        Some(match number {
            1 => Self::Upright,
            2 => Self::Mirrored,
            3 => Self::HalfTurn,
            4 => Self::Flipped,
            5 => Self::Transposed,
            6 => Self::QuarterRight,
            7 => Self::Transversed,
            8 => Self::QuarterLeft,
            _ => return None,
        })
    }
}
