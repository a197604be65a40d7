//! Digests: a 16-byte sum that two replicas compare instead of their sets.
//!
//! Digest of a record = sum mod 2^128 of the ids of its settled envelopes; digest of a stream = sum of the
//! digests of its member records. A sum can be kept up to date by one addition, and an honest mistake can not
//! go unseen; what two replicas then exchange is decided by set reconciliation, never by the sum alone.

use std::fmt;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use crate::id::EnvelopeId;

/// Sum mod 2^128 of envelope ids, read as little-endian numbers.
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

    /// One envelope more.
    pub fn add(&mut self, id: EnvelopeId) {
        self.0 = self.0.wrapping_add(u128::from_le_bytes(id.0));
    }

    /// One envelope less: its verdict is no longer a settled one.
    pub fn remove(&mut self, id: EnvelopeId) {
        self.0 = self.0.wrapping_sub(u128::from_le_bytes(id.0));
    }

    /// A record (or a stream) more.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// A record less.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl FromIterator<EnvelopeId> for Digest {
    fn from_iter<I: IntoIterator<Item = EnvelopeId>>(ids: I) -> Self {
        let mut digest = Self::EMPTY;
        ids.into_iter().for_each(|id| digest.add(id));
        digest
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
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_what_leaves_is_gone() {
        let ids = [
            EnvelopeId([0xff; 16]),
            EnvelopeId([1; 16]),
            EnvelopeId([0x80; 16]),
        ];
        let forward: Digest = ids.into_iter().collect();
        let mut backward: Digest = ids.into_iter().rev().collect();
        assert_eq!(forward, backward);
        backward.remove(ids[1]);
        assert_eq!(backward, [ids[2], ids[0]].into_iter().collect());
        assert_ne!(backward, forward);
        assert_eq!(forward.minus(forward), Digest::EMPTY);
        assert_eq!(
            [backward, forward.minus(backward)]
                .into_iter()
                .sum::<Digest>(),
            forward
        );
    }

    #[test]
    fn bytes_are_little_endian() {
        let mut digest = Digest::EMPTY;
        let mut one = [0; 16];
        one[0] = 0xff;
        digest.add(EnvelopeId(one));
        one[0] = 1;
        digest.add(EnvelopeId(one));
        assert_eq!(digest.to_string(), format!("0001{}", "00".repeat(14)));
    }
}
