//! Exports as an office opens them.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::path::PathBuf;

use calamine::{Data, Reader as _, Xlsx, open_workbook};
use onegrid_core::domain::content::{Content, StoredPosition};
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::fixtures::{GRID_WORKER_CHEN, NOW, VOLUNTEER_WANG, hazard, home};
use onegrid_core::texts::Lang;

use super::*;
use crate::ingest::tests::world::TestServer;

/// A world with one case of a volunteer, and a grid worker who may read it.
fn world() -> TestServer {
    let world = TestServer::new();
    let mut reporter = world.phone(VOLUNTEER_WANG);
    let mut content = Content::from(hazard("=1+1"));
    let place = Position::from_degrees(30.25, 120.125, Datum::Wgs84, None, 0).unwrap();
    content.details_mut().position = Some(StoredPosition::of(place));
    let genesis = reporter.genesis(onegrid_core::domain::kinds::hazard::KIND, &content, home());
    reporter.push(&world.server, &[&genesis]);
    world.phone(GRID_WORKER_CHEN);
    world
}

fn exported(world: &TestServer, name: &str, format: Format, lang: Lang) -> PathBuf {
    let path = world.folder().join(name);
    let wanted = Wanted {
        reader: Some(GRID_WORKER_CHEN.member()),
        format,
        lang,
    };
    let mut files = Files::create(&path, wanted).unwrap();
    let done = export(
        &world.server,
        wanted,
        &mut files,
        "admin",
        NOW,
        &mut |_, _| {},
    );
    assert_eq!(done.unwrap().written, 1);
    path
}

#[test]
fn workbook_has_names_and_local_times() {
    let world = world();
    let path = exported(&world, "cases.xlsx", Format::Xlsx, Lang::Zh);
    let mut book: Xlsx<_> = open_workbook(&path).unwrap();
    assert_eq!(book.sheet_names(), ["记录", "经过"]);
    let sheet = book.worksheet_range("记录").unwrap();
    let rows: Vec<&[Data]> = sheet.rows().collect();
    let cell = |heading: &str| {
        let at = rows[0]
            .iter()
            .position(|cell| matches!(cell, Data::String(text) if text == heading))
            .unwrap_or_else(|| panic!("{heading}"));
        rows[1][at].clone()
    };
    let text = |text: &str| Data::String(text.to_owned());
    assert_eq!(cell("类型"), text("隐患"));
    assert_eq!(cell("状态"), text("已上报"));
    assert_eq!(cell("社区"), text("竹竿巷社区"));
    assert_eq!(cell("区划代码"), text("330105013003001"));
    assert_eq!(cell("上报时间"), text("2025-10-09 16:53:21"));
    assert_eq!(cell("标题"), text("=1+1"));
    assert_eq!(cell("未结"), Data::Bool(true));
    let history = book.worksheet_range("经过").unwrap();
    let first: Vec<String> = history
        .rows()
        .nth(1)
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(first.contains(&"report".to_owned()), "{first:?}");
}

#[test]
fn table_has_headings_of_the_language() {
    let world = world();
    let path = exported(&world, "cases.csv", Format::Csv, Lang::En);
    let table = std::fs::read_to_string(path).unwrap();
    let heading = table.lines().next().unwrap();
    assert!(heading.contains(",village,grid,reported at,"), "{heading}");
    assert!(table.contains(",竹竿巷社区,") && table.contains("2025-10-09 16:53:21"));
    assert!(table.contains("\"'=1+1\""), "no formula: {table}");
}

#[test]
fn map_has_degrees() {
    let world = world();
    let path = exported(&world, "map.geojson", Format::Geojson, Lang::En);
    let map: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let feature = &map["features"][0];
    assert_eq!(feature["properties"]["village"], "竹竿巷社区");
    let place = &feature["geometry"]["coordinates"];
    assert_eq!((&place[0], &place[1]), (&120.125.into(), &30.25.into()));
}

/// A person who was dismissed may read nothing.
#[test]
fn member_who_is_switched_off_gets_no_export() {
    let world = world();
    let member = GRID_WORKER_CHEN.member();
    world.server.disable_member(member, "zhang", NOW).unwrap();
    let wanted = Wanted {
        reader: Some(member),
        format: Format::Jsonl,
        lang: Lang::En,
    };
    let path = world.folder().join("off.jsonl");
    let mut files = Files::create(&path, wanted).unwrap();
    let done = export(&world.server, wanted, &mut files, "li", NOW, &mut |_, _| {});
    assert_eq!(done.unwrap_err().code(), "export.reader_disabled");
    files.remove();
    let left = std::fs::read_dir(world.folder()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.starts_with("off.jsonl")));
}

/// A file under its final name is whole, even if the machine goes down.
#[test]
fn export_has_its_name_only_when_it_is_whole() {
    let world = world();
    let wanted = Wanted {
        reader: None,
        format: Format::Csv,
        lang: Lang::En,
    };
    let path = world.folder().join("whole.csv");
    let mut running = Files::create(&path, wanted).unwrap();
    running.begin(wanted).unwrap();
    assert!(!path.exists(), "half a file has another name");
    let second = Files::create(&path, wanted).map(drop).unwrap_err();
    assert_eq!(second.code(), "export.exists", "another process writes it");
    drop(running);
    // A killed process leaves its part.
    std::fs::write(world.folder().join("whole.csv.part"), "half").unwrap();
    let mut files = Files::create(&path, wanted).unwrap();
    export(&world.server, wanted, &mut files, "li", NOW, &mut |_, _| {}).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().lines().count() > 1);
    let again = Files::create(&path, wanted).map(drop).unwrap_err();
    assert_eq!(again.code(), "export.exists");
    let left = std::fs::read_dir(world.folder()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let parts: Vec<String> = left.filter(|name| name.contains(".part")).collect();
    assert_eq!(parts, [""; 0]);
}
