//! Typed content: every replica reads the values that were written, and conflicts are shown.

use std::collections::BTreeMap;

use automerge::transaction::{CommitOptions, Transactable};

use super::super::*;
use super::support::*;
use crate::domain::case::Severity;
use crate::domain::content::{Content, Details, Field, FieldValue, LogKey};
use crate::domain::kinds::dispute::Dispute;
use crate::domain::kinds::hazard;
use crate::domain::kinds::hazard::Hazard;
use crate::domain::kinds::note::Note;
use crate::domain::kinds::notice::Notice;
use crate::domain::kinds::patrol::Patrol;
use crate::domain::kinds::place::Place;
use crate::domain::kinds::request::Request;
use crate::domain::kinds::reward::Reward;
use crate::domain::kinds::shift::Shift;
use crate::domain::kinds::task::Task;
use crate::domain::kinds::tip::Tip;
use crate::domain::kinds::visit::Visit;
use crate::domain::kinds::whistle::Whistle;
use crate::domain::walk::section::SectionId;
use crate::id::RecordId;

#[test]
fn what_is_reported_is_what_is_read_by_everybody() {
    let raw = build_genesis(&hazard(), actor(1)).unwrap();
    assert_eq!(
        raw,
        build_genesis(&hazard(), actor(1)).unwrap(),
        "a Genesis is deterministic"
    );
    let document = Document::genesis(&raw, device(1)).unwrap();
    assert_eq!(document.content(&hazard::SPEC), hazard());
    let again = Document::from_save(&document.save()).unwrap();
    assert_eq!(again.content(&hazard::SPEC), hazard());
    assert_eq!(again.heads(), document.heads());
    assert_eq!(again.raw_changes(), vec![raw]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "one block for each kind")]
fn every_kind_keeps_its_own_fields() {
    let details = Details {
        title: Some("x".into()),
        ..Details::default()
    };
    let contents = [
        Content::from(Tip {
            details: details.clone(),
            offence: Some("fraud".into()),
        }),
        Content::from(Request {
            details: details.clone(),
            urgency: Some(4),
            contact_wanted: Some(true),
            contact: Some("张三".into()),
        }),
        Content::from(Visit {
            details: details.clone(),
            template: Some("care_visit".parse().unwrap()),
            template_version: Some(3),
            planned_ms: Some(1_700_000_000_000),
            visited: Some(RecordId([7; 16])),
            companions: Some("王五".into()),
        }),
        Content::from(Note {
            details: details.clone(),
        }),
        Content::from(Notice {
            details: details.clone(),
            notice_type: Some(2),
            read_by_ms: Some(1_700_000_000_000),
        }),
        Content::from(Shift {
            details: details.clone(),
            post: Some("指挥室".into()),
            open_count: Some(2),
            open_records: vec![RecordId([9; 16]), RecordId([10; 16])],
        }),
        Content::from(Task {
            details: details.clone(),
            template: Some("care_visit".parse().unwrap()),
            deadline_ms: Some(1_700_000_000_000),
            wanted: Some(40),
            recurrence: Some("FREQ=WEEKLY;COUNT=4".into()),
            duty: Some("1.2.3".into()),
            feedback: vec![RecordId([9; 16]), RecordId([10; 16])],
        }),
        Content::from(Whistle {
            details: details.clone(),
            joint_type: Some(1),
            from_record: Some(RecordId([8; 16])),
            meet_ms: Some(1_700_000_000_000),
            meet_place: Some("武林路 133 号门口".into()),
            found: Some(6),
            solved: Some(4),
            findings: Some("发现 6 只，收缴 4 只".into()),
        }),
        Content::from(Dispute {
            details: details.clone(),
            dispute_type: Some(5),
            level: Some(2),
            parties: Some("楼上楼下".into()),
            deadline_ms: Some(1_700_000_000_000),
            amount_fen: Some(100),
            links: vec![RecordId([7; 16])],
            combined_into: Some(RecordId([8; 16])),
            ..Dispute::default()
        }),
        Content::from(Reward {
            details: details.clone(),
            amount_fen: Some(50_000),
            ground: Some("属实".into()),
        }),
        Content::from(Patrol {
            details: Details {
                logs: BTreeMap::from([(own_entry(3), "00".into())]),
                ..details.clone()
            },
            section: SectionId::new("wulin-7"),
            route: Some("东门".into()),
            force: Some(4),
            equipment: Some("手电".into()),
        }),
        Content::from(Place {
            details,
            place_type: Some("shop".into()),
            contact: Some("李四".into()),
        }),
    ];
    for content in contents {
        let raw = build_genesis(&content, actor(3)).unwrap();
        let document = Document::genesis(&raw, device(3)).unwrap();
        assert_eq!(document.content(content.kind().spec().unwrap()), content);
    }
}

fn own_entry(n: u8) -> LogKey {
    LogKey::new(device(n), "track-1").unwrap()
}

/// A device writes entries of its own, and no other change reaches them.
#[test]
fn entry_of_another_device_is_refused() {
    let mut ann = reported();
    let own = FieldEdit::text(Field::Log(own_entry(1)), "00");
    edit(&mut ann, 1, &[own]);
    let entry = |document: &Document| document.field(&Field::Log(own_entry(1)));
    assert_eq!(entry(&ann), Some(FieldValue::Text("00".into())));
    let foreign = [
        FieldEdit::text(Field::Log(own_entry(1)), "11"),
        FieldEdit {
            field: Field::Log(own_entry(1)),
            write: Write::Remove,
        },
        FieldEdit::text(Field::Log(own_entry(3)), "11"),
    ];
    for edit in &foreign {
        let refused = ann.edit(actor(2), std::slice::from_ref(edit));
        assert_eq!(refused, Err(EditError::Refused(GateError::ForeignActor)));
    }
    // A changed app writes the change without this check.
    let key = format!("log.{}", own_entry(1));
    let by = automerge::ActorId::from(&actor(2).0[..]);
    let mut doc = automerge::Automerge::load(&ann.save())
        .unwrap()
        .with_actor(by);
    let mut tx = doc.transaction();
    tx.put(automerge::ROOT, key, "11").unwrap();
    tx.commit_with(CommitOptions::default().with_time(0));
    let raw = doc.get_last_local_change().unwrap().raw_bytes().to_vec();
    let candidate = Candidate {
        raw: &raw,
        author: device(2),
    };
    let results = ann.admit(&[candidate]);
    assert_eq!(results[0].as_ref().err(), Some(&GateError::ForeignActor));
    assert_eq!(entry(&ann), Some(FieldValue::Text("00".into())));
}

#[test]
fn concurrent_edits_of_different_fields_merge_and_words_are_kept() {
    let mut ann = reported();
    let mut bo = ann.clone();
    let one = edit(
        &mut ann,
        1,
        &[FieldEdit::text(
            Field::Description,
            "店内有5只气瓶，无证。门口堵了。",
        )],
    );
    let two = edit(
        &mut bo,
        2,
        &[
            number(Field::Own(&hazard::SEVERITY), 4),
            FieldEdit::text(Field::Description, "已报警：店内有6只气瓶，无证。"),
        ],
    );
    admit(&mut ann, 2, &two).unwrap();
    admit(&mut bo, 1, &one).unwrap();
    assert_eq!(ann.heads(), bo.heads());
    assert_eq!(ann.content(&hazard::SPEC), bo.content(&hazard::SPEC));
    let hazard = Hazard::of(&ann.content(&hazard::SPEC)).unwrap();
    assert_eq!(hazard.severity, Some(Severity::Critical));
    assert_eq!(
        hazard.details.description,
        "已报警：店内有6只气瓶，无证。门口堵了。"
    );
    assert!(ann.conflicts().is_empty());
}

#[test]
fn a_conflict_shows_both_values_and_is_settled_by_writing_even_the_one_on_top() {
    let mut ann = reported();
    let mut bo = ann.clone();
    let one = edit(&mut ann, 1, &[number(Field::Own(&hazard::SEVERITY), 3)]);
    let two = edit(&mut bo, 2, &[number(Field::Own(&hazard::SEVERITY), 4)]);
    admit(&mut ann, 2, &two).unwrap();
    admit(&mut bo, 1, &one).unwrap();

    let conflicts = ann.conflicts();
    assert_eq!(conflicts, bo.conflicts());
    let [conflict] = conflicts.as_slice() else {
        panic!("one conflict: {conflicts:?}")
    };
    assert_eq!(conflict.field, Field::Own(&hazard::SEVERITY));
    assert_eq!(
        Some(conflict.winner().value.clone()),
        ann.field(&Field::Own(&hazard::SEVERITY))
    );
    let mut values: Vec<_> = conflict
        .versions
        .iter()
        .map(|v| (v.value.clone(), v.device))
        .collect();
    values.sort_by_key(|(_, device)| *device);
    assert_eq!(
        values,
        [
            (FieldValue::Number(3), DevicePrefix::of(&device(1))),
            (FieldValue::Number(4), DevicePrefix::of(&device(2))),
        ]
    );

    for version in &conflict.versions {
        let mut settled = ann.clone();
        edit(&mut settled, 5, &[conflict.settle(version.value.clone())]);
        assert!(settled.conflicts().is_empty());
        assert_eq!(
            settled.field(&Field::Own(&hazard::SEVERITY)),
            Some(version.value.clone())
        );
    }
}

#[test]
fn settling_can_be_undone_while_it_still_shows() {
    let mut ann = reported();
    let mut bo = ann.clone();
    edit(&mut ann, 1, &[number(Field::Own(&hazard::SEVERITY), 3)]);
    let two = edit(&mut bo, 2, &[number(Field::Own(&hazard::SEVERITY), 4)]);
    admit(&mut ann, 2, &two).unwrap();
    let conflict = ann.conflicts().remove(0);
    let shown = conflict.winner().value.clone();
    let other = conflict.versions[1].value.clone();

    let settling = edit(&mut ann, 1, &[conflict.settle(other.clone())]);
    let settling = inspect(&settling).unwrap().hash;
    let undo = ann.undo_edits(&settling);
    assert_eq!(
        undo,
        [FieldEdit::set(Field::Own(&hazard::SEVERITY), shown.clone())]
    );
    edit(&mut ann, 1, &undo);
    assert_eq!(ann.field(&Field::Own(&hazard::SEVERITY)), Some(shown));
    assert!(
        ann.undo_edits(&settling).is_empty(),
        "it does not show any more"
    );
}

#[test]
fn undoing_a_description_keeps_the_words_of_others() {
    let mut ann = reported();
    let mine = edit(
        &mut ann,
        1,
        &[FieldEdit::text(
            Field::Description,
            "店内有50只气瓶，无证。",
        )],
    );
    edit(
        &mut ann,
        2,
        &[FieldEdit::text(
            Field::Description,
            "店内有50只气瓶，无证。老板不在。",
        )],
    );
    let undo = ann.undo_edits(&inspect(&mine).unwrap().hash);
    edit(&mut ann, 1, &undo);
    let text = ann.content(&hazard::SPEC).details().description.clone();
    assert_eq!(text, "店内有5只气瓶，无证。老板不在。");
}

#[test]
fn what_a_void_change_wrote_is_written_again_under_another_actor() {
    let server = reported();
    let mut phone = server.clone();
    let void = edit(
        &mut phone,
        1,
        &[
            number(Field::Own(&hazard::SEVERITY), 4),
            FieldEdit {
                field: Field::Category,
                write: Write::Remove,
            },
            FieldEdit::text(Field::Description, "店内有5只气瓶，无证。二楼还有。"),
        ],
    );
    let rescued = phone.written_by(&inspect(&void).unwrap().hash);

    // Meanwhile another person wrote, and the void change never got in.
    let mut current = server;
    edit(
        &mut current,
        2,
        &[FieldEdit::text(
            Field::Description,
            "武林路：店内有5只气瓶，无证。",
        )],
    );
    let fresh = ActorId::new(&device(1), [77; 8]);
    let raw = current.edit(fresh, &rescued).unwrap();
    admit(&mut current, 1, &raw).unwrap();
    let hazard = Hazard::of(&current.content(&hazard::SPEC)).unwrap();
    assert_eq!(hazard.severity, Some(Severity::Critical));
    assert_eq!(hazard.details.category, None);
    assert_eq!(
        hazard.details.description,
        "武林路：店内有5只气瓶，无证。二楼还有。"
    );
}

#[test]
fn the_past_can_be_read() {
    let mut document = reported();
    let before = document.heads();
    edit(
        &mut document,
        2,
        &[number(Field::Own(&hazard::SEVERITY), 4)],
    );
    assert_eq!(document.content_at(&hazard::SPEC, &before), Some(hazard()));
    assert_eq!(
        document.at(&before).unwrap().content(&hazard::SPEC),
        hazard()
    );
    assert!(
        document
            .content_at(&hazard::SPEC, &[crate::id::Hash([1; 32])])
            .is_none()
    );
    let now = document.heads();
    assert!(document.covers(&now[0], &before[0]));
    assert!(!document.covers(&before[0], &now[0]));
}

#[test]
fn an_edit_that_changes_nothing_or_too_much_is_no_change() {
    let document = reported();
    let edit = |edit: FieldEdit| document.edit(actor(2), &[edit]).unwrap_err().code();
    assert_eq!(
        edit(number(Field::Own(&hazard::SEVERITY), 2)),
        "content.no_change"
    );
    assert_eq!(
        edit(number(Field::Own(&hazard::SEVERITY), 9)),
        "content.wrong_value"
    );
    assert_eq!(
        edit(FieldEdit::text(Field::Own(&hazard::SEVERITY), "2")),
        "content.wrong_value"
    );
    assert_eq!(
        edit(FieldEdit::text(Field::Answer("A b".into()), "2")),
        "content.wrong_value"
    );
    assert_eq!(
        edit(FieldEdit::text(Field::Title, "长".repeat(501))),
        "content.too_long"
    );
    assert_eq!(
        edit(FieldEdit::text(Field::Description, "长".repeat(5_001))),
        "content.too_long"
    );
    let longest = FieldEdit::text(Field::Description, "长".repeat(5_000));
    assert!(document.edit(actor(2), &[longest]).is_ok());
}

#[test]
fn every_code_has_its_texts() {
    let texts = include_str!("../../texts.tsv");
    let codes = [
        "not_a_change",
        "compressed",
        "truncated",
        "checksum",
        "malformed",
        "too_large",
        "metadata",
        "unsupported",
        "foreign_actor",
        "not_genesis",
        "unknown_deps",
        "refused_parent",
        "clone",
        "sequence",
        "start_op",
        "reference",
        "rejected",
        "no_change",
        "too_long",
        "wrong_value",
        "no_place",
    ];
    for code in codes {
        let start = format!("content.{code}\t");
        let line = texts.lines().find(|line| line.starts_with(&start));
        assert_eq!(line.map(|line| line.split('\t').count()), Some(3), "{code}");
    }
}

#[test]
fn a_value_of_a_wrong_type_reads_as_absent_and_hides_no_other() {
    let base = reported();
    // Person 9 sorts last, so its value is on top.
    let mut chunk = super::chunk::Chunk::of(
        &base
            .edit(actor(9), &[number(Field::Own(&hazard::SEVERITY), 3)])
            .unwrap(),
    );
    chunk = chunk
        .column(super::chunk::VALUE_META, &[0x7f, 0x16])
        .column(super::chunk::VALUE, b"x");
    let mut alone = base.clone();
    admit(&mut alone, 9, &chunk.raw()).unwrap();
    assert_eq!(alone.field(&Field::Own(&hazard::SEVERITY)), None);
    let hazard = Hazard::of(&alone.content(&hazard::SPEC)).unwrap();
    assert_eq!(hazard.severity, None);

    let mut both = base;
    edit(&mut both, 2, &[number(Field::Own(&hazard::SEVERITY), 4)]);
    admit(&mut both, 9, &chunk.raw()).unwrap();
    assert_eq!(
        both.field(&Field::Own(&hazard::SEVERITY)),
        Some(FieldValue::Number(4))
    );
    let hazard = Hazard::of(&both.content(&hazard::SPEC)).unwrap();
    assert_eq!(hazard.severity, Some(Severity::Critical));
    assert!(
        both.conflicts().is_empty(),
        "nobody can choose a value that can not be read"
    );
}

#[test]
fn when_more_people_wrote_at_once_than_a_change_may_name_one_can_still_edit() {
    let base = reported();
    let mut document = base.clone();
    for n in 10..90 {
        let answer = FieldEdit::text(Field::Answer(format!("q{n}")), "是");
        let raw = base.edit(actor(n), &[answer]).unwrap();
        admit(&mut document, n, &raw).unwrap();
    }
    assert_eq!(document.heads().len(), 80);
    let raw = document
        .edit(actor(89), &[number(Field::Own(&hazard::SEVERITY), 4)])
        .unwrap();
    admit(&mut document, 89, &raw).unwrap();
    assert_eq!(inspect(&raw).unwrap().seq, 2);
    assert_eq!(
        document.field(&Field::Own(&hazard::SEVERITY)),
        Some(FieldValue::Number(4))
    );
    assert_eq!(document.content(&hazard::SPEC).details().answers.len(), 81);
    let raw = document
        .edit(actor(3), &[number(Field::Own(&hazard::SEVERITY), 1)])
        .unwrap();
    admit(&mut document, 3, &raw).unwrap();
    assert!(document.heads().len() < 20);
}

#[test]
fn flood_of_entries_hides_only_its_own() {
    use crate::limits::CONTENT_ENTRIES_MAX;
    let mut document = reported();
    // Person 2 writes more answers and more photos than are read, and they all sort before the others.
    for n in 0..3 {
        let edits: Vec<FieldEdit> = (0..CONTENT_ENTRIES_MAX / 2)
            .flat_map(|m| {
                let mut hash = [0; 32];
                hash[1..9].copy_from_slice(&(n * 10_000 + m).to_be_bytes());
                [
                    FieldEdit::text(Field::Answer(format!("0-{n}-{m}")), "junk"),
                    FieldEdit::text(Field::Photo(crate::id::Hash(hash)), "junk"),
                ]
            })
            .collect();
        edit(&mut document, 2, &edits);
    }
    let late = crate::id::Hash([0xfe; 32]);
    let edits = [
        FieldEdit::text(Field::Photo(late), "门锁"),
        FieldEdit::text(Field::Answer("zz".into()), "是"),
    ];
    edit(&mut document, 3, &edits);
    let content = document.content(&hazard::SPEC);
    let details = content.details();
    assert_eq!(details.photos[&crate::id::Hash([9; 32])], "门口");
    assert_eq!(details.photos[&late], "门锁");
    assert_eq!(details.answers["valve_closed"], "否");
    assert_eq!(details.answers["zz"], "是");
    assert_eq!(details.photos.len(), CONTENT_ENTRIES_MAX);
    assert_eq!(details.answers.len(), CONTENT_ENTRIES_MAX);
    assert_eq!(
        Document::from_save(&document.save())
            .unwrap()
            .content(&hazard::SPEC),
        content
    );
}
