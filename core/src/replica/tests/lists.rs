//! Lists, counts, map and search over projections.

use super::*;
use crate::crdt::FieldEdit;
use crate::domain::case::{Deadlines, Move, MoveInput};
use crate::domain::content::{Field, FieldValue};
use crate::domain::kinds::hazard;
use crate::domain::kinds::place::Place;
use crate::domain::kinds::request::{self, Request};

fn titles(page: &[RecordRow]) -> Vec<&str> {
    page.iter().map(|row| row.title.as_str()).collect()
}

#[test]
fn pages_go_by_key_newest_change_first_without_gap_or_repetition() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    for n in 0..25 {
        // Several records share one instant, so the key must distinguish them.
        phone
            .replica()
            .report(&draft(&format!("{n}")), NOW + n / 3)
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let all = Filter::default();
        let page = phone.replica().list(&all, after.as_ref(), 4).unwrap();
        seen.extend(page.rows.iter().map(|row| row.title.clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
    assert_eq!(phone.replica().count(&Filter::default()).unwrap(), 25);
}

#[test]
fn filters_hold_together() {
    let mut phone = Deployment::new().phone(GRID_WORKER_CHEN);
    let mut gas = hazard("燃气", "");
    gas.details_mut().category = Some("gas.cylinder".into());
    let elsewhere = AreaPath::new(&[area(1), area(2), area(9)]).unwrap();
    let first = phone
        .replica()
        .report(&Draft::staff(gas, home()), NOW)
        .unwrap();
    phone
        .replica()
        .report(&Draft::staff(hazard("别处", ""), elsewhere), NOW + 1)
        .unwrap();
    let replica = phone.replica();
    let count = |narrow: &dyn Fn(&mut Filter)| {
        let mut filter = Filter::default();
        narrow(&mut filter);
        replica.count(&filter).unwrap()
    };
    assert_eq!(
        [1, 2, 3, 4, 9, 7].map(|n| count(&|filter| filter.area = Some(area(n)))),
        [2, 2, 1, 1, 1, 0]
    );
    let gas_in_the_village = Filter {
        area: Some(area(3)),
        category: Some("gas.cylinder".to_owned()),
        ..Filter::default()
    };
    let page = replica.list(&gas_in_the_village, None, 10).unwrap();
    assert_eq!(page.rows[0].id, first);
    let mine_and_open = count(&|filter| {
        filter.open = Some(true);
        filter.mine = true;
    });
    assert_eq!(mine_and_open, 2);
    assert_eq!(count(&|filter| filter.undelivered = true), 2);
    assert_eq!(count(&|filter| filter.in_conflict = true), 0);
    assert_eq!(count(&|filter| filter.stages = vec![1]), 2);
    assert_eq!(count(&|filter| filter.stages = vec![2, 3]), 0);
    assert_eq!(
        replica.count_by_stage(&Filter::default()).unwrap(),
        [(1, 2)]
    );
}

#[test]
fn search_finds_what_was_written_edited_and_said() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    let first = replica
        .report(
            &Draft::staff(hazard("消防通道堵塞", "电动车 e-bike"), home()),
            NOW,
        )
        .unwrap();
    replica
        .report(
            &Draft::staff(hazard("Gas cylinders", "煤气罐"), home()),
            NOW + 1,
        )
        .unwrap();
    let found = |replica: &Replica, typed: &str| {
        let rows = replica.search(typed, None, 50).unwrap().rows;
        titles(&rows)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for (typed, expected) in [
        ("消防", vec!["消防通道堵塞"]),
        ("消防通道", vec!["消防通道堵塞"]),
        ("煤气", vec!["Gas cylinders"]),
        ("gas", vec!["Gas cylinders"]),
        ("cyl 煤", vec!["Gas cylinders"]),
        ("fir", vec![]),
        ("bike 消防", vec!["消防通道堵塞"]),
        ("消防 煤气", vec![]),
    ] {
        assert_eq!(found(replica, typed), expected, "{typed}");
    }
    replica
        .comment(first, said("fire lane 已拍照"), NOW + 2)
        .unwrap();
    replica
        .edit(first, &[FieldEdit::text(Field::Title, "楼道堵塞")], NOW + 3)
        .unwrap();
    assert_eq!(found(replica, "fir"), ["楼道堵塞"]);
    assert_eq!(found(replica, "拍照"), ["楼道堵塞"]);
    assert_eq!(
        found(replica, "消防"),
        Vec::<String>::new(),
        "the old title is gone"
    );
}

#[test]
fn the_map_shows_what_lies_in_the_window_and_follows_an_edit() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    let north = at(hazard("北", ""), 30.2750, 120.1640);
    let south = at(hazard("南", ""), 30.2700, 120.1640);
    let north = replica.report(&Draft::staff(north, home()), NOW).unwrap();
    replica.report(&Draft::staff(south, home()), NOW).unwrap();
    replica.report(&draft("没有位置"), NOW).unwrap();
    let window = MapWindow {
        lat_min_e7: 302_740_000,
        lat_max_e7: 302_750_000,
        lon_min_e7: 1_201_640_000,
        lon_max_e7: 1_201_650_000,
    };
    let points = replica.map(&window).unwrap().points;
    assert_eq!(points.len(), 1);
    let point = points[0];
    assert_eq!(
        (point.record, point.lat_e7, point.lon_e7),
        (north, 302_750_000, 1_201_640_000)
    );
    assert_eq!(
        (point.stage, point.severity),
        (1, Severity::Elevated.code())
    );
    let away = at(hazard("北", ""), 30.3, 120.2)
        .details()
        .position
        .unwrap();
    let moved = FieldEdit::set(Field::Position, FieldValue::Position(away));
    replica.edit(north, &[moved], NOW + 1).unwrap();
    assert!(replica.map(&window).unwrap().points.is_empty());
}

#[test]
fn reader_on_another_thread_sees_what_is_committed() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let first = phone.replica().report(&draft("一"), NOW).unwrap();
    let reader = phone.replica().reader().unwrap();
    assert_eq!(reader.own_member(), phone.replica().own_member());
    assert_eq!(reader.view(first).unwrap().unwrap().comments.len(), 0);
    let writing = phone.replica().comment(first, said("补充"), NOW + 1);
    writing.unwrap();
    let comments = std::thread::spawn(move || {
        let mut open = Vec::new();
        for _ in 0..2 {
            open.push(reader.view(first).unwrap().unwrap().comments.len());
        }
        assert!(
            reader
                .conn()
                .unwrap()
                .execute("DELETE FROM record", [])
                .is_err()
        );
        open
    });
    assert_eq!(comments.join().unwrap(), [1, 1]);
    let reader = phone.replica().reader().unwrap();
    let conn = phone.replica().reader.conn_mut().unwrap();
    let tx = conn.transaction().unwrap();
    tx.execute("DELETE FROM record", []).unwrap();
    assert_eq!(
        reader.count(&Filter::default()).unwrap(),
        1,
        "not committed"
    );
    drop(tx);
}

/// Walks through all pages of a list.
fn walk(replica: &Replica, filter: &Filter, rows_max: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut after: Option<PageToken> = None;
    loop {
        let page = replica.list(filter, after.as_ref(), rows_max).unwrap();
        assert!(page.rows.len() <= rows_max);
        seen.extend(titles(&page.rows).into_iter().map(str::to_owned));
        match page.next {
            // As an app that was closed in between would: by text.
            Some(next) => after = Some(PageToken::new(next.as_str())),
            None => return seen,
        }
    }
}

/// Dispatches a report of the phone's own, with a deadline for resolving.
fn assign(replica: &mut Replica, title: &str, to: (Option<UnitId>, Option<MemberId>), by_ms: i64) {
    let record = replica.report(&draft(title), NOW).unwrap();
    let triage = MoveInput {
        category: Some("gas".into()),
        severity: Some(Severity::Serious),
        ..MoveInput::of(Move::Triage)
    };
    replica.make_move(record, &triage, NOW + 1).unwrap();
    let dispatch = MoveInput {
        to_unit: to.0,
        to_member: to.1,
        deadlines: Deadlines {
            resolve_by_ms: Some(by_ms),
            ..Deadlines::default()
        },
        ..MoveInput::of(Move::Dispatch)
    };
    replica.make_move(record, &dispatch, NOW + 2).unwrap();
}

/// A dispatcher who also works for the gas company.
fn dispatcher_of_gas() -> FilePhone {
    let roles = [DISPATCHER_ZHOU, HANDLER_SHEN];
    Deployment::new().phone_with(DISPATCHER_ZHOU, &roles)
}

const HOUR: i64 = 3_600_000;

#[test]
fn assigned_lists_show_open_work_of_person_and_units() {
    let mut phone = dispatcher_of_gas();
    let replica = phone.replica();
    let me = Some(DISPATCHER_ZHOU.member());
    assign(replica, "燃气公司的", (Some(GAS), None), NOW + 3 * HOUR);
    assign(replica, "我的", (None, me), NOW + HOUR);
    assign(replica, "别人的", (Some(TEAM), None), NOW + 2 * HOUR);
    replica.report(&draft("没有派"), NOW).unwrap();
    let of = |assigned| Filter {
        assigned: Some(assigned),
        order: ListOrder::Due,
        ..Filter::default()
    };
    assert_eq!(walk(replica, &of(Assigned::Me), 1), ["我的"]);
    assert_eq!(walk(replica, &of(Assigned::MyUnits), 1), ["燃气公司的"]);
    assert_eq!(
        walk(replica, &of(Assigned::MeOrMyUnits), 1),
        ["我的", "燃气公司的"]
    );
    assert_eq!(replica.count(&of(Assigned::MeOrMyUnits)).unwrap(), 2);
    let record = replica.list(&of(Assigned::Me), None, 1).unwrap().rows[0].id;
    let assignment = replica
        .view(record)
        .unwrap()
        .unwrap()
        .state
        .unwrap()
        .assignments()[0]
        .id;
    for movement in [Move::Accept, Move::Resolve] {
        let step = MoveInput {
            assignment: Some(assignment),
            ..MoveInput::of(movement)
        };
        replica.make_move(record, &step, NOW + 5).unwrap();
    }
    assert_eq!(walk(replica, &of(Assigned::Me), 1), Vec::<String>::new());
}

#[test]
fn overdue_follows_from_the_clock_that_is_handed_in() {
    let mut phone = dispatcher_of_gas();
    let replica = phone.replica();
    for hours in [3, 1, 2] {
        let title = format!("{hours}");
        assign(replica, &title, (Some(GAS), None), NOW + hours * HOUR);
    }
    replica.report(&draft("没有期限"), NOW).unwrap();
    let overdue = |at_ms| Filter {
        overdue_at_ms: Some(at_ms),
        order: ListOrder::Due,
        ..Filter::default()
    };
    assert_eq!(
        walk(replica, &overdue(NOW + HOUR - 1), 9),
        Vec::<String>::new()
    );
    assert_eq!(walk(replica, &overdue(NOW + HOUR), 9), ["1"]);
    assert_eq!(walk(replica, &overdue(NOW + 2 * HOUR), 1), ["1", "2"]);
    let due = replica.due(NOW + HOUR, HOUR, 9).unwrap();
    assert_eq!(titles(&due), ["1", "2"]);
    assert_eq!(
        due.iter()
            .map(|row| row.is_overdue(NOW + HOUR))
            .collect::<Vec<_>>(),
        [true, false]
    );
    let by_due = Filter {
        order: ListOrder::Due,
        ..Filter::default()
    };
    assert_eq!(walk(replica, &by_due, 2), ["1", "2", "3", "没有期限"]);
}

#[test]
fn deadline_of_a_list_is_that_of_its_assignments() {
    let mut phone = dispatcher_of_gas();
    let replica = phone.replica();
    assign(replica, "两家", (Some(TEAM), None), NOW + HOUR);
    let record = replica.list(&Filter::default(), None, 1).unwrap().rows[0].id;
    let also = MoveInput {
        to_unit: Some(GAS),
        deadlines: Deadlines {
            resolve_by_ms: Some(NOW + 5 * HOUR),
            ..Deadlines::default()
        },
        ..MoveInput::of(Move::Share)
    };
    replica.make_move(record, &also, NOW + 3).unwrap();
    let mine = Filter {
        assigned: Some(Assigned::MyUnits),
        ..Filter::default()
    };
    let due_ms = |filter: &Filter| replica.list(filter, None, 1).unwrap().rows[0].due_ms;
    assert_eq!(due_ms(&Filter::default()), Some(NOW + HOUR));
    assert_eq!(due_ms(&mine), Some(NOW + 5 * HOUR));
    assert!(replica.due(NOW, 2 * HOUR, 9).unwrap().is_empty());
}

#[test]
fn near_lists_are_ordered_and_paged_by_distance() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    for (title, lat) in [
        ("300", 30.2727),
        ("100", 30.2709),
        ("也100", 30.2709),
        ("2000", 30.288),
    ] {
        let content = at(hazard(title, ""), lat, 120.16);
        replica.report(&Draft::staff(content, home()), NOW).unwrap();
    }
    replica.report(&draft("没有位置"), NOW + 1).unwrap();
    let near = |radius_m, order| Filter {
        near: Some(Near {
            lat_e7: 302_700_000,
            lon_e7: 1_201_600_000,
            radius_m,
        }),
        order,
        ..Filter::default()
    };
    let nearest = near(500, ListOrder::Distance);
    assert_eq!(walk(replica, &nearest, 1), ["100", "也100", "300"]);
    assert_eq!(
        replica.count(&near(150, ListOrder::NewestChange)).unwrap(),
        2
    );
    let words = Filter {
        words: Some("300".into()),
        ..nearest.clone()
    };
    assert_eq!(walk(replica, &words, 1), ["300"]);
    let centre = crate::domain::point::GeoPoint::new(302_700_000, 1_201_600_000).unwrap();
    let rows = replica.list(&nearest, None, 1).unwrap().rows;
    assert!((rows[0].distance_m(centre).unwrap() - 100.0).abs() < 1.0);
    for wrong in [
        near(crate::limits::NEAR_RADIUS_M_MAX + 1, ListOrder::Distance),
        Filter {
            order: ListOrder::Distance,
            ..Filter::default()
        },
    ] {
        let error = replica.list(&wrong, None, 1).unwrap_err();
        assert_eq!(error.code(), "replica.bad_input");
    }
}

#[test]
fn kinds_and_areas_page_without_gap() {
    let mut phone = Deployment::new().phone(GRID_WORKER_CHEN);
    let replica = phone.replica();
    for n in 0..9 {
        let content = match n % 3 {
            0 => hazard(&format!("{n}"), ""),
            1 => Content::from(Request {
                details: hazard(&format!("{n}"), "").details().clone(),
                ..Request::default()
            }),
            _ => Content::from(Place {
                details: hazard(&format!("{n}"), "").details().clone(),
                ..Place::default()
            }),
        };
        replica
            .report(&Draft::staff(content, home()), NOW + n / 2)
            .unwrap();
    }
    let kind = |kind: crate::domain::RecordKind| kind.code();
    let kinds = Filter {
        kinds: vec![kind(hazard::KIND), kind(request::KIND)],
        area: Some(area(3)),
        ..Filter::default()
    };
    assert_eq!(walk(replica, &kinds, 1), ["7", "6", "4", "3", "1", "0"]);
    assert_eq!(walk(replica, &kinds, 4), ["7", "6", "4", "3", "1", "0"]);
    let by_due = Filter {
        order: ListOrder::Due,
        ..kinds
    };
    assert_eq!(walk(replica, &by_due, 2), ["0", "1", "3", "4", "6", "7"]);
}

#[test]
fn token_of_another_list_is_refused() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    for n in 0..3 {
        replica
            .report(&draft(&format!("消防{n}")), NOW + n)
            .unwrap();
    }
    let all = Filter::default();
    let next = replica.list(&all, None, 1).unwrap().next.unwrap();
    let open = Filter {
        open: Some(true),
        ..Filter::default()
    };
    for token in [next, PageToken::new("第二页")] {
        let error = replica.list(&open, Some(&token), 1).unwrap_err();
        assert_eq!(error.code(), "list.bad_token");
    }
    // The clock advances between two pages of one list.
    let before = |due_before_ms| Filter {
        due_before_ms: Some(due_before_ms),
        ..Filter::default()
    };
    let mark = |filter: &Filter| {
        let token = super::super::engine::list::mark(filter);
        format!("{token:?}")
    };
    assert_eq!(mark(&before(1)), mark(&before(2)));
    assert_ne!(mark(&before(1)), mark(&all));
}

#[test]
fn search_goes_by_pages_and_ends() {
    let mut phone = Deployment::new().phone(VOLUNTEER_WANG);
    let replica = phone.replica();
    for n in 0..7 {
        replica
            .report(&draft(&format!("消防{n}")), NOW + n / 2)
            .unwrap();
    }
    replica.report(&draft("别的"), NOW + 9).unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = replica.search("消防", after.as_ref(), 3).unwrap();
        seen.extend(page.rows.into_iter().map(|row| row.title));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..7).rev().map(|n| format!("消防{n}")).collect();
    assert_eq!(seen, expected);
    assert!(replica.search("。", None, 3).unwrap().rows.is_empty());
}
