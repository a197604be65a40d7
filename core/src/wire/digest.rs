//! Digests: a 16-byte sum that two replicas compare instead of their sets.
//!
//! Digest of a record = sum mod 2^128 of the lines of its settled envelopes. A line is a hash of
//! the id and of the latest verdict on it, so replicas with the same envelopes and different
//! verdicts have different digests. Digest of a stream = sum of the digests of its member records.
//! One addition keeps a sum up to date, and a sum reveals every honest mistake. Set reconciliation
//! then decides what the two replicas exchange, never the sum alone.

use std::fmt;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use super::status::status_code;
use super::verdict::Verdict;
use crate::id::{EnvelopeId, Hash};

/// The first bytes of the hash of a line.
const LINE: &[u8] = b"onegrid.line";

/// The first bytes of the hash of a record's envelopes.
const HELD: &[u8] = b"onegrid.held";

/// Names the set of envelopes that a replica has of a record, with or without a verdict. `ids` must
/// be sorted.
///
/// Two phones that meet compare such hashes under a key of their meeting. A hash of the whole list,
/// unlike a sum, prevents an attacker from making two sets that look alike.
#[must_use]
pub fn held(ids: &[EnvelopeId]) -> Hash {
    debug_assert!(ids.is_sorted(), "equal sets must give equal hashes");
    let mut parts: Vec<&[u8]> = Vec::with_capacity(ids.len() + 1);
    parts.push(HELD);
    parts.extend(ids.iter().map(|id| id.0.as_slice()));
    Hash::of(&parts)
}

/// Sum mod 2^128 of 16-byte values, read as little-endian numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(u128);

impl Digest {
    /// The digest of the empty set.
    pub const EMPTY: Self = Self(0);

    /// From its 16 bytes, little-endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// The 16 bytes, little-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// The summand of one settled envelope with its latest verdict.
    #[must_use]
    pub fn line(id: EnvelopeId, verdict: &Verdict) -> Self {
        let line = Hash::of(&[
            LINE,
            &id.0,
            &status_code(verdict.status).to_be_bytes(),
            &verdict.at_ms.to_be_bytes(),
            &verdict.generation.to_be_bytes(),
        ]);
        Self::from_bytes(line.first16())
    }

    /// A record (or a stream) more.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// A record less, or a line that another one replaces.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl FromIterator<(EnvelopeId, Verdict)> for Digest {
    fn from_iter<I: IntoIterator<Item = (EnvelopeId, Verdict)>>(settled: I) -> Self {
        let lines = settled.into_iter();
        lines.map(|(id, verdict)| Self::line(id, &verdict)).sum()
    }
}

impl std::iter::Sum for Digest {
    fn sum<I: Iterator<Item = Self>>(digests: I) -> Self {
        digests.fold(Self::EMPTY, Self::plus)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl<C> minicbor::Encode<C> for Digest {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Digest {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        <[u8; 16]>::try_from(d.bytes()?)
            .map(Self::from_bytes)
            .map_err(|_| DecodeError::message("a digest has 16 bytes").at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::{Status, VoidReason};
    use super::*;

    fn accepted(at_ms: i64, generation: u32) -> Verdict {
        Verdict {
            status: Status::Accepted,
            at_ms,
            generation,
        }
    }

    #[test]
    fn the_order_does_not_matter_and_what_leaves_is_gone() {
        let lines = [0xff, 1, 0x80].map(|n| (EnvelopeId([n; 16]), accepted(i64::from(n), 1)));
        let forward: Digest = lines.into_iter().collect();
        let backward: Digest = lines.into_iter().rev().collect();
        assert_eq!(forward, backward);
        let fewer = backward.minus(Digest::line(lines[1].0, &lines[1].1));
        assert_eq!(fewer, [lines[2], lines[0]].into_iter().collect());
        assert_ne!(fewer, forward);
        assert_eq!(forward.minus(forward), Digest::EMPTY);
        let parts = [fewer, forward.minus(fewer)];
        assert_eq!(parts.into_iter().sum::<Digest>(), forward);
    }

    #[test]
    fn every_part_of_a_verdict_counts() {
        let id = EnvelopeId([7; 16]);
        let mut lines = vec![
            Digest::line(id, &accepted(5, 1)),
            Digest::line(id, &accepted(6, 1)),
            Digest::line(id, &accepted(5, 2)),
            Digest::line(EnvelopeId([8; 16]), &accepted(5, 1)),
        ];
        for reason in [VoidReason::NotPermitted, VoidReason::Clone] {
            let void = Verdict {
                status: Status::Void(reason),
                ..accepted(5, 1)
            };
            lines.push(Digest::line(id, &void));
        }
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn bytes_are_little_endian() {
        let mut one = [0; 16];
        one[0] = 0xff;
        let high = Digest::from_bytes(one);
        one[0] = 1;
        let digest = high.plus(Digest::from_bytes(one));
        assert_eq!(digest.to_string(), format!("0001{}", "00".repeat(14)));
    }

    #[test]
    fn held_sets_that_differ_have_different_hashes() {
        let ids = [1, 2, 3].map(|n| EnvelopeId([n; 16]));
        let hashes = [held(&[]), held(&ids[..1]), held(&ids[1..]), held(&ids)];
        let distinct: std::collections::BTreeSet<_> = hashes.into_iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }
}
