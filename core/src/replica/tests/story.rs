//! The timeline in words.

use super::directory::{publish_areas, publish_person, publish_unit};
use super::moves::dispatched;
use super::server::Server;
use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::payload::Comment;
use crate::domain::case::{Deadlines, Move, MoveInput, Outcome};
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::id::{EnvelopeId, RecordId};
use crate::limits::STORY_CHANGES_MAX;
use crate::wire::verdict::{Status, VoidReason};

const HOUR: i64 = 3_600_000;

fn story(phone: &mut FilePhone, record: RecordId) -> Vec<StoryEntry> {
    let page = phone
        .replica()
        .timeline(record, None, 200)
        .unwrap()
        .unwrap();
    assert_eq!(page.next, None);
    page.entries
}

fn sentences(phone: &mut FilePhone, record: RecordId) -> Vec<(String, String)> {
    let entries = story(phone, record);
    entries.into_iter().map(|one| (one.zh, one.en)).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one history, step by step")]
fn timeline_tells_each_step_with_names_and_deadlines() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    publish_areas(&mut server);
    publish_unit(&mut server, GAS, "燃气公司", "Gas company", 2);
    let named = [
        (VOLUNTEER_WANG, "赵一"),
        (DISPATCHER_ZHOU, "张三"),
        (HANDLER_SHEN, "李四"),
    ];
    for (person, name) in named {
        publish_person(&mut server, person, Some(name));
    }
    let (mut volunteer, mut room, _, record, assignment) = dispatched(&town, &mut server);
    let steps = [
        MoveInput {
            assignment: Some(assignment),
            text: Some("不属燃气".into()),
            ..MoveInput::of(Move::Withdraw)
        },
        MoveInput {
            to_member: Some(HANDLER_SHEN.member()),
            deadlines: Deadlines {
                accept_by_ms: Some(NOW + HOUR),
                resolve_by_ms: Some(NOW + 24 * HOUR),
                ..Deadlines::default()
            },
            ..MoveInput::of(Move::Dispatch)
        },
        MoveInput {
            text: Some("缺件".into()),
            until_ms: Some(NOW + 48 * HOUR),
            ..MoveInput::of(Move::Suspend)
        },
    ];
    for (n, step) in (3..).zip(&steps) {
        room.replica()
            .make_move(record, step, NOW + n * 1_000)
            .unwrap();
    }
    server.settle(&mut room);
    server.settle(&mut volunteer);
    let told = sentences(&mut volunteer, record);
    let expected = [
        ("赵一 上报", "赵一 reported it"),
        (
            "张三 研判为燃气隐患，严重",
            "张三 triaged it as Gas hazard, serious",
        ),
        ("张三 派单给 燃气公司", "张三 dispatched it to Gas company"),
        (
            "张三 撤回了给 燃气公司 的派单",
            "张三 withdrew it from Gas company",
        ),
        (
            "张三 派单给 李四，限 17:53 前签收，限 10月10日 16:53 前处结",
            "张三 dispatched it to 李四, to be accepted by 17:53, to be resolved by 10 Oct 16:53",
        ),
        (
            "张三 挂起，到 10月11日 16:53",
            "张三 suspended it until 11 Oct 16:53",
        ),
    ];
    for (told, (zh, en)) in told.iter().zip(expected) {
        assert_eq!(told.0, zh);
        assert_eq!(told.1.to_lowercase(), en.to_lowercase());
    }
    let entries = story(&mut volunteer, record);
    assert_eq!(entries[3].note, "不属燃气");
    assert_eq!(entries[3].role, Some(Role::Dispatcher));
    assert!(
        entries
            .iter()
            .all(|one| one.delivered && one.outcome == Outcome::Effective)
    );
}

/// One change may hold thousands of answers. A timeline names the first ones and counts the others.
#[test]
fn edit_of_many_fields_names_some_and_counts_others() {
    const ANSWERS: usize = 2_000;
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    let record = replica.report(&draft("旧题"), NOW).unwrap();
    let answer = |n: usize| FieldEdit::text(Field::Answer(format!("q{n}")), "yes");
    let mut edits: Vec<FieldEdit> = (0..ANSWERS).map(answer).collect();
    replica.edit(record, &edits, NOW + 1).unwrap();
    edits = (0..ANSWERS)
        .map(|n| FieldEdit::text(Field::Answer(format!("q{n}")), "no"))
        .collect();
    edits.push(FieldEdit::text(Field::Title, "新题"));
    replica.edit(record, &edits, NOW + 2).unwrap();
    let entries = story(&mut phone, record);
    let [_, answers, mixed] = &entries[..] else {
        panic!("{} entries", entries.len());
    };
    for (entry, count) in [(answers, ANSWERS), (mixed, ANSWERS + 1)] {
        assert_eq!(entry.edits.len(), STORY_CHANGES_MAX);
        assert_eq!(entry.edits.len() + entry.more_edits, count);
    }
    assert!(answers.zh.ends_with("回答了 2000 道题"), "{}", answers.zh);
    assert!(mixed.zh.ends_with("，另有 1981 处修改"), "{}", mixed.zh);
    assert!(
        mixed.en.ends_with(", and 1981 more changes"),
        "{}",
        mixed.en
    );
}

#[test]
fn edits_say_which_fields_changed_and_to_what() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    let record = replica.report(&draft("旧题"), NOW).unwrap();
    let edits = [
        FieldEdit::text(Field::Title, "新题"),
        FieldEdit::set(Field::Own(&hazard::SEVERITY), FieldValue::Number(3)),
        FieldEdit::text(Field::Description, "煤气味"),
    ];
    replica.edit(record, &edits, NOW + 1).unwrap();
    let gone = FieldEdit {
        field: Field::Own(&hazard::SEVERITY),
        write: crate::crdt::Write::Remove,
    };
    replica.edit(record, &[gone], NOW + 2).unwrap();
    let entries = story(&mut phone, record);
    assert_eq!(entries.len(), 3);
    let edit = &entries[1];
    assert_eq!(edit.movement, None);
    assert!(
        edit.zh
            .ends_with("修改：标题改为“新题”、严重程度改为“严重”、描述改为“煤气味”"),
        "{}",
        edit.zh
    );
    assert!(
        edit.en
            .ends_with("changed title to “新题”, severity to “serious”, description to “煤气味”"),
        "{}",
        edit.en
    );
    let title = edit
        .edits
        .iter()
        .find(|one| one.field == Field::Title)
        .unwrap();
    assert_eq!(title.value.0, "新题");
    assert!(
        entries[2].zh.ends_with("修改：严重程度已清除"),
        "{}",
        entries[2].zh
    );
    assert_eq!(entries[2].edits[0].value.0, "");
}

#[test]
fn words_calls_and_reasons_for_not_counting_are_told() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let mut phone = town.phone(VOLUNTEER_WANG);
    let record = phone.replica().report(&draft("一"), NOW).unwrap();
    let called = Comment {
        mentions: vec![VOLUNTEER_WANG.member()],
        ..said("请看")
    };
    phone.replica().comment(record, called, NOW + 1).unwrap();
    let bad = phone
        .replica()
        .comment(record, said("不算"), NOW + 2)
        .unwrap();
    server.verdicts.insert(bad, Status::Void(VoidReason::Limit));
    server.settle(&mut phone);
    let entries = story(&mut phone, record);
    assert!(entries[1].zh.contains("留言，提醒 "), "{}", entries[1].zh);
    assert_eq!((entries[1].note.as_str(), entries[1].why), ("请看", None));
    assert_eq!(entries[2].outcome, Outcome::Ignored);
    assert_eq!(
        (entries[2].note.as_str(), entries[2].why),
        ("不算", Some("void.limit"))
    );
}

#[test]
fn acting_for_another_is_told_with_its_reason() {
    let town = Deployment::new();
    let mut server = Server::new(&town);
    let (_, mut room, _, record, assignment) = dispatched(&town, &mut server);
    let accept = MoveInput {
        assignment: Some(assignment),
        behalf_reason: Some("手机没电".into()),
        ..MoveInput::of(Move::Accept)
    };
    room.replica()
        .make_move(record, &accept, NOW + 5_000)
        .unwrap();
    let entries = story(&mut room, record);
    let last = entries.last().unwrap();
    assert!(
        last.zh.contains("签收（代 ") && last.zh.ends_with("办理，原因：手机没电）"),
        "{}",
        last.zh
    );
}

#[test]
fn timeline_pages_go_on_after_an_entry() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    let record = replica.report(&draft("一"), NOW).unwrap();
    for n in 1..10 {
        replica
            .comment(record, said(&format!("{n}")), NOW + n)
            .unwrap();
    }
    let whole = replica
        .timeline(record, None, 200)
        .unwrap()
        .unwrap()
        .entries;
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let page = replica.timeline(record, after, 3).unwrap().unwrap();
        assert!(page.entries.len() <= 3);
        paged.extend(page.entries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(whole.len(), 10);
    let nowhere = replica
        .timeline(record, Some(EnvelopeId([9; 16])), 3)
        .unwrap_err();
    assert_eq!(nowhere.code(), "list.bad_token");
    assert!(
        replica
            .timeline(RecordId([9; 16]), None, 3)
            .unwrap()
            .is_none()
    );
}
