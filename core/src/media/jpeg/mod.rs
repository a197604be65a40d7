//! Cleaning of JPEG by a whitelist of segments.
//!
//! ```text
//!  kept as they are      DHT DQT DRI SOF0 SOF1 SOF2 SOS with its data, up to the first EOI
//!  written anew          JFIF (density alone), EXIF (orientation alone), Adobe (transform alone),
//!                        the colour profile of Display P3
//!  left out              all other profiles and APPn, comments, fill bytes, thumbnails, everything
//!                        behind the end
//!  refused               48 megapixels, arithmetic coding, CMYK, 12 bits, a frame in parts
//! ```
//!
//! **Invariant:** the clean form has exactly one spelling of everything that is not picture data, and cleaning it
//! again changes nothing. Each length is checked against the bytes that are there before it is used.

mod frame;
mod orientation;
mod profile;
mod scan;
mod tables;

use self::frame::Frame;
pub use self::orientation::Orientation;
use self::tables::Tables;
use super::MediaError;
use crate::limits::{PHOTO_SCANS_MAX, PHOTO_SEGMENTS_MAX};

/// A clean photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    bytes: Vec<u8>,
    width: u16,
    height: u16,
    orientation: Orientation,
    is_progressive: bool,
}

impl Photo {
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

    /// Pixels from left to right, as stored.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Pixels from top to bottom, as stored.
    #[must_use]
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Width and height as people see the photo.
    #[must_use]
    pub fn shown_size(&self) -> (u16, u16) {
        if self.orientation.swaps_sides() {
            (self.height, self.width)
        } else {
            (self.width, self.height)
        }
    }

    /// How the stored pixels are turned before people see them.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Whether a decoder has to hold all coefficients.
    #[must_use]
    pub fn is_progressive(&self) -> bool {
        self.is_progressive
    }
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const DQT: u8 = 0xdb;
const DHT: u8 = 0xc4;
const DRI: u8 = 0xdd;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP2: u8 = 0xe2;
const APP14: u8 = 0xee;
const COM: u8 = 0xfe;

/// JFIF 1.02 with square pixels and no thumbnail.
const JFIF: [u8; 14] = *b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0";
/// Bytes before the first table of a clean photo, at most.
const EXTRAS_BYTES: usize = 1_024;

/// Cleans a photo. Pixels are counted in the header, before any memory depends on them.
pub fn clean(bytes: &[u8]) -> Result<Photo, MediaError> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(2)? != [0xff, SOI] {
        return Err(MediaError::Damaged);
    }
    let mut cleaner = Cleaner::default();
    for _ in 0..PHOTO_SEGMENTS_MAX {
        let marker = reader.marker()?;
        if marker == EOI {
            return cleaner.finish();
        }
        let data = match marker {
            // These markers have no length, and none of them may be here.
            0x00 | 0x01 | 0xd0..=SOI => return Err(MediaError::Damaged),
            _ => reader.segment()?,
        };
        cleaner.take(marker, data, &mut reader)?;
    }
    Err(MediaError::Damaged)
}

#[derive(Default)]
struct Cleaner {
    /// Segments from the first table to the last scan, in their order.
    body: Vec<u8>,
    has_jfif: bool,
    orientation: Option<Orientation>,
    has_display_p3: bool,
    adobe: Option<u8>,
    tables: Tables,
    frame: Option<Frame>,
    scans: usize,
}

impl Cleaner {
    fn take(&mut self, marker: u8, data: &[u8], reader: &mut Reader<'_>) -> Result<(), MediaError> {
        match marker {
            DQT => self.tables.take_quantisation(data)?,
            DHT => self.tables.take_codes(data)?,
            DRI => self.tables.take_interval(data)?,
            0xc0..=0xc2 => {
                if self.frame.is_some() {
                    return Err(MediaError::Damaged);
                }
                self.frame = Some(Frame::read(marker == 0xc2, data)?);
            }
            SOS => return self.take_scan(data, reader),
            APP0..=0xef | COM => {
                if self.scans == 0 {
                    self.take_extra(marker, data);
                }
                return Ok(());
            }
            // Lossless, hierarchical and arithmetic JPEG, JPEG-LS, and a height that follows the picture.
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcf | 0xdc | 0xde | 0xdf | 0xf7 | 0xf8 => {
                return Err(MediaError::NeedsJpeg);
            }
            _ => return Err(MediaError::Damaged),
        }
        put(&mut self.body, marker, data);
        Ok(())
    }

    fn take_scan(&mut self, data: &[u8], reader: &mut Reader<'_>) -> Result<(), MediaError> {
        let frame = self.frame.as_mut().ok_or(MediaError::Damaged)?;
        self.scans += 1;
        if self.scans > PHOTO_SCANS_MAX {
            return Err(MediaError::NeedsJpeg);
        }
        let scan = frame.read_scan(data, &self.tables)?;
        put(&mut self.body, SOS, &scan.header);
        let intervals = scan.units.div_ceil(match self.tables.interval() {
            0 => scan.units,
            units => u64::from(units),
        });
        let rest = &reader.bytes[reader.at..];
        let read = scan::copy(rest, intervals, &mut self.body)?;
        reader.at += read;
        Ok(())
    }

    /// Takes what is kept out of a segment that is not of the picture itself.
    fn take_extra(&mut self, marker: u8, data: &[u8]) {
        match marker {
            APP0 if data.starts_with(b"JFIF\0") => self.has_jfif = true,
            APP1 if self.orientation.is_none() => self.orientation = Orientation::in_exif(data),
            APP2 if profile::is_display_p3(data) => self.has_display_p3 = true,
            APP14 if data.starts_with(b"Adobe") && data.len() >= 12 => self.adobe = Some(data[11]),
            _ => {}
        }
    }

    fn finish(self) -> Result<Photo, MediaError> {
        let frame = self.frame.ok_or(MediaError::Damaged)?;
        if !frame.is_complete() {
            return Err(MediaError::Damaged);
        }
        let orientation = self.orientation.unwrap_or_default();
        let mut bytes = Vec::with_capacity(self.body.len() + EXTRAS_BYTES);
        bytes.extend([0xff, SOI]);
        if self.has_jfif {
            put(&mut bytes, APP0, &JFIF);
        }
        if orientation != Orientation::Upright {
            put(&mut bytes, APP1, &orientation.to_exif());
        }
        if self.has_display_p3 {
            put(&mut bytes, APP2, &profile::display_p3());
        }
        // The transform of three components: 0 is RGB, 1 is YCbCr.
        if let Some(transform @ 0..=1) = self.adobe.filter(|_| frame.has_colour()) {
            put(
                &mut bytes,
                APP14,
                &[b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, transform],
            );
        }
        bytes.extend(self.body);
        bytes.extend([0xff, EOI]);
        Ok(Photo {
            bytes,
            width: frame.width(),
            height: frame.height(),
            orientation,
            is_progressive: frame.is_progressive(),
        })
    }
}

/// Writes a segment. `data` came out of a segment or is shorter, so its length fits.
fn put(out: &mut Vec<u8>, marker: u8, data: &[u8]) {
    let length = u16::try_from(data.len() + 2).unwrap_or(u16::MAX);
    out.extend([0xff, marker]);
    out.extend(length.to_be_bytes());
    out.extend(data);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], MediaError> {
        let end = self.at.checked_add(count).ok_or(MediaError::Damaged)?;
        let taken = self.bytes.get(self.at..end).ok_or(MediaError::Damaged)?;
        self.at = end;
        Ok(taken)
    }

    /// The next marker; fill bytes before it are skipped.
    fn marker(&mut self) -> Result<u8, MediaError> {
        if self.take(1)? != [0xff] {
            return Err(MediaError::Damaged);
        }
        loop {
            let code = self.take(1)?[0];
            if code != 0xff {
                return Ok(code);
            }
        }
    }

    /// The data of the segment whose marker was read.
    fn segment(&mut self) -> Result<&'a [u8], MediaError> {
        let length = self.take(2)?;
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        self.take(length.checked_sub(2).ok_or(MediaError::Damaged)?)
    }
}

#[cfg(test)]
mod tests;
