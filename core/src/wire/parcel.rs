//! Parcels on their way: from phone to phone, and the server's word about each.

use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::limits::PARCEL_BYTES_MAX;
use crate::trust::parcel::{ParcelError, TAG_BYTES};

/// A parcel that one phone hands to another. Its content is a frame of a bundle, sealed
/// ([`crate::trust::parcel`]).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Parcel {
    /// A number that the author makes from the courier. A courier keeps one parcel of each phone that it meets,
    /// the newest, whatever the tag.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub tag: [u8; TAG_BYTES],
    /// The sealed bytes.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "crate::cbor::list::bytes::<PARCEL_BYTES_MAX, _>"
    )]
    pub bytes: Vec<u8>,
}

/// The end of a parcel at the server. With a final one the courier forgets the parcel. The author keeps its
/// work until its own receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParcelOutcome {
    /// The server has taken the content, each envelope with a verdict of its own.
    Taken,
    /// The server had taken this parcel before.
    Known,
    /// The bytes are no parcel.
    Malformed,
    /// The server has no key, or no longer has the key, that opens it.
    UnknownKey,
    /// It was altered, or is of another deployment.
    NotOpened,
    /// It has more bytes than allowed, or its content would inflate too far.
    TooLarge,
    /// The courier has brought too many parcels today.
    TooMany,
    /// The content builds on envelopes that the server lacks, so the server has stored nothing of it.
    MissingParents,
    /// The server has not stored all of the content, for a reason that passes.
    Later,
    /// A reason of a newer server.
    Newer(u8),
}

impl ParcelOutcome {
    /// The outcomes that this code knows.
    pub const ALL: [Self; 9] = [
        Self::Taken,
        Self::Known,
        Self::Malformed,
        Self::UnknownKey,
        Self::NotOpened,
        Self::TooLarge,
        Self::TooMany,
        Self::MissingParents,
        Self::Later,
    ];

    /// The number on the wire and in the store.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Taken => 0,
            Self::Known => 1,
            Self::Malformed => 2,
            Self::UnknownKey => 3,
            Self::NotOpened => 4,
            Self::TooLarge => 5,
            Self::TooMany => 6,
            Self::MissingParents => 7,
            Self::Later => 8,
            Self::Newer(number) => number,
        }
    }

    /// The outcome with this number.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        let known = Self::ALL.get(usize::from(number));
        known.copied().unwrap_or(Self::Newer(number))
    }

    /// Whether another try would end in the same way.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::UnknownKey | Self::TooMany | Self::MissingParents | Self::Later => false,
            Self::Taken
            | Self::Known
            | Self::Malformed
            | Self::NotOpened
            | Self::TooLarge
            | Self::Newer(_) => true,
        }
    }

    /// The stable code of a refusal; `None` when the server has the content.
    #[must_use]
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Taken | Self::Known => None,
            Self::Malformed => Some(ParcelError::Malformed.code()),
            Self::UnknownKey => Some(ParcelError::UnknownKey.code()),
            Self::NotOpened => Some(ParcelError::NotOpened.code()),
            Self::TooLarge => Some(ParcelError::TooLarge.code()),
            Self::TooMany => Some("parcel.too_many"),
            Self::MissingParents => Some("parcel.missing_parents"),
            Self::Later => Some("parcel.later"),
            Self::Newer(_) => Some("parcel.refused"),
        }
    }
}

impl From<ParcelError> for ParcelOutcome {
    fn from(error: ParcelError) -> Self {
        match error {
            ParcelError::Malformed => Self::Malformed,
            ParcelError::UnknownKey => Self::UnknownKey,
            ParcelError::NotOpened => Self::NotOpened,
            ParcelError::TooLarge => Self::TooLarge,
        }
    }
}

impl<C> Encode<C> for ParcelOutcome {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u8(self.number())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for ParcelOutcome {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::of_number(d.u8()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_keeps_its_number_and_newer_ones_are_refusals() {
        for (place, outcome) in (0..).zip(ParcelOutcome::ALL) {
            assert_eq!(outcome.number(), place);
            assert_eq!(ParcelOutcome::of_number(place), outcome);
        }
        let newer = ParcelOutcome::of_number(200);
        assert_eq!(newer, ParcelOutcome::Newer(200));
        assert_eq!(newer.refusal(), Some("parcel.refused"));
    }
}
