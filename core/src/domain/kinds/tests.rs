//! The registry: codes, names and field tables of all kinds together.

#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::Audience;
use crate::domain::case::{Move, Severity, Stage};
use crate::domain::content::ValueType;
use crate::domain::steps::{HANDLING_MOVES, NAMED, PARTY, STAGE_CODES_FROM, STRANGER, StepSpec};
use crate::texts::{Lang, text, word_code};

#[test]
fn kind_of_a_newer_version_survives_a_round_trip() {
    let newer = minicbor::to_vec(200_u8).unwrap();
    let kind: RecordKind = minicbor::decode(&newer).unwrap();
    assert_eq!(kind, RecordKind::of_code(200));
    assert!(!kind.is_known() && !kind.is_case());
    assert_eq!(kind.name(), "unknown");
    assert_eq!(minicbor::to_vec(kind).unwrap(), newer);
    assert!(minicbor::decode::<Audience>(&minicbor::to_vec(3_u8).unwrap()).is_err());
}

#[test]
fn codes_and_names_of_kinds_are_stable() {
    let known: Vec<(u8, &str, bool)> = KINDS
        .iter()
        .map(|spec| (spec.kind.code(), spec.name, spec.kind.is_case()))
        .collect();
    let expected = [
        (1, "hazard", true),
        (2, "tip", true),
        (3, "request", true),
        (5, "visit", false),
        (6, "task", false),
        (7, "patrol", false),
        (8, "place", false),
        (11, "note", false),
        (9, "notice", false),
        (10, "shift", false),
        (12, "whistle", false),
        (4, "dispute", false),
        (13, "reward", false),
    ];
    assert_eq!(known, expected, "a released code keeps its name");
    for spec in KINDS {
        let json = serde_json::to_string(&spec.kind).unwrap();
        assert_eq!(json, format!("\"{}\"", spec.name));
        assert_eq!(
            serde_json::from_str::<RecordKind>(&json).unwrap(),
            spec.kind
        );
    }
    assert!(serde_json::from_str::<RecordKind>("\"newer\"").is_err());
}

#[test]
fn each_code_and_name_is_taken_once() {
    let codes: BTreeSet<RecordKind> = KINDS.iter().map(|spec| spec.kind).collect();
    let names: BTreeSet<&str> = KINDS.iter().map(|spec| spec.name).collect();
    assert_eq!((codes.len(), names.len()), (KINDS.len(), KINDS.len()));
    assert!(!names.contains("unknown"));
}

#[test]
fn fields_of_one_name_are_one_field() {
    let mut known: BTreeMap<&str, &FieldSpec> = BTreeMap::new();
    for field in own_fields() {
        assert_eq!(*known.entry(field.name).or_insert(field), field);
        assert_eq!(Field::of_name(field.name), Some(Field::Own(field)));
    }
    for shared in Field::shared() {
        assert!(!known.contains_key(shared.name().as_ref()), "{shared:?}");
    }
}

#[test]
fn weight_and_exported_fields_are_in_the_table() {
    for spec in KINDS {
        for field in spec.weight.into_iter().chain(spec.exported) {
            assert!(spec.fields.contains(field), "{}: {}", spec.name, field.name);
        }
        if let Some(weight) = spec.weight {
            let severity = ValueType::Number { min: 1, max: 4 };
            assert_eq!(weight.value, severity, "{}", spec.name);
        }
    }
}

#[test]
fn every_kind_and_field_has_its_texts() {
    let kinds = KINDS.iter().map(|spec| format!("kind.{}", spec.name));
    let fields = own_fields().map(|field| format!("field.{}", field.name));
    let values = own_fields().flat_map(|field| field.texts);
    let codes = kinds.chain(fields).chain(values.map(ToString::to_string));
    for code in codes {
        for lang in Lang::ALL {
            assert!(text(&code, lang).is_some(), "{code}");
        }
    }
    for field in own_fields().filter(|field| !field.texts.is_empty()) {
        let ValueType::Number { min, max } = field.value else {
            panic!("{}: only numbers have texts", field.name)
        };
        assert_eq!(i64::try_from(field.texts.len()), Ok(max - min + 1));
    }
}

/// Every text of a table of steps, and the rules that make it usable: the fold needs a birth that is open, and
/// steps that a name or code finds.
#[test]
fn tables_of_steps_are_sound() {
    let mut stage_codes: BTreeMap<&str, u8> = BTreeMap::new();
    for spec in KINDS.iter().filter(|spec| spec.kind.steps().is_some()) {
        let table = spec.kind.steps().unwrap();
        assert!(!table.birth().is_ended);
        for stage in table.stages {
            assert!(stage.code >= STAGE_CODES_FROM && Stage::from_name(stage.name).is_none());
            let known = *stage_codes.entry(stage.name).or_insert(stage.code);
            assert_eq!(known, stage.code, "kinds share the code of {}", stage.name);
            assert_eq!(stages::name_of(stage.code), stage.name);
            assert_eq!(stages::code_of(stage.name), Some(stage.code));
            assert_eq!(table.stage(stage.code), Some(*stage));
        }
        let reasons: Vec<_> = table.steps.iter().flat_map(|step| step.reasons).collect();
        let distinct: BTreeSet<u8> = reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(
            distinct.len(),
            reasons.len(),
            "reasons are unique in the kind"
        );
        for step in table.steps {
            assert_eq!(table.step(step.code), Some(step));
            assert_eq!(table.step_named(step.name), Some(step));
            assert!(Move::from_name(step.name).is_none(), "{}", step.name);
            assert!(!step.from.is_empty() && step.rank > 0, "{}", step.name);
            assert!(step.from.iter().all(|stage| table.stages.contains(stage)));
            assert!(table.stages.contains(&step.to));
            // A step that only joins keeps no ended stage. One that also leads there is made once by each device.
            let only_joins = step.from == [step.to];
            assert!(!only_joins || !step.to.is_ended, "{}", step.name);
            let known = |code: &u8| {
                [0, NAMED, PARTY, STRANGER].contains(code) || table.step(*code).is_some()
            };
            assert!(step.not_by.iter().all(known), "{}", step.name);
        }
        for handling in table.handling {
            let moves = handling.moves.iter();
            assert!(moves.clone().count() > 0 && !handling.during.is_empty());
            assert!(moves.clone().all(|one| HANDLING_MOVES.contains(one)));
            assert!(
                handling
                    .during
                    .iter()
                    .all(|stage| table.stages.contains(stage))
            );
        }
        let stages = table
            .stages
            .iter()
            .map(|stage| format!("stage.{}", stage.name));
        let kind = spec.name;
        let of_step =
            |step: &StepSpec| ["act", "story"].map(|area| word_code(area, step.name, kind));
        let steps = table.steps.iter().flat_map(of_step);
        let reasons = reasons
            .iter()
            .map(|reason| format!("reason.{}", reason.name));
        for code in stages.chain(steps).chain(reasons) {
            for lang in Lang::ALL {
                assert!(text(&code, lang).is_some(), "{code}");
            }
        }
    }
    for stage in Stage::ALL {
        assert!(stage.code() < STAGE_CODES_FROM);
        assert_eq!(stages::name_of(stage.code()), stage.name());
        assert_eq!(stages::code_of(stage.name()), Some(stage.code()));
    }
    assert_eq!(
        (stages::name_of(250), stages::code_of("nowhere")),
        ("unknown", None)
    );
}

#[test]
fn severity_texts_follow_their_codes() {
    let names = Severity::ALL
        .iter()
        .map(|severity| format!("severity.{}", severity.name()));
    assert!(names.eq(hazard::SEVERITY.texts.iter().map(ToString::to_string)));
}
