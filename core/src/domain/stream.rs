//! Streams: ordered feeds that a set of people may read.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::area::AreaLevel;
use super::case::{CaseState, Party};
use super::may::table::{Cell, Row, cell};
use super::{AreaPath, Audience, Grant, Role, Scope};
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

/// What streams depend on and a record does not say: zones with people of their own, command rooms, and the
/// areas below an area. The caller answers from its directory.
pub trait Routing {
    /// Zones with people of their own that cover this place.
    fn zones_of(&self, place: &AreaPath) -> Vec<ZoneId>;
    /// The unit of the command room that is in charge of this place.
    fn command_room_of(&self, place: &AreaPath) -> Option<UnitId>;
    /// Towns and villages below this area, not itself.
    fn towns_and_villages_under(&self, area: &AreaPath) -> Vec<(AreaLevel, AreaId)>;
}

/// The streams that a record is in.
///
/// A staff record: each responsible village (or town), its zones, its team, everybody it is assigned to, its
/// creator. A restricted one: its creator, everybody named or assigned, and the command room; no area stream.
#[must_use]
pub fn streams_of(state: &CaseState, routing: &dyn Routing) -> BTreeSet<StreamId> {
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
        .assignments
        .iter()
        .filter(|a| a.state.is_responsible())
    {
        streams.insert(match assignment.to {
            Party::Unit(unit) => StreamId::Unit(unit),
            Party::Member(member) => StreamId::Member(member),
        });
    }
    if state.facts.audience == Audience::Restricted {
        let rooms = state
            .areas()
            .filter_map(|place| routing.command_room_of(&place));
        streams.extend(rooms.map(StreamId::Unit));
        return streams;
    }
    streams.extend(state.facts.team.map(StreamId::Unit));
    for place in state.areas() {
        let area = place.village().or(place.town()).unwrap_or(place.district());
        streams.insert(StreamId::AreaStaff(area));
        streams.extend(routing.zones_of(&place).into_iter().map(StreamId::Zone));
    }
    streams
}

/// The streams that somebody may read, by all its grants together.
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
    use crate::domain::case::payload::Transfer;
    use crate::domain::case::tests::support::*;
    use crate::domain::case::{Author, Event, GenesisFacts};
    use crate::domain::may::{Action, Actor, may};

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

    /// District 1 with town 2 (villages 3 and 5) and town 8 (village 9); zone 70 covers grid 4.
    struct Gongshu;

    impl Routing for Gongshu {
        fn zones_of(&self, place: &AreaPath) -> Vec<ZoneId> {
            if place.contains(area(4)) {
                vec![ZoneId([70; 16])]
            } else {
                vec![]
            }
        }

        fn command_room_of(&self, place: &AreaPath) -> Option<UnitId> {
            (place.town() == Some(area(2))).then(|| unit(80))
        }

        fn towns_and_villages_under(&self, of: &AreaPath) -> Vec<(AreaLevel, AreaId)> {
            let town_2 = [(AreaLevel::Village, area(3)), (AreaLevel::Village, area(5))];
            let town_8 = [(AreaLevel::Village, area(9))];
            match of.town() {
                Some(town) if town == area(2) => town_2.to_vec(),
                Some(_) => town_8.to_vec(),
                None => {
                    let towns = [(AreaLevel::Town, area(2)), (AreaLevel::Town, area(8))];
                    [&towns[..], &town_2, &town_8].concat()
                }
            }
        }
    }

    fn grants_of(author: &Author) -> Vec<Grant> {
        author.grant.iter().cloned().collect()
    }

    #[test]
    fn a_staff_record_is_in_the_streams_of_all_who_are_concerned() {
        let mut log = Log::hazard(1);
        let assignment = log.dispatched(60);
        let expected = |units: &[u8]| {
            let mut streams = BTreeSet::from([
                StreamId::AreaStaff(area(3)),
                StreamId::Zone(ZoneId([70; 16])),
                StreamId::Member(member(1)),
            ]);
            streams.extend(units.iter().map(|n| StreamId::Unit(unit(*n))));
            streams
        };
        assert_eq!(streams_of(&log.state(), &Gongshu), expected(&[TEAM, 60]));
        log.then(handler(60), Event::Return(give_back(assignment)));
        assert_eq!(
            streams_of(&log.state(), &Gongshu),
            expected(&[TEAM]),
            "returned: withdrawn"
        );
        let to = path(&[1, 8]);
        log.then(
            dispatcher(),
            Event::Transfer(Transfer {
                to,
                reason: text("属地"),
            }),
        );
        assert!(streams_of(&log.state(), &Gongshu).contains(&StreamId::AreaStaff(area(8))));
    }

    #[test]
    fn a_restricted_record_is_in_no_area_stream() {
        let named = vec![member(30)];
        let facts = GenesisFacts {
            audience: Audience::Restricted,
            team: None,
            named,
            ..hazard()
        };
        let mut log = Log::new(1, volunteer(1), facts);
        log.dispatched(60);
        let expected = BTreeSet::from([
            StreamId::Member(member(1)),
            StreamId::Member(member(30)),
            StreamId::Unit(unit(60)),
            StreamId::Unit(unit(80)),
        ]);
        assert_eq!(streams_of(&log.state(), &Gongshu), expected);
    }

    #[test]
    fn a_district_lead_reads_every_village_and_a_volunteer_no_staff_stream() {
        let lead = readable_streams(member(1), &grants_of(&district_lead()), &Gongshu);
        for n in [1, 2, 3, 5, 8, 9] {
            assert!(lead.contains(&StreamId::AreaStaff(area(n))), "{n}");
        }
        let enrolled = in_area(1, Role::Volunteer, &[1, 2, 3]);
        let streams = readable_streams(member(1), &grants_of(&enrolled), &Gongshu);
        let expected = BTreeSet::from([
            StreamId::DirectoryBase,
            StreamId::Member(member(1)),
            StreamId::Bulletin(area(3)),
            StreamId::DirectoryVillage(area(3)),
        ]);
        assert_eq!(streams, expected);
        let newer = in_area(1, Role::Unknown(99), &[1]);
        assert_eq!(
            readable_streams(member(1), &grants_of(&newer), &Gongshu).len(),
            2
        );
    }

    #[test]
    fn whoever_has_a_stream_of_a_record_may_read_it_and_nobody_else() {
        let zone = Scope::Zone {
            zone: ZoneId([70; 16]),
            areas: vec![area(4)],
        };
        let (mut may_read, mut may_not) = (0, 0);
        for role in Role::ALL
            .iter()
            .copied()
            .filter(|role| *role != Role::System)
        {
            let mut people = vec![
                author(40, role, zone.clone()),
                in_unit(40, role, TEAM),
                in_unit(40, role, 60),
                in_unit(40, role, 99),
                in_unit(1, role, 99),
            ];
            for place in [
                &[1][..],
                &[1, 2],
                &[1, 2, 3],
                &[1, 2, 5],
                &[1, 8],
                &[1, 8, 9],
            ] {
                people.push(in_area(40, role, place));
            }
            if role == Role::GridWorker {
                people.push(in_area(40, role, &[1, 2, 3, 6]));
                people.push(in_area(40, role, &[1, 2, 5, 7]));
            }
            let mut log = Log::hazard(1);
            log.dispatched(60);
            let state = log.state();
            for person in people {
                let grants = grants_of(&person);
                let mine = readable_streams(person.member.unwrap(), &grants, &Gongshu);
                let gets = !mine.is_disjoint(&streams_of(&state, &Gongshu));
                let grant = &grants[0];
                let actor = Actor {
                    member: person.member,
                    grant,
                    units: &person.units,
                };
                let reads = may(&actor, &Action::Read(&state)).is_ok();
                assert_eq!(gets, reads, "{role} {grant:?}");
                *(if reads { &mut may_read } else { &mut may_not }) += 1;
            }
        }
        assert!(may_read > 40 && may_not > 30, "{may_read} {may_not}");
    }
}
