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
