//! Shifts: every step and move for every role and relation, hours, leave, handover, and random histories.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::Role;
use crate::domain::case::payload as p;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{
    Author, Entry, EntryBody, EntryStatus, Event, GenesisFacts, Move, Outcome, Party, fold, judge,
};
use crate::domain::kinds::handling_tests::{
    code, facts, head, made, moved, other_head, outcome, way_to, writes,
};
use crate::domain::steps::{HANDLING_MOVES, StageSpec};
use crate::id::EnvelopeId;

const CREATOR: u8 = 9;
const ME: u8 = 40;
const ON_DUTY: u8 = 41;
const MATE: u8 = 42;
const STARTS_MS: i64 = 50_000;
const ENDS_MS: i64 = 80_000;

fn rostered(seed: u64) -> Log {
    let facts = GenesisFacts {
        team: Some(unit(TEAM)),
        ..facts(KIND)
    };
    let mut creator = in_area(CREATOR, Role::VillageLead, &[1, 2, 3]);
    creator.units = vec![unit(TEAM)];
    Log::new(seed, creator, facts)
}

fn on_roster(to: Party) -> Event {
    let deadlines = p::Deadlines {
        accept_by_ms: Some(STARTS_MS),
        resolve_by_ms: Some(ENDS_MS),
        ..p::Deadlines::default()
    };
    Event::Share(p::Share {
        with: p::Partner::Party(to),
        deadlines,
        note: None,
    })
}

fn person(n: u8) -> Event {
    on_roster(Party::Member(member(n)))
}

fn worker(n: u8) -> Author {
    in_area(n, Role::GridWorker, &[1, 2, 3, 4])
}

/// A shift in the stage, with two people on the roster. Returns the duty of the first.
fn shift_in(stage: StageSpec) -> (Log, EnvelopeId) {
    let mut log = rostered(5);
    let duty = log.then(head(), person(ON_DUTY));
    log.then(head(), person(MATE));
    for step in way_to(&STEPS, stage) {
        let by = if *step == HAND_OVER {
            worker(MATE)
        } else {
            head()
        };
        log.then(by, made(step));
    }
    assert_eq!(log.state().stage_name(), stage.name);
    (log, duty)
}

/// `c` the creator, of elsewhere; `i` in the place, `t` of the team, `m` on the roster, `b` on the roster and in the
/// place, `e` of elsewhere.
fn actor(role: Role, relation: char) -> Author {
    match relation {
        'c' => in_area(CREATOR, role, &[1, 8]),
        'i' => in_area(ME, role, &[1, 2, 3]),
        't' => in_unit(ME, role, TEAM),
        'm' => in_area(ON_DUTY, role, &[1, 8]),
        'b' => in_area(ON_DUTY, role, &[1, 2, 3]),
        _ => in_area(ME, role, &[1, 8]),
    }
}

fn cells() -> impl Iterator<Item = (Role, char)> {
    let all = Role::ALL.iter();
    all.flat_map(|role| "citmbe".chars().map(|relation| (*role, relation)))
}

/// Whether the row “roster” permits it, by hand.
fn rosters(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::System => Some("may.rule"),
        Role::TeamLead => (relation != 't').then_some("may.not_team"),
        Role::StationHead
        | Role::VillageLead
        | Role::Dispatcher
        | Role::Handler
        | Role::DistrictLead => (!"itb".contains(relation)).then_some("may.elsewhere"),
        _ => Some("may.role"),
    }
}

/// Whether the person does the work of the roster, by hand.
fn works(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::System => Some("may.rule"),
        Role::Supervisor => Some("may.role"),
        _ => (!"mb".contains(relation)).then_some("may.not_assigned"),
    }
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    let mut possible = 0;
    for stage in STEPS.stages {
        let (log, _) = shift_in(*stage);
        for step in STEPS.steps {
            for (role, relation) in cells() {
                let own = relation == 'b';
                let expected = match step.name {
                    "hand_over" => works(role, relation),
                    "settle" | "confirm" => {
                        rosters(role, relation).or(own.then_some("may.responsible_party"))
                    }
                    _ => rosters(role, relation),
                };
                let now = match step.name {
                    "take_over" => stage.name == "handing_over",
                    "confirm" => stage.name == "handed_over",
                    _ => stage.name == "rostered",
                };
                let expected = expected.or((!now).then_some("case.not_now"));
                let cell = format!("{} × {} by {role} ({relation})", stage.name, step.name);
                let found = code(&log, actor(role, relation), made(step));
                assert_eq!(found, expected, "{cell}");
                possible += u32::from(found.is_none());
            }
        }
    }
    // A handover by eleven roles for two relations; two steps by five roles for three relations and by the team
    // lead; two by the same people who are not on the roster.
    assert_eq!(possible, 11 * 2 + 2 * (5 * 3 + 1) + 2 * (5 * 2 + 1));
}

#[test]
fn every_move_is_as_table_and_roles_say() {
    for stage in STEPS.stages {
        let (mut log, duty) = shift_in(*stage);
        let open = !stage.is_ended;
        let request = open.then(|| {
            let asked = moved(Move::RequestExtension, duty, &log.state());
            log.then(worker(ON_DUTY), asked)
        });
        for movement in HANDLING_MOVES {
            let mut log = log.clone();
            if movement == Move::Resolve {
                log.then(worker(ON_DUTY), Event::Accept(step(duty)));
            }
            let id = match movement {
                Move::GrantExtension => request.unwrap_or(duty),
                _ => duty,
            };
            for (role, relation) in cells() {
                let event = moved(movement, id, &log.state());
                let own = relation == 'b';
                let expected = match movement {
                    Move::Share => match rosters(role, relation) {
                        // A team lead writes only the own team on the roster.
                        None if role == Role::TeamLead => Some("may.not_team"),
                        other => other,
                    },
                    Move::Withdraw => rosters(role, relation).or(own.then_some("may.own_work")),
                    Move::GrantExtension => {
                        let own = own && open;
                        rosters(role, relation).or(own.then_some("may.own_work"))
                    }
                    Move::Accept | Move::Resolve | Move::RequestExtension => works(role, relation),
                    _ => Some("may.not_a_case"),
                };
                let counts = matches!(movement, Move::Accept | Move::Resolve);
                let expected = expected.or((!open && !counts).then_some("case.not_now"));
                let cell = format!("{} × {movement} by {role} ({relation})", stage.name);
                assert_eq!(code(&log, actor(role, relation), event), expected, "{cell}");
            }
        }
    }
}

#[test]
fn document_shows_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/shifts.md");
    let document = std::fs::read_to_string(path).unwrap();
    for table in [STEPS.markdown(), STEPS.handling_markdown()] {
        assert!(document.contains(&table), "docs/shifts.md lacks\n{table}");
    }
}

/// Signs in or out at this time.
fn signs(log: &mut Log, n: u8, event: Event, at_ms: i64) {
    let id = log.then(worker(n), event);
    log.entry(id).clock_ms = at_ms;
}

#[test]
fn overtime_counts_when_another_person_settles() {
    let mut log = rostered(1);
    let duties = [41, 42, 43, 44].map(|n| log.then(head(), person(n)));
    let [first, second, third, _] = duties;
    signs(&mut log, 41, Event::Accept(step(first)), STARTS_MS);
    signs(&mut log, 42, Event::Accept(step(second)), STARTS_MS + 700);
    signs(&mut log, 43, Event::Accept(step(third)), STARTS_MS + 800);
    signs(&mut log, 42, Event::Resolve(step(second)), ENDS_MS - 10);
    signs(&mut log, 41, Event::Resolve(step(first)), ENDS_MS + 5_000);
    let party = Party::Member(member(43));
    let out = log.behalf(dispatcher(), Event::Resolve(step(third)), party);
    log.entry(out).clock_ms = ENDS_MS + 9_000;
    let hours = |log: &Log| -> Vec<_> {
        let all = roster(&log.state());
        all.iter()
            .map(|one| (one.presence, one.late_ms, one.overtime_ms))
            .collect()
    };
    assert_eq!(hours(&log)[0].2, 0, "not settled yet");
    assert_eq!(
        code(
            &log,
            in_area(41, Role::StationHead, &[1, 2, 3]),
            made(&SETTLE)
        ),
        Some("may.responsible_party"),
        "nobody confirms hours of their own"
    );
    log.then(head(), made(&SETTLE));
    assert_eq!(
        hours(&log),
        [
            (Presence::SignedOut, 0, 5_000),
            (Presence::SignedOut, 700, 0),
            (Presence::SignedOut, 800, 0),
            (Presence::Expected, 0, 0),
        ],
        "a signature on behalf brings no overtime"
    );
}

/// A person whose phone had no network signs out after the shift was settled, and the hours count.
#[test]
fn late_signatures_count_after_the_settlement() {
    for seed in 0..10 {
        let mut log = rostered(seed);
        let duty = log.then(head(), person(ON_DUTY));
        let settled = log.after(&[duty], head(), made(&SETTLE));
        let sign_in = log.after(&[duty], worker(ON_DUTY), Event::Accept(step(duty)));
        let out = log.after(&[sign_in], worker(ON_DUTY), Event::Resolve(step(duty)));
        log.entry(out).clock_ms = ENDS_MS + 60;
        for id in [settled, sign_in, out] {
            assert_eq!(outcome(&log, id), (Outcome::Effective, None), "seed {seed}");
        }
        assert_eq!(roster(&log.state())[0].overtime_ms, 60);
    }
}

fn asks(duty: EnvelopeId) -> Event {
    Event::RequestExtension(p::RequestExtension {
        assignment: duty,
        until_ms: ENDS_MS + 7_000,
        reason: text("发烧"),
    })
}

fn grants(request: EnvelopeId) -> Event {
    Event::GrantExtension(p::GrantExtension {
        request,
        until_ms: ENDS_MS + 7_000,
        note: None,
    })
}

#[test]
fn leave_is_granted_by_a_second_person() {
    let mut log = rostered(1);
    let duty = log.then(head(), person(30));
    let request = log.then(head(), asks(duty));
    let asked = roster(&log.state())[0].clone();
    assert_eq!(asked.presence, Presence::Expected);
    assert_eq!(asked.leave.unwrap().granted_until_ms, None);
    assert_eq!(code(&log, head(), grants(request)), Some("may.own_work"));
    let off = Event::Withdraw(give_back(duty));
    assert_eq!(code(&log, head(), off), Some("may.own_work"));
    let other = log.then(head(), person(ON_DUTY));
    assert_eq!(
        code(&log, worker(ON_DUTY), asks(duty)),
        Some("may.not_assigned")
    );
    log.then(other_head(), grants(request));
    let on_leave = roster(&log.state())[0].clone();
    assert_eq!(on_leave.presence, Presence::OnLeave);
    let until = on_leave.leave.unwrap().granted_until_ms;
    assert_eq!(until, Some(ENDS_MS + 7_000));

    // A person on leave who comes all the same has neither delay nor overtime.
    let id = log.then(head(), Event::Accept(step(duty)));
    log.entry(id).clock_ms = STARTS_MS + 1;
    let id = log.then(head(), Event::Resolve(step(duty)));
    log.entry(id).clock_ms = ENDS_MS + 90_000;
    log.then(other_head(), Event::Withdraw(give_back(other)));
    log.then(other_head(), made(&SETTLE));
    let found = roster(&log.state());
    assert_eq!((found[0].late_ms, found[0].overtime_ms), (0, 0));
    assert_eq!(found[1].presence, Presence::Off);
}

/// Hostile: a person on the roster writes the content, and neither the plan nor another person's hours.
#[test]
fn plan_is_out_of_reach_of_the_roster() {
    let mut log = rostered(1);
    let duty = log.then(head(), person(ON_DUTY));
    let other = log.then(head(), person(MATE));
    assert_eq!(writes(&log, worker(ON_DUTY)), None, "what is open");
    assert_eq!(writes(&log, worker(77)), Some("may.role"));
    assert_eq!(
        code(&log, worker(ON_DUTY), person(ON_DUTY)),
        Some("may.role")
    );
    for event in [Event::Accept(step(other)), asks(other)] {
        assert_eq!(code(&log, worker(ON_DUTY), event), Some("may.not_assigned"));
    }
    let again = code(&log, head(), person(ON_DUTY));
    assert_eq!(again, Some("case.already_assigned"), "no second plan");
    let plan = roster(&log.state())[0].clone();
    assert_eq!(
        (plan.starts_ms, plan.ends_ms),
        (Some(STARTS_MS), Some(ENDS_MS))
    );
    assert_eq!(log.state().next_due_ms(), Some(STARTS_MS));
    log.then(worker(ON_DUTY), Event::Accept(step(duty)));
    log.then(worker(MATE), Event::Accept(step(other)));
    assert_eq!(log.state().next_due_ms(), Some(ENDS_MS));
}

/// Open work is never lost: a handover wins over settling and calling off that had not seen it.
#[test]
fn handover_wins_over_settling() {
    for seed in 0..10 {
        for other in [&SETTLE, &CANCEL] {
            let mut log = rostered(seed);
            let duty = log.then(head(), person(ON_DUTY));
            let given = log.after(&[duty], worker(ON_DUTY), made(&HAND_OVER));
            log.after(&[duty], head(), made(other));
            assert_eq!(log.state().stage_name(), "handing_over", "seed {seed}");
            log.then(other_head(), made(&TAKE_OVER));
            let found = handover(&log.state()).unwrap();
            assert_eq!((found.step, found.from), (given, Some(member(ON_DUTY))));
            assert_eq!(found.taken.unwrap().0, Some(member(31)));
            let taken = log.heads();
            log.after(&taken, head(), made(&CONFIRM));
            log.after(&[duty], head(), made(&SETTLE));
            let state = log.state();
            assert_eq!(state.stage_name(), "settled");
            assert!(handover(&state).unwrap().taken.is_some(), "seed {seed}");
        }
    }
}

#[test]
fn handover_is_taken_by_another_person() {
    let mut log = rostered(1);
    log.then(other_head(), person(30));
    assert_eq!(handover(&log.state()), None);
    log.then(head(), made(&HAND_OVER));
    assert_eq!(handover(&log.state()).unwrap().taken, None);
    assert_eq!(code(&log, head(), made(&TAKE_OVER)), Some("may.own_work"));
    assert_eq!(code(&log, other_head(), made(&TAKE_OVER)), None);
}

#[test]
fn open_work_comes_by_urgency() {
    let here = path(&[1, 2, 3]);
    let mut plain = Log::hazard(1);
    let mut due = Log::hazard(2);
    due.dispatched(60);
    let closed = Log::resolved(3);
    let shift = rostered(4);
    let mut far = Log::new(5, head(), facts(crate::domain::kinds::whistle::KIND));
    plain.then(dispatcher(), comment("话"));
    far.then(dispatcher(), comment("话"));
    let states: Vec<_> = [&plain, &due, &closed, &shift, &far]
        .map(Log::state)
        .to_vec();
    let id = |n: usize| RecordId([u8::try_from(n).unwrap(); 16]);
    let records = || states.iter().enumerate().map(|(at, state)| (id(at), state));
    let lines: Vec<_> = open_work(records(), &here, 1_000_000)
        .iter()
        .map(|one| (one.record, one.due_ms, one.is_overdue))
        .collect();
    assert_eq!(
        lines,
        [
            (id(1), Some(1_000_000), true),
            (id(0), None, false),
            (id(4), None, false),
        ]
    );
    assert!(!open_work(records(), &here, 999_999)[0].is_overdue);
    assert!(open_work(records(), &path(&[1, 8]), 0).is_empty());
}

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

/// The ids of the entries whose event is wanted, or of the Genesis.
fn ids(log: &Log, wanted: fn(&Event) -> bool) -> Vec<EnvelopeId> {
    let is_wanted = |entry: &&Entry| match &entry.body {
        EntryBody::Event { event, .. } => wanted(event),
        _ => false,
    };
    let found: Vec<EnvelopeId> = log.entries.iter().filter(is_wanted).map(|e| e.id).collect();
    if found.is_empty() {
        vec![log.genesis()]
    } else {
        found
    }
}

fn random_event(rng: &mut ChaCha8Rng, log: &Log) -> Event {
    let duty = pick(rng, &ids(log, |event| event.assignee().is_some()));
    let request = pick(
        rng,
        &ids(log, |event| matches!(event, Event::RequestExtension(_))),
    );
    match rng.next_u32() % 16 {
        0 => made(pick(rng, &[&HAND_OVER, &TAKE_OVER, &TAKE_OVER, &CONFIRM])),
        1 if rng.next_u32().is_multiple_of(2) => made(pick(rng, &[&SETTLE, &CANCEL])),
        1..5 => person(41 + u8::try_from(below(rng, 3)).unwrap()),
        5 => Event::Withdraw(give_back(duty)),
        6 | 7 => asks(duty),
        8 | 9 => grants(request),
        10 => comment("话"),
        11 | 12 => Event::Resolve(step(duty)),
        _ => Event::Accept(step(duty)),
    }
}

fn random_shift(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = [
        head(),
        other_head(),
        dispatcher(),
        worker(41),
        worker(42),
        worker(43),
        in_area(41, Role::StationHead, &[1, 2, 3]),
    ];
    let mut log = rostered(seed);
    log.then(head(), person(41));
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

/// The same set gives the same shift in each order of arrival. Each leave has a second person, no handover is lost,
/// and no hours count twice.
#[test]
fn arrival_order_changes_no_shift() {
    let (mut leaves, mut overtime, mut handovers) = (0, 0, 0);
    for seed in 0..3_000 {
        let log = random_shift(seed);
        let state = log.state();
        let mut entries = log.entries.clone();
        shuffle(&mut ChaCha8Rng::seed_from_u64(!seed), &mut entries);
        assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
        assert!(state.conflicts.is_empty(), "seed {seed}");
        let mut gave = false;
        for entry in &log.entries {
            let EntryBody::Event { event, .. } = &entry.body else {
                continue;
            };
            let counts = state.outcome(entry.id).map(|item| item.outcome);
            match event {
                Event::Step(made) if made.step == HAND_OVER.code => {
                    gave |= matches!(counts, Some(Outcome::Effective | Outcome::Superseded));
                }
                Event::GrantExtension(grant) if counts == Some(Outcome::Effective) => {
                    let all = &state.handling().unwrap().extensions;
                    let asked = all.iter().find(|one| one.request == grant.request).unwrap();
                    let of = state.assignment(asked.assignment).unwrap();
                    assert!(!of.to.is(entry.author.member, &[]), "{seed}: own leave");
                    leaves += 1;
                }
                _ => {}
            }
        }
        assert_eq!(
            handover(&state).is_some(),
            gave,
            "{seed}: a handover is lost"
        );
        handovers += u32::from(gave);
        let duties = roster(&state);
        let open = duties.iter().filter(|one| {
            matches!(
                one.presence,
                Presence::Expected | Presence::OnLeave | Presence::SignedIn
            )
        });
        let open: Vec<Party> = open.map(|one| one.party).collect();
        let distinct: BTreeSet<Party> = open.iter().copied().collect();
        assert_eq!(open.len(), distinct.len(), "{seed}: on the roster once");
        for duty in &duties {
            assert!(duty.late_ms >= 0 && duty.overtime_ms >= 0, "seed {seed}");
            assert!(duty.signed_out_ms.is_none() || duty.signed_in_ms.is_some());
            let settled = state.stage_name() == "settled";
            assert!(duty.overtime_ms == 0 || settled, "{seed}: not settled");
            overtime += u32::from(duty.overtime_ms > 0);
        }
    }
    assert!(
        leaves > 200 && overtime > 30 && handovers > 200,
        "{leaves} {overtime} {handovers}"
    );
}

#[test]
fn content_is_read_as_written() {
    let shift = Shift {
        post: Some("指挥室".into()),
        open_count: Some(2),
        open_records: vec![RecordId([7; 16]), RecordId([8; 16])],
        ..Shift::default()
    };
    let content = Content::from(shift.clone());
    assert_eq!(Shift::of(&content), Some(shift));
    let mut bad = SPEC.content_of(Details::default());
    bad.set(
        Field::Own(&OPEN_RECORDS),
        FieldValue::Text("nowhere 也不是".into()),
    );
    assert_eq!(Shift::of(&bad).unwrap().open_records, vec![]);
}
