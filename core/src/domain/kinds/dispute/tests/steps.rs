//! Every stage, step, role and relation, and branches that meet.

#![allow(clippy::match_same_arms, reason = "one line for each cell")]

use std::collections::BTreeSet;

use super::*;
use crate::domain::case::Move;
use crate::domain::case::input::{InputField, Need};
use crate::domain::case::offer::{Asker, offers};
use crate::domain::case::tests::random::fold_plainly;
use crate::domain::kinds::handling_tests::moved;
use crate::limits::DANGER_LATE_MS;

/// The cells of the table, written by hand.
fn leads_to(stage: &str, step: &str) -> Option<&'static str> {
    match (stage, step) {
        ("registered" | "mediating" | "failed", "session") => Some("mediating"),
        ("registered" | "mediating" | "failed", "agree") => Some("agreed"),
        ("registered" | "mediating", "fail") => Some("failed"),
        ("registered" | "mediating" | "failed", "pass_on") => Some("passed_on"),
        ("registered" | "mediating" | "failed", "combine") => Some("combined"),
        ("agreed", "conclude") => Some("concluded"),
        ("concluded", "revisit") => Some("revisited"),
        ("agreed" | "passed_on" | "concluded" | "revisited", "retry") => Some("mediating"),
        ("registered", "annul") => Some("cancelled"),
        ("combined" | "cancelled", "reinstate") => Some("registered"),
        _ => None,
    }
}

/// The relation of a person to the dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// It is assigned to the person, in the area of the role.
    Assigned,
    /// It is assigned to the person, whose role is elsewhere.
    AssignedElsewhere,
    /// It lies in the area of the role.
    InArea,
    /// It lies elsewhere.
    Elsewhere,
    /// It lies in the area of the role, and it is about the person.
    Concerned,
}

/// Who may make a step, written by hand from the table of roles; the code of the refusal.
fn may_make(step: &str, role: Role, relation: Relation) -> Option<&'static str> {
    use Relation::*;
    let near = matches!(relation, Assigned | InArea | Concerned);
    let is_party = matches!(relation, Assigned | AssignedElsewhere);
    let (yes, elsewhere) = (None, Some("may.elsewhere"));
    let in_area = if near { yes } else { elsewhere };
    let if_assigned = if is_party {
        yes
    } else {
        Some("may.not_assigned")
    };
    let found = match (step, role) {
        (_, Role::System) => Some("may.role"),
        ("session" | "agree" | "fail", Role::Mediator) => if_assigned,
        ("session" | "agree" | "fail", _) => Some("may.role"),
        ("pass_on" | "conclude" | "revisit", Role::StationHead | Role::VillageLead) => if_assigned,
        ("pass_on" | "conclude" | "revisit", Role::DistrictLead) => in_area,
        ("pass_on" | "conclude" | "revisit", _) => Some("may.role"),
        (
            "combine" | "annul",
            Role::StationHead | Role::VillageLead | Role::Dispatcher | Role::DistrictLead,
        ) => match relation {
            Assigned => Some("may.responsible_party"),
            _ => in_area,
        },
        ("combine" | "annul", _) => Some("may.role"),
        (_, Role::Volunteer | Role::TeamLead | Role::Guard) => Some("may.role"),
        (_, Role::Mediator | Role::Handler) => Some("may.role"),
        _ => in_area,
    };
    match found {
        None if relation == Concerned => Some("may.concerned"),
        other => other,
    }
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    use Relation::*;
    let mut possible = 0;
    for stage in STEPS.stages {
        // The assignment comes before all steps, because an ended dispute takes none.
        let mut log = in_stage(3, "registered");
        let share = log.then(head(), to_member(40, Part::Support));
        for step in way_to(stage.name) {
            log.then(author_of(step), made(step));
        }
        for step in STEPS.steps {
            for role in Role::ALL {
                for relation in [Assigned, AssignedElsewhere, InArea, Elsewhere, Concerned] {
                    let n = match relation {
                        Assigned | AssignedElsewhere => 40,
                        InArea | Elsewhere => 41,
                        Concerned => CONCERNED,
                    };
                    let near = matches!(relation, Assigned | InArea | Concerned);
                    let area: &[u8] = if near { &[1, 2, 3] } else { &[1, 2, 9] };
                    let author = match role {
                        Role::DistrictLead if !near => in_area(n, *role, &[7]),
                        Role::DistrictLead => in_area(n, *role, &[1]),
                        _ => in_area(n, *role, area),
                    };
                    let found = code(&log, author.clone(), made(step));
                    let expected = match role {
                        Role::System => Some("may.rule"),
                        _ => may_make(step.name, *role, relation).or_else(|| {
                            let to = leads_to(stage.name, step.name);
                            to.map_or(Some("case.not_now"), |_| None)
                        }),
                    };
                    let cell = format!("{} × {} by {role} ({relation:?})", stage.name, step.name);
                    assert_eq!(found, expected, "{cell}");
                    if expected.is_none() {
                        possible += 1;
                        let mut log = log.clone();
                        log.then(author, made(step));
                        let to = leads_to(stage.name, step.name).unwrap();
                        assert_eq!(log.state().stage_name(), to, "{cell}");
                    }
                }
            }
        }
        assert_eq!(outcome(&log, share).0, Outcome::Effective);
    }
    assert!(possible > 120, "{possible}");
}

/// One mediator holds several sessions, and each of them is kept with its words.
#[test]
fn second_session_of_same_mediator_counts() {
    let mut log = in_stage(1, "mediating");
    for _ in 0..3 {
        let session = log.then(mediator(), made(&SESSION));
        assert_eq!(outcome(&log, session), (Outcome::Effective, None));
    }
    let steps = log.state().steps().unwrap().clone();
    assert_eq!(steps.entries.len(), 4);
    assert_eq!(steps.stage, MEDIATING);
    let wordless = Event::Step(KindStep {
        step: SESSION.code,
        reason: None,
        attachments: vec![],
        note: None,
    });
    assert_eq!(
        code(&log, mediator(), wordless),
        Some("case.step_incomplete")
    );
}

#[test]
fn mediator_does_not_judge_own_result() {
    let both = |n| in_area(n, Role::VillageLead, &[1, 2, 3]);
    for (stage, step) in [("agreed", &CONCLUDE), ("concluded", &REVISIT)] {
        let mut log = in_stage(5, stage);
        assert_eq!(code(&log, leader(), made(step)), None);
        // The mediator is village lead as well, and it is assigned to this person.
        assert_eq!(code(&log, both(MEDIATOR), made(step)), Some("may.own_work"));
        let district = in_area(MEDIATOR, Role::DistrictLead, &[1]);
        assert_eq!(code(&log, district, made(step)), Some("may.own_work"));
        log.then(supervisor(), made(&RETRY));
        assert_eq!(log.state().stage_name(), "mediating");
    }
}

/// A lead concludes what another mediator agreed, and had held a session that the other branch shows later.
#[test]
fn conclusion_of_unseen_mediator_does_not_hold() {
    for seed in 0..20 {
        let mut log = assigned(seed);
        log.then(head(), to_member(5, Part::Support));
        let other = in_area(5, Role::Mediator, &[1, 2, 3]);
        let heads = log.heads();
        let agreed = log.after(&heads, other, made(&AGREE));
        let lead = in_area(MEDIATOR, Role::DistrictLead, &[1]);
        let concluded = log.after(&[agreed], lead, made(&CONCLUDE));
        assert_eq!(log.state().stage_name(), "concluded");
        log.after(&heads, mediator(), made(&SESSION));
        assert_eq!(log.state().stage_name(), "agreed", "seed {seed}");
        let own = (Outcome::Superseded, Some("case.own_work_elsewhere"));
        assert_eq!(outcome(&log, concluded), own, "seed {seed}");
    }
}

/// A party of the dispute who is mediator, leader or head decides nothing, whatever way the person takes.
#[test]
fn party_of_dispute_decides_nothing() {
    let log = in_stage(1, "mediating");
    let concerned = |role, area: &[u8]| in_area(CONCERNED, role, area);
    let refused = Some("may.concerned");
    let as_mediator = to_member(CONCERNED, Part::Support);
    assert_eq!(code(&log, head(), as_mediator.clone()), refused);
    let share = Event::Share(crate::domain::case::payload::Share {
        with: crate::domain::case::payload::Partner::Party(Party::Member(member(CONCERNED))),
        deadlines: crate::domain::case::Deadlines::default(),
        note: None,
    });
    assert_eq!(code(&log, head(), share), refused);
    // The person's unit may mediate, and the person not.
    let mut log = log;
    let by_unit = log.then(head(), dispatch_to(Party::Unit(unit(70)), Part::Support));
    assert_eq!(outcome(&log, by_unit).0, Outcome::Effective);
    let mut of_unit = concerned(Role::Mediator, &[1, 2, 3]);
    of_unit.units = vec![unit(70)];
    for step in [&SESSION, &AGREE, &FAIL] {
        assert_eq!(
            code(&log, of_unit.clone(), made(step)),
            refused,
            "{}",
            step.name
        );
    }
    let accept = Event::Accept(crate::fixtures::step(by_unit));
    assert_eq!(code(&log, of_unit.clone(), accept), refused);
    assert_eq!(writes(&log, of_unit.clone()), refused);
    let district = concerned(Role::DistrictLead, &[1]);
    assert_eq!(code(&log, district.clone(), made(&PASS_ON)), refused);
    assert_eq!(code(&log, district.clone(), made(&COMBINE)), refused);
    let assign = to_member(44, Part::Lead);
    assert_eq!(code(&log, district.clone(), assign), refused);
    assert_eq!(writes(&log, district.clone()), refused);
    assert_eq!(code(&log, district, comment("这是我家的事")), None);
}

/// A dispatcher whom the dispute is about takes the mediator out of the work on the mediator's behalf.
#[test]
fn concerned_person_acts_for_no_other() {
    let mut log = in_stage(1, "registered");
    let party = Party::Unit(unit(70));
    let given = log.then(head(), dispatch_to(party, Part::Lead));
    let back = Event::Return(give_back(given));
    let behalf = |author: Author| {
        let mut log = log.clone();
        log.behalf(author, back.clone(), party);
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).err().map(|why| why.code())
    };
    assert_eq!(behalf(in_area(41, Role::Dispatcher, &[1, 2])), None);
    let concerned = in_area(CONCERNED, Role::Dispatcher, &[1, 2]);
    assert_eq!(behalf(concerned), Some("may.concerned"));
}

/// The head whose unit leads takes the dispute off the own list, moves it to another area, or takes more time.
#[test]
fn party_improves_no_figures_of_its_own() {
    let mut log = in_stage(1, "registered");
    let mut leader = head();
    leader.member = Some(member(45));
    leader.units = vec![unit(70)];
    let given = log.then(head(), dispatch_to(Party::Unit(unit(70)), Part::Lead));
    let asked = log.then(
        in_unit(60, Role::Handler, 70),
        moved(Move::RequestExtension, given, &log.state()),
    );
    let refused = Some("may.responsible_party");
    for (movement, id) in [
        (Move::Transfer, given),
        (Move::GrantExtension, asked),
        (Move::Withdraw, given),
    ] {
        let event = moved(movement, id, &log.state());
        assert_eq!(
            code(&log, leader.clone(), event.clone()),
            refused,
            "{movement}"
        );
        assert_eq!(code(&log, head(), event), None, "{movement}");
    }
    // Nor does it get rid of the record after it gave the work back.
    log.then(
        in_unit(60, Role::Handler, 70),
        Event::Return(give_back(given)),
    );
    for step in [&COMBINE, &ANNUL] {
        assert_eq!(
            code(&log, leader.clone(), made(step)),
            refused,
            "{}",
            step.name
        );
        assert_eq!(code(&log, head(), made(step)), None, "{}", step.name);
    }
}

/// An area that only supports takes no dispute off the list of the area that leads.
#[test]
fn supporting_area_ends_nothing() {
    let mut log = in_stage(1, "registered");
    let share = Event::Share(crate::domain::case::payload::Share {
        with: crate::domain::case::payload::Partner::Area(path(&[1, 2, 9])),
        deadlines: crate::domain::case::Deadlines::default(),
        note: None,
    });
    log.then(head(), share);
    let supporting = in_area(41, Role::StationHead, &[1, 2, 9]);
    for step in [&COMBINE, &ANNUL] {
        let refused = code(&log, supporting.clone(), made(step));
        assert_eq!(refused, Some("may.elsewhere"), "{}", step.name);
    }
    let to_unit = dispatch_to(Party::Unit(unit(71)), Part::Support);
    assert_eq!(code(&log, supporting, to_unit), None);
}

/// The volunteer who registered it writes until a mediator has accepted it.
#[test]
fn registrar_writes_until_the_work_is_accepted() {
    let volunteer = || in_area(CREATOR, Role::Volunteer, &[1, 2, 3]);
    let mut log = Log::new(1, volunteer(), facts());
    let given = log.then(head(), dispatch_to(Party::Unit(unit(70)), Part::Lead));
    assert_eq!(writes(&log, volunteer()), None);
    log.then(
        in_unit(60, Role::Handler, 70),
        Event::Accept(crate::fixtures::step(given)),
    );
    assert_eq!(writes(&log, volunteer()), Some("may.not_own"));
}

/// The party who registers the dispute of the own flat stays a party.
#[test]
fn creator_who_is_named_decides_nothing() {
    let mut own = facts();
    own.named = vec![member(CREATOR)];
    let mut log = Log::new(1, creator(), own);
    log.then(head(), to_member(LEADER, Part::Lead));
    assert_eq!(writes(&log, creator()), Some("may.concerned"));
    let as_head = in_area(CREATOR, Role::StationHead, &[1, 2, 3]);
    assert_eq!(code(&log, as_head, made(&ANNUL)), Some("may.concerned"));
}

#[test]
fn statement_that_it_goes_on_wins() {
    let both: [(&str, &StepSpec, &StepSpec, &str); 11] = [
        ("mediating", &FAIL, &AGREE, "failed"),
        ("mediating", &AGREE, &SESSION, "agreed"),
        ("mediating", &SESSION, &PASS_ON, "mediating"),
        ("mediating", &SESSION, &COMBINE, "mediating"),
        ("mediating", &AGREE, &PASS_ON, "agreed"),
        ("mediating", &PASS_ON, &COMBINE, "passed_on"),
        ("registered", &SESSION, &ANNUL, "mediating"),
        ("registered", &PASS_ON, &ANNUL, "passed_on"),
        ("registered", &COMBINE, &ANNUL, "combined"),
        ("agreed", &RETRY, &CONCLUDE, "mediating"),
        ("concluded", &RETRY, &REVISIT, "mediating"),
    ];
    for (from, wins, loses, stage) in both {
        let mut firsts = BTreeSet::new();
        for seed in 0..20 {
            let mut log = in_stage(seed, from);
            let heads = log.heads();
            let won = log.after(&heads, author_of(wins), made(wins));
            let lost = log.after(&heads, author_of(loses), made(loses));
            firsts.insert(won < lost);
            assert_eq!(log.state().stage_name(), stage, "{from}, seed {seed}");
            assert_eq!(outcome(&log, won), (Outcome::Effective, None));
            // A session beside a session counts, because both keep the dispute in mediation.
            let agrees = from == "mediating" && loses == &SESSION;
            let expected = if agrees {
                (Outcome::Effective, None)
            } else {
                (Outcome::Superseded, Some("case.step_overtaken"))
            };
            assert_eq!(outcome(&log, lost), expected, "{from}: {}", loses.name);
        }
        assert_eq!(firsts.len(), 2, "both orders of the fold occur");
    }
}

/// An agreement and its conclusion do not hide a failure that their authors had not seen.
#[test]
fn failure_outlasts_unseen_conclusion() {
    for seed in 0..20 {
        let mut log = in_stage(seed, "mediating");
        let heads = log.heads();
        let agreed = log.after(&heads, mediator(), made(&AGREE));
        let concluded = log.after(&[agreed], leader(), made(&CONCLUDE));
        let other = in_area(5, Role::Mediator, &[1, 2, 3]);
        let mut log_of_two = log.clone();
        let share = log_of_two.after(&heads, head(), to_member(5, Part::Support));
        let failed = log_of_two.after(&[share], other, made(&FAIL));
        assert_eq!(log_of_two.state().stage_name(), "failed", "seed {seed}");
        // Long after the end was accepted, the failure changes nothing.
        log_of_two.entry(concluded).verdict_at_ms = Some(50_000);
        log_of_two.entry(failed).verdict_at_ms = Some(50_001 + DANGER_LATE_MS);
        assert_eq!(log_of_two.state().stage_name(), "concluded", "seed {seed}");
    }
}

/// Nor do they hide it after a weaker step upon the failure.
#[test]
fn failure_outlasts_what_follows_it() {
    for (follows, stage) in [(&PASS_ON, "passed_on"), (&SESSION, "mediating")] {
        for seed in 0..20 {
            let mut log = in_stage(seed, "mediating");
            let heads = log.heads();
            let agreed = log.after(&heads, mediator(), made(&AGREE));
            log.after(&[agreed], leader(), made(&CONCLUDE));
            let share = log.after(&heads, head(), to_member(5, Part::Support));
            let other = in_area(5, Role::Mediator, &[1, 2, 3]);
            let failed = log.after(&[share], other.clone(), made(&FAIL));
            let by = if stage == "mediating" {
                other
            } else {
                leader()
            };
            log.after(&[failed], by, made(follows));
            let state = log.state();
            assert_eq!(state.stage_name(), stage, "seed {seed}");
            assert_eq!(state, fold_plainly(&log.entries), "seed {seed}");
            // A person with both branches continues from there.
            log.then(mediator(), made(&AGREE));
            let reached = match stage {
                "mediating" => "agreed",
                ended => ended,
            };
            assert_eq!(log.state().stage_name(), reached, "seed {seed}");
        }
    }
}

#[test]
fn step_with_wrong_reason_or_without_words_is_incomplete() {
    let log = in_stage(1, "mediating");
    let incomplete = Some("case.step_incomplete");
    for step in STEPS.steps {
        let from = STEPS.stages.iter().find(|stage| step.starts_from(**stage));
        let log = in_stage(1, from.unwrap().name);
        let event = |reason: Option<u8>, note: Option<&str>| {
            Event::Step(KindStep {
                step: step.code,
                reason,
                attachments: vec![],
                note: note.map(text),
            })
        };
        let author = author_of(step);
        for reason in step.reasons {
            let said = event(Some(reason.code), Some("话"));
            assert_eq!(code(&log, author.clone(), said), None, "{}", step.name);
        }
        let foreign = if step.reasons.contains(&KEPT) {
            TO_COURT
        } else {
            KEPT
        };
        let wrong = event(Some(foreign.code), Some("话"));
        assert_eq!(
            code(&log, author.clone(), wrong),
            incomplete,
            "{}",
            step.name
        );
        let first = step.reasons.first().map(|reason| reason.code);
        let silent = event(first, None);
        let expected = if step.needs_text { incomplete } else { None };
        assert_eq!(
            code(&log, author.clone(), silent),
            expected,
            "{}",
            step.name
        );
        if !step.reasons.is_empty() {
            let without = event(None, Some("话"));
            assert_eq!(code(&log, author, without), incomplete, "{}", step.name);
        }
    }
    let newer = made_for(&FAIL, Some(200));
    assert_eq!(code(&log, mediator(), newer), Some("may.newer"));
}

#[test]
fn offers_name_steps_and_moves_of_a_leader() {
    let log = in_stage(1, "agreed");
    let state = log.state();
    let author = leader();
    let grants = [author.grant.clone().unwrap()];
    let asker = Asker {
        device: author.device,
        member: author.member,
        grants: &grants,
        acting_as: None,
    };
    let all = offers(&state, &asker);
    let allowed: Vec<_> = all
        .iter()
        .filter(|option| option.allowed.is_ok())
        .map(crate::domain::case::offer::MoveOption::name)
        .collect();
    for name in ["conclude", "retry", "dispatch", "share", "urge", "accept"] {
        assert!(allowed.contains(&name), "{name}: {allowed:?}");
    }
    for name in [
        "session",
        "agree",
        "revisit",
        "close",
        // The leader is a party.
        "transfer",
        "merge",
        "reopen",
        "danger_remains",
    ] {
        assert!(!allowed.contains(&name), "{name}");
    }
    let pass_on = all
        .iter()
        .find(|option| option.name() == "pass_on")
        .unwrap();
    assert_eq!(pass_on.reasons().len(), 4);
    let first = pass_on.needs[0];
    assert_eq!(
        (first.field, first.need),
        (InputField::Reason, Need::Required)
    );
}
