//! Thumbnails: small enough to travel inside the record of their photo.

use jpeg_decoder::{Decoder, Error as DecodeError, PixelFormat};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::MediaError;
use super::jpeg::{self, Orientation, Photo};
use crate::limits::{THUMBNAIL_BYTES_MAX, THUMBNAIL_SIDE_MAX};

/// Sides and qualities from the best on. The last one fits any picture: 24 × 24 pixels have 864 values.
const ATTEMPTS: [(u16, u8); 7] = [
    (THUMBNAIL_SIDE_MAX, 70),
    (THUMBNAIL_SIDE_MAX, 55),
    (THUMBNAIL_SIDE_MAX, 40),
    (160, 40),
    (112, 35),
    (64, 30),
    (24, 20),
];

/// Bytes of the pixels that the decoder may give out. A photo is decoded at up to an eighth of its size.
const PIXEL_BYTES_MAX: usize = 24 * 1_024 * 1_024;

/// Pixels of one picture, row by row.
struct Pixels {
    bytes: Vec<u8>,
    width: u16,
    height: u16,
    has_colour: bool,
}

impl Pixels {
    fn channels(&self) -> usize {
        if self.has_colour { 3 } else { 1 }
    }
}

/// Makes the thumbnail of a photo: upright, clean, and at most [`THUMBNAIL_BYTES_MAX`] long.
pub fn thumbnail(photo: &Photo) -> Result<Vec<u8>, MediaError> {
    let pixels = decode(photo)?;
    for (side, quality) in ATTEMPTS {
        let small = turn(&shrink(&pixels, side), photo.orientation());
        let clean = jpeg::clean(&encode(&small, quality)?)?;
        if clean.bytes().len() <= THUMBNAIL_BYTES_MAX {
            return Ok(clean.into_bytes());
        }
    }
    Err(MediaError::TooLarge)
}

/// Decodes a photo as small as the decoder can while a thumbnail still has all its pixels.
fn decode(photo: &Photo) -> Result<Pixels, MediaError> {
    let mut decoder = Decoder::new(photo.bytes());
    decoder.set_max_decoding_buffer_size(PIXEL_BYTES_MAX);
    let (width, height) = fit(photo.width(), photo.height(), THUMBNAIL_SIDE_MAX);
    let (width, height) = decoder.scale(width, height).map_err(refused)?;
    let bytes = decoder.decode().map_err(refused)?;
    let has_colour = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::RGB24) => true,
        Some(PixelFormat::L8) => false,
        _ => return Err(MediaError::NeedsJpeg),
    };
    let channels = if has_colour { 3 } else { 1 };
    if bytes.len() != usize::from(width) * usize::from(height) * channels {
        return Err(MediaError::Damaged);
    }
    Ok(Pixels {
        bytes,
        width,
        height,
        has_colour,
    })
}

#[allow(clippy::needless_pass_by_value, reason = "it fits `map_err`")]
fn refused(error: DecodeError) -> MediaError {
    match error {
        DecodeError::Unsupported(_) => MediaError::NeedsJpeg,
        _ => MediaError::Damaged,
    }
}

/// The size with the longer side at most `side_max`, and no side 0.
fn fit(width: u16, height: u16, side_max: u16) -> (u16, u16) {
    let longer = width.max(height).max(1);
    let side = |side: u16| {
        if longer <= side_max {
            return side.max(1);
        }
        let scaled = u32::from(side) * u32::from(side_max) + u32::from(longer) / 2;
        let scaled = scaled / u32::from(longer);
        u16::try_from(scaled.max(1)).unwrap_or(side_max)
    };
    (side(width), side(height))
}

/// Shrinks pixels so that each new one is the mean of the area that it covers.
fn shrink(pixels: &Pixels, side_max: u16) -> Pixels {
    let (width, height) = fit(pixels.width, pixels.height, side_max);
    let channels = pixels.channels();
    let stored_row = usize::from(pixels.width) * channels;
    let mut narrow = Vec::with_capacity(usize::from(pixels.height) * usize::from(width) * channels);
    for row in pixels.bytes.chunks_exact(stored_row) {
        for x in 0..width {
            let covered = Covered::of(x, pixels.width, width);
            narrow.extend(
                (0..channels)
                    .map(|channel| covered.mean(|column| row[column * channels + channel])),
            );
        }
    }
    let row = usize::from(width) * channels;
    let mut bytes = Vec::with_capacity(usize::from(height) * row);
    for y in 0..height {
        let covered = Covered::of(y, pixels.height, height);
        bytes.extend((0..row).map(|at| covered.mean(|line| narrow[line * row + at])));
    }
    Pixels {
        bytes,
        width,
        height,
        has_colour: pixels.has_colour,
    }
}

/// The old pixels along one side that a new pixel covers. An old pixel is `new` parts long, a new one `old` parts.
struct Covered {
    first: u32,
    last: u32,
    start: u32,
    end: u32,
    old: u32,
    new: u32,
}

impl Covered {
    fn of(at: u16, old: u16, new: u16) -> Self {
        let (at, old, new) = (u32::from(at), u32::from(old), u32::from(new));
        let (start, end) = (at * old, (at + 1) * old);
        Self {
            first: start / new,
            last: (end - 1) / new,
            start,
            end,
            old,
            new,
        }
    }

    /// The mean, where each old pixel counts by the part of it that is covered.
    fn mean(&self, value: impl Fn(usize) -> u8) -> u8 {
        let mut sum = self.old / 2;
        for pixel in self.first..=self.last {
            let from = self.start.max(pixel * self.new);
            let to = self.end.min((pixel + 1) * self.new);
            sum += (to - from) * u32::from(value(pixel as usize));
        }
        u8::try_from(sum / self.old).unwrap_or(u8::MAX)
    }
}

/// Turns pixels upright.
fn turn(pixels: &Pixels, orientation: Orientation) -> Pixels {
    let channels = pixels.channels();
    let (stored_width, stored_height) = (usize::from(pixels.width), usize::from(pixels.height));
    let (width, height) = if orientation.swaps_sides() {
        (stored_height, stored_width)
    } else {
        (stored_width, stored_height)
    };
    let mut bytes = Vec::with_capacity(pixels.bytes.len());
    for y in 0..height {
        for x in 0..width {
            let (right, below) = (width - 1 - x, height - 1 - y);
            let (column, row) = match orientation {
                Orientation::Upright => (x, y),
                Orientation::Mirrored => (right, y),
                Orientation::HalfTurn => (right, below),
                Orientation::Flipped => (x, below),
                Orientation::Transposed => (y, x),
                Orientation::QuarterRight => (y, right),
                Orientation::Transversed => (below, right),
                Orientation::QuarterLeft => (below, x),
            };
            let at = (row * stored_width + column) * channels;
            bytes.extend(&pixels.bytes[at..at + channels]);
        }
    }
    let (width, height) = if orientation.swaps_sides() {
        (pixels.height, pixels.width)
    } else {
        (pixels.width, pixels.height)
    };
    Pixels {
        bytes,
        width,
        height,
        has_colour: pixels.has_colour,
    }
}

fn encode(pixels: &Pixels, quality: u8) -> Result<Vec<u8>, MediaError> {
    let mut out = Vec::with_capacity(2 * THUMBNAIL_BYTES_MAX);
    let mut encoder = Encoder::new(&mut out, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_optimized_huffman_tables(true);
    let colour = if pixels.has_colour {
        ColorType::Rgb
    } else {
        ColorType::Luma
    };
    encoder
        .encode(&pixels.bytes, pixels.width, pixels.height, colour)
        .map_err(|_| MediaError::Damaged)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jpeg_encoder::SamplingFactor;

    use super::*;
    use crate::media::samples::{PLAIN, Style, behind_start, exif, photo, segment};
    use crate::media::thumbnail_is_sound;

    fn of(bytes: &[u8]) -> Vec<u8> {
        let small = thumbnail(&jpeg::clean(bytes).unwrap()).unwrap();
        assert!(thumbnail_is_sound(&small));
        small
    }

    fn size(bytes: &[u8]) -> (u16, u16) {
        let clean = jpeg::clean(bytes).unwrap();
        (clean.width(), clean.height())
    }

    #[test]
    fn thumbnail_keeps_the_shape() {
        let sizes = [
            ((1_200, 900), (224, 168)),
            ((900, 1_200), (168, 224)),
            ((100, 50), (100, 50)),
            ((4_000, 8), (224, 1)),
            ((1, 1), (1, 1)),
            ((225, 224), (224, 223)),
        ];
        for ((width, height), expected) in sizes {
            for is_grey in [false, true] {
                let style = Style {
                    width,
                    height,
                    is_grey,
                    ..PLAIN
                };
                assert_eq!(size(&of(&photo(style))), expected, "{width} × {height}");
            }
        }
    }

    #[test]
    fn thumbnail_of_noise_stays_within_its_bytes() {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2] {
            let style = Style {
                width: 1_600,
                height: 1_600,
                noise: 255,
                sampling,
                ..PLAIN
            };
            assert!(of(&photo(style)).len() <= THUMBNAIL_BYTES_MAX);
            let small = Style {
                width: 224,
                height: 224,
                ..style
            };
            assert!(of(&photo(small)).len() <= THUMBNAIL_BYTES_MAX);
        }
    }

    #[test]
    fn progressive_photo_has_a_thumbnail() {
        let style = Style {
            width: 800,
            height: 600,
            is_progressive: true,
            ..PLAIN
        };
        assert_eq!(size(&of(&photo(style))), (224, 168));
    }

    /// The bright corner of the sample is where each orientation puts it.
    #[test]
    fn thumbnail_is_upright() {
        let corners = [
            (1, (0, 0)),
            (2, (1, 0)),
            (3, (1, 1)),
            (4, (0, 1)),
            (5, (0, 0)),
            (6, (1, 0)),
            (7, (1, 1)),
            (8, (0, 1)),
        ];
        let plain = photo(Style {
            width: 400,
            height: 300,
            noise: 0,
            ..PLAIN
        });
        for (number, (right, below)) in corners {
            let small = of(&behind_start(&plain, &segment(0xe1, &exif(number))));
            let (width, height) = size(&small);
            assert_eq!(width > height, number < 5, "{number}");
            let pixels = Decoder::new(small.as_slice()).decode().unwrap();
            let value = |right: usize, below: usize| {
                let x = if right == 1 {
                    usize::from(width) - 9
                } else {
                    8
                };
                let y = if below == 1 {
                    usize::from(height) - 9
                } else {
                    8
                };
                pixels[(y * usize::from(width) + x) * 3]
            };
            for other in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let is_bright = value(other.0, other.1) > 230;
                assert_eq!(is_bright, other == (right, below), "{number} {other:?}");
            }
        }
    }

    #[test]
    fn large_or_foreign_thumbnails_are_unsound() {
        let large = jpeg::clean(&photo(Style {
            width: 225,
            ..PLAIN
        }))
        .unwrap()
        .into_bytes();
        assert!(!thumbnail_is_sound(&large));
        let small = of(&photo(PLAIN));
        assert!(!thumbnail_is_sound(&[&small[..], b"x"].concat()));
        assert!(!thumbnail_is_sound(b"<svg onload=alert(1)>"));
        assert!(!thumbnail_is_sound(&behind_start(
            &small,
            &segment(0xfe, b"words")
        )));
    }
}
