//! Walks on phones: people join by a code with no network, each keeps an own way, and hostile members change nothing.

#![allow(clippy::print_stdout, reason = "sizes for people")]

use super::meeting::{meet, revocation};
use super::server::Server;
use super::*;
use crate::base32;
use crate::crdt::FieldEdit;
use crate::domain::case::MoveInput;
use crate::domain::content::{Field, LogKey};
use crate::domain::form::Date;
use crate::domain::kinds::patrol::{self, Patrol};
use crate::domain::walk::coverage::coverage;
use crate::domain::walk::samples::{START_S, place, section, walk};
use crate::domain::walk::section::SectionId;
use crate::domain::walk::track::{self, TrackError, TrackPoint};
use crate::domain::walk::{Walk, WalkerReason};
use crate::id::RecordId;
use crate::sync::port::PeerPort;
use crate::trust::certificate::Stamp;
use crate::trust::{WalkSeals, print_checkpoint};
use crate::wire::join_code::JoinCode;

/// 18:00 in China, when the sample walks begin, ms UTC.
const OPENED: i64 = START_S as i64 * 1_000;

fn patrol_draft() -> Draft {
    let patrol = Patrol {
        details: Details {
            title: Some("武林夜巡".into()),
            ..Details::default()
        },
        section: SectionId::new("wulin-7"),
        route: Some("东门—西门".into()),
        force: Some(4),
        equipment: Some("手电、反光衣".into()),
    };
    Draft {
        team: Some(TEAM),
        ..Draft::staff(patrol.into(), home())
    }
}

fn opened(phone: &mut FilePhone) -> RecordId {
    phone.replica().report(&patrol_draft(), OPENED).unwrap()
}

fn shown(phone: &mut FilePhone, record: RecordId) -> String {
    phone
        .replica()
        .join_code(record, 10, OPENED + 1_000)
        .unwrap()
}

fn walk_of(phone: &mut FilePhone, record: RecordId) -> Walk {
    phone.replica().walk(record).unwrap().unwrap()
}

/// A server that hears of everything in the night after the walk.
fn server_of(town: &Deployment) -> Server<'_> {
    let mut server = Server::new(town);
    server.time_ms = OPENED + 20_000_000;
    server
}

fn refused<T>(result: Result<T, ReplicaError>) -> &'static str {
    match result {
        Ok(_) => "nothing",
        Err(error) => error.code(),
    }
}

fn team(town: &Deployment) -> [FilePhone; 4] {
    [TEAM_LEAD_HE, VOLUNTEER_WANG, VOLUNTEER_ZHAO, VOLUNTEER_SUN].map(|person| town.phone(person))
}

/// No phone has a network, and the joiner has never heard of the record.
#[test]
fn people_join_by_the_code_alone() {
    let town = Deployment::new();
    let mut server = server_of(&town);
    let [mut lead, mut wang, mut zhao, _] = team(&town);
    let record = opened(&mut lead);
    let code = shown(&mut lead, record);
    println!("join code: {} characters", code.len());
    assert!(
        code.len() <= 1_451,
        "a QR code of version 25 with correction M"
    );
    for phone in [&mut wang, &mut zhao] {
        let joined = phone
            .replica()
            .join_by_code(&code, OPENED + 60_000)
            .unwrap();
        assert_eq!(joined, record);
        let view = phone.replica().view(record).unwrap().unwrap();
        assert_eq!(view.row.title, "武林夜巡");
        let points = walk(u64::from(phone.person.seed), 200);
        phone
            .replica()
            .add_track(record, &points, OPENED + 1_100_000)
            .unwrap();
    }
    let points = walk(1, 200);
    lead.replica()
        .add_track(record, &points, OPENED + 1_100_000)
        .unwrap();
    let end = MoveInput::of_step(&patrol::END);
    lead.replica()
        .make_move(record, &end, OPENED + 1_200_000)
        .unwrap();
    for _ in 0..2 {
        for phone in [&mut lead, &mut zhao, &mut wang] {
            server.settle(phone);
        }
    }
    let whole = walk_of(&mut lead, record);
    assert_eq!(whole.counting().count(), 3);
    assert!(whole.walkers.iter().all(|walker| walker.way.len() == 200));
    assert!(whole.walkers[0].is_lead);
    for phone in [&mut wang, &mut zhao] {
        assert_eq!(walk_of(phone, record), whole);
        let view = phone.replica().view(record).unwrap().unwrap();
        assert!(view.set_aside.is_empty(), "nothing is void");
        assert_eq!(view.row.stage, patrol::ENDED.code);
        assert_eq!(view.state.unwrap().superseded().count(), 0);
    }
}

#[test]
fn codes_that_let_no_one_in_change_nothing() {
    let (town, other) = (Deployment::new(), Deployment::of_root(9));
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    let code = shown(&mut lead, record);
    let try_at = |phone: &mut FilePhone, text: &str, now_ms| {
        refused(phone.replica().join_by_code(text, now_ms))
    };
    let scanned = OPENED + 60_000;
    assert_eq!(try_at(&mut wang, &code, OPENED + 602_000), "join.expired");
    assert_eq!(try_at(&mut wang, &code, OPENED - 600_000), "join.early");
    assert_eq!(try_at(&mut lead, &code, scanned), "join.own_code");
    let mut abroad = other.phone(VOLUNTEER_WANG);
    assert_eq!(try_at(&mut abroad, &code, scanned), "join.other_district");
    for bad in ["", "ONEGRIDJ1:", "ONEGRIDM1:0000", &code[..code.len() - 8]] {
        assert_eq!(try_at(&mut wang, bad, scanned), "join.bad_code", "{bad}");
    }
    let newer = code.replace("ONEGRIDJ1", "ONEGRIDJ2");
    assert_eq!(try_at(&mut wang, &newer, scanned), "join.newer_code");
    // A forger changes single bytes and makes the text right again.
    let bytes = base32::decode(&code["ONEGRIDJ1:".len()..]).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        let text = format!("ONEGRIDJ1:{}", base32::encode(&forged));
        let why = try_at(&mut wang, &text, scanned);
        // A forged report is refused like each one that a peer hands over.
        let expected = [
            "join.bad_code",
            "join.not_genuine",
            "join.other_district",
            "may.not_readable",
        ];
        assert!(expected.contains(&why), "byte {at}: {why}");
    }
    assert_eq!(wang.replica().rows().unwrap(), []);
    let revoked = [revocation(&town, &lead)];
    wang.replica().apply_revocations(&revoked, NOW).unwrap();
    assert_eq!(try_at(&mut wang, &code, scanned), "join.revoked");
    assert_eq!(wang.replica().rows().unwrap(), []);
}

#[test]
fn code_counts_once_for_a_phone_and_only_for_readers() {
    let town = Deployment::new();
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    let code = shown(&mut lead, record);
    wang.replica().join_by_code(&code, OPENED + 60_000).unwrap();
    let again = wang.replica().join_by_code(&code, OPENED + 61_000);
    assert_eq!(refused(again), "case.not_now");
    let mut handler = town.phone(HANDLER_SHEN);
    let outside = handler.replica().join_by_code(&code, OPENED + 60_000);
    assert_eq!(refused(outside), "may.not_readable");
    assert_eq!(handler.replica().rows().unwrap(), []);
    // The phone of another member shows no code, and neither does a record that takes no one in.
    let shown_by_wang = wang.replica().join_code(record, 10, OPENED);
    assert_eq!(refused(shown_by_wang), "join.not_lead");
    for minutes in [0, 61] {
        let result = lead.replica().join_code(record, minutes, OPENED);
        assert_eq!(refused(result), "join.minutes");
    }
    let hazard = lead.replica().report(&draft("井盖"), OPENED).unwrap();
    assert_eq!(
        refused(lead.replica().join_code(hazard, 10, OPENED)),
        "join.closed"
    );
    let end = MoveInput::of_step(&patrol::END);
    lead.replica()
        .make_move(record, &end, OPENED + 1_000)
        .unwrap();
    assert_eq!(
        refused(lead.replica().join_code(record, 10, OPENED)),
        "join.closed"
    );
    let mut long = patrol_draft();
    long.content.details_mut().description = "远".repeat(400);
    let long = lead.replica().report(&long, OPENED).unwrap();
    assert_eq!(
        refused(lead.replica().join_code(long, 10, OPENED)),
        "join.too_large"
    );
}

/// A member who makes the step without the code of the lead is in, and the way is shown and does not count.
#[test]
fn joining_without_the_code_is_kept_and_not_counted() {
    let town = Deployment::new();
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    meet(&mut lead, &mut wang).unwrap();
    let way = walk(2, 100);
    let early = wang.replica().add_track(record, &way, OPENED + 600_000);
    // A member of the team writes the content of the team's record.
    early.unwrap();
    let join = MoveInput::of_step(&patrol::JOIN);
    wang.replica()
        .make_move(record, &join, OPENED + 5_000)
        .unwrap();
    let seen = walk_of(&mut wang, record);
    let walker = seen.walkers.iter().find(|walker| !walker.is_lead).unwrap();
    assert_eq!(
        (walker.way.len(), walker.refused),
        (100, Some(WalkerReason::NoCode))
    );
    // A real code of the same lead for another record is no proof here.
    let other = opened(&mut lead);
    let code: JoinCode = shown(&mut lead, other).parse().unwrap();
    let joining = crate::domain::walk::join::Joining {
        at_ms: OPENED + 2_000,
        proof: code.proof(),
    };
    let key = LogKey::new(wang.person.device(), "join").unwrap();
    let edit = FieldEdit::text(Field::Log(key), joining.to_text());
    wang.replica()
        .edit(record, &[edit], OPENED + 6_000)
        .unwrap();
    let seen = walk_of(&mut wang, record);
    let walker = seen.walkers.iter().find(|walker| !walker.is_lead).unwrap();
    assert_eq!(walker.refused, Some(WalkerReason::NotOfLead));
}

/// The way of one phone cannot be changed by another one: not by the app, and not by a changed app.
#[test]
fn log_of_another_device_cannot_be_written() {
    let town = Deployment::new();
    let mut server = server_of(&town);
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    lead.replica()
        .add_track(record, &walk(1, 50), OPENED + 300_000)
        .unwrap();
    server.settle(&mut lead);
    server.settle(&mut wang);
    let key = LogKey::new(lead.person.device(), "track-1").unwrap();
    let emptied = FieldEdit::text(Field::Log(key.clone()), "0");
    let removed = FieldEdit {
        field: Field::Log(key),
        write: crate::crdt::Write::Remove,
    };
    for edit in [emptied, removed] {
        let result = wang.replica().edit(record, &[edit], OPENED + 301_000);
        assert_eq!(refused(result), "content.foreign_actor");
    }
    assert_eq!(walk_of(&mut wang, record).walkers[0].way.len(), 50);
}

#[test]
fn points_outside_the_walk_are_refused() {
    let town = Deployment::new();
    let [mut lead, ..] = team(&town);
    let record = opened(&mut lead);
    let early = TrackPoint {
        at_s: START_S - 600,
        ..walk(1, 1)[0]
    };
    let late = TrackPoint {
        at_s: START_S + 50_000,
        ..early
    };
    for points in [vec![early], vec![late]] {
        let result = lead.replica().add_track(record, &points, OPENED);
        assert!(matches!(
            result,
            Err(ReplicaError::Track(TrackError::Outside))
        ));
    }
    assert_eq!(
        refused(lead.replica().add_track(record, &[], OPENED)),
        "track.empty"
    );
    let hazard = lead.replica().report(&draft("井盖"), OPENED).unwrap();
    let elsewhere = lead.replica().add_track(hazard, &walk(1, 9), OPENED);
    assert_eq!(refused(elsewhere), "join.closed");
    assert_eq!(walk_of(&mut lead, record).walkers, []);
}

/// A phone was offline until after an end that another person set, and then writes its buffer.
#[test]
fn late_batch_with_one_point_outside_is_kept() {
    let town = Deployment::new();
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    let code = shown(&mut lead, record);
    wang.replica().join_by_code(&code, OPENED + 60_000).unwrap();
    let end = MoveInput::of_step(&patrol::END);
    wang.replica()
        .make_move(record, &end, OPENED + 300_000)
        .unwrap();
    meet(&mut lead, &mut wang).unwrap();
    let mut points = walk(1, 200);
    points.insert(
        0,
        TrackPoint {
            at_s: START_S - 600,
            ..points[0]
        },
    );
    let added = lead
        .replica()
        .add_track(record, &points, OPENED + 1_100_000)
        .unwrap();
    assert_eq!(added.left_out, 1, "the point from before the opening");
    let stands = |phone: &mut FilePhone| {
        let walk = walk_of(phone, record);
        let walker = &walk.walkers[0];
        (walker.way.len(), walker.outside.len())
    };
    let (way, outside) = stands(&mut lead);
    assert_eq!(way + outside, 200);
    assert!(
        outside > 100,
        "they are shown apart until the walk ends later"
    );
    // The lead ends the patrol now, so the whole way belongs to it.
    lead.replica()
        .make_move(record, &end, OPENED + 1_200_000)
        .unwrap();
    assert_eq!(stands(&mut lead), (200, 0));
    // The own end is known, so the phone records no longer.
    let late = [TrackPoint {
        at_s: START_S + 1_500,
        ..points[9]
    }];
    let after = lead.replica().add_track(record, &late, OPENED + 1_600_000);
    assert_eq!(refused(after), "track.outside");
}

/// The team and the heads of the village see where each phone was. Other staff get times, lengths and coverage.
#[test]
fn ways_are_shown_to_the_team_and_the_heads() {
    let town = Deployment::new();
    let mut server = server_of(&town);
    let [mut lead, mut wang, ..] = team(&town);
    let record = opened(&mut lead);
    let points = walk(1, 300);
    let replica = lead.replica();
    replica
        .add_track(record, &points, OPENED + 1_600_000)
        .unwrap();
    let code = printed(&town, 1);
    replica
        .scan_checkpoint(record, &code, Some(standing_at(0.0)), OPENED + 60_000)
        .unwrap();
    server.settle(&mut lead);
    let whole = walk_of(&mut lead, record);
    let day = Date::in_china(OPENED);
    for (person, sees) in [
        (VOLUNTEER_WANG, true),
        (STATION_HEAD_JIN, true),
        (VILLAGE_LEAD_QIAN, true),
        (GRID_WORKER_CHEN, false),
        (DISPATCHER_ZHOU, false),
    ] {
        let mut other;
        let phone = if person == VOLUNTEER_WANG {
            &mut wang
        } else {
            other = town.phone(person);
            &mut other
        };
        server.settle(phone);
        let walk = walk_of(phone, record);
        let found = phone
            .replica()
            .coverage(&section(), &[record], day)
            .unwrap();
        assert_eq!(found.passes.len(), 1, "{}", person.name);
        let walker = &walk.walkers[0];
        assert_eq!(walker.facts(), whole.walkers[0].facts());
        assert_eq!(walker.facts().points, 300);
        if sees {
            assert_eq!(walk, whole, "{}", person.name);
        } else {
            let places = (walker.way.len(), walker.outside.len(), walker.scans.len());
            assert_eq!(places, (0, 0, 0), "{}", person.name);
            assert_eq!(walker.facts().scans, 1);
        }
    }
}

fn printed(town: &Deployment, checkpoint: u16) -> String {
    let stamp = Stamp {
        time_ms: 5,
        generation: 1,
    };
    let id = section().id().clone();
    print_checkpoint(id, checkpoint, stamp, (&town.server, town.authority())).to_string()
}

fn standing_at(metres: f64) -> Position {
    let at = place(metres);
    Position::new(at.lat_e7(), at.lon_e7(), Datum::Wgs84, Some(8), 0).unwrap()
}

#[test]
fn scan_at_home_is_kept_and_does_not_count() {
    let (town, other) = (Deployment::new(), Deployment::of_root(9));
    let [mut lead, ..] = team(&town);
    let record = opened(&mut lead);
    let foreign = printed(&other, 1);
    let replica = lead.replica();
    for (text, expected) in [
        (foreign.as_str(), "checkpoint.other_district"),
        ("onegrid", "checkpoint.bad_code"),
    ] {
        let result = replica.scan_checkpoint(record, text, None, OPENED + 1_000);
        assert_eq!(refused(result), expected);
    }
    let code = printed(&town, 1);
    for (after_s, metres) in [(60, 0.0), (120, 660.0)] {
        let at = Some(standing_at(metres));
        let scanned = replica.scan_checkpoint(record, &code, at, OPENED + after_s * 1_000);
        assert_eq!(scanned.unwrap().checkpoint, 1);
    }
    let walk = walk_of(&mut lead, record);
    let seals = WalkSeals {
        anchors: &town.anchors,
        lead: None,
    };
    let standing: Vec<_> = walk
        .scans(&section(), &seals)
        .into_iter()
        .map(|(_, _, standing)| standing.err().map(|why| why.code()))
        .collect();
    assert_eq!(standing, [None, Some("scan.too_far")]);
}

/// Four phones for two hours, a point every 5 s. One of them is lost in the middle.
#[test]
fn patrol_of_two_hours_stays_small_and_outlives_a_phone() {
    let town = Deployment::new();
    let mut server = server_of(&town);
    let mut phones = team(&town);
    let record = opened(&mut phones[0]);
    let code = shown(&mut phones[0], record);
    for phone in &mut phones[1..] {
        phone
            .replica()
            .join_by_code(&code, OPENED + 60_000)
            .unwrap();
    }
    let ways: Vec<Vec<TrackPoint>> = (1..=4).map(|seed| walk(seed, 1_440)).collect();
    for part in 0..12 {
        if part == 6 {
            // The lead's phone met another one on the way, and then it is lost.
            let (first, others) = phones.split_at_mut(1);
            meet(&mut first[0], &mut others[0]).unwrap();
        }
        for (who, (phone, way)) in phones.iter_mut().zip(&ways).enumerate() {
            if who == 0 && part >= 6 {
                continue;
            }
            let points = &way[part * 120..(part + 1) * 120];
            let now_ms = points[119].at_ms() + 1_000;
            phone.replica().add_track(record, points, now_ms).unwrap();
            if part % 2 == 0 {
                let number = u16::try_from(part / 2 % 4).unwrap() + 1;
                let at = standing_at(f64::from(number - 1) * 330.0);
                let text = printed(&town, number);
                let replica = phone.replica();
                replica
                    .scan_checkpoint(record, &text, Some(at), now_ms)
                    .unwrap();
            }
        }
    }
    let end = MoveInput::of_step(&patrol::END);
    phones[1]
        .replica()
        .make_move(record, &end, OPENED + 7_300_000)
        .unwrap();
    for phone in &mut phones[1..] {
        let stored = own_bytes(phone, record);
        let way = track_bytes(phone, record);
        println!("a phone: {stored} bytes stored and sent; {way} of them for 1,440 points");
        assert!(stored <= 20_000, "{stored}");
        assert!(way <= 3 * 1_440, "{way}");
    }
    for _ in 0..2 {
        for phone in &mut phones[1..] {
            server.settle(phone);
        }
    }
    let whole = walk_of(&mut phones[1], record);
    let points: Vec<usize> = whole
        .walkers
        .iter()
        .map(|walker| walker.way.len())
        .collect();
    assert_eq!(points, [720, 1_440, 1_440, 1_440]);
    assert_eq!(whole.counting().count(), 4);
    for phone in &mut phones[2..] {
        assert_eq!(walk_of(phone, record), whole);
    }
    let seals = WalkSeals {
        anchors: &town.anchors,
        lead: None,
    };
    let found = coverage(&section(), &[whole], &seals, Date::in_china(OPENED));
    // Together they go round six times; alone each of them does too, so four people count as one.
    assert_eq!(found.passes.len(), 6);
}

/// Bytes of the envelopes that a device wrote on a record.
fn own_bytes(phone: &mut FilePhone, record: RecordId) -> usize {
    let own = phone.person.device();
    let ids = phone.replica().all_ids(record).unwrap();
    let conn = phone.replica().conn().unwrap();
    let stored = ids
        .iter()
        .filter_map(|id| crate::replica::table::envelope::get(conn, *id).unwrap());
    let envelopes =
        stored.map(|stored| crate::wire::envelope::Envelope::parse(stored.raw).unwrap());
    envelopes
        .filter(|envelope| envelope.header().author == own)
        .map(|envelope| envelope.raw().len())
        .sum()
}

/// Bytes of the own way, without the envelopes around its parts and the letters of their text.
fn track_bytes(phone: &mut FilePhone, record: RecordId) -> usize {
    let walk = walk_of(phone, record);
    let own = phone.person.device();
    let walker = walk
        .walkers
        .iter()
        .find(|walker| own.0.starts_with(&walker.device));
    let parts = walker.unwrap().way.chunks(120);
    parts.map(|part| track::encode(part).unwrap().len()).sum()
}

/// A hazard on the way belongs to the patrol.
#[test]
fn hazard_on_the_way_is_linked() {
    let town = Deployment::new();
    let [mut lead, ..] = team(&town);
    let record = opened(&mut lead);
    let mut hazard = draft("消防通道被占");
    hazard.linked = Some(record);
    let found = lead.replica().report(&hazard, OPENED + 60_000).unwrap();
    let linked = lead.replica().linked(record).unwrap();
    assert!(linked.iter().any(|row| row.row.id == found));
}
