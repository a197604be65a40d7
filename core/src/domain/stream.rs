//! Streams: ordered feeds that a set of people may read.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::area::AreaLevel;
use super::case::{Party, RecordState};
use super::permissions::{Cell, Row, cell};
use super::{AreaPath, Audience, Grant, Role, Scope};
use crate::id::{AreaId, MemberId, ParseIdError, UnitId, ZoneId};

/// The name of a stream.
///
/// Bytes: one kind byte, then the 16 bytes of an id (the directory's base has none). CBOR: these bytes as a
/// byte string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// All staff records of a village, or those whose path ends at a town or district.
    AreaStaff(AreaId),
    /// Records of a department or team.
    Unit(UnitId),
    /// Records dispatched to, shared with or created by a person; losses of whole streams.
    Member(MemberId),
    /// All staff records of a zone that has its own people.
    Zone(ZoneId),
    /// The bulletins for every person enrolled in a village.
    Bulletin(AreaId),
    /// Areas, zones, units, categories and revocations.
    DirectoryBase,
    /// The public names of the people of a village, town or district.
    DirectoryVillage(AreaId),
    /// The restricted records of a village, or those whose path ends at a town or district, for the dispatchers
    /// in charge.
    Command(AreaId),
}

impl StreamId {
    const fn parts(&self) -> (u8, Option<&[u8; 16]>) {
        match self {
            Self::AreaStaff(id) => (1, Some(&id.0)),
            Self::Unit(id) => (2, Some(&id.0)),
            Self::Member(id) => (3, Some(&id.0)),
            Self::Zone(id) => (4, Some(&id.0)),
            Self::Bulletin(id) => (5, Some(&id.0)),
            Self::DirectoryBase => (6, None),
            Self::DirectoryVillage(id) => (7, Some(&id.0)),
            Self::Command(id) => (8, Some(&id.0)),
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
            8 => Self::Command(AreaId(id)),
            _ => return None,
        })
    }
}

/// The facts that streams depend on and a record does not hold: zones with people of their own, and the areas
/// below an area. The caller answers from its directory.
pub trait Routing {
    /// Zones with people of their own that cover this place.
    fn zones_of(&self, place: &AreaPath) -> Vec<ZoneId>;
    /// Towns and villages below this area, without the area.
    fn towns_and_villages_under(&self, area: &AreaPath) -> Vec<(AreaLevel, AreaId)>;
}

/// The streams that a record is in.
///
/// A staff record is in the streams of each responsible village (or town), its zones, its team, its parties
/// and its creator. A restricted record is in the streams of its creator, the people named or assigned, and
/// the dispatchers in charge, and in no stream of other people of the area. So the readers of these streams
/// are the people whom [`super::may`] lets read.
#[must_use]
pub fn streams_of(state: &RecordState, routing: &dyn Routing) -> BTreeSet<StreamId> {
    let mut streams = BTreeSet::new();
    let named = state.facts.named.iter().copied();
    streams.extend(
        state
            .reporter
            .into_iter()
            .chain(named)
            .map(StreamId::Member),
    );
    for assignment in state
        .assignments()
        .iter()
        .filter(|a| a.state.is_responsible())
    {
        streams.insert(match assignment.to {
            Party::Unit(unit) => StreamId::Unit(unit),
            Party::Member(member) => StreamId::Member(member),
        });
    }
    let restricted = state.facts.audience == Audience::Restricted;
    if !restricted {
        streams.extend(state.facts.team.map(StreamId::Unit));
    }
    for place in state.areas() {
        let area = place.village().or(place.town()).unwrap_or(place.district());
        if restricted {
            streams.insert(StreamId::Command(area));
            continue;
        }
        streams.insert(StreamId::AreaStaff(area));
        streams.extend(routing.zones_of(&place).into_iter().map(StreamId::Zone));
    }
    streams
}

/// The streams that a person may read, by all its grants together.
#[must_use]
pub fn readable_streams(
    member: MemberId,
    grants: &[Grant],
    routing: &dyn Routing,
) -> BTreeSet<StreamId> {
    let mut streams = BTreeSet::from([StreamId::DirectoryBase, StreamId::Member(member)]);
    for grant in grants {
        match &grant.scope {
            _ if matches!(grant.role, Role::Unknown(_)) => {}
            Scope::Unit(unit) => {
                streams.insert(StreamId::Unit(*unit));
            }
            Scope::Zone { zone, .. } => {
                let cell = cell(Row::Read, grant.role);
                if matches!(
                    cell,
                    Cell::In | Cell::Place | Cell::OwnOrIn | Cell::Village | Cell::Yes
                ) {
                    streams.insert(StreamId::Zone(*zone));
                }
            }
            Scope::Area(area) => of_area(&mut streams, grant.role, area, routing),
        }
    }
    streams
}

fn of_area(streams: &mut BTreeSet<StreamId>, role: Role, area: &AreaPath, routing: &dyn Routing) {
    let mut villages: Vec<AreaId> = area.village().into_iter().collect();
    let mut staff = Vec::new();
    if villages.is_empty() {
        staff.push(area.leaf());
        for (level, below) in routing.towns_and_villages_under(area) {
            staff.push(below);
            if level == AreaLevel::Village {
                villages.push(below);
            }
        }
    }
    staff.extend(area.village());
    // A role in one grid does not open the stream of the village, unless the table says village.
    let whole = area.grid().is_none();
    let reads = match cell(Row::Read, role) {
        Cell::In | Cell::Place | Cell::OwnOrIn => whole,
        Cell::Village | Cell::Yes => true,
        _ => false,
    };
    if whole && role == Role::Dispatcher {
        streams.extend(staff.iter().copied().map(StreamId::Command));
    }
    if reads {
        streams.extend(staff.into_iter().map(StreamId::AreaStaff));
    }
    for village in villages {
        streams.insert(StreamId::Bulletin(village));
        streams.insert(StreamId::DirectoryVillage(village));
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
            Self::Command(id) => write!(f, "command/{id}"),
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
            "command" => Ok(Self::Command(rest.parse()?)),
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
#[path = "stream_tests.rs"]
mod tests;
