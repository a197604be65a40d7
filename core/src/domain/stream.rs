//! Streams: ordered feeds that a set of people may read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AreaId, MemberId, ParseIdError, UnitId, ZoneId};

/// The name of a stream.
///
/// Bytes: one kind byte and, but for the directory's base, the 16 bytes of an id. CBOR: a byte string of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// All staff records of a village, or of a town itself.
    AreaStaff(AreaId),
    /// Records of a department or team.
    Unit(UnitId),
    /// Records dispatched to, shared with or created by somebody; losses of whole streams.
    Member(MemberId),
    /// All staff records of a zone that has its own people.
    Zone(ZoneId),
    /// What everybody enrolled in a village may see.
    Bulletin(AreaId),
    /// Areas, units, templates, rules and revocations.
    DirectoryBase,
    /// The public names of a village's people.
    DirectoryVillage(AreaId),
}

impl StreamId {
    /// Bytes of the longest form.
    pub const BYTES_MAX: usize = 17;

    const fn parts(&self) -> (u8, Option<&[u8; 16]>) {
        match self {
            Self::AreaStaff(id) => (1, Some(&id.0)),
            Self::Unit(id) => (2, Some(&id.0)),
            Self::Member(id) => (3, Some(&id.0)),
            Self::Zone(id) => (4, Some(&id.0)),
            Self::Bulletin(id) => (5, Some(&id.0)),
            Self::DirectoryBase => (6, None),
            Self::DirectoryVillage(id) => (7, Some(&id.0)),
        }
    }

    /// The compact form: 17 bytes, or 1 for the directory's base.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, id) = self.parts();
        let mut bytes = vec![kind];
        bytes.extend_from_slice(id.map_or(&[], |id| &id[..]));
        bytes
    }

    /// Reads the compact form.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        if *kind == 6 {
            return rest.is_empty().then_some(Self::DirectoryBase);
        }
        let id: [u8; 16] = rest.try_into().ok()?;
        Some(match kind {
            1 => Self::AreaStaff(AreaId(id)),
            2 => Self::Unit(UnitId(id)),
            3 => Self::Member(MemberId(id)),
            4 => Self::Zone(ZoneId(id)),
            5 => Self::Bulletin(AreaId(id)),
            7 => Self::DirectoryVillage(AreaId(id)),
            _ => return None,
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AreaStaff(id) => write!(f, "area/{id}/staff"),
            Self::Unit(id) => write!(f, "unit/{id}"),
            Self::Member(id) => write!(f, "member/{id}"),
            Self::Zone(id) => write!(f, "zone/{id}"),
            Self::Bulletin(id) => write!(f, "bulletin/{id}"),
            Self::DirectoryBase => f.write_str("directory/base"),
            Self::DirectoryVillage(id) => write!(f, "directory/{id}"),
        }
    }
}

impl FromStr for StreamId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let malformed = ParseIdError {
            expected: "the name of a stream",
        };
        let (kind, rest) = text.split_once('/').ok_or_else(|| malformed.clone())?;
        match kind {
            "area" => {
                let id = rest.strip_suffix("/staff").ok_or(malformed)?;
                Ok(Self::AreaStaff(id.parse()?))
            }
            "unit" => Ok(Self::Unit(rest.parse()?)),
            "member" => Ok(Self::Member(rest.parse()?)),
            "zone" => Ok(Self::Zone(rest.parse()?)),
            "bulletin" => Ok(Self::Bulletin(rest.parse()?)),
            "directory" if rest == "base" => Ok(Self::DirectoryBase),
            "directory" => Ok(Self::DirectoryVillage(rest.parse()?)),
            _ => Err(malformed),
        }
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl<C> minicbor::Encode<C> for StreamId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.to_bytes())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for StreamId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let at = d.position();
        Self::from_bytes(d.bytes()?)
            .ok_or_else(|| minicbor::decode::Error::message("unknown stream").at(at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_bytes_and_cbor_round_trip() {
        let all = [
            StreamId::AreaStaff(AreaId([1; 16])),
            StreamId::Unit(UnitId([2; 16])),
            StreamId::Member(MemberId([3; 16])),
            StreamId::Zone(ZoneId([4; 16])),
            StreamId::Bulletin(AreaId([5; 16])),
            StreamId::DirectoryBase,
            StreamId::DirectoryVillage(AreaId([7; 16])),
        ];
        for stream in all {
            assert_eq!(StreamId::from_bytes(&stream.to_bytes()), Some(stream));
            assert!(stream.to_bytes().len() <= StreamId::BYTES_MAX);
            assert_eq!(stream.to_string().parse::<StreamId>().unwrap(), stream);
            let cbor = minicbor::to_vec(stream).unwrap();
            assert_eq!(minicbor::decode::<StreamId>(&cbor).unwrap(), stream);
        }
        assert_eq!(
            all[0].to_string(),
            format!("area/{}/staff", AreaId([1; 16]))
        );
        for bad in [&[6, 0][..], &[1; 16], &[1; 18], &[9; 17], &[]] {
            assert_eq!(StreamId::from_bytes(bad), None);
        }
    }
}
