//! Photos and recordings for tests, made byte by byte or by an encoder.

#![allow(
    clippy::cast_possible_truncation,
    clippy::trivially_copy_pass_by_ref,
    reason = "samples of tests"
)]

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// How to encode a photo.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) is_progressive: bool,
    pub(super) interval: Option<u16>,
    pub(super) sampling: SamplingFactor,
    pub(super) is_grey: bool,
    /// 0 smooth, 255 noise.
    pub(super) noise: u8,
}

pub(super) const PLAIN: Style = Style {
    width: 96,
    height: 64,
    is_progressive: false,
    interval: None,
    sampling: SamplingFactor::F_2_2,
    is_grey: false,
    noise: 40,
};

/// Pixels with a gradient, one bright corner at the top left, and noise.
pub(super) fn pixels(style: Style) -> Vec<u8> {
    let mut rng =
        ChaCha20Rng::seed_from_u64(u64::from(style.width) << 16 | u64::from(style.height));
    let channels = if style.is_grey { 1 } else { 3 };
    let (width, height) = (usize::from(style.width), usize::from(style.height));
    let mut out = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            let corner = x < width / 4 && y < height / 4;
            for channel in 0..channels {
                let smooth = (x * 120 / width + y * 60 / height + channel * 20) as u8;
                let noise = (rng.next_u32() % (u32::from(style.noise) + 1)) as u8;
                let value = if style.noise == 255 {
                    noise
                } else {
                    smooth.saturating_add(noise)
                };
                out.push(if corner && style.noise < 255 {
                    250
                } else {
                    value
                });
            }
        }
    }
    out
}

pub(super) fn photo(style: Style) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 85);
    encoder.set_progressive(style.is_progressive);
    encoder.set_sampling_factor(style.sampling);
    // The encoder counts its codes as if there were no restarts.
    encoder.set_optimized_huffman_tables(style.is_progressive && style.interval.is_none());
    if let Some(units) = style.interval {
        encoder.set_restart_interval(units);
    }
    let colour = if style.is_grey {
        ColorType::Luma
    } else {
        ColorType::Rgb
    };
    encoder
        .encode(&pixels(style), style.width, style.height, colour)
        .expect("sound pixels");
    out
}

/// One segment with marker and length.
pub(super) fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len() + 2).expect("short data");
    [&[0xff, marker][..], &length.to_be_bytes(), data].concat()
}

/// Puts bytes behind the start marker.
pub(super) fn behind_start(photo: &[u8], bytes: &[u8]) -> Vec<u8> {
    [&photo[..2], bytes, &photo[2..]].concat()
}

/// EXIF of a camera: maker, place, an orientation, a thumbnail. `orientation` is the raw number.
pub(super) fn exif(orientation: u16) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        let mut out = tag.to_le_bytes().to_vec();
        out.extend(kind.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(value);
        out
    };
    tiff.extend(3_u16.to_le_bytes());
    tiff.extend(entry(0x010f, 2, 12, 50_u32.to_le_bytes()));
    tiff.extend(entry(0x0112, 3, 1, u32::from(orientation).to_le_bytes()));
    tiff.extend(entry(0x8825, 4, 1, 62_u32.to_le_bytes()));
    tiff.extend([0; 4]);
    tiff.extend(b"SecretMaker\0");
    tiff.extend(b"GPS 30.2741 N 120.1551 E");
    [&b"Exif\0\0"[..], &tiff].concat()
}

/// A box of MP4.
pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).expect("short body");
    [&length.to_be_bytes()[..], kind, body].concat()
}

/// A recording, and where to change it.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    pub(super) samples: Vec<Vec<u8>>,
    /// Boxes at the end of `moov`.
    pub(super) movie_extra: Vec<u8>,
    /// Boxes between `ftyp` and the rest.
    pub(super) top_extra: Vec<u8>,
    /// Bytes behind everything.
    pub(super) trailer: Vec<u8>,
    /// Bytes in `mdat` before the first sample.
    pub(super) before_samples: Vec<u8>,
    pub(super) movie_first: bool,
    pub(super) handler: [u8; 4],
    pub(super) codec: u8,
    pub(super) second_track: bool,
}

impl Default for Voice {
    fn default() -> Self {
        let samples = (0..100_u8)
            .map(|n| vec![n ^ 0x5a; 60 + usize::from(n % 7)])
            .collect();
        Self {
            samples,
            movie_extra: Vec::new(),
            top_extra: Vec::new(),
            trailer: Vec::new(),
            before_samples: Vec::new(),
            movie_first: false,
            handler: *b"soun",
            codec: 0x40,
            second_track: false,
        }
    }
}

impl Voice {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let brands = boxed(b"ftyp", b"isom\0\0\x02\0isomiso2mp41");
        let data = [self.before_samples.clone(), self.samples.concat()].concat();
        let data = boxed(b"mdat", &data);
        let movie_length = self.movie(0).len();
        let before = brands.len() + self.top_extra.len();
        let data_at = before + if self.movie_first { movie_length } else { 0 } + 8;
        let first = u32::try_from(data_at + self.before_samples.len()).expect("short");
        let movie = self.movie(first);
        let (one, two) = if self.movie_first {
            (movie, data)
        } else {
            (data, movie)
        };
        [
            brands,
            self.top_extra.clone(),
            one,
            two,
            self.trailer.clone(),
        ]
        .concat()
    }

    fn movie(&self, first: u32) -> Vec<u8> {
        let mut head = vec![0, 0, 0, 0];
        head.extend([0xde, 0xad, 0xbe, 0xef].repeat(2));
        head.extend(1_000_u32.to_be_bytes());
        head.extend([0; 84]);
        let track = self.track(first);
        let mut parts = vec![boxed(b"mvhd", &head), track.clone()];
        if self.second_track {
            parts.push(track);
        }
        parts.push(self.movie_extra.clone());
        boxed(b"moov", &parts.concat())
    }

    fn track(&self, first: u32) -> Vec<u8> {
        let mut head = vec![0, 0, 0, 7];
        head.extend([0xde, 0xad, 0xbe, 0xef].repeat(2));
        head.extend([0; 72]);
        let mut media_head = vec![0, 0, 0, 0];
        media_head.extend([0xde, 0xad, 0xbe, 0xef].repeat(2));
        media_head.extend(44_100_u32.to_be_bytes());
        media_head.extend([0; 8]);
        let handler = [
            &[0; 8][..],
            &self.handler,
            &[0; 12],
            b"Zhang's Phone Audio\0",
        ]
        .concat();
        let place = boxed(b"dref", b"\0\0\0\0\0\0\0\x01\0\0\0\x0curl \0\0\0\x01");
        let information = [
            boxed(b"smhd", &[0; 8]),
            boxed(b"dinf", &place),
            boxed(b"stbl", &self.tables(first)),
        ];
        let media = [
            boxed(b"mdhd", &media_head),
            boxed(b"hdlr", &handler),
            boxed(b"minf", &information.concat()),
        ];
        let edits = boxed(b"elst", b"\0\0\0\0\0\0\0\x01\0\0\x10\0\0\0\x08\0\0\x01\0\0");
        let parts = [
            boxed(b"tkhd", &head),
            boxed(b"edts", &edits),
            boxed(b"mdia", &media.concat()),
        ];
        boxed(b"trak", &parts.concat())
    }

    fn tables(&self, first: u32) -> Vec<u8> {
        let decoder = [
            &[4, 17, self.codec, 0x15][..],
            &[0; 11],
            &[5, 2, 0x12, 0x10],
        ]
        .concat();
        let stream = [
            &[3, u8::try_from(3 + decoder.len()).expect("short"), 0, 0, 0][..],
            &decoder,
        ];
        let codec = boxed(b"esds", &[&[0; 4][..], &stream.concat()].concat());
        let mut entry = vec![0, 0, 0, 0, 0, 0, 0, 1];
        entry.extend(b"\0\0\0\0Vend\0\x01\0\x10\0\0\0\0\xac\x44\0\0");
        entry.extend(codec);
        let description = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(b"mp4a", &entry)].concat();
        let count = u32::try_from(self.samples.len()).expect("few");
        let mut times = vec![0, 0, 0, 0, 0, 0, 0, 1];
        times.extend(count.to_be_bytes());
        times.extend(1_024_u32.to_be_bytes());
        let mut chunks = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        chunks.extend(count.to_be_bytes());
        chunks.extend(1_u32.to_be_bytes());
        let mut sizes = vec![0; 8];
        sizes.extend(count.to_be_bytes());
        for sample in &self.samples {
            sizes.extend(u32::try_from(sample.len()).expect("short").to_be_bytes());
        }
        let mut offsets = vec![0, 0, 0, 0, 0, 0, 0, 1];
        offsets.extend(first.to_be_bytes());
        [
            boxed(b"stsd", &description),
            boxed(b"stts", &times),
            boxed(b"stsc", &chunks),
            boxed(b"stsz", &sizes),
            boxed(b"stco", &offsets),
            boxed(b"sgpd", b"private words"),
        ]
        .concat()
    }
}

/// Small photos and recordings of every form, and what is left of them after a few changes.
pub(super) struct Mutants {
    rng: ChaCha20Rng,
    seeds: Vec<Vec<u8>>,
}

impl Mutants {
    pub(super) fn new(seed: u64) -> Self {
        let small = Style {
            width: 24,
            height: 20,
            ..PLAIN
        };
        let metadata = [
            segment(0xe1, &exif(6)),
            segment(0xee, b"Adobe\0\x64\0\0\0\0\x01"),
            segment(0xfe, b"words"),
        ];
        let seeds = vec![
            photo(small),
            photo(Style {
                is_grey: true,
                ..small
            }),
            photo(Style {
                interval: Some(1),
                ..small
            }),
            photo(Style {
                is_progressive: true,
                ..small
            }),
            photo(Style {
                is_progressive: true,
                interval: Some(2),
                ..small
            }),
            photo(Style {
                sampling: SamplingFactor::F_2_1,
                ..small
            }),
            behind_start(&photo(small), &metadata.concat()),
            Voice::default().bytes(),
            Voice {
                movie_first: true,
                ..Voice::default()
            }
            .bytes(),
            Voice {
                movie_extra: boxed(b"udta", b"place"),
                ..Voice::default()
            }
            .bytes(),
        ];
        Self {
            rng: ChaCha20Rng::seed_from_u64(seed),
            seeds,
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.next_u32() as usize % end.max(1)
    }

    pub(super) fn next_one(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        let mut bytes = self.seeds[at].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(8) {
                0..=2 => bytes[at] ^= 1 << self.below(8),
                3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0xd9, 0xda, 0xc4][self.below(8)],
                4 => bytes.truncate(at.max(1)),
                5 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    bytes.drain(at..end);
                    if bytes.is_empty() {
                        bytes.push(0);
                    }
                }
                6 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, part);
                }
                _ => {
                    let value = [0_u32, 1, 8, 0xffff, u32::MAX][self.below(5)].to_be_bytes();
                    let width = 2 * (1 + self.below(2));
                    let end = (at + width).min(bytes.len());
                    bytes[at..end].copy_from_slice(&value[4 - (end - at)..]);
                }
            }
        }
        bytes
    }
}

/// Cleans a mutant. Returns whether it is a photo or recording; a photo then gets its thumbnail, too.
pub(super) fn try_mutant(bytes: &[u8]) -> bool {
    let Ok(clean) = super::clean(bytes) else {
        return false;
    };
    let again = super::clean(clean.bytes());
    assert_eq!(again.as_ref(), Ok(&clean), "cleaning is idempotent");
    #[cfg(feature = "replica")]
    if let super::Clean::Photo(photo) = &clean
        && let Ok(small) = super::thumbnail::thumbnail(photo)
    {
        assert!(super::thumbnail_is_sound(&small));
    }
    true
}
