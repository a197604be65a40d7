//! Tests plain input: which field is missing, and which event the input makes.

use super::support::*;
use crate::domain::case::input::{InputField as F, Need, needs};
use crate::domain::case::{Event, InputError, Move, MoveInput, Party};
use crate::id::Hash;
use crate::limits::{EVENT_ATTACHMENTS_MAX, MENTIONS_MAX, TEXT_CHARS_MAX};
use crate::texts::{Lang, text};

fn state() -> crate::domain::case::RecordState {
    let mut log = Log::hazard(1);
    log.dispatched(60);
    log.state()
}

#[test]
fn empty_input_names_a_field_that_the_form_asks_for() {
    // A step has a name of its own, so no form belongs to the move.
    let moves = Move::ALL.iter().filter(|one| **one != Move::Step);
    for movement in moves {
        let asked = needs(*movement);
        let wanted = asked.iter().find(|one| one.need != Need::Optional);
        match (MoveInput::of(*movement).event(&state()), wanted) {
            (Ok((event, None)), None) => assert_eq!(event.movement(), Some(*movement)),
            (Err(InputError::Missing(field)), Some(_)) => {
                let named = asked.iter().find(|one| one.field == field).unwrap();
                assert_ne!(named.need, Need::Optional, "{movement}");
            }
            other => panic!("{movement}: {other:?}"),
        }
    }
}

#[test]
fn every_field_and_error_has_a_sentence() {
    for field in F::ALL {
        for lang in Lang::ALL {
            assert!(
                text(&format!("input.{}", field.name()), lang).is_some(),
                "{field}"
            );
            for error in [
                InputError::Missing(*field),
                InputError::Invalid(*field, "text.too_long"),
                InputError::TooMany(*field),
                InputError::UnknownMove,
            ] {
                let sentence = error.sentence(lang);
                assert!(
                    !sentence.contains('{') && !sentence.is_empty(),
                    "{sentence}"
                );
            }
        }
    }
}

#[test]
fn unknown_names_and_bad_values_are_refused_by_field() {
    let refused = |input: MoveInput| input.event(&state()).unwrap_err();
    let unknown = MoveInput {
        movement: "teleport".into(),
        ..MoveInput::default()
    };
    assert_eq!(refused(unknown), InputError::UnknownMove);
    let long = MoveInput {
        text: Some("长".repeat(TEXT_CHARS_MAX + 1)),
        ..MoveInput::of(Move::Close)
    };
    assert_eq!(refused(long), InputError::Invalid(F::Text, "text.too_long"));
    let control = MoveInput {
        text: Some("a\u{7}".into()),
        ..MoveInput::of(Move::Close)
    };
    assert_eq!(
        refused(control),
        InputError::Invalid(F::Text, "text.bad_character")
    );
    let category = MoveInput {
        category: Some("Gas!".into()),
        ..MoveInput::of(Move::Triage)
    };
    assert_eq!(
        refused(category),
        InputError::Invalid(F::Category, "category.bad_code")
    );
    let two = MoveInput {
        to_unit: Some(unit(60)),
        to_member: Some(member(1)),
        ..MoveInput::of(Move::Dispatch)
    };
    assert_eq!(
        refused(two),
        InputError::Invalid(F::ToMember, "input.one_target")
    );
    let photos = MoveInput {
        attachments: vec![Hash([1; 32]); EVENT_ATTACHMENTS_MAX + 1],
        ..MoveInput::of(Move::Comment)
    };
    assert_eq!(refused(photos), InputError::TooMany(F::Attachments));
    let mentions = MoveInput {
        text: Some("看一下".into()),
        mentions: vec![member(1); MENTIONS_MAX + 1],
        ..MoveInput::of(Move::Comment)
    };
    assert_eq!(refused(mentions), InputError::TooMany(F::Mentions));
}

#[test]
fn behalf_names_the_party_of_the_assignment() {
    let state = state();
    let input = MoveInput {
        assignment: Some(state.assignments()[0].id),
        behalf_reason: Some(" 手机没电 ".into()),
        ..MoveInput::of(Move::Accept)
    };
    let (event, behalf) = input.event(&state).unwrap();
    assert!(matches!(event, Event::Accept(_)));
    let behalf = behalf.unwrap();
    assert_eq!(behalf.party, Party::Unit(unit(60)));
    assert_eq!(behalf.reason.as_str(), "手机没电");
    let blank = MoveInput {
        behalf_reason: Some(" ".into()),
        ..input
    };
    assert_eq!(
        blank.event(&state),
        Err(InputError::Missing(F::BehalfReason))
    );
}
