//! Records of the rows of a list: made once, by the server's own author, and counted at the end of the year.

use std::collections::BTreeMap;

use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::case::payload::KindStep;
use onegrid_core::domain::case::{Deadlines, Part};
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::kinds::dispute::{AGREE, Counted, resolution};
use onegrid_core::domain::kinds::{LISTS, dispute, note};
use onegrid_core::domain::month::Month;
use onegrid_core::domain::names::Names;
use onegrid_core::domain::{AreaPath, Audience, Source};
use onegrid_core::id::AreaId;
use onegrid_core::record::Record;

use super::*;
use crate::admin::take_in::{Mode, Order, Outcome, import_list};
use crate::ingest::Listed;
use crate::server::Server;

const HEADER: &str = "编号,社区,事由,类型,当事人,化解期限\n";
const ROWS: &str = "1,竹竿巷社区,楼上漏水,邻里纠纷,张三、李四,2025-10-31\n\
                    2,330105013003,广场舞噪声,噪声扰民,,2025-10-31\n";

fn month() -> Month {
    Month::in_china(NOW)
}

fn import(server: &Server, month: Month, rows: &str, mode: Mode) -> Outcome {
    let listed = Listed {
        list: LISTS[0],
        month,
    };
    let file = format!("{HEADER}{rows}");
    let order = Order {
        mode,
        actor: "zhang",
        now_ms: NOW,
    };
    import_list(
        server,
        ("list.csv", file.as_bytes()),
        listed,
        order,
        &mut |_, _| {},
    )
    .unwrap()
}

fn all_records(server: &Server) -> Vec<Record> {
    let shared = &server.shared;
    let ids = shared
        .store
        .read(|tx| tx.records(None, 10_000))
        .unwrap()
        .into_iter()
        .map(|row| row.id);
    let load = |id| {
        shared
            .store
            .read(|tx| crate::records::load(tx, &shared.certificates, id))
            .unwrap()
    };
    ids.map(load).collect()
}

fn of_kind(server: &Server, kind: onegrid_core::domain::RecordKind) -> Vec<Record> {
    let mut all = all_records(server);
    all.retain(|record| record.genesis().is_some_and(|facts| facts.kind == kind));
    all
}

#[test]
fn row_makes_one_record_however_often_it_is_imported() {
    let world = TestServer::new();
    let dry = import(&world.server, month(), ROWS, Mode::DryRun);
    assert_eq!((dry.changed, dry.bad.len()), (2, 0));
    assert_eq!(
        all_records(&world.server).len(),
        0,
        "a dry run makes nothing"
    );
    let first = import(&world.server, month(), ROWS, Mode::Rest);
    assert_eq!((first.changed, first.unchanged, first.bad.len()), (2, 0, 0));
    let disputes = of_kind(&world.server, dispute::KIND);
    assert_eq!(disputes.len(), 2);
    for record in &disputes {
        let (facts, state) = (record.genesis().unwrap(), record.state().unwrap());
        assert_eq!(
            (facts.source, facts.audience),
            (Source::Api, Audience::Staff)
        );
        assert_eq!((state.reporter, state.stage_name()), (None, "registered"));
        assert!(state.is_open() && record.nodes()[0].role() == Some(Role::System));
    }
    for _ in 0..2 {
        let again = import(&world.server, month(), ROWS, Mode::Rest);
        assert_eq!((again.changed, again.unchanged), (0, 2));
    }
    // The other node has its own memory, and the store is the same.
    let again = import(&world.reopened(), month(), ROWS, Mode::Rest);
    assert_eq!((again.changed, again.unchanged), (0, 2));
    assert_eq!(
        all_records(&world.server).len(),
        3,
        "two disputes and a note"
    );
    let next = import(&world.server, "2025-09".parse().unwrap(), ROWS, Mode::Rest);
    assert_eq!(next.changed, 2, "the same ids in the list of another month");
    digests_are_right(&world);
}

/// A restored server has forgotten the import. The same list makes the same records.
#[test]
fn same_list_on_restored_server_makes_same_records() {
    let ids = |world: &TestServer| -> BTreeSet<RecordId> {
        let all = all_records(&world.server);
        all.iter().map(Record::id).collect()
    };
    let (world, restored) = (TestServer::new(), TestServer::new());
    import(&world.server, month(), ROWS, Mode::Rest);
    import(&restored.server, month(), ROWS, Mode::Rest);
    assert_eq!(ids(&world), ids(&restored));
}

#[test]
fn names_are_in_a_restricted_note_alone() {
    let world = TestServer::new();
    import(&world.server, month(), ROWS, Mode::Rest);
    let notes = of_kind(&world.server, note::KIND);
    assert_eq!(notes.len(), 1);
    let facts = notes[0].genesis().unwrap();
    assert_eq!(facts.audience, Audience::Restricted);
    let content = notes[0].document().unwrap().content(&note::SPEC);
    assert_eq!(content.details().title.as_deref(), Some("张三、李四"));
    let disputes = of_kind(&world.server, dispute::KIND);
    let linked = disputes.iter().find(|one| Some(one.id()) == facts.linked);
    let about = linked.unwrap().document().unwrap();
    let content = about.content(&dispute::SPEC);
    assert_eq!(content.details().title.as_deref(), Some("楼上漏水"));
    for record in &disputes {
        let content = record.document().unwrap().content(&dispute::SPEC);
        assert!(!format!("{content:?}").contains("张三"));
    }
    let streams = |record: &Record| {
        world
            .server
            .store()
            .read(|tx| tx.record_streams(record.id()))
    };
    let of_note = streams(&notes[0]).unwrap();
    assert!(
        of_note
            .iter()
            .all(|stream| matches!(stream, StreamId::Command(_))),
        "{of_note:?}"
    );
}

/// People may have worked on the record since, so a row with other content changes nothing.
#[test]
fn row_with_other_content_is_named_and_changes_nothing() {
    let world = TestServer::new();
    import(&world.server, month(), ROWS, Mode::Rest);
    for (before, after) in [
        ("楼上漏水", "楼上漏水（改）"),
        ("张三、李四", "张三、王五"),
        ("1,竹竿巷社区", "1,武林街道"),
    ] {
        let changed = ROWS.replace(before, after);
        for mode in [Mode::DryRun, Mode::Rest] {
            let outcome = import(&world.server, month(), &changed, mode);
            assert_eq!((outcome.changed, outcome.unchanged), (0, 1), "{after}");
            let bad = &outcome.bad[0];
            assert_eq!((bad.line(), bad.code), (Some(2), "import.row_differs"));
            assert_eq!(bad.value, "1", "the id of the row and no content");
        }
    }
    assert_eq!(all_records(&world.server).len(), 3);
}

#[test]
fn strict_import_takes_all_rows_or_none() {
    let world = TestServer::new();
    let rows = format!("{ROWS}3,无此社区,甲,,,\n");
    let strict = import(&world.server, month(), &rows, Mode::Strict);
    assert!(strict.withheld && all_records(&world.server).is_empty());
    let rest = import(&world.server, month(), &rows, Mode::Rest);
    assert_eq!((rest.changed, rest.bad.len()), (2, 1));
}

#[test]
fn month_that_has_not_begun_is_refused() {
    let world = TestServer::new();
    let listed = Listed {
        list: LISTS[0],
        month: "2025-11".parse().unwrap(),
    };
    let order = Order {
        mode: Mode::Rest,
        actor: "zhang",
        now_ms: NOW,
    };
    let file = format!("{HEADER}{ROWS}");
    let refused = import_list(
        &world.server,
        ("list.csv", file.as_bytes()),
        listed,
        order,
        &mut |_, _| {},
    );
    assert_eq!(refused.unwrap_err().code(), "import.month_ahead");
}

/// The audit log names the list, its month and the number of records, and no person.
#[test]
fn import_is_in_the_audit_log_without_names() {
    let world = TestServer::new();
    import(&world.server, month(), ROWS, Mode::Rest);
    let rows = world.server.store().read(|tx| tx.audit(0, 1_000)).unwrap();
    let last = rows.last().unwrap();
    assert_eq!(
        (last.actor.as_str(), last.action.as_str()),
        ("zhang", "list.imported")
    );
    assert_eq!(last.subject, "disputes 2025-10 2");
    let said = format!("{rows:?}");
    assert!(!said.contains("张三") && !said.contains("漏水"));
}

/// An overdue dispute goes from the village to the town and to the district, once for each missed deadline.
#[test]
fn overdue_record_of_list_rises_to_the_district() {
    let world = TestServer::new();
    import(&world.server, month(), ROWS, Mode::Rest);
    let record = of_kind(&world.server, dispute::KIND).remove(0);
    let head = STATION_HEAD_JIN;
    let mut phone = world.phone(head);
    let day_ms = 86_400_000;
    let dispatch = Event::Dispatch(onegrid_core::domain::case::payload::Dispatch {
        to: Party::Member(phone.member),
        part: Part::Lead,
        deadlines: Deadlines {
            accept_by_ms: Some(NOW + day_ms),
            arrive_by_ms: None,
            resolve_by_ms: Some(NOW + 3 * day_ms),
        },
        rule: None,
        note: None,
    });
    let dispatch = phone.act(record.id(), &[record.nodes()[0].id], &dispatch);
    let answer = phone.push(&world.server, &[&dispatch]);
    assert_eq!(statuses(&answer), [Status::Accepted]);
    let level = || {
        let all = of_kind(&world.server, dispute::KIND);
        let now = all.iter().find(|one| one.id() == record.id()).unwrap();
        now.state().unwrap().handling().unwrap().level
    };
    for (after_days, expected) in [
        (0, AreaLevel::Village),
        (2, AreaLevel::Town),
        (2, AreaLevel::Town),
        (4, AreaLevel::District),
        (9, AreaLevel::District),
    ] {
        world.server.tick(NOW + after_days * day_ms + 1).unwrap();
        assert_eq!(level(), expected, "day {after_days}");
    }
}

const VILLAGES: [(u8, u8, &str); 5] = [
    (21, 20, "330105021001"),
    (22, 20, "330105021002"),
    (31, 30, "330105031001"),
    (32, 30, "330105031002"),
    (33, 30, "330105031003"),
];

fn more_areas() -> Vec<DirectoryEntry> {
    let entry = |(id, parent, level, code): (u8, AreaId, AreaLevel, &str)| {
        DirectoryEntry::Area(AreaEntry {
            id: AreaId([id; 16]),
            level,
            parent: Some(parent),
            version: AreaVersion {
                code: code.parse().unwrap(),
                names: Names::new(&format!("区域{id}"), None).unwrap(),
                boundary: None,
                valid_from_ms: 0,
                valid_to_ms: None,
            },
            successors: Vec::new(),
        })
    };
    let towns = [(20, "330105021000"), (30, "330105031000")];
    let towns = towns.map(|(id, code)| entry((id, DISTRICT, AreaLevel::Town, code)));
    let villages =
        VILLAGES.map(|(id, town, code)| entry((id, AreaId([town; 16]), AreaLevel::Village, code)));
    towns.into_iter().chain(villages).collect()
}

/// The list of a month: 68 rows, over all villages.
fn rows_of(first: usize) -> String {
    let row = |n: usize| {
        let (_, _, code) = VILLAGES[n % VILLAGES.len()];
        format!("{n},{code},纠纷{n},{},,\n", n % 10 + 1)
    };
    (first..first + 68).map(row).collect()
}

/// Twelve lists with 816 rows; a mediator brings 702 of them to an agreement. Each count equals the count of the files.
#[test]
fn year_of_lists_gives_86_percent() {
    let world = TestServer::new();
    world.server.publish(more_areas(), "admin", NOW).unwrap();
    let mut files = String::new();
    for at in 0..12 {
        let month: Month = format!("{}-{:02}", 2024 + (at + 9) / 12, (at + 9) % 12 + 1)
            .parse()
            .unwrap();
        let rows = rows_of(at * 68);
        let outcome = import(&world.server, month, &rows, Mode::Strict);
        assert_eq!((outcome.changed, outcome.bad.len()), (68, 0), "{month}");
        files += &rows;
    }
    let all = of_kind(&world.server, dispute::KIND);
    assert_eq!(all.len(), 816);
    let is_resolved = |n: usize| n % 816 < 702;
    agree(&world, &all, is_resolved);
    let counted: Vec<Counted> = of_kind(&world.server, dispute::KIND)
        .iter()
        .map(|record| Counted::of(record.id(), record.state().unwrap(), None).unwrap())
        .collect();
    let rate = |path: AreaPath| {
        let rate = resolution(&counted, &path);
        (rate.registered, rate.resolved)
    };
    let district = AreaPath::new(&[DISTRICT]).unwrap();
    assert_eq!(rate(district), (816, 702));
    assert_eq!(resolution(&counted, &district).tenths(), Some(860));
    // The second count reads the files and knows no record.
    let mut by_code: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for line in files.lines() {
        let mut cells = line.split(',');
        let (n, code) = (cells.next().unwrap(), cells.next().unwrap());
        for key in [code, &code[..9]] {
            let count = by_code.entry(key).or_default();
            count.0 += 1;
            count.1 += u64::from(is_resolved(n.parse().unwrap()));
        }
    }
    assert_eq!(by_code.len(), 7);
    for (id, town, code) in VILLAGES {
        let town_path = AreaPath::new(&[DISTRICT, AreaId([town; 16])]).unwrap();
        assert_eq!(rate(town_path), by_code[&code[..9]], "town {town}");
        let path = AreaPath::new(&[DISTRICT, AreaId([town; 16]), AreaId([id; 16])]).unwrap();
        assert_eq!(rate(path), by_code[code], "village {id}");
    }
}

/// The district assigns the disputes, and a mediator records the agreements.
fn agree(world: &TestServer, all: &[Record], is_resolved: impl Fn(usize) -> bool) {
    let lead = SUPERVISOR_TANG.like(90);
    let mut lead = world.phone(lead.acting_as(Role::DistrictLead, Workplace::District));
    let mediator = SUPERVISOR_TANG.like(91);
    let mut mediator = world.phone(mediator.acting_as(Role::Mediator, Workplace::Village));
    let row = |record: &Record| -> usize {
        let content = record.document().unwrap().content(&dispute::SPEC);
        content.text(&dispute::LIST_ROW).unwrap().parse().unwrap()
    };
    let wanted: Vec<&Record> = all.iter().filter(|one| is_resolved(row(one))).collect();
    assert_eq!(wanted.len(), 702);
    for slice in wanted.chunks(100) {
        let (mut assigned, mut agreed) = (Vec::new(), Vec::new());
        for record in slice {
            let dispatch = Event::Dispatch(onegrid_core::domain::case::payload::Dispatch {
                to: Party::Member(mediator.member),
                part: Part::Lead,
                deadlines: Deadlines::default(),
                rule: None,
                note: None,
            });
            let genesis = record.nodes()[0].id;
            let dispatch = lead.act(record.id(), &[genesis], &dispatch);
            let agree = Event::Step(KindStep {
                step: AGREE.code,
                reason: None,
                attachments: Vec::new(),
                note: Some(Text::new("双方同意").unwrap()),
            });
            agreed.push(mediator.act(record.id(), &[dispatch.id()], &agree));
            assigned.push(dispatch);
        }
        for (phone, envelopes) in [(&mut lead, &assigned), (&mut mediator, &agreed)] {
            let answer = phone.push(&world.server, &envelopes.iter().collect::<Vec<_>>());
            assert!(
                statuses(&answer)
                    .iter()
                    .all(|status| *status == Status::Accepted)
            );
        }
    }
}
