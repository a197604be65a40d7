//! Digests: a 16-byte sum that two replicas compare instead of their sets.
//!
//! Digest of a record = sum mod 2^128 of the lines of its settled envelopes, a line being a hash of the id and
//! of the latest verdict on it: so two replicas that hold the same envelopes and have heard different verdicts
//! are seen to differ. Digest of a stream = sum of the digests of its member records. A sum can be kept up to
//! date by one addition, and an honest mistake can not go unseen; what two replicas then exchange is decided by
//! set reconciliation, never by the sum alone.

use std::fmt;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use super::status_code::status_code;
use super::verdict::Verdict;
use crate::id::{EnvelopeId, Hash};

/// What the hash of a line begins with.
const LINE: &[u8] = b"onegrid.line";

/// Sum mod 2^128 of 16-byte values, read as little-endian numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(u128);

impl Digest {
    /// Of nothing.
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

    /// What one settled envelope adds, with the latest verdict on it.
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

    /// Sum of plain ids: between two phones, which compare envelopes that have no verdict yet.
    pub fn of_ids(ids: impl IntoIterator<Item = EnvelopeId>) -> Self {
        ids.into_iter().map(|id| Self::from_bytes(id.0)).sum()
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
        let high = EnvelopeId(one);
        one[0] = 1;
        let digest = Digest::of_ids([high, EnvelopeId(one)]);
        assert_eq!(digest.to_string(), format!("0001{}", "00".repeat(14)));
    }
}
