//! Sealed files: attachments as they lie on a phone's disk.
//!
//! ```text
//!  plain   |  64 KiB  |  64 KiB  |  rest  |        rest: 1 byte to 64 KiB; an empty file has one empty segment
//!  sealed  | 64 KiB+16| 64 KiB+16| rest+16|        ChaCha20-Poly1305, STREAM with a counter of 32 bits
//! ```
//!
//! The nonce of a segment is its number and whether it is the last one. The associated data is the format and the
//! length of the plain file. So a segment opens only in its own place of a file of this length, and a file that
//! lost its end opens nowhere, and neither does a segment that changed places. Each segment opens alone, so a
//! transfer continues at any byte for the cost of one segment.
//!
//! **Invariant:** a key seals one content. A caller that begins again takes a new key. Only the server's file
//! continues under the key after a crash that lost its row, because a file never changes there.
//!
//! **Not here:** files; the caller reads and writes them.

use std::ops::Range;

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::aead::Payload;
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::limits::SEALED_SEGMENT_BYTES;

/// Bytes that sealing adds to each segment.
const TAG_BYTES: u64 = 16;
const SEGMENT: u64 = SEALED_SEGMENT_BYTES as u64;
/// Begins the associated data.
const FORMAT: &[u8] = b"onegrid.sealed_file.v1";
/// The random part of the nonce, which a key for one file does not need.
const NO_PREFIX: [u8; 7] = [0; 7];

/// A segment that does not open: damaged, of another file, or in another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("media.unreadable")]
pub struct Unreadable;

/// The key of one file, wiped when dropped.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut_slice());
        Self(bytes)
    }

    /// The key as the replica keeps it.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealKey(..)")
    }
}

/// Seals and opens the segments of one file.
pub struct Seal {
    stream: StreamBE32<ChaCha20Poly1305>,
    plain_bytes: u64,
    associated: Vec<u8>,
}

impl Seal {
    /// The seal of a file of this length.
    #[must_use]
    pub fn new(key: &SealKey, plain_bytes: u64) -> Self {
        let mut associated = FORMAT.to_vec();
        associated.extend(plain_bytes.to_be_bytes());
        let cipher = ChaCha20Poly1305::new(&Key::from(*key.as_bytes()));
        Self {
            stream: StreamBE32::from_aead(cipher, &NO_PREFIX.into()),
            plain_bytes,
            associated,
        }
    }

    /// Seals a segment, whose plain bytes are exactly those of [`Self::plain_range`].
    pub fn seal(&self, segment: u32, plain: &[u8]) -> Result<Vec<u8>, Unreadable> {
        self.fits(segment, &self.plain_range(segment), plain.len())?;
        let payload = Payload {
            msg: plain,
            aad: &self.associated,
        };
        self.stream
            .encrypt(segment, self.is_last(segment), payload)
            .map_err(|_| Unreadable)
    }

    /// Opens a segment, whose sealed bytes are exactly those of [`Self::sealed_range`].
    pub fn open(&self, segment: u32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        self.fits(segment, &self.sealed_range(segment), sealed.len())?;
        let payload = Payload {
            msg: sealed,
            aad: &self.associated,
        };
        self.stream
            .decrypt(segment, self.is_last(segment), payload)
            .map(Zeroizing::new)
            .map_err(|_| Unreadable)
    }

    /// The number of segments, at least 1.
    #[must_use]
    pub fn segments(&self) -> u64 {
        self.plain_bytes.div_ceil(SEGMENT).max(1)
    }

    /// The length of the sealed file.
    #[must_use]
    pub fn sealed_bytes(&self) -> u64 {
        self.plain_bytes + self.segments() * TAG_BYTES
    }

    /// The segment that holds a byte of the plain file.
    #[must_use]
    pub fn segment_of(&self, offset: u64) -> u32 {
        u32::try_from(offset / SEGMENT).unwrap_or(u32::MAX)
    }

    /// The bytes of the plain file that a segment holds; empty beyond the end.
    #[must_use]
    pub fn plain_range(&self, segment: u32) -> Range<u64> {
        let start = u64::from(segment) * SEGMENT;
        start.min(self.plain_bytes)..(start + SEGMENT).min(self.plain_bytes)
    }

    /// The bytes of the sealed file that hold a segment.
    #[must_use]
    pub fn sealed_range(&self, segment: u32) -> Range<u64> {
        let plain = self.plain_range(segment);
        let before = u64::from(segment) * TAG_BYTES;
        plain.start + before..plain.end + before + TAG_BYTES
    }

    fn is_last(&self, segment: u32) -> bool {
        u64::from(segment) + 1 == self.segments()
    }

    fn fits(&self, segment: u32, range: &Range<u64>, length: usize) -> Result<(), Unreadable> {
        let is_whole = u64::try_from(length) == Ok(range.end - range.start);
        let is_here = u64::from(segment) < self.segments();
        if is_whole && is_here {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal")
            .field("plain_bytes", &self.plain_bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation, reason = "short files")]
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    use super::*;

    const SEGMENT_BYTES: usize = SEALED_SEGMENT_BYTES;

    fn file(plain_bytes: usize) -> (SealKey, Vec<u8>) {
        let mut rng = ChaCha20Rng::seed_from_u64(plain_bytes as u64);
        let key = SealKey::generate(&mut rng);
        let mut plain = vec![0; plain_bytes];
        rng.fill_bytes(&mut plain);
        (key, plain)
    }

    fn seal_all(seal: &Seal, plain: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        for segment in 0..u32::try_from(seal.segments()).unwrap() {
            let range = seal.plain_range(segment);
            let part = &plain[range.start as usize..range.end as usize];
            assert_eq!(sealed.len() as u64, seal.sealed_range(segment).start);
            sealed.extend(seal.seal(segment, part).unwrap());
        }
        assert_eq!(sealed.len() as u64, seal.sealed_bytes());
        sealed
    }

    fn open(seal: &Seal, segment: u32, sealed: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let range = seal.sealed_range(segment);
        let part = sealed.get(range.start as usize..range.end as usize);
        seal.open(segment, part.ok_or(Unreadable)?)
            .map(|plain| plain.to_vec())
    }

    /// Lengths around the borders of segments.
    #[test]
    fn any_offset_opens_one_segment() {
        let one = SEGMENT_BYTES;
        for bytes in [0, 1, one - 1, one, one + 1, 3 * one, 3 * one + 17] {
            let (key, plain) = file(bytes);
            let seal = Seal::new(&key, bytes as u64);
            let sealed = seal_all(&seal, &plain);
            for offset in [0, 1, one - 1, one, bytes / 2, bytes.saturating_sub(1)] {
                if offset >= bytes {
                    continue;
                }
                let segment = seal.segment_of(offset as u64);
                let start = seal.plain_range(segment).start as usize;
                let opened = open(&seal, segment, &sealed).unwrap();
                assert_eq!(
                    opened[offset - start..],
                    plain[offset..start + opened.len()]
                );
            }
        }
    }

    #[test]
    fn sealed_segments_out_of_order_are_refused() {
        let (key, plain) = file(3 * SEGMENT_BYTES);
        let seal = Seal::new(&key, plain.len() as u64);
        let sealed = seal_all(&seal, &plain);
        let whole = SEGMENT_BYTES + 16;
        let mut swapped = sealed[whole..2 * whole].to_vec();
        swapped.extend(&sealed[..whole]);
        swapped.extend(&sealed[2 * whole..]);
        assert_eq!(open(&seal, 0, &swapped), Err(Unreadable));
        assert_eq!(open(&seal, 1, &swapped), Err(Unreadable));
        assert!(open(&seal, 2, &swapped).is_ok());
    }

    /// A whole number of segments is gone, and the reader is told the shorter length.
    #[test]
    fn shortened_sealed_file_is_refused() {
        let (key, plain) = file(3 * SEGMENT_BYTES);
        let seal = Seal::new(&key, plain.len() as u64);
        let sealed = seal_all(&seal, &plain);
        let shorter = Seal::new(&key, 2 * SEGMENT_BYTES as u64);
        for segment in 0..2 {
            assert_eq!(open(&shorter, segment, &sealed), Err(Unreadable));
        }
        let longer = Seal::new(&key, 4 * SEGMENT_BYTES as u64);
        assert_eq!(open(&longer, 0, &sealed), Err(Unreadable));
        assert_eq!(seal.open(0, &sealed[..SEGMENT_BYTES]), Err(Unreadable));
    }

    #[test]
    fn flipped_bit_of_a_sealed_file_is_refused() {
        let (key, plain) = file(SEGMENT_BYTES + 100);
        let seal = Seal::new(&key, plain.len() as u64);
        let sealed = seal_all(&seal, &plain);
        for at in [0, 5_000, SEGMENT_BYTES, SEGMENT_BYTES + 15] {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert_eq!(open(&seal, 0, &other), Err(Unreadable), "{at}");
            assert!(
                open(&seal, 1, &other).is_ok(),
                "the other segment opens alone"
            );
        }
        let (other, _) = file(1);
        assert_eq!(
            open(&Seal::new(&other, plain.len() as u64), 0, &sealed),
            Err(Unreadable)
        );
    }

    #[test]
    fn segments_beyond_the_end_are_refused() {
        let (key, plain) = file(SEGMENT_BYTES);
        let seal = Seal::new(&key, plain.len() as u64);
        assert_eq!(seal.seal(1, &[]), Err(Unreadable));
        assert_eq!(seal.seal(0, &plain[1..]), Err(Unreadable));
        assert_eq!(seal.open(1, &[0; 16]), Err(Unreadable));
        assert_eq!(seal.open(u32::MAX, &[0; 16]), Err(Unreadable));
    }
}
