//! Notices: every step and move for every role and relation, receipts, and random histories.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::case::payload as p;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{
    Author, Entry, EntryBody, EntryStatus, Event, GenesisFacts, Move, Outcome, Party, fold, judge,
};
use crate::domain::kinds::handling_tests::{code, facts, head, made, moved, outcome, writes};
use crate::domain::steps::{HANDLING_MOVES, StageSpec};
use crate::domain::{AreaPath, Role};
use crate::id::{EnvelopeId, MemberId};

const CREATOR: u8 = 9;
const ME: u8 = 40;
const MY_UNIT: u8 = 41;
const READ_BY_MS: i64 = 50_000;

/// A notice of the town, which was shared with the village 1.2.3.
fn of_town(seed: u64) -> Log {
    let facts = GenesisFacts {
        home: path(&[1, 2]),
        ..facts(KIND)
    };
    let mut log = Log::new(seed, in_area(CREATOR, Role::Dispatcher, &[1, 2]), facts);
    log.then(dispatcher(), sent(p::Partner::Area(path(&[1, 2, 3]))));
    log
}

fn sent(with: p::Partner) -> Event {
    let deadlines = p::Deadlines {
        accept_by_ms: Some(READ_BY_MS),
        ..p::Deadlines::default()
    };
    Event::Share(p::Share {
        with,
        deadlines,
        note: None,
    })
}

fn to_unit(n: u8) -> Event {
    sent(p::Partner::Party(Party::Unit(unit(n))))
}

fn seen() -> Event {
    Event::Seen(p::Seen {})
}

/// `c` the creator, `h` in the home area, `v` in the village that it was shared with, `a` of the unit that it was
/// sent to, `t` of a team with it, `p` of that unit and in the home area, `o` the creator and of that unit, `e` of
/// elsewhere.
fn actor(role: Role, relation: char) -> Author {
    let mut me = match relation {
        'h' | 'p' => in_area(ME, role, &[1, 2]),
        'v' => in_area(ME, role, &[1, 2, 3]),
        't' => in_unit(ME, role, MY_UNIT),
        _ => in_area(ME, role, &[1, 8]),
    };
    if matches!(relation, 'a' | 'p' | 'o') {
        me.units = vec![unit(MY_UNIT)];
    }
    if matches!(relation, 'c' | 'o') {
        me.member = Some(member(CREATOR));
    }
    me
}

fn cells() -> impl Iterator<Item = (Role, char)> {
    let all = Role::ALL.iter();
    all.flat_map(|role| "chvapote".chars().map(|relation| (*role, relation)))
}

fn is_office(role: Role) -> bool {
    matches!(
        role,
        Role::StationHead | Role::VillageLead | Role::Dispatcher | Role::DistrictLead
    )
}

/// Whether the row “publish” permits it, by hand. A team lead sends to the own team alone, and the test sends to an
/// area.
fn sends(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::TeamLead => Some("may.not_team"),
        Role::CommunityOfficer => (!"hvp".contains(relation)).then_some("may.elsewhere"),
        _ if is_office(role) => (!"hvpt".contains(relation)).then_some("may.elsewhere"),
        _ => Some("may.role"),
    }
}

/// Whether the row “end” permits it, by hand: its creator, and the office of its home area that is no addressee.
fn ends(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::TeamLead | Role::CommunityOfficer => {
            (!"co".contains(relation)).then_some("may.not_own")
        }
        _ if is_office(role) => (!"coh".contains(relation)).then_some("may.not_own"),
        _ => Some("may.role"),
    }
}

/// A notice in the stage, sent to unit 41. Returns the assignment.
fn notice_in(stage: StageSpec) -> (Log, EnvelopeId) {
    let mut log = of_town(3);
    let given = log.then(dispatcher(), to_unit(MY_UNIT));
    for step in STEPS.steps.iter().filter(|step| step.to == stage) {
        log.then(dispatcher(), made(step));
    }
    assert_eq!(log.state().stage_name(), stage.name);
    (log, given)
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    let mut possible = 0;
    for stage in STEPS.stages {
        let (log, _) = notice_in(*stage);
        for step in STEPS.steps {
            for (role, relation) in cells() {
                let expected = match role {
                    Role::System => Some("may.rule"),
                    _ => ends(role, relation),
                };
                let now = match step.name {
                    "archive" => stage.name == "published",
                    _ => stage.name != "recalled",
                };
                let expected = expected.or((!now).then_some("case.not_now"));
                let cell = format!("{} × {} by {role} ({relation})", stage.name, step.name);
                let found = code(&log, actor(role, relation), made(step));
                assert_eq!(found, expected, "{cell}");
                possible += u32::from(found.is_none());
            }
        }
    }
    // Three ways to end it: by two roles for two relations, and by four for three.
    assert_eq!(possible, 3 * (2 * 2 + 4 * 3));
}

#[test]
fn every_move_is_as_table_and_roles_say() {
    for stage in STEPS.stages {
        let (log, given) = notice_in(*stage);
        let open = stage.name == "published";
        for movement in HANDLING_MOVES {
            for (role, relation) in cells() {
                let event = moved(movement, given, &log.state());
                let reads = "hvcapto".contains(relation);
                let expected = match movement {
                    Move::Share | Move::Withdraw | Move::Accept | Move::Urge
                        if role == Role::System =>
                    {
                        Some("may.rule")
                    }
                    Move::Share => sends(role, relation),
                    Move::Withdraw => ends(role, relation),
                    Move::Accept if role == Role::Supervisor => Some("may.role"),
                    Move::Accept => (!"apto".contains(relation)).then_some("may.not_assigned"),
                    Move::Urge => match role {
                        Role::StationHead | Role::VillageLead | Role::Dispatcher => {
                            (!"hvpt".contains(relation)).then_some("may.elsewhere")
                        }
                        Role::Supervisor | Role::DistrictLead => {
                            (!reads).then_some("may.not_readable")
                        }
                        _ => Some("may.role"),
                    },
                    _ => Some("may.not_a_case"),
                };
                let signs = movement == Move::Accept;
                let expected = expected.or((!open && !signs).then_some("case.not_now"));
                let cell = format!("{} × {movement} by {role} ({relation})", stage.name);
                assert_eq!(code(&log, actor(role, relation), event), expected, "{cell}");
            }
        }
    }
}

#[test]
fn document_shows_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/notices.md");
    let document = std::fs::read_to_string(path).unwrap();
    for table in [STEPS.markdown(), STEPS.handling_markdown()] {
        assert!(document.contains(&table), "docs/notices.md lacks\n{table}");
    }
}

/// Hostile: an addressee, or a person of the office that only passes it on, changes the words of a warning.
#[test]
fn addressee_never_changes_the_words() {
    let mut log = of_town(1);
    log.then(dispatcher(), to_unit(60));
    let given = log.then(
        dispatcher(),
        sent(p::Partner::Party(Party::Member(member(70)))),
    );
    let village = in_area(70, Role::VillageLead, &[1, 2, 3]);
    log.then(village.clone(), Event::Accept(step(given)));
    log.then(village.clone(), to_unit(62));
    for (author, expected) in [
        (handler(60), Some("may.role")),
        (grid_worker(), Some("may.role")),
        (village, Some("may.not_own")),
        (dispatcher(), Some("may.not_own")),
        (district_lead(), Some("may.not_own")),
        (in_area(CREATOR, Role::Dispatcher, &[1, 2]), None),
    ] {
        let who = author.grant.clone();
        assert_eq!(writes(&log, author), expected, "{who:?}");
    }
}

/// A false warning does not stay in force, and a person who had not seen the recall changes nothing.
#[test]
fn recalled_wins_over_archived() {
    for seed in 0..10 {
        let mut log = of_town(seed);
        let given = log.then(dispatcher(), to_unit(60));
        log.after(&[given], dispatcher(), made(&RECALL));
        log.after(&[given], other_dispatcher(), made(&ARCHIVE));
        let signed = log.after(&[given], handler(60), Event::Accept(step(given)));
        assert_eq!(log.state().stage_name(), "recalled", "seed {seed}");
        assert_eq!(outcome(&log, signed), (Outcome::Effective, None), "{seed}");
        assert_eq!(code(&log, dispatcher(), to_unit(61)), Some("case.not_now"));
    }
}

/// Two offices each send it on without knowing of each other: nothing is to be settled, and nothing is sent twice.
#[test]
fn unseen_sendings_are_no_conflict() {
    for seed in 0..10 {
        let mut log = of_town(seed);
        let heads = log.heads();
        log.after(&heads, dispatcher(), to_unit(60));
        log.after(&heads, other_dispatcher(), to_unit(61));
        log.after(&heads, other_dispatcher(), to_unit(60));
        let state = log.state();
        assert_eq!((state.assignments().len(), state.conflicts.len()), (2, 0));
    }
}

/// A notice is due until its addressees have signed for it.
#[test]
fn signed_notice_is_due_no_more() {
    let mut log = of_town(1);
    let given = [60, 61].map(|n| log.then(dispatcher(), to_unit(n)));
    let due = |log: &Log| {
        let state = log.state();
        let open = state.open_assignments().count();
        (state.next_due_ms(), open)
    };
    assert_eq!(due(&log), (Some(READ_BY_MS), 2));
    log.then(handler(60), Event::Accept(step(given[0])));
    assert_eq!(due(&log), (Some(READ_BY_MS), 1));
    let mut ended = log.clone();
    log.then(handler(61), Event::Accept(step(given[1])));
    assert_eq!(due(&log), (None, 0));
    ended.then(dispatcher(), made(&ARCHIVE));
    assert_eq!(due(&ended), (None, 0));
    assert!(
        log.state().is_party(None, &[unit(60)]),
        "and its addressees keep it"
    );
}

/// People 60, 61, ... are of the unit of their number, and live in the village 1.2.3 if their number is even.
fn summed(log: &Log) -> Receipts {
    let of = |who: MemberId, party: &Party| match party {
        Party::Unit(unit) => unit.0 == who.0,
        Party::Member(member) => *member == who,
    };
    let area = |who: MemberId| -> Option<AreaPath> {
        let n = who.0[0];
        let village: &[u8] = if n.is_multiple_of(2) {
            &[1, 2, 3]
        } else {
            &[1, 9, 10]
        };
        (60..100).contains(&n).then(|| path(village))
    };
    receipts(&log.state(), of, area)
}

#[test]
fn receipts_count_each_addressee_and_area() {
    let mut log = of_town(1);
    let given = [60, 61, 62, 63, 64].map(|n| log.then(dispatcher(), to_unit(n)));
    let at = |log: &mut Log, id, at_ms| log.entry(id).clock_ms = at_ms;
    let opened = log.then(handler(60), seen());
    at(&mut log, opened, READ_BY_MS - 1);
    let signed = log.then(handler(60), Event::Accept(step(given[0])));
    at(&mut log, signed, READ_BY_MS + 7);
    let late = log.then(handler(61), Event::Accept(step(given[1])));
    at(&mut log, late, READ_BY_MS + 8);
    let for_it = log.behalf(
        dispatcher(),
        Event::Accept(step(given[2])),
        Party::Unit(unit(62)),
    );
    at(&mut log, for_it, READ_BY_MS + 9);
    log.then(dispatcher(), Event::Withdraw(give_back(given[3])));
    log.then(dispatcher(), made(&ARCHIVE));
    let after_the_end = log.then(in_area(66, Role::GridWorker, &[1, 2, 3]), seen());
    at(&mut log, after_the_end, READ_BY_MS + 20);

    let found = summed(&log);
    let line = |one: &PartyReceipt| (one.read_ms, one.signed_ms, one.in_time);
    let lines: Vec<_> = found.parties.iter().map(line).collect();
    let (first, sign, second) = (READ_BY_MS - 1, READ_BY_MS + 7, READ_BY_MS + 8);
    assert_eq!(
        lines,
        [
            (Some(first), Some(sign), Some(true)),
            (Some(second), Some(second), Some(false)),
            (None, None, None),
            (None, None, None),
        ],
        "a signature on behalf is none, and the fourth unit is off the list"
    );
    let missing: Vec<Party> = found.missing().collect();
    assert_eq!(missing, [62, 64].map(|n| Party::Unit(unit(n))));
    assert_eq!(found.read(), 2);
    let counts: Vec<_> = found
        .areas
        .iter()
        .map(|one| (one.area, one.readers))
        .collect();
    assert_eq!(
        counts,
        [
            (path(&[1, 2]), 0),
            (path(&[1, 2, 3]), 2),
            (path(&[1, 9, 10]), 1)
        ]
    );
    let read = |n: u8| found.readers.iter().find(|one| one.member == member(n));
    assert_eq!(read(66).unwrap().read_ms, READ_BY_MS + 20);
    assert!(read(101).is_some(), "the dispatcher who signed on behalf");
    assert!(read(CREATOR).is_none(), "the publisher is no reader");
    assert_eq!(found.changed_ms, None);

    let heads = log.heads();
    let edit = log.content(&heads, in_area(CREATOR, Role::Dispatcher, &[1, 2]));
    at(&mut log, edit, READ_BY_MS + 30);
    assert_eq!(summed(&log).changed_ms, Some(READ_BY_MS + 30));
}

#[test]
fn reading_at_the_deadline_is_late() {
    let mut log = of_town(1);
    let given = log.then(dispatcher(), to_unit(60));
    let signed = log.then(handler(60), Event::Accept(step(given)));
    log.entry(signed).clock_ms = READ_BY_MS;
    assert_eq!(summed(&log).parties[0].in_time, Some(false));
}

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

fn random_event(rng: &mut ChaCha8Rng, log: &Log) -> Event {
    let is_sending = |entry: &&Entry| match &entry.body {
        EntryBody::Event { event, .. } => event.assignee().is_some(),
        _ => false,
    };
    let sendings: Vec<EnvelopeId> = log
        .entries
        .iter()
        .filter(is_sending)
        .map(|e| e.id)
        .collect();
    let id = if sendings.is_empty() {
        log.genesis()
    } else {
        pick(rng, &sendings)
    };
    match rng.next_u32() % 16 {
        0 if rng.next_u32().is_multiple_of(2) => made(&ARCHIVE),
        0 if rng.next_u32().is_multiple_of(4) => made(&RECALL),
        0..4 => to_unit(60 + u8::try_from(below(rng, 3)).unwrap()),
        4 => sent(p::Partner::Party(Party::Member(member(70)))),
        5 => sent(p::Partner::Area(path(&[1, 2, 4]))),
        6 => Event::Withdraw(give_back(id)),
        7 => Event::Urge(bare()),
        8 => comment("话"),
        9..11 => seen(),
        _ => Event::Accept(step(id)),
    }
}

fn random_notice(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = [
        in_area(CREATOR, Role::Dispatcher, &[1, 2]),
        dispatcher(),
        head(),
        handler(60),
        handler(61),
        handler(62),
        in_area(70, Role::VillageLead, &[1, 2, 3]),
        in_area(66, Role::GridWorker, &[1, 2, 3]),
        in_area(68, Role::Handler, &[9, 2]),
    ];
    let mut log = of_town(seed);
    for _ in 0..3 + below(&mut rng, 18) {
        let parents = match rng.next_u32() % 4 {
            0 => vec![pick(&mut rng, &log.entries).id],
            1 => vec![pick(&mut rng, &log.heads())],
            _ => log.heads(),
        };
        let mut author = pick(&mut rng, &people);
        let mut event = random_event(&mut rng, &log);
        for _ in 0..8 {
            log.after(&parents, author.clone(), event.clone());
            let candidate = log.entries.pop().unwrap();
            if judge(&log.entries, &candidate).is_ok() {
                break;
            }
            author = pick(&mut rng, &people);
            event = random_event(&mut rng, &log);
        }
        let id = if rng.next_u32().is_multiple_of(12) {
            log.content(&parents, author)
        } else {
            log.after(&parents, author, event)
        };
        let entry = log.entry(id);
        entry.clock_ms = i64::from(rng.next_u32() % 100_000);
        if rng.next_u32().is_multiple_of(20) {
            entry.status = EntryStatus::Ignored;
        }
        if rng.next_u32().is_multiple_of(3) {
            entry.verdict_at_ms = Some(i64::from(rng.next_u32() % 100_000));
        }
    }
    log
}

/// The same set gives the same notice in each order of arrival. No reading is lost, no outsider reads, and a
/// recall stays in force.
#[test]
fn arrival_order_changes_no_notice() {
    let (mut signed, mut late, mut recalled) = (0, 0, 0);
    for seed in 0..3_000 {
        let log = random_notice(seed);
        let state = log.state();
        let mut entries = log.entries.clone();
        shuffle(&mut ChaCha8Rng::seed_from_u64(!seed), &mut entries);
        assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
        assert!(state.conflicts.is_empty() && state.needs_review.is_empty());

        let found = summed(&log);
        let read: BTreeSet<MemberId> = found.readers.iter().map(|one| one.member).collect();
        assert!(!read.contains(&member(68)), "{seed}: of another district");
        let mut has_recall = false;
        for (entry, item) in log.entries.iter().filter_map(|entry| {
            let item = state.outcome(entry.id)?;
            Some((entry, item))
        }) {
            let EntryBody::Event { event, .. } = &entry.body else {
                continue;
            };
            let counts = matches!(item.outcome, Outcome::Effective | Outcome::Superseded);
            if matches!(event, Event::Seen(_)) && entry.status == EntryStatus::Effective {
                let by = entry.author.member.unwrap();
                let reads = item.outcome == Outcome::Effective;
                assert_eq!(reads, counts, "{seed}: no branch overtakes a reading");
                assert!(
                    !reads || by == member(CREATOR) || read.contains(&by),
                    "{seed}"
                );
            }
            has_recall |= matches!(event, Event::Step(made) if made.step == RECALL.code) && counts;
        }
        assert_eq!(state.stage_name() == "recalled", has_recall, "seed {seed}");
        let open: Vec<Party> = state.open_assignments().map(|one| one.to).collect();
        let distinct: BTreeSet<Party> = open.iter().copied().collect();
        assert_eq!(open.len(), distinct.len(), "{seed}: sent once");
        for one in found.parties.iter().filter(|one| one.signed_ms.is_some()) {
            assert!(one.read_ms <= one.signed_ms, "seed {seed}");
            signed += 1;
            late += u32::from(one.in_time == Some(false));
        }
        recalled += u32::from(has_recall);
    }
    assert!(
        signed > 1_000 && late > 100 && recalled > 100,
        "{signed} {late} {recalled}"
    );
}

#[test]
fn content_is_read_as_written() {
    let notice = Notice {
        notice_type: Some(2),
        read_by_ms: Some(1_700_000_000_000),
        ..Notice::default()
    };
    let content = Content::from(notice.clone());
    assert_eq!(Notice::of(&content), Some(notice));
    assert_eq!(SPEC.weight, None);
}
