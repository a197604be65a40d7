//! The content of a dispute, and the description of its list.

use super::*;
use crate::domain::content::{Content, Details};
use crate::domain::kinds::{LISTS, ListTarget, note};
use crate::id::RecordId;
use crate::texts::{Lang, text as words};

#[test]
fn content_is_read_as_written() {
    let dispute = Dispute {
        details: Details {
            title: Some("楼上漏水".into()),
            ..Details::default()
        },
        dispute_type: Some(1),
        level: Some(3),
        parties: Some("楼上、楼下两户".into()),
        leader: Some("街道副主任".into()),
        unit: Some("司法所".into()),
        person: Some("专职调解员".into()),
        deadline_ms: Some(1_800_000_000_000),
        sessions: Some("两次".into()),
        agreement: Some("修好防水，赔偿一千元".into()),
        amount_fen: Some(100_000),
        links: vec![RecordId([7; 16]), RecordId([8; 16])],
        combined_into: Some(RecordId([9; 16])),
        list_month: Some("2026-11".into()),
        list_row: Some("17".into()),
    };
    let content = Content::from(dispute.clone());
    assert_eq!(Dispute::of(&content), Some(dispute));
    assert_eq!(SPEC.weight_of(&content), Some(3));
    assert_eq!(note::Note::of(&content), None);
    assert_eq!(
        Dispute::of(&note::SPEC.content_of(Details::default())),
        None
    );
    let mut bad = SPEC.content_of(Details::default());
    for (field, value) in [(&COMBINED_INTO, "nowhere"), (&LINKS, "x  y")] {
        bad.set(Field::Own(field), FieldValue::Text(value.into()));
    }
    let read = Dispute::of(&bad).unwrap();
    assert_eq!((read.combined_into, read.links.len()), (None, 0));
}

#[test]
fn links_fit_their_field() {
    let full = Dispute {
        links: vec![RecordId([255; 16]); RECORD_LINKS_MAX],
        ..Dispute::default()
    };
    let content = Content::from(full);
    let ValueType::Text { chars_max } = LINKS.value else {
        panic!("links are words")
    };
    assert!(content.text(&LINKS).unwrap().chars().count() <= chars_max);
    assert_eq!(Dispute::of(&content).unwrap().links.len(), RECORD_LINKS_MAX);
}

/// Names of people have a column of their own, and no field of the dispute.
#[test]
fn list_fills_fields_of_the_kind() {
    for list in LISTS {
        let kind = list.kind.spec().unwrap();
        assert!(list.names_kind.spec().unwrap().audience == Some(Audience::Restricted));
        for field in [list.month, list.row] {
            assert!(kind.fields.contains(field));
        }
        let mut rows = 0;
        for column in list.columns {
            rows += usize::from(matches!(column.target, ListTarget::Row));
            assert!(
                column
                    .target
                    .field()
                    .is_none_or(|field| kind.fields.contains(field))
            );
            assert!(!column.aliases.is_empty());
            let same = |name: &&str| {
                let others = list
                    .columns
                    .iter()
                    .filter(|other| other.name != column.name);
                others
                    .clone()
                    .any(|other| other.name == *name || other.aliases.contains(name))
            };
            assert!(!column.aliases.iter().chain([&column.name]).any(same));
        }
        assert_eq!(rows, 1);
    }
    let mut targets = LIST.columns.iter().map(|column| column.target);
    assert!(targets.all(|target| target.field() != Some(&PARTIES)));
}

#[test]
fn each_type_has_words() {
    let ValueType::Number { min, max } = DISPUTE_TYPE.value else {
        panic!("a type is a number")
    };
    for number in min..=max {
        let code = DISPUTE_TYPE.text_of(number).unwrap();
        assert!(
            Lang::ALL
                .into_iter()
                .all(|lang| words(code, lang).is_some()),
            "{code}"
        );
    }
    let document = include_str!("../../../../../../docs/disputes.md");
    assert!(document.contains(&STEPS.markdown()), "{}", STEPS.markdown());
}
