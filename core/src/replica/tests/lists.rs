//! Lists, counts, map and search over projections.

use super::writing::said;
use super::*;
use crate::crdt::{Field, FieldEdit};

fn titles(page: &[RecordRow]) -> Vec<&str> {
    page.iter().map(|row| row.title.as_str()).collect()
}

#[test]
fn pages_go_by_key_newest_change_first_without_gap_or_repetition() {
    let mut phone = Town::new().volunteer(11);
    for n in 0..25 {
        // Several at the same instant: the key must tell them apart.
        phone
            .replica()
            .report(&draft(&format!("{n}")), NOW + n / 3)
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = phone.replica().list(&Filter::default(), after, 4).unwrap();
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
    let mut phone = Town::new().grid_worker(11);
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
    let mut phone = Town::new().volunteer(11);
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
        let rows = replica.search(typed, 50).unwrap();
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
    let mut phone = Town::new().volunteer(11);
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
    let points = replica.map(&window).unwrap();
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
    let moved = FieldEdit::set(Field::Position, crate::crdt::FieldValue::Position(away));
    replica.edit(north, &[moved], NOW + 1).unwrap();
    assert!(replica.map(&window).unwrap().is_empty());
}
