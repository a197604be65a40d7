//! Tasks: every step and move for every role and relation, the pipeline of areas, progress and recurrence.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::domain::case::GenesisFacts;
use crate::domain::case::payload as p;
use crate::domain::case::tests::support::*;
use crate::domain::case::{Author, Event, Move, Outcome, Party};
use crate::domain::form::Date;
use crate::domain::kinds::handling_tests::{code, facts, head, made, moved, outcome, writes};
use crate::domain::steps::{HANDLING_MOVES, StageSpec, StepSpec};
use crate::domain::{AreaPath, Audience, Role, Source};

const CREATOR: u8 = 9;
const ME: u8 = 40;
const MY_UNIT: u8 = 41;

/// A task of the town, which was shared with the village 1.2.3.
fn of_town(seed: u64) -> Log {
    let facts = GenesisFacts {
        home: path(&[1, 2]),
        ..facts(KIND)
    };
    let mut log = Log::new(seed, in_area(CREATOR, Role::Dispatcher, &[1, 2]), facts);
    log.then(dispatcher(), share_area(&[1, 2, 3]));
    log
}

fn share_area(area: &[u8]) -> Event {
    Event::Share(p::Share {
        with: p::Partner::Area(path(area)),
        deadlines: p::Deadlines::default(),
        note: None,
    })
}

/// `c` the creator, `h` in the home area, `v` in the village that it was shared with, `a` of the unit that it was
/// given to, `t` of a team with the task, `p` of that unit and in the home area, `o` the creator and of that unit,
/// `e` of elsewhere.
fn actor(role: Role, relation: char) -> Author {
    let mut me = match relation {
        'h' | 'p' => in_area(ME, role, &[1, 2]),
        'v' => in_area(ME, role, &[1, 2, 3]),
        't' => in_unit(ME, role, MY_UNIT),
        _ => in_area(ME, role, &[1, 8]),
    };
    match relation {
        'a' | 'p' | 'o' => me.units = vec![unit(MY_UNIT)],
        _ => {}
    }
    if matches!(relation, 'c' | 'o') {
        me.member = Some(member(CREATOR));
    }
    me
}

fn cells() -> impl Iterator<Item = (Role, char)> {
    let relations = |role: &Role| {
        "chvapote"
            .chars()
            .map(move |r| (*role, r))
            .collect::<Vec<_>>()
    };
    Role::ALL.iter().flat_map(relations)
}

fn is_office(role: Role) -> bool {
    matches!(
        role,
        Role::StationHead | Role::VillageLead | Role::Dispatcher | Role::DistrictLead
    )
}

/// Whether the row “publish” permits it, by hand: team leads in their team, officers and offices in their place.
fn publishes(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::TeamLead => (relation != 't').then_some("may.not_team"),
        Role::CommunityOfficer => (!matches!(relation, 'h' | 'v' | 'p')).then_some("may.elsewhere"),
        _ if is_office(role) => {
            (!matches!(relation, 'h' | 'v' | 'p' | 't')).then_some("may.elsewhere")
        }
        _ => Some("may.role"),
    }
}

/// Whether the row “end a task” permits it, by hand: its creator, and the office of its home area that
/// is no party of it.
fn ends(role: Role, relation: char) -> Option<&'static str> {
    match role {
        Role::TeamLead | Role::CommunityOfficer => {
            (!matches!(relation, 'c' | 'o')).then_some("may.not_own")
        }
        _ if is_office(role) => (!matches!(relation, 'c' | 'o' | 'h')).then_some("may.not_own"),
        _ => Some("may.role"),
    }
}

/// A task in the stage, given to unit 41. Returns the assignment.
fn task_in(stage: StageSpec) -> (Log, crate::id::EnvelopeId) {
    let mut log = of_town(3);
    let given = log.then(dispatcher(), dispatch(MY_UNIT));
    for step in STEPS.steps.iter().filter(|step| step.to == stage) {
        log.then(dispatcher(), made(step));
    }
    assert_eq!(log.state().stage_name(), stage.name);
    (log, given)
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    for stage in STEPS.stages {
        let (log, _) = task_in(*stage);
        for step in STEPS.steps {
            for (role, relation) in cells() {
                let expected = match role {
                    Role::System => Some("may.rule"),
                    _ => ends(role, relation),
                };
                let now = stage.name == "issued";
                let expected = expected.or((!now).then_some("case.not_now"));
                let cell = format!("{} × {} by {role} ({relation})", stage.name, step.name);
                assert_eq!(
                    code(&log, actor(role, relation), made(step)),
                    expected,
                    "{cell}"
                );
            }
        }
    }
}

#[test]
fn every_move_is_as_table_and_roles_say() {
    for stage in STEPS.stages {
        let (mut log, given) = task_in(*stage);
        let open = stage.name == "issued";
        let request = open.then(|| {
            let asked = moved(Move::RequestExtension, given, &log.state());
            log.then(in_unit(60, Role::Handler, MY_UNIT), asked)
        });
        for movement in HANDLING_MOVES {
            let mut log = log.clone();
            if matches!(movement, Move::Resolve | Move::Arrive) {
                log.then(
                    in_unit(60, Role::Handler, MY_UNIT),
                    Event::Accept(step(given)),
                );
            }
            let id = match movement {
                Move::GrantExtension => request.unwrap_or(given),
                _ => given,
            };
            for (role, relation) in cells() {
                let event = moved(movement, id, &log.state());
                let reads = match role {
                    Role::Volunteer | Role::TeamLead | Role::Handler => false,
                    Role::GridWorker | Role::Mediator => matches!(relation, 'h' | 'v'),
                    _ => matches!(relation, 'h' | 'v'),
                } || matches!(relation, 'c' | 'a' | 't' | 'p' | 'o');
                let expected = match movement {
                    Move::Transfer => Some("may.not_a_case"),
                    _ if role == Role::System => Some("may.rule"),
                    // A team lead gives it on to the own team alone.
                    Move::Dispatch | Move::Share => match publishes(role, relation) {
                        None if role == Role::TeamLead => Some("may.not_team"),
                        other => other,
                    },
                    // A party gives no time to itself. A team lead gives it to the own team.
                    Move::GrantExtension => match publishes(role, relation) {
                        None if role != Role::TeamLead && "atpo".contains(relation) => {
                            Some("may.responsible_party")
                        }
                        other => other,
                    },
                    Move::Withdraw => ends(role, relation),
                    Move::Escalate => match role {
                        Role::Volunteer | Role::Guard => Some("may.role"),
                        _ => (!reads).then_some("may.not_readable"),
                    },
                    Move::Urge | Move::Supervise => match role {
                        Role::StationHead | Role::VillageLead | Role::Dispatcher => {
                            let inside = matches!(relation, 'h' | 'v' | 't' | 'p');
                            (!inside).then_some("may.elsewhere")
                        }
                        Role::Supervisor | Role::DistrictLead => {
                            (!reads).then_some("may.not_readable")
                        }
                        _ => Some("may.role"),
                    },
                    _ if role == Role::Supervisor => Some("may.role"),
                    _ => (!matches!(relation, 'a' | 't' | 'p' | 'o')).then_some("may.not_assigned"),
                };
                let work = matches!(movement, Move::Accept | Move::Arrive | Move::Resolve);
                let expected = expected.or((!open && !work).then_some("case.not_now"));
                let cell = format!("{} × {movement} by {role} ({relation})", stage.name);
                assert_eq!(code(&log, actor(role, relation), event), expected, "{cell}");
            }
        }
    }
}

#[test]
fn document_shows_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tasks.md");
    let document = std::fs::read_to_string(path).unwrap();
    for table in [STEPS.markdown(), STEPS.handling_markdown()] {
        assert!(document.contains(&table), "docs/tasks.md lacks\n{table}");
    }
}

fn published(author: Author, facts: GenesisFacts) -> Option<&'static str> {
    let log = Log::new(1, author, facts);
    let why = crate::domain::case::judge(&[], &log.entries[0]);
    why.err().map(|why| why.code())
}

/// A team lead publishes to the own team alone.
#[test]
fn task_of_a_team_lead_belongs_to_the_team() {
    let lead = || in_unit(5, Role::TeamLead, TEAM);
    let team = |team: Option<u8>| GenesisFacts {
        team: team.map(unit),
        ..facts(KIND)
    };
    assert_eq!(published(lead(), team(Some(TEAM))), None);
    assert_eq!(published(lead(), team(None)), Some("may.not_team"));
    let mut other = lead();
    other.units.push(unit(51));
    assert_eq!(published(other, team(Some(51))), Some("may.not_team"));
    for role in Role::ALL {
        let found = published(in_area(5, *role, &[1, 2, 3]), team(None));
        let expected = match role {
            Role::CommunityOfficer => None,
            Role::TeamLead => Some("may.not_team"),
            role if is_office(*role) => None,
            _ => Some("may.role"),
        };
        assert_eq!(found, expected, "{role}");
    }
    let mut log = Log::new(1, lead(), team(Some(TEAM)));
    assert_eq!(code(&log, lead(), dispatch(TEAM)), None);
    assert_eq!(code(&log, lead(), dispatch(60)), Some("may.not_team"));
    log.then(lead(), dispatch(TEAM));
    assert_eq!(code(&log, lead(), made(&COMPLETE)), None);
    let foreign = GenesisFacts {
        home: path(&[7, 2]),
        source: Source::Member,
        audience: Audience::Staff,
        ..facts(KIND)
    };
    assert_eq!(
        published(head(), foreign),
        Some("may.elsewhere"),
        "another district"
    );
}

/// District to town to village to team: each office gives it on, and none of them ends it.
#[test]
fn pipeline_of_areas_ends_where_it_began() {
    let facts = GenesisFacts {
        home: path(&[1]),
        ..facts(KIND)
    };
    let mut log = Log::new(1, in_area(CREATOR, Role::DistrictLead, &[1]), facts);
    let village = || in_area(70, Role::VillageLead, &[1, 2, 3]);
    assert_eq!(
        code(&log, dispatcher(), dispatch(60)),
        Some("may.elsewhere")
    );
    log.then(district_lead(), share_area(&[1, 2]));
    assert_eq!(code(&log, village(), dispatch(60)), Some("may.elsewhere"));
    log.then(dispatcher(), share_area(&[1, 2, 3]));
    let given = log.then(village(), dispatch(60));
    log.then(handler(60), Event::Accept(step(given)));
    assert_eq!(outcome(&log, given), (Outcome::Effective, None));
    assert_eq!(writes(&log, handler(60)), None, "feedback");
    assert_eq!(writes(&log, handler(61)), Some("may.role"));
    for office in [village(), dispatcher()] {
        assert_eq!(
            code(&log, office.clone(), made(&COMPLETE)),
            Some("may.not_own")
        );
        let back = Event::Withdraw(give_back(given));
        assert_eq!(code(&log, office, back), Some("may.not_own"));
    }
    assert_eq!(
        code(&log, dispatcher(), share_area(&[1, 2, 3])),
        Some("case.same_area")
    );
    log.then(district_lead(), made(&COMPLETE));
    let done = log.then(handler(60), Event::Resolve(step(given)));
    assert_eq!(
        outcome(&log, done),
        (Outcome::Effective, None),
        "late feedback"
    );
}

/// Hostile: the village that a task of its own area was given to gives it back, and then ends it.
#[test]
fn asked_party_never_ends_the_task() {
    let mut village = in_area(ME, Role::VillageLead, &[1, 2, 3]);
    village.units = vec![unit(MY_UNIT)];
    let mut log = Log::new(1, dispatcher(), facts(KIND));
    assert_eq!(code(&log, village.clone(), made(&COMPLETE)), None);
    let given = log.then(dispatcher(), dispatch(MY_UNIT));
    log.then(village.clone(), Event::Return(give_back(given)));
    let again = log.then(dispatcher(), dispatch(MY_UNIT));
    for event in [
        made(&COMPLETE),
        made(&REVOKE),
        Event::Withdraw(give_back(again)),
    ] {
        assert_eq!(
            code(&log, village.clone(), event.clone()),
            Some("may.not_own")
        );
        assert_eq!(code(&log, head(), event), None, "another head of the area");
    }
    log.then(dispatcher(), Event::Withdraw(give_back(again)));
    assert_eq!(code(&log, village, made(&COMPLETE)), Some("may.not_own"));
}

/// A task that the town escalates is no danger: feedback beside it counts.
#[test]
fn feedback_beside_an_escalation_counts() {
    for seed in 0..10 {
        let mut log = of_town(seed);
        let given = log.then(dispatcher(), dispatch(60));
        let accept = log.then(handler(60), Event::Accept(step(given)));
        let up = moved(Move::Escalate, given, &log.state());
        let raised = log.after(&[accept], dispatcher(), up);
        let done = log.after(&[accept], handler(60), Event::Resolve(step(given)));
        assert_eq!(outcome(&log, raised).0, Outcome::Effective, "seed {seed}");
        assert_eq!(outcome(&log, done).0, Outcome::Effective, "seed {seed}");
        assert!(log.state().conflicts.is_empty() && log.state().needs_review.is_empty());
    }
}

#[test]
fn completed_wins_over_revoked() {
    for seed in 0..10 {
        let mut log = of_town(seed);
        let heads = log.heads();
        log.after(&heads, dispatcher(), made(&REVOKE));
        log.after(&heads, other_dispatcher(), made(&COMPLETE));
        assert_eq!(log.state().stage_name(), "completed", "seed {seed}");
    }
}

#[test]
fn progress_counts_each_party_in_its_area() {
    let mut log = of_town(1);
    log.then(dispatcher(), share_area(&[1, 2, 4]));
    let given: Vec<_> = [60, 61, 62, 63]
        .map(|n| log.then(dispatcher(), dispatch(n)))
        .to_vec();
    log.then(handler(60), Event::Accept(step(given[0])));
    let done = log.then(handler(60), Event::Resolve(step(given[0])));
    log.entry(done).clock_ms = 999_999;
    log.then(handler(61), Event::Accept(step(given[1])));
    let late = log.then(handler(61), Event::Resolve(step(given[1])));
    log.entry(late).clock_ms = 1_000_000;
    log.then(handler(62), Event::Return(give_back(given[2])));
    log.then(dispatcher(), Event::Withdraw(give_back(given[3])));
    let area_of = |party: &Party| -> Option<AreaPath> {
        match party {
            Party::Unit(of) if *of == unit(60) || *of == unit(62) => Some(path(&[1, 2, 3])),
            Party::Unit(of) if *of == unit(61) => Some(path(&[1, 9, 10])),
            _ => None,
        }
    };
    let found = progress(&log.state(), area_of);
    let counts = |area: &[u8]| {
        let of = found
            .areas
            .iter()
            .find(|one| one.area == path(area))
            .unwrap();
        [of.asked, of.accepted, of.done, of.returned]
    };
    assert_eq!(counts(&[1, 2]), [0; 4], "nobody of the town itself");
    assert_eq!(counts(&[1, 2, 3]), [2, 1, 1, 1]);
    assert_eq!(counts(&[1, 2, 4]), [0; 4], "the area has asked nobody yet");
    assert_eq!(
        counts(&[1, 9, 10]),
        [1, 1, 1, 0],
        "a party of an area without the task"
    );
    let in_time: Vec<_> = found.parties.iter().map(|one| one.in_time).collect();
    assert_eq!(in_time, [Some(true), Some(false), None, None]);
    assert_eq!(found.parties.len(), 4);
}

fn days(rule: &str, first: &str, from: &str, to: &str) -> Vec<String> {
    let day = |text: &str| text.parse::<Date>().unwrap();
    let rule: Recurrence = rule.parse().unwrap();
    let found = occurrences(&rule, day(first), day(from), day(to));
    found.iter().map(ToString::to_string).collect()
}

/// The examples of RFC 5545, section 3.8.5.3.
#[test]
fn rules_give_the_days_of_the_standard() {
    let all = |rule: &str| days(rule, "1997-09-02", "1997-09-02", "2003-01-01");
    for (rule, expected) in [
        ("FREQ=DAILY;COUNT=3", "1997-09-02 1997-09-03 1997-09-04"),
        (
            "FREQ=DAILY;INTERVAL=10;COUNT=3",
            "1997-09-02 1997-09-12 1997-09-22",
        ),
        ("FREQ=WEEKLY;COUNT=3", "1997-09-02 1997-09-09 1997-09-16"),
        (
            "FREQ=WEEKLY;UNTIL=19970930;WKST=MO;BYDAY=TU,TH",
            "1997-09-02 1997-09-04 1997-09-09 1997-09-11 1997-09-16 1997-09-18 1997-09-23 \
             1997-09-25 1997-09-30",
        ),
        (
            "FREQ=MONTHLY;COUNT=3;BYDAY=1FR",
            "1997-09-05 1997-10-03 1997-11-07",
        ),
        (
            "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
            "1997-09-22 1997-10-20 1997-11-17 1997-12-22 1998-01-19 1998-02-16",
        ),
        (
            "FREQ=MONTHLY;COUNT=6;BYMONTHDAY=-3",
            "1997-09-28 1997-10-29 1997-11-28 1997-12-29 1998-01-29 1998-02-26",
        ),
        (
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=5",
            "1998-02-13 1998-03-13 1998-11-13 1999-08-13 2000-10-13",
        ),
        (
            "FREQ=YEARLY;COUNT=4;BYMONTH=6,7",
            "1998-06-02 1998-07-02 1999-06-02 1999-07-02",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=MO,SU",
            "1997-09-07 1997-09-15 1997-09-21 1997-09-29",
        ),
    ] {
        assert_eq!(all(rule).join(" "), expected, "{rule}");
    }
    let leap = days(
        "FREQ=YEARLY;COUNT=2",
        "2024-02-29",
        "2024-01-01",
        "2040-01-01",
    );
    assert_eq!(leap, ["2024-02-29", "2028-02-29"]);
    let month_end = days(
        "FREQ=MONTHLY;COUNT=3",
        "2026-01-31",
        "2026-01-01",
        "2027-01-01",
    );
    assert_eq!(
        month_end,
        ["2026-01-31", "2026-03-31", "2026-05-31"],
        "a day that is not there is left out"
    );
}

#[test]
fn span_cuts_and_count_counts_from_the_first_day() {
    let rule = "FREQ=DAILY;COUNT=10";
    let found = days(rule, "2026-12-01", "2026-12-09", "2026-12-31");
    assert_eq!(found, ["2026-12-09", "2026-12-10"]);
    assert_eq!(
        days(rule, "2026-12-01", "2027-01-01", "2027-12-31").len(),
        0
    );
    let capped = days(
        "FREQ=DAILY;UNTIL=99991231",
        "2026-01-01",
        "2026-01-01",
        "9999-12-31",
    );
    assert_eq!(capped.len(), crate::limits::TASK_OCCURRENCES_MAX);
    let late = days(
        "FREQ=DAILY;UNTIL=99991231",
        "2026-01-01",
        "2032-01-01",
        "9999-12-31",
    );
    assert!(late.is_empty(), "no rule goes on for ever");
}

#[test]
fn bad_rules_are_refused_with_their_code() {
    for (rule, code) in [
        ("", "recurrence.malformed"),
        ("FREQ=DAILY", "recurrence.endless"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20261231", "recurrence.malformed"),
        ("COUNT=3", "recurrence.malformed"),
        ("FREQ=OFTEN;COUNT=3", "recurrence.malformed"),
        ("FREQ=SECONDLY;COUNT=3", "recurrence.unsupported"),
        ("FREQ=DAILY;COUNT=3;BYSETPOS=1", "recurrence.unsupported"),
        ("FREQ=DAILY;COUNT=3;BYHOUR=9", "recurrence.unsupported"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=1MO", "recurrence.unsupported"),
        ("FREQ=WEEKLY;COUNT=3;WKST=SU", "recurrence.unsupported"),
        ("FREQ=YEARLY;COUNT=3;BYDAY=1MO", "recurrence.unsupported"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=", "recurrence.malformed"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=M", "recurrence.malformed"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=周一", "recurrence.malformed"),
        ("FREQ=WEEKLY;COUNT=3;BYDAY=6MO", "recurrence.malformed"),
        ("FREQ=DAILY;COUNT=0", "recurrence.malformed"),
        ("FREQ=DAILY;COUNT=99999999999", "recurrence.malformed"),
        ("FREQ=DAILY;COUNT=-1", "recurrence.malformed"),
        ("FREQ=DAILY;COUNT=3;COUNT=3", "recurrence.malformed"),
        ("FREQ=DAILY;COUNT=3;INTERVAL=0", "recurrence.malformed"),
        ("FREQ=DAILY;UNTIL=20260230", "recurrence.malformed"),
        ("FREQ=DAILY;UNTIL=20261231T000000Z", "recurrence.malformed"),
        ("FREQ=MONTHLY;COUNT=3;BYMONTHDAY=32", "recurrence.malformed"),
        ("FREQ=YEARLY;COUNT=3;BYMONTH=13", "recurrence.malformed"),
    ] {
        let found = rule.parse::<Recurrence>().unwrap_err();
        assert_eq!(found.code(), code, "{rule}");
    }
    assert!("RRULE:FREQ=DAILY;COUNT=3".parse::<Recurrence>().is_ok());
}

#[test]
fn content_is_read_as_written() {
    let task = Task {
        template: Some("care_visit".parse().unwrap()),
        deadline_ms: Some(1_700_000_000_000),
        wanted: Some(40),
        recurrence: Some("FREQ=WEEKLY;COUNT=4".into()),
        duty: Some("1.2.3".into()),
        feedback: vec![RecordId([7; 16]), RecordId([8; 16])],
        ..Task::default()
    };
    let content = Content::from(task.clone());
    assert_eq!(Task::of(&content), Some(task));
    let mut bad = SPEC.content_of(Details::default());
    bad.set(
        Field::Own(&FEEDBACK),
        FieldValue::Text("nowhere 也不是".into()),
    );
    assert_eq!(Task::of(&bad).unwrap().feedback, vec![]);
    let steps: Vec<&StepSpec> = STEPS.steps.iter().collect();
    assert_eq!(steps.len(), 2);
}
