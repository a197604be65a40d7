//! Photos as a camera makes them, for suites and benches.

use jpeg_encoder::{ColorType, Encoder};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Pixels along the width of every photo.
const WIDTH: u16 = 1_600;

/// Returns a photo of so many lines of noise, about 1,200 bytes each. The seed makes photos differ.
///
/// # Panics
/// If there are no lines.
#[must_use]
pub fn photo(lines: u16, seed: u64) -> Vec<u8> {
    let mut pixels = vec![0; usize::from(WIDTH) * usize::from(lines) * 3];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut pixels);
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 80)
        .encode(&pixels, WIDTH, lines, ColorType::Rgb)
        .expect("pixels of that size");
    bytes
}
