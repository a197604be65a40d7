#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::domain::case::payload::{Part, Transfer};
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
        StreamId::Command(AreaId([8; 16])),
    ];
    for stream in all {
        assert_eq!(StreamId::from_bytes(&stream.to_bytes()), Some(stream));
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
        StreamId::Command(area(3)),
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

/// Records of both audiences at every level, after people have worked on them.
fn records() -> Vec<RecordState> {
    let mut states = Vec::new();
    let homes = [&[1][..], &[1, 2], &[1, 2, 3], &[1, 2, 3, 4]];
    for (audience, home) in Audience::ALL
        .iter()
        .flat_map(|audience| homes.map(|home| (*audience, home)))
    {
        let facts = GenesisFacts {
            audience,
            home: path(home),
            named: vec![member(NAMED)],
            ..hazard()
        };
        let mut log = Log::new(1, volunteer(REPORTER), facts);
        states.push(log.state());
        let chief = || match audience {
            Audience::Staff => district_lead(),
            Audience::Restricted => in_area(101, Role::Dispatcher, &[1]),
        };
        log.then(chief(), triage());
        let unit = log.then(chief(), dispatch(60));
        let person = Party::Member(member(ASSIGNED));
        log.then(chief(), dispatch_to(person, Part::Support));
        states.push(log.state());
        assert_eq!(log.state().assignments().len(), 2, "{audience} {home:?}");
        let reason = text("属地");
        let to = path(&[1, 8]);
        log.then(chief(), Event::Transfer(Transfer { to, reason }));
        log.then(handler(60), Event::Return(give_back(unit)));
        states.push(log.state());
    }
    states
}

const REPORTER: u8 = 1;
const NAMED: u8 = 30;
const ASSIGNED: u8 = 90;

/// Every role in every sort of scope, alone and beside the grants of a handler.
fn people() -> Vec<(MemberId, Vec<Grant>)> {
    let mut scopes = vec![Scope::Zone {
        zone: ZoneId([70; 16]),
        areas: vec![area(4)],
    }];
    scopes.extend([TEAM, 60, 80, 99].map(|n| Scope::Unit(unit(n))));
    let places = [
        &[1][..],
        &[1, 2],
        &[1, 2, 3],
        &[1, 2, 5],
        &[1, 8],
        &[1, 8, 9],
        &[1, 2, 3, 4],
        &[1, 2, 3, 6],
        &[1, 2, 5, 7],
    ];
    scopes.extend(places.map(|place| Scope::Area(path(place))));
    let roles = Role::ALL.iter().filter(|role| **role != Role::System);
    let mut people = Vec::new();
    for (role, scope) in roles.flat_map(|role| scopes.iter().map(move |scope| (*role, scope))) {
        let grant = Grant {
            role,
            scope: scope.clone(),
        };
        let also = Grant {
            role: Role::Handler,
            scope: Scope::Unit(unit(60)),
        };
        for n in [40, REPORTER, NAMED, ASSIGNED] {
            people.push((member(n), vec![grant.clone()]));
            people.push((member(n), vec![grant.clone(), also.clone()]));
        }
    }
    people
}

#[test]
fn stream_readers_are_whom_may_lets_read() {
    let (mut may_read, mut may_not) = ([0, 0], [0, 0]);
    let (records, people) = (records(), people());
    for state in &records {
        let streams = streams_of(state, &Gongshu);
        let secret = usize::from(state.facts.audience == Audience::Restricted);
        for (person, grants) in &people {
            let mine = readable_streams(*person, grants, &Gongshu);
            let gets = !mine.is_disjoint(&streams);
            let units: Vec<UnitId> = grants.iter().filter_map(|one| one.scope.unit()).collect();
            let reads = grants.iter().any(|grant| {
                let actor = Actor {
                    member: Some(*person),
                    grant,
                    units: &units,
                };
                may(&actor, &Action::Read(state)).is_ok()
            });
            let facts = &state.facts;
            assert_eq!(
                gets, reads,
                "{} {:?} {grants:?}",
                facts.audience, facts.home
            );
            (if reads { &mut may_read } else { &mut may_not })[secret] += 1;
        }
    }
    assert_eq!(records.len() * people.len(), 24 * 1_344);
    let all = may_read.into_iter().chain(may_not);
    assert!(all.min() > Some(3_000), "{may_read:?} {may_not:?}");
}
