//! The rate of resolution, against a second count.

use std::collections::BTreeMap;

use super::*;
use crate::domain::AreaPath;
use crate::domain::content::Content;
use crate::domain::kinds::dispute::{Counted, Dispute, Rate, resolution};
use crate::id::RecordId;

fn id(n: usize) -> RecordId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    RecordId(bytes)
}

/// A dispute that the fold has brought to a stage in a village of a town.
fn counted(n: usize, (town, village): (u8, u8), stage: &str, into: Option<usize>) -> Counted {
    let content = Content::from(Dispute {
        combined_into: into.map(id),
        ..Dispute::default()
    });
    let mut facts = facts();
    facts.home = path(&[1, town, village]);
    let office = in_area(70, Role::DistrictLead, &[1]);
    let mut log = Log::new(n as u64, creator(), facts);
    log.then(office.clone(), to_member(LEADER, Part::Lead));
    log.then(office.clone(), to_member(MEDIATOR, Part::Support));
    for step in way_to(stage) {
        let author = match author_of(step) {
            author if author.member == head().member => office.clone(),
            author => author,
        };
        log.then(author, made(step));
    }
    let state = log.state();
    assert_eq!(state.stage_name(), stage);
    Counted::of(id(n), &state, Some(&content)).unwrap()
}

/// One line of the year's list: town, village, stage.
fn year() -> String {
    let mut lines = String::new();
    for n in 0..816_u32 {
        let (town, village) = (2 + n % 7, 30 + n % 21);
        let stage = match n {
            0..=600 => "concluded",
            601..=650 => "revisited",
            651..=701 => "agreed",
            702..=740 => "mediating",
            741..=770 => "failed",
            771..=800 => "passed_on",
            _ => "registered",
        };
        let line = format!("{town},{village},{stage}\n");
        lines.push_str(&line);
    }
    lines
}

/// A second count of the file, which knows no record: registered and resolved by the start of the key.
fn by_hand(lines: &str, key: impl Fn(&str, &str) -> String) -> BTreeMap<String, (u64, u64)> {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in lines.lines() {
        let mut cells = line.split(',');
        let (town, village, stage) = (
            cells.next().unwrap(),
            cells.next().unwrap(),
            cells.next().unwrap(),
        );
        let count = counts.entry(key(town, village)).or_default();
        count.0 += 1;
        count.1 += u64::from("concluded revisited agreed".contains(stage));
    }
    counts
}

fn rate_of(all: &[Counted], area: &AreaPath) -> (u64, u64) {
    let rate = resolution(all, area);
    (rate.registered, rate.resolved)
}

#[test]
fn year_of_816_disputes_gives_86_percent() {
    let lines = year();
    let mut made: BTreeMap<(u8, u8, &str), Counted> = BTreeMap::new();
    let all: Vec<Counted> = lines
        .lines()
        .enumerate()
        .map(|(n, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            let (town, village) = (cells[0].parse().unwrap(), cells[1].parse().unwrap());
            // Disputes of one place and stage have the same state, so each state is folded once.
            let key = (town, village, cells[2]);
            let one = *made
                .entry(key)
                .or_insert_with(|| counted(n, (town, village), cells[2], None));
            Counted { id: id(n), ..one }
        })
        .collect();
    let district = path(&[1]);
    let rate = resolution(&all, &district);
    assert_eq!((rate.registered, rate.resolved), (816, 702));
    assert_eq!(rate.tenths(), Some(860), "86.0 %");
    let towns = by_hand(&lines, |town, _| town.to_owned());
    assert_eq!(towns.len(), 7);
    for (town, expected) in towns {
        let area = path(&[1, town.parse().unwrap()]);
        assert_eq!(rate_of(&all, &area), expected, "town {town}");
    }
    let villages = by_hand(&lines, |town, village| format!("{town},{village}"));
    assert_eq!(villages.len(), 21);
    for (key, expected) in villages {
        let (town, village) = key.split_once(',').unwrap();
        let area = path(&[1, town.parse().unwrap(), village.parse().unwrap()]);
        assert_eq!(rate_of(&all, &area), expected, "village {key}");
    }
    assert_eq!(rate_of(&all, &path(&[9])), (0, 0));
    assert_eq!(resolution(&all, &path(&[9])).tenths(), None);
}

#[test]
fn rate_is_rounded_half_up() {
    let rate = |resolved, registered| {
        Rate {
            registered,
            resolved,
            ..Rate::default()
        }
        .tenths()
        .unwrap()
    };
    assert_eq!(
        [rate(0, 7), rate(7, 7), rate(1, 3), rate(2, 3)],
        [0, 1_000, 333, 667]
    );
    assert_eq!(
        [rate(1, 2_000), rate(1, 2_001), rate(1_999, 2_000)],
        [1, 0, 1_000]
    );
    assert_eq!(rate(u64::MAX, u64::MAX), 1_000);
}

/// Three complaints become one dispute, which counts once, in the area that handles it.
#[test]
fn combined_disputes_count_once() {
    let (here, there) = ((2, 30), (2, 31));
    let mut all = vec![
        counted(1, here, "combined", Some(3)),
        counted(2, there, "combined", Some(1)),
        counted(3, here, "concluded", None),
    ];
    let (village, other, district) = (path(&[1, 2, 30]), path(&[1, 2, 31]), path(&[1]));
    assert_eq!(rate_of(&all, &district), (1, 1));
    assert_eq!(rate_of(&all, &village), (1, 1));
    assert_eq!(
        rate_of(&all, &other),
        (0, 0),
        "the other village has no dispute of its own"
    );
    let [here, there] = [&village, &other].map(|area| resolution(&all, area).combined);
    assert_eq!((here, there), (1, 1), "both are named where they were");
    // A list that holds a dispute twice counts it once.
    all.push(all[2]);
    assert_eq!(rate_of(&all, &district), (1, 1));
    all.reverse();
    assert_eq!(rate_of(&all, &district), (1, 1));
}

/// Nobody improves the rate by combining an unresolved dispute with nothing.
#[test]
fn false_combination_stays_unresolved() {
    let here = (2, 30);
    let district = path(&[1]);
    let alone = |into| vec![counted(1, here, "combined", into)];
    assert_eq!(rate_of(&alone(None), &district), (1, 0), "without a link");
    assert_eq!(
        rate_of(&alone(Some(99)), &district),
        (1, 0),
        "with an absent one"
    );
    assert_eq!(rate_of(&alone(Some(1)), &district), (1, 0), "with itself");
    let annulled = [
        counted(1, here, "combined", Some(2)),
        counted(2, here, "cancelled", None),
    ];
    assert_eq!(
        rate_of(&annulled, &district),
        (1, 0),
        "with an annulled one"
    );
    assert_eq!(resolution(&annulled, &district).annulled, 1);
    let circle = [
        counted(1, here, "combined", Some(2)),
        counted(2, here, "combined", Some(3)),
        counted(3, here, "combined", Some(2)),
        counted(4, here, "agreed", None),
    ];
    assert_eq!(
        rate_of(&circle, &district),
        (2, 1),
        "a circle is one dispute"
    );
    // The link counts only together with the step.
    let linked = [
        counted(1, here, "mediating", Some(2)),
        counted(2, here, "agreed", None),
    ];
    assert_eq!(rate_of(&linked, &district), (2, 1));
}

#[test]
fn long_chain_is_counted_quickly() {
    let one = counted(0, (2, 30), "combined", Some(1));
    let count = 20_000;
    let mut all: Vec<Counted> = (0..count)
        .map(|n| Counted {
            id: id(n),
            combined_into: Some(id(n + 1)),
            ..one
        })
        .collect();
    all.push(Counted {
        id: id(count),
        combined_into: None,
        ..counted(1, (2, 30), "agreed", None)
    });
    assert_eq!(rate_of(&all, &path(&[1])), (1, 1));
}

#[test]
fn other_records_are_not_counted() {
    let hazard = Log::hazard(1).state();
    let content = Content::from(Dispute::default());
    assert_eq!(Counted::of(id(1), &hazard, Some(&content)), None);
    assert_eq!(Counted::combination_of(&hazard), None);
}
