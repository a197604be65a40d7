//! Patrols: steps for every role, branches that meet, content, and walks read from log entries.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::match_same_arms, reason = "one line for each cell")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::case::payload::KindStep;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{Author, Event, GenesisFacts, Outcome, fold, judge};
use crate::domain::content::LogKey;
use crate::domain::steps::StepSpec;
use crate::domain::walk::checkpoint::CheckpointCode;
use crate::domain::walk::join::{JoinProof, Joining};
use crate::domain::walk::samples::{START_S, code_of, place, section, walk};
use crate::domain::walk::scan::{Scan, ScanReason, Witness};
use crate::domain::walk::track::{self, TrackPoint};
use crate::domain::walk::{Seals, Walk, WalkerReason};
use crate::domain::{Audience, Role, Source};
use crate::id::{DeviceId, RecordId};
use crate::limits::WALK_MS_MAX;

const LEAD: u8 = 1;
const RECORD: RecordId = RecordId([5; 16]);

fn facts() -> GenesisFacts {
    GenesisFacts {
        kind: KIND,
        home: path(&[1, 2, 3, 4]),
        audience: Audience::Staff,
        team: Some(unit(TEAM)),
        source: Source::Member,
        named: vec![],
        linked: None,
    }
}

fn opened(seed: u64) -> Log {
    Log::new(seed, volunteer(LEAD), facts())
}

fn made(step: &StepSpec) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason: None,
        attachments: vec![],
        note: step.needs_text.then(|| text("忘记结束")),
    })
}

fn refusal(log: &Log, author: Author, step: &StepSpec) -> Option<&'static str> {
    let mut log = log.clone();
    log.then(author, made(step));
    let candidate = log.entries.pop().unwrap();
    judge(&log.entries, &candidate).err().map(|why| why.code())
}

fn patrol_in(stage: &str) -> Log {
    let mut log = opened(3);
    match stage {
        "ended" => drop(log.then(volunteer(LEAD), made(&END))),
        "abandoned" => drop(log.then(volunteer(LEAD), made(&ABANDON))),
        _ => {}
    }
    assert_eq!(log.state().stage_name(), stage);
    log
}

fn author_role(author: &Author) -> Role {
    author.grant.as_ref().unwrap().role
}

/// The cells of the tables of stages and permissions, written by hand.
#[test]
fn every_stage_step_and_role() {
    let people = [
        (volunteer(LEAD), "own"),
        (volunteer(2), "team"),
        (in_unit(3, Role::TeamLead, TEAM), "team"),
        (in_area(4, Role::GridWorker, &[1, 2, 3, 5]), "village"),
        (in_area(5, Role::StationHead, &[1, 2, 3]), "head"),
        (in_area(6, Role::VillageLead, &[1, 2, 3]), "head"),
        (in_area(7, Role::Mediator, &[1, 2, 3]), "no"),
        (in_area(8, Role::Supervisor, &[1, 2]), "no"),
        (in_area(9, Role::Dispatcher, &[1, 2]), "no"),
        (in_area(10, Role::DistrictLead, &[1]), "no"),
        (in_unit(11, Role::Volunteer, 8), "stranger"),
        (in_area(12, Role::GridWorker, &[1, 2, 7, 8]), "stranger"),
    ];
    for stage in STEPS.stages {
        let log = patrol_in(stage.name);
        for step in STEPS.steps {
            for (author, who) in &people {
                let expected = match (step.name, *who) {
                    ("abandon", "no") if author_role(author) == Role::Mediator => {
                        Some("may.not_own")
                    }
                    (_, "no") => Some("may.role"),
                    ("abandon", "stranger" | "team" | "village") => Some("may.not_own"),
                    ("join_patrol" | "end_patrol", "stranger") => Some("may.not_readable"),
                    ("end_patrol", "team" | "village" | "head") => Some("may.not_own"),
                    _ if stage.is_ended => Some("case.not_now"),
                    _ => None,
                };
                let role = author_role(author);
                let found = refusal(&log, author.clone(), step);
                assert_eq!(found, expected, "{} {} {role} {who}", stage.name, step.name);
            }
        }
    }
}

#[test]
fn device_joins_once() {
    let mut log = opened(1);
    log.then(volunteer(2), made(&JOIN));
    assert_eq!(refusal(&log, volunteer(2), &JOIN), Some("case.not_now"));
    assert_eq!(refusal(&log, volunteer(3), &JOIN), None);
}

/// Four people join offline, and the lead ends the patrol without having heard of them. All of them took part.
#[test]
fn people_who_join_beside_the_end_took_part() {
    let mut log = opened(1);
    let genesis = log.heads();
    let joins: Vec<_> = (2..=4)
        .map(|n| log.after(&genesis, volunteer(n), made(&JOIN)))
        .collect();
    let end = log.after(&genesis, volunteer(LEAD), made(&END));
    let state = log.state();
    assert_eq!(state.stage_name(), "ended");
    for id in joins.iter().chain([&end]) {
        assert_eq!(state.outcome(*id).unwrap().outcome, Outcome::Effective);
    }
    assert_eq!(state.steps().unwrap().workers.len(), 4);
    // Beside an end that was walked, giving up changes nothing.
    let given_up = log.after(&genesis, volunteer(LEAD), made(&ABANDON));
    let state = log.state();
    assert_eq!(state.stage_name(), "ended");
    assert_eq!(
        state.outcome(given_up).unwrap().outcome,
        Outcome::Superseded
    );
}

#[test]
fn arrival_order_changes_no_patrol() {
    for seed in 0..1_500 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut log = opened(seed);
        for _ in 0..2 + rng.next_u32() % 10 {
            let at = rng.next_u32() as usize % log.entries.len();
            let parents = match rng.next_u32() % 3 {
                0 => log.heads(),
                _ => vec![log.entries[at].id],
            };
            let who = 1 + u8::try_from(rng.next_u32() % 5).unwrap();
            let step = &STEPS.steps[rng.next_u32() as usize % 3];
            let id = log.after(&parents, volunteer(who), made(step));
            log.entry(id).clock_ms = i64::from(rng.next_u32() % 60_000);
            if rng.next_u32().is_multiple_of(3) {
                log.entry(id).verdict_at_ms = Some(i64::from(rng.next_u32() % 60_000));
            }
        }
        let state = log.state();
        let mut entries = log.entries.clone();
        shuffle(&mut rng, &mut entries);
        assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
    }
}

#[test]
fn content_is_read_as_written() {
    let patrol = Patrol {
        section: SectionId::new("wulin-7"),
        route: Some("东门—西门".into()),
        force: Some(4),
        equipment: Some("手电、反光衣".into()),
        ..Patrol::default()
    };
    let content = Content::from(patrol.clone());
    assert_eq!(Patrol::of(&content), Some(patrol));
    let mut bad = SPEC.content_of(Details::default());
    bad.set(Field::Own(&SECTION), FieldValue::Text("Wulin 7!".into()));
    assert_eq!(Patrol::of(&bad).unwrap().section, None);
}

#[test]
fn page_shows_the_table_of_steps() {
    let page = include_str!("../../../../../docs/patrols.md");
    assert!(
        page.contains(&STEPS.markdown()),
        "docs/patrols.md lacks:\n{}",
        STEPS.markdown()
    );
}

/// Keys that accept the codes of one generation, and proofs with one signature.
struct Keys;

impl Seals for Keys {
    fn is_of_lead(&self, record: RecordId, proof: &JoinProof) -> bool {
        record == RECORD && proof.signature == [1; 64]
    }

    fn is_printed(&self, code: &CheckpointCode) -> bool {
        code.generation == 1
    }
}

fn opening_ms() -> i64 {
    i64::from(START_S) * 1_000
}

/// A patrol that was opened when the sample walks begin.
fn log_at_start() -> Log {
    let mut log = opened(1);
    let genesis = log.heads()[0];
    log.entry(genesis).clock_ms = opening_ms();
    log
}

fn with_entries(entries: Vec<(DeviceId, &str, String)>) -> Content {
    let mut content = Content::from(Patrol {
        section: SectionId::new("wulin-7"),
        ..Patrol::default()
    });
    for (device, id, entry) in entries {
        let key = LogKey::new(device, id).unwrap();
        content.set(Field::Log(key), FieldValue::Text(entry));
    }
    content
}

fn joining(at_ms: i64, signature: u8) -> String {
    let proof = JoinProof {
        made_ms: opening_ms(),
        minutes: 10,
        signature: [signature; 64],
    };
    Joining { at_ms, proof }.to_text()
}

#[test]
fn walk_names_why_a_phone_does_not_count() {
    let mut log = log_at_start();
    let lead = volunteer(LEAD).device;
    let device = |n: u8| DeviceId([n; 16]);
    let way = |seed| track::to_text(&walk(seed, 100)).unwrap();
    for (who, after_ms, heard_ms) in [
        (0xa2, 60_000, 90_000),
        (0xa8, 660_000, 700_000),
        (0xa9, 60_000, 4 * 86_400_000),
    ] {
        let genesis = log.entries[0].id;
        let join = log.after(&[genesis], volunteer(who), made(&JOIN));
        log.entry(join).clock_ms = opening_ms() + after_ms;
        log.entry(join).verdict_at_ms = Some(opening_ms() + heard_ms);
    }
    let content = with_entries(vec![
        (lead, "track-1", way(1)),
        (device(0xa7), "join", joining(opening_ms() + 60_000, 1)),
        (device(0xa8), "join", joining(opening_ms() + 60_000, 1)),
        (device(0xa9), "join", joining(opening_ms() + 60_000, 1)),
        (device(0xa2), "track-1", way(2)),
        (device(0xa2), "join", joining(opening_ms() + 60_000, 1)),
        (device(0xa3), "track-1", way(3)),
        (device(0xa4), "join", joining(opening_ms() + 60_000, 2)),
        (device(0xa5), "join", joining(opening_ms() + 660_000, 1)),
        (device(0xa6), "join", "!".into()),
        (device(0xa6), "track-1", "0000".into()),
        (device(0xa6), "track-0", way(1)),
        (device(0xa6), "left", "soon".into()),
        (device(0xa6), "something-newer", "1".into()),
    ]);
    let walk = Walk::of(RECORD, &log.state(), &content, &Keys).unwrap();
    let standing: Vec<_> = walk
        .walkers
        .iter()
        .map(|walker| (walker.way.len(), walker.refused, walker.unreadable))
        .collect();
    let expected = [
        (100, None, 0),
        (100, None, 0),
        (100, Some(WalkerReason::NoCode), 0),
        (0, Some(WalkerReason::NotOfLead), 0),
        (0, Some(WalkerReason::CodeExpired), 0),
        (0, Some(WalkerReason::NotOfLead), 2),
        (0, Some(WalkerReason::NotJoined), 0),
        (0, Some(WalkerReason::CodeExpired), 0),
        (0, Some(WalkerReason::JoinedLate), 0),
    ];
    assert_eq!(standing, expected);
    assert!(walk.walkers[0].is_lead);
    assert_eq!(walk.counting().count(), 2);
    let elsewhere = Walk::of(RecordId([6; 16]), &log.state(), &content, &Keys).unwrap();
    assert_eq!(elsewhere.counting().count(), 1, "a proof of another record");
    let hazard = Log::hazard(1).state();
    assert_eq!(Walk::of(RECORD, &hazard, &content, &Keys), None);
}

#[test]
fn track_belongs_to_the_time_when_the_patrol_is_open() {
    let mut log = log_at_start();
    let lead = volunteer(LEAD).device;
    let way = walk(1, 1_440);
    let mut entries: Vec<(DeviceId, String, String)> = way
        .chunks(360)
        .zip(1..)
        .map(|(part, number)| {
            (
                lead,
                format!("track-{number}"),
                track::to_text(part).unwrap(),
            )
        })
        .collect();
    let of = |log: &Log, entries: &[(DeviceId, String, String)]| {
        let entries = entries
            .iter()
            .map(|(device, id, text)| (*device, id.as_str(), text.clone()));
        let content = with_entries(entries.collect());
        Walk::of(RECORD, &log.state(), &content, &Keys).unwrap()
    };
    let whole = of(&log, &entries);
    assert_eq!((whole.walkers[0].way.len(), whole.ended_ms), (1_440, None));
    let end = log.then(volunteer(LEAD), made(&END));
    log.entry(end).clock_ms = opening_ms() + 3_600_000;
    let ended = of(&log, &entries);
    let walker = &ended.walkers[0];
    assert_eq!(walker.way.len() + walker.outside.len(), 1_440);
    let last_ms = walker.way.last().unwrap().at_ms() - opening_ms();
    assert!((3_600_000..=3_720_000).contains(&last_ms), "{last_ms}");
    entries.push((lead, "left".into(), (START_S + 600).to_string()));
    let left = of(&log, &entries);
    assert!(left.walkers[0].way.last().unwrap().at_s <= START_S + 600);
    assert_eq!(left.walkers[0].left_ms, Some(opening_ms() + 600_000));
    let latest = *of(&log_at_start(), &[]).open_ms().end();
    assert_eq!(latest, opening_ms() + WALK_MS_MAX + 120_000);
}

/// A hostile member joins, ends the patrol at once, and dates it back. An honest one goes home after an hour. Each of
/// them ends the own way only.
#[test]
fn end_of_one_person_cuts_no_way_of_another() {
    let mut log = log_at_start();
    let at = |log: &mut Log, id, after_ms| log.entry(id).clock_ms = opening_ms() + after_ms;
    let devices = [
        volunteer(LEAD).device,
        volunteer(2).device,
        volunteer(3).device,
    ];
    let entries = devices.map(|device| {
        let way = walk(1, 1_440);
        let part = |part: &[TrackPoint], id| (device, id, track::to_text(part).unwrap());
        [part(&way[..720], "track-1"), part(&way[720..], "track-2")]
    });
    let content = with_entries(entries.into_iter().flatten().collect());
    let points = |log: &Log| {
        let walk = Walk::of(RECORD, &log.state(), &content, &Keys).unwrap();
        let ways = walk.walkers.iter().map(|walker| walker.way.len());
        (
            walk.ended_ms.map(|ended| ended - opening_ms()),
            ways.collect::<Vec<_>>(),
        )
    };
    let genesis = log.heads();
    for who in [2, 3] {
        let join = log.after(&genesis, volunteer(who), made(&JOIN));
        at(&mut log, join, 0);
        let end = log.after(&[join], volunteer(who), made(&END));
        at(&mut log, end, if who == 2 { 0 } else { 3_600_000 });
    }
    assert_eq!(log.state().stage_name(), "ended");
    // The lead has heard of both ends, walked on, and ends the patrol for good.
    let end = log.then(volunteer(LEAD), made(&END));
    at(&mut log, end, 7_300_000);
    let (ended_ms, ways) = points(&log);
    assert_eq!((ended_ms, ways[0]), (Some(7_300_000), 1_440));
    assert!(ways[1] <= 25, "two minutes of slack: {ways:?}");
    assert!((735..=755).contains(&ways[2]), "{ways:?}");
    assert_eq!(
        refusal(&log, volunteer(LEAD), &END),
        Some("case.not_now"),
        "once a device"
    );
    // A person who never joined ends nothing.
    let village = in_area(4, Role::GridWorker, &[1, 2, 3, 5]);
    assert_eq!(refusal(&log, village.clone(), &END), Some("may.not_own"));
    let forged = log.after(&genesis, village, made(&END));
    assert_eq!(
        log.state().outcome(forged).unwrap().outcome,
        Outcome::Illegal
    );
    assert_eq!(points(&log).0, Some(7_300_000));
}

/// Everybody who reads the patrol can copy the proof of another phone, so one code brings in a number of phones, the
/// first by their verdicts.
#[test]
fn copies_of_a_proof_come_after_the_phones_on_the_spot() {
    let mut log = log_at_start();
    let genesis = log.heads();
    let mut entries = Vec::new();
    for who in 2..=60_u8 {
        let join = log.after(&genesis, volunteer(who), made(&JOIN));
        log.entry(join).clock_ms = opening_ms() + 60_000;
        // The first ones are heard of last.
        log.entry(join).verdict_at_ms = Some(opening_ms() + 90_000 - i64::from(who) * 100);
        let proof = joining(opening_ms() + 60_000, 1);
        entries.push((volunteer(who).device, "join", proof));
    }
    let walk = Walk::of(RECORD, &log.state(), &with_entries(entries), &Keys).unwrap();
    assert_eq!(walk.counting().count(), 50);
    let crowded = walk
        .walkers
        .iter()
        .filter(|walker| walker.refused == Some(WalkerReason::CodeCrowded));
    let crowded: Vec<u8> = crowded.map(|walker| walker.device[0]).collect();
    assert_eq!(crowded, (2..=10).collect::<Vec<u8>>());
}

#[test]
fn scan_of_a_phone_that_does_not_count_never_counts() {
    let log = log_at_start();
    let lead = volunteer(LEAD).device;
    let at = place(0.0);
    let position = crate::domain::position::Position::new(
        at.lat_e7(),
        at.lon_e7(),
        crate::domain::position::Datum::Wgs84,
        Some(5),
        0,
    )
    .unwrap();
    let scan = |generation, after_s: u32| {
        let now_ms = opening_ms() + i64::from(after_s) * 1_000;
        Scan::new(&code_of(generation, 1), Some(position), now_ms)
            .unwrap()
            .to_text()
    };
    let stranger = DeviceId([0xa2; 16]);
    let way: Vec<TrackPoint> = walk(1, 400);
    let content = with_entries(vec![
        (lead, "track-1", track::to_text(&way).unwrap()),
        (lead, "scan-1", scan(1, 700)),
        (lead, "scan-2", scan(2, 800)),
        (stranger, "scan-1", scan(1, 20)),
        (stranger, "scan-2", scan(1, 700)),
    ]);
    let walk = Walk::of(RECORD, &log.state(), &content, &Keys).unwrap();
    let standing: Vec<_> = walk
        .scans(&section(), &Keys)
        .into_iter()
        .map(|(_, _, why)| why)
        .collect();
    let expected = [
        Ok(Witness::OwnFix),
        Err(ScanReason::NotGenuine),
        Err(ScanReason::NotCounted),
        Err(ScanReason::NotCounted),
    ];
    assert_eq!(standing, expected);
}

#[test]
fn scopes_of_a_guard_bound_a_patrol() {
    let mut log = opened(1);
    let own = log.then(in_unit(20, Role::Guard, TEAM), made(&JOIN));
    let other = log.then(in_unit(21, Role::Guard, 8), made(&JOIN));
    let state = log.state();
    assert_eq!(state.outcome(own).unwrap().outcome, Outcome::Effective);
    assert_eq!(state.outcome(other).unwrap().outcome, Outcome::Illegal);
}
