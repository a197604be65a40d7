//! Tests that the offers match the accepted moves, for random states, people and input.

use super::random::{people, random_log};
use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::input::{FieldNeed, InputField, Need};
use crate::domain::case::offer::{Asker, MoveOption, edit_offer, offers};
use crate::domain::case::{
    Author, Deadlines, Entry, EntryBody, Move, MoveInput, Part, Party, Severity, judge,
};
use crate::domain::{Grant, Role};
use crate::id::{Hash, RecordId};

/// Every value that a form could hold, for the fields that the option names.
fn complete(option: &MoveOption) -> MoveInput {
    let mut input = MoveInput {
        assignment: option.assignment,
        request: option.request,
        ..MoveInput::of(option.movement)
    };
    for FieldNeed { field, need } in option.needs {
        if *need == Need::OneOf && *field != InputField::ToMember && *field != InputField::Text {
            continue;
        }
        match field {
            InputField::Text => input.text = Some("原因".into()),
            InputField::ToMember => input.to_member = Some(member(222)),
            InputField::ToArea => input.to_area = Some(path(&[1, 77])),
            InputField::Until => input.until_ms = Some(9),
            InputField::Category => input.category = Some("gas".into()),
            InputField::Severity => input.severity = Some(Severity::Serious),
            InputField::Into => input.into = Some(RecordId([6; 16])),
            InputField::Before => input.before = vec![Hash([1; 32])],
            InputField::After => input.after = vec![Hash([2; 32])],
            InputField::Deadlines => input.deadlines = Deadlines::default(),
            _ => {}
        }
    }
    input
}

/// Other complete input for the same option, with parties and places that the first input did not try.
fn variants(option: &MoveOption) -> Vec<MoveInput> {
    let first = complete(option);
    let mut all = vec![first.clone()];
    let names = |field| option.needs.iter().any(|need| need.field == field);
    if names(InputField::ToUnit) && names(InputField::ToMember) {
        for (n, part) in [(60, Part::Lead), (61, Part::Support), (TEAM, Part::Lead)] {
            all.push(MoveInput {
                to_unit: Some(unit(n)),
                to_member: None,
                part: Some(part),
                ..first.clone()
            });
        }
    }
    if option.movement == Move::Share {
        all.push(MoveInput {
            to_area: Some(path(&[1, 78])),
            to_member: None,
            ..first.clone()
        });
    }
    all
}

fn attempt(log: &Log, author: Author, body: EntryBody) -> Result<(), &'static str> {
    let mut log = log.clone();
    let heads = log.heads();
    let id = log.push(&heads, author, body);
    let candidate: Entry = log.entries.pop().unwrap();
    assert_eq!(candidate.id, id);
    judge(&log.entries, &candidate).map_err(|why| why.code())
}

/// A person with the grants of several people.
fn person(n: u8, of: &[Author]) -> (Author, Vec<Grant>) {
    let grants: Vec<Grant> = of.iter().filter_map(|one| one.grant.clone()).collect();
    let units = grants
        .iter()
        .filter_map(|grant| grant.scope.unit())
        .collect();
    let author = Author {
        member: Some(member(n)),
        units,
        ..of[0].clone()
    };
    (author, grants)
}

fn askers() -> Vec<(Author, Vec<Grant>)> {
    let mut all: Vec<(Author, Vec<Grant>)> = people()
        .into_iter()
        .filter(|one| one.member.is_some())
        .map(|one| person(one.member.unwrap().0[0], &[one]))
        .collect();
    all.push(person(103, &[grid_worker(), handler(60)]));
    all.push(person(
        1,
        &[volunteer(1), dispatcher(), in_unit(2, Role::TeamLead, TEAM)],
    ));
    all
}

#[test]
fn every_offered_move_is_accepted_and_no_other() {
    let (mut yes, mut no, mut behalf) = (0, 0, 0);
    let askers = askers();
    for seed in 0..400_u64 {
        let log = random_log(seed);
        let state = log.state();
        let (author, grants) = &askers[usize::try_from(seed).unwrap() % askers.len()];
        let asker = Asker {
            device: author.device,
            member: author.member,
            grants,
            acting_as: None,
        };
        let of = |grant: &Grant| Author {
            grant: Some(grant.clone()),
            ..author.clone()
        };
        for option in offers(&state, &asker) {
            let tried = |grant: &Grant, input: &MoveInput| {
                let (event, on_behalf_of) = input.event(&state).map_err(|error| error.code())?;
                let body = EntryBody::Event {
                    event,
                    on_behalf_of,
                };
                attempt(&log, of(grant), body)
            };
            match &option.allowed {
                Ok(grant) => {
                    yes += 1;
                    let accepted = variants(&option)
                        .iter()
                        .any(|one| tried(grant, one).is_ok());
                    assert!(accepted, "seed {seed}: {option:?}");
                }
                Err(code) => {
                    no += 1;
                    assert!(crate::texts::text(code, crate::texts::Lang::Zh).is_some());
                    for input in variants(&option) {
                        for grant in grants {
                            let refused = tried(grant, &input);
                            assert!(refused.is_err(), "seed {seed}: {option:?} {input:?}");
                        }
                    }
                }
            }
            let input = MoveInput {
                behalf_reason: Some("手机没电".into()),
                ..complete(&option)
            };
            let accepted = option.assignment.is_some()
                && grants.iter().any(|grant| tried(grant, &input).is_ok());
            behalf += usize::from(accepted);
            assert_eq!(
                option.on_behalf.is_some(),
                accepted,
                "seed {seed}: {option:?}"
            );
        }
        let edit = edit_offer(&state, &asker);
        let accepted = |grant: &Grant| attempt(&log, of(grant), EntryBody::Content).is_ok();
        assert_eq!(edit.is_ok(), grants.iter().any(accepted), "seed {seed}");
    }
    assert!(
        yes > 2_000 && no > 5_000 && behalf > 20,
        "the seeds show nothing: {yes} {no} {behalf}"
    );
}

#[test]
fn refused_moves_say_why_by_code() {
    let mut log = Log::hazard(1);
    let assignment = log.dispatched(60);
    let state = log.state();
    let (author, grants) = person(60, &[handler(60)]);
    let asker = Asker {
        device: author.device,
        member: author.member,
        grants: &grants,
        acting_as: None,
    };
    let all = offers(&state, &asker);
    let code = |movement| {
        let option = all.iter().find(|one| one.movement == movement).unwrap();
        option.allowed.as_ref().err().copied()
    };
    assert_eq!(code(Move::Accept), None);
    assert_eq!(code(Move::Arrive), Some("case.assignment_elsewhere"));
    assert_eq!(code(Move::Dispatch), Some("may.role"));
    assert_eq!(code(Move::HandledOnSpot), Some("case.not_now"));
    assert_eq!(code(Move::GrantExtension), Some("may.role"));
    let accept = all.iter().find(|one| one.movement == Move::Accept).unwrap();
    assert_eq!(accept.assignment, Some(assignment));
    assert_eq!(accept.on_behalf, None);
}

#[test]
fn dispatcher_acts_on_behalf_of_the_assigned_unit() {
    let mut log = Log::hazard(2);
    let first = log.dispatched(60);
    let second = log.then(
        dispatcher(),
        dispatch_to(Party::Unit(unit(61)), Part::Support),
    );
    let state = log.state();
    let (author, grants) = person(101, &[dispatcher()]);
    let asker = Asker {
        device: author.device,
        member: author.member,
        grants: &grants,
        acting_as: None,
    };
    let accepts: Vec<MoveOption> = offers(&state, &asker)
        .into_iter()
        .filter(|one| one.movement == Move::Accept)
        .collect();
    let found: Vec<_> = accepts
        .iter()
        .map(|one| (one.assignment, one.allowed.is_ok(), one.on_behalf.as_ref()))
        .map(|(id, allowed, behalf)| (id, allowed, behalf.map(|(_, party)| *party)))
        .collect();
    let party = |n| Some(Party::Unit(unit(n)));
    assert_eq!(
        found,
        [
            (Some(first), false, party(60)),
            (Some(second), false, party(61))
        ]
    );
}

#[test]
fn named_grant_is_the_only_one_tried() {
    let log = Log::hazard(3);
    let state = log.state();
    let (author, grants) = person(101, &[volunteer(101), dispatcher()]);
    let allowed = |acting_as: Option<&Grant>| {
        let asker = Asker {
            device: author.device,
            member: author.member,
            grants: &grants,
            acting_as,
        };
        let all = offers(&state, &asker);
        let triage = all.into_iter().find(|one| one.movement == Move::Triage);
        triage.unwrap().allowed
    };
    assert_eq!(allowed(None), Ok(grants[1].clone()));
    assert_eq!(allowed(Some(&grants[0])), Err("may.role"));
    assert_eq!(allowed(Some(&grants[1])), Ok(grants[1].clone()));
}

#[test]
fn escalation_at_the_district_is_refused() {
    let mut log = Log::hazard(4);
    log.then(dispatcher(), escalate(AreaLevel::Town, false));
    log.then(dispatcher(), escalate(AreaLevel::District, false));
    let (author, grants) = person(101, &[dispatcher()]);
    let asker = Asker {
        device: author.device,
        member: author.member,
        grants: &grants,
        acting_as: None,
    };
    let all = offers(&log.state(), &asker);
    let option = all.iter().find(|one| one.movement == Move::Escalate);
    assert_eq!(option.unwrap().allowed, Err("case.not_next_level"));
}
