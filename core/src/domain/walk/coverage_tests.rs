#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::point::GeoPoint;
use crate::domain::position::{Datum, Position};
use crate::domain::walk::checkpoint::CheckpointCode;
use crate::domain::walk::join::JoinProof;
use crate::domain::walk::samples::{START_S, code_of, place, section, walk};
use crate::domain::walk::scan::Scan;
use crate::domain::walk::section::SectionId;
use crate::domain::walk::track::TrackPoint;
use crate::domain::walk::{Walker, WalkerReason};

/// Keys that accept everything.
struct Open;

impl Seals for Open {
    fn is_of_lead(&self, _: RecordId, _: &JoinProof) -> bool {
        true
    }

    fn is_printed(&self, _: &CheckpointCode) -> bool {
        true
    }
}

/// One round of the square takes 1,100 s.
const ROUND: usize = 225;

fn walker(device: u8, way: Vec<TrackPoint>) -> Walker {
    Walker {
        device: [device; 8],
        is_lead: device == 1,
        refused: None,
        way,
        outside: Vec::new(),
        unreadable: 0,
        scans: Vec::new(),
        left_ms: None,
        ended_ms: None,
        withheld: None,
    }
}

fn walk_of(record: u8, walkers: Vec<Walker>) -> Walk {
    Walk {
        record: RecordId([record; 16]),
        linked: None,
        section: SectionId::new("wulin-7"),
        opened_ms: i64::from(START_S) * 1_000,
        ended_ms: None,
        is_void: false,
        walkers,
    }
}

/// A round that begins some seconds after 18:00.
fn round(seed: u64, after_s: u32) -> Vec<TrackPoint> {
    let moved = |point: TrackPoint| TrackPoint {
        at_s: point.at_s + after_s,
        ..point
    };
    walk(seed, 1_440)
        .into_iter()
        .take(ROUND)
        .map(moved)
        .collect()
}

fn at(walks: &[Walk]) -> Coverage {
    let day = Date::in_china(i64::from(START_S) * 1_000);
    coverage(&section(), walks, &Open, day)
}

#[test]
fn four_people_make_one_pass() {
    let four: Vec<Walker> = (1..=4_u8)
        .map(|who| walker(who, round(u64::from(who), u32::from(who) * 20)))
        .collect();
    let found = at(&[walk_of(1, four)]);
    assert_eq!(found.passes.len(), 1);
    assert_eq!(found.hours[18], 1);
    let at_ms = found.passes[0].at_ms;
    let minutes = (at_ms - i64::from(START_S) * 1_000) / 60_000;
    assert!((13..=18).contains(&minutes), "{minutes}");
}

/// A phone that lies beside the street, or a track that a hostile member made up, takes no pass of other people away.
#[test]
fn phone_that_stays_hides_no_pass() {
    let honest = walk_of(1, vec![walker(1, walk(1, 1_440))]);
    let alone = at(std::slice::from_ref(&honest)).passes.len();
    assert_eq!(alone, 6);
    let stays = |from: &TrackPoint, count: u32| -> Vec<TrackPoint> {
        let later = |n| TrackPoint {
            at_s: START_S + n * 30,
            ..*from
        };
        (0..count).map(later).collect()
    };
    // It is seen at every place of the round, again and again.
    let round = round(1, 0);
    let everywhere = (0..240_u32).flat_map(|turn| {
        let points = round.iter().step_by(5).zip(0_u32..);
        points.map(move |(point, n)| TrackPoint {
            at_s: START_S + turn * 30 + n % 30,
            ..*point
        })
    });
    let hostile = [
        walker(2, stays(&round[0], 240)),
        walker(3, everywhere.collect()),
    ];
    for walker in hostile {
        let both = [honest.clone(), walk_of(2, vec![walker])];
        assert!(at(&both).passes.len() >= alone, "{:?}", at(&both).passes);
    }
}

#[test]
fn abandoned_walk_makes_no_pass() {
    let mut walk = walk_of(1, vec![walker(1, round(1, 0))]);
    assert_eq!(at(std::slice::from_ref(&walk)).passes.len(), 1);
    walk.is_void = true;
    assert_eq!(at(&[walk]).passes, []);
}

/// A question about too many walks has one answer, whatever their order.
#[test]
fn order_of_many_walks_changes_no_answer() {
    let numbered = |n: usize| {
        let mut walk = walk_of(0, Vec::new());
        walk.record.0[..8].copy_from_slice(&u64::try_from(n).unwrap().to_be_bytes());
        walk
    };
    let mut walks: Vec<Walk> = (1..=COVERAGE_WALKS_MAX).map(numbered).collect();
    walks.push(walk_of(0, vec![walker(1, round(1, 0))]));
    let last = at(&walks);
    walks.reverse();
    assert_eq!((last.passes.len(), at(&walks)), (1, last));
}

#[test]
fn two_records_of_one_walk_make_one_pass() {
    let mut second = walk_of(2, vec![walker(2, round(2, 40))]);
    let first = walk_of(1, vec![walker(1, round(1, 0))]);
    let both = at(&[first.clone(), second.clone()]);
    assert_eq!(both.passes.len(), 1);
    assert_eq!(both.passes[0].records, [first.record, second.record]);
    // Halves of one round by two leads, one after the other, are a pass only where the records are linked.
    let mut half = first.clone();
    half.walkers[0].way.truncate(ROUND / 2);
    second.walkers[0].way = round(1, 0).split_off(ROUND / 2);
    assert_eq!(at(&[half.clone(), second.clone()]).passes.len(), 0);
    second.linked = Some(half.record);
    assert_eq!(at(&[half, second]).passes.len(), 1);
}

#[test]
fn further_rounds_are_further_passes() {
    let whole = walker(1, walk(1, 1_440));
    let found = at(&[walk_of(1, vec![whole])]);
    // Two hours hold six rounds and a half.
    assert_eq!(found.passes.len(), 6, "{found:?}");
    assert!(
        found
            .passes
            .windows(2)
            .all(|pair| pair[0].at_ms < pair[1].at_ms)
    );
    let apart = [
        walk_of(1, vec![walker(1, round(1, 0))]),
        walk_of(2, vec![walker(2, round(2, 7_200))]),
    ];
    let hours = at(&apart).hours;
    assert_eq!((hours[18], hours[20]), (1, 1));
}

#[test]
fn way_that_does_not_count_makes_no_pass() {
    let refused = Walker {
        refused: Some(WalkerReason::NoCode),
        ..walker(2, round(2, 0))
    };
    assert_eq!(at(&[walk_of(1, vec![refused.clone()])]).passes, []);
    let mut short = walker(1, round(1, 0));
    short.way.truncate(20);
    assert_eq!(at(&[walk_of(1, vec![short, refused])]).passes, []);
    let mut vague = walker(1, round(1, 0));
    for point in &mut vague.way {
        point.accuracy = super::super::track::Accuracy::Vague;
    }
    assert_eq!(at(&[walk_of(1, vec![vague])]).passes, []);
    let mut half = walker(1, round(1, 0));
    half.way.truncate(ROUND * 7 / 10);
    assert_eq!(at(&[walk_of(1, vec![half])]).passes, []);
    let mut other = walk_of(1, vec![walker(1, round(1, 0))]);
    other.section = SectionId::new("wulin-8");
    assert_eq!(at(&[other]).passes, []);
}

/// A stair patrol has no position on the way, and is one by its scans, in any order.
#[test]
fn scans_make_a_pass() {
    let scan = |checkpoint: u16, at_s: u32, at: GeoPoint| {
        let position = Position::new(at.lat_e7(), at.lon_e7(), Datum::Wgs84, Some(10), 0);
        let now_ms = i64::from(at_s) * 1_000;
        Scan::new(&code_of(1, checkpoint), Some(position.unwrap()), now_ms).unwrap()
    };
    let places = [0.0, 330.0, 660.0, 990.0].map(place);
    let stairs = |of: &[u16], moved: bool| {
        let mut walker = walker(1, Vec::new());
        walker.scans = of
            .iter()
            .zip(1..)
            .map(|(number, turn)| {
                let true_place = places[usize::from(*number) - 1];
                let at = if moved { places[0] } else { true_place };
                scan(*number, START_S + turn * 60, at)
            })
            .collect();
        at(&[walk_of(1, vec![walker])]).passes.len()
    };
    assert_eq!(stairs(&[3, 1, 4, 2], false), 1);
    assert_eq!(
        stairs(&[3, 1, 4, 2], true),
        0,
        "scanned at one place from photos"
    );
    assert_eq!(stairs(&[3, 1, 4], false), 0);
    assert_eq!(
        stairs(&[3, 1, 4, 2, 3, 1, 4, 2], false),
        1,
        "scanned twice within ten minutes"
    );
}

#[test]
fn shortfalls_name_each_window() {
    let found = at(&[walk_of(1, vec![walker(1, walk(1, 1_440))])]);
    let start_ms = i64::from(START_S) * 1_000;
    let hours: Vec<(i64, u16)> = found
        .shortfalls
        .iter()
        .map(|gap| ((gap.from_ms - start_ms) / 3_600_000, gap.found))
        .collect();
    // The hours from 20 and 21 h have no pass; the day has six of five.
    assert_eq!(hours, [(2, 0), (3, 0)]);
    let nothing = at(&[]);
    assert_eq!(nothing.shortfalls.len(), 5);
    let day = nothing.shortfalls.last().unwrap();
    assert_eq!(
        (day.wanted, day.found, day.to_ms - day.from_ms),
        (5, 0, DAY_MS)
    );
}

#[test]
fn windows_of_an_hour_share_the_rest() {
    let target = |from_minute, to_minute| Target {
        from_minute,
        to_minute,
        wanted: 2,
        per: Per::Hour,
    };
    assert_eq!(windows(target(60, 200)), [(60, 120), (120, 200)]);
    assert_eq!(windows(target(60, 90)), [(60, 90)]);
    assert_eq!(windows(target(1_380, 1_440)), [(1_380, 1_440)]);
}

#[test]
fn walk_knows_its_gaps_and_metres() {
    let mut way = round(1, 0);
    way.drain(50..80);
    way[100].after_gap = true;
    let walker = walker(1, way);
    assert_eq!(walker.gaps().len(), 2);
    // A straight line is 1,200 m without the gaps; the noise of the phone adds to it.
    assert!(
        (900..2_600).contains(&walker.metres()),
        "{}",
        walker.metres()
    );
}
