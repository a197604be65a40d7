//! Identifiers: newtypes over fixed byte strings, so that no id can be used where another is meant.
//!
//! On the wire an id is a CBOR byte string; for people (JSON, logs, CLI) it is a UUID or hex text.

use std::fmt;
use std::str::FromStr;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is no identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("id.malformed: expected {expected}")]
pub struct ParseIdError {
    /// The form that the text should have had.
    pub expected: &'static str,
}

macro_rules! fixed_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Reads the id from a slice of exactly the right length.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: Write>(
                &self,
                e: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), EncodeError<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
                let at = d.position();
                Self::from_slice(d.bytes()?).ok_or_else(|| {
                    DecodeError::message(concat!(stringify!($name), " has a wrong length")).at(at)
                })
            }
        }
    };
}

macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let malformed = ParseIdError {
                    expected: "lower-case hex",
                };
                let digits = text.as_bytes();
                if digits.len() != Self::LEN * 2 {
                    return Err(malformed);
                }
                let mut bytes = [0; Self::LEN];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let high = hex_digit(pair[0]).ok_or_else(|| malformed.clone())?;
                    let low = hex_digit(pair[1]).ok_or_else(|| malformed.clone())?;
                    *byte = high << 4 | low;
                }
                Ok(Self(bytes))
            }
        }
    };
}

macro_rules! uuid_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                uuid::Uuid::try_parse(text)
                    .map(|id| Self(id.into_bytes()))
                    .map_err(|_| ParseIdError { expected: "a UUID" })
            }
        }

        impl $name {
            /// A new `UUIDv7`: time first (milliseconds since 1970), then 10 random bytes.
            #[must_use]
            pub fn v7(now_ms: i64, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now_ms).unwrap_or(0);
                Self(
                    uuid::Builder::from_unix_timestamp_millis(millis, &random)
                        .into_uuid()
                        .into_bytes(),
                )
            }

            /// A `UUIDv8` whose 122 free bits are the start of a hash.
            #[must_use]
            pub fn v8(hash: &Hash) -> Self {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash.0[..16]);
                Self(
                    uuid::Builder::from_custom_bytes(bytes)
                        .into_uuid()
                        .into_bytes(),
                )
            }
        }
    };
}

fixed_bytes!(
    /// A SHA-256 hash.
    Hash, 32
);
hex_text!(Hash);
fixed_bytes!(
    /// A record: `UUIDv8` made from the hash of its Genesis, so another Genesis cannot take its place.
    RecordId, 16
);
uuid_text!(RecordId);
fixed_bytes!(
    /// An installation on one phone (or the server's own author): start of the hash of its public key.
    DeviceId, 16
);
hex_text!(DeviceId);
fixed_bytes!(
    /// A person enrolled in the deployment.
    MemberId, 16
);
uuid_text!(MemberId);
fixed_bytes!(
    /// A unit: a department, company or volunteer team that can be dispatched.
    UnitId, 16
);
uuid_text!(UnitId);
fixed_bytes!(
    /// An area (district, town, village or grid). Stable; its statistical code is versioned apart.
    AreaId, 16
);
uuid_text!(AreaId);
fixed_bytes!(
    /// A zone: a set of areas such as a police zone or patrol ring.
    ZoneId, 16
);
uuid_text!(ZoneId);
fixed_bytes!(
    /// The first 16 bytes of an envelope's hash.
    EnvelopeId, 16
);
hex_text!(EnvelopeId);

impl Hash {
    /// SHA-256 over the parts, one after the other.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The first 16 bytes, as the id of the envelope that has this hash.
    #[must_use]
    pub fn envelope_id(&self) -> EnvelopeId {
        EnvelopeId(self.first16())
    }

    /// The first 16 bytes.
    #[must_use]
    pub fn first16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[..16]);
        bytes
    }
}

impl DeviceId {
    /// The device id of a public key.
    #[must_use]
    pub fn of_key(public_key: &[u8; 32]) -> Self {
        Self(Hash::of(&[public_key]).first16())
    }
}

impl AreaId {
    /// The id of an area that is first known by this statistical code. It stays when the code changes.
    #[must_use]
    pub fn of_first_code(code: &str) -> Self {
        Self::v8(&Hash::of(&[b"onegrid.area", code.as_bytes()]))
    }
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn text_round_trips_and_rejects_other_kinds_of_text() {
        let device = DeviceId([0xa7; 16]);
        assert_eq!(device.to_string().parse::<DeviceId>().unwrap(), device);
        assert!(
            "A7".repeat(16).parse::<DeviceId>().is_err(),
            "upper case is another text"
        );
        let member = MemberId::v7(1_700_000_000_000, [3; 10]);
        assert_eq!(member.to_string().parse::<MemberId>().unwrap(), member);
        assert_eq!(&member.to_string()[14..15], "7");
        assert_eq!(&AreaId::of_first_code("330105").to_string()[14..15], "8");
    }

    #[test]
    fn cbor_of_a_wrong_length_is_refused() {
        let bytes = minicbor::to_vec(Hash([1; 32])).unwrap();
        assert!(minicbor::decode::<Hash>(&bytes).is_ok());
        assert!(minicbor::decode::<RecordId>(&bytes).is_err());
    }
}
