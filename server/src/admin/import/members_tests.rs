#![allow(clippy::unwrap_used, reason = "tests")]
use std::fmt::Write as _;
use std::path::Path;

use onegrid_core::domain::position::Datum;
use onegrid_core::texts::{Lang, text};

use super::*;
use crate::admin::import::areas::{AreaFiles, AreaOptions, parse_areas};
use crate::admin::import::units::parse_units;

const WULIN: &str = "330105013000";
const VILLAGE: &str = "330105013003";

/// The real areas and the units of the demo.
fn world() -> (Areas, BTreeMap<UnitId, Unit>) {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed");
    let files = AreaFiles::read_folder(&seed.join("gongshu")).unwrap();
    let options = AreaOptions {
        valid_from_ms: 0,
        datum: Datum::Wgs84,
    };
    let mut areas = Areas::new();
    for entry in parse_areas(&files, &Areas::new(), options, &mut |_, _| {})
        .strict()
        .unwrap()
    {
        areas.apply(entry).unwrap();
    }
    let bytes = std::fs::read(seed.join("demo/units.csv")).unwrap();
    let units = parse_units(
        "units.csv",
        &bytes,
        &areas,
        &BTreeMap::new(),
        &mut |_, _| {},
    );
    let units = units.strict().unwrap();
    (
        areas,
        units
            .into_iter()
            .map(|row| (row.unit.id, row.unit))
            .collect(),
    )
}

fn parse(text: &str) -> Import<MemberRow> {
    let (areas, units) = world();
    parse_members(
        "members.csv",
        text.as_bytes(),
        &areas,
        &units,
        &mut |_, _| {},
    )
}

fn area(code: &str) -> AreaId {
    AreaId::of_first_code(code)
}

#[test]
fn the_demo_has_the_people_that_its_story_needs() {
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed/demo/members.csv");
    let members = parse(&std::fs::read_to_string(seed).unwrap())
        .strict()
        .unwrap();
    let roles = |role: Role| {
        members
            .iter()
            .filter(|member| member.grants[0].role == role)
            .collect::<Vec<_>>()
    };
    let team = [roles(Role::TeamLead), roles(Role::Volunteer)].concat();
    assert_eq!(team.len(), 3);
    for member in team {
        assert_eq!(
            member.grants[0].scope,
            Scope::Unit(unit_id("wulin-aunties"))
        );
        assert_eq!(
            member.grants[1].role,
            Role::Volunteer,
            "a lead leads the team, not the village"
        );
        assert_eq!(member.home, area(VILLAGE));
    }
    let grid_worker = roles(Role::GridWorker)[0];
    assert_eq!(grid_worker.grants.len(), 3);
    assert_eq!(
        grid_worker.home,
        area(VILLAGE),
        "a grid's people stand in the village's directory"
    );
    let dispatcher = roles(Role::Dispatcher)[0];
    let scopes: Vec<_> = dispatcher
        .grants
        .iter()
        .map(|grant| grant.scope.clone())
        .collect();
    assert_eq!(scopes[0], Scope::Unit(unit_id("wulin-command-room")));
    assert!(matches!(&scopes[1], Scope::Area(path) if path.leaf() == area(WULIN)));
    assert_eq!(roles(Role::Handler).len(), 2);
}

#[test]
fn several_lines_are_several_roles_of_one_person() {
    let good = "工号,姓名,角色,区域代码,单位编号\n\
                7,民警甲,社区民警,330105013003 330105013004,\n\
                7,民警甲,调解员,330105013003,\n";
    let import = parse(good);
    assert_eq!(import.good.len(), 1);
    assert_eq!(import.good[0].grants.len(), 3);
    let import = parse(&format!(
        "{good}7,民警甲,调解员,330105013003,\n7,民警乙,站长,330105013003,\n"
    ));
    assert_eq!(import.good, []);
    assert_eq!(import.held_back, ["7"]);
    let found: Vec<_> = import
        .bad
        .iter()
        .map(|bad| (bad.line().unwrap(), bad.code))
        .collect();
    assert_eq!(found, [(4, "import.duplicate"), (5, "import.name_differs")]);
    assert_eq!(
        import.bad[1].column.as_deref(),
        Some("姓名"),
        "as the file's header calls it"
    );
}

/// A typo in one role must not take this role away, so the other roles wait with it.
#[test]
fn person_with_a_bad_row_is_held_back_whole() {
    let header = "external_id,public_name,role,areas,unit\n";
    let good = "8,乙,mediator,330105013003,\n";
    let two_roles = "7,甲,mediator,330105013003,\n";
    for bad in [
        "7,甲,mediatro,330105013004,",
        "7,甲,mediator,330199013004,",
        "7,甲,mediator,330105013003,",
        "7,甲二,station_head,330105013003,",
        "7,,station_head,330105013003,",
        "7,甲,station_head,330105013003,,surplus",
        " 7 ,甲,handler,,nobody",
    ] {
        for rows in [format!("{two_roles}{bad}\n"), format!("{bad}\n{two_roles}")] {
            let import = parse(&format!("{header}{good}{rows}"));
            let left: Vec<_> = import.good.iter().map(|row| &row.external_id).collect();
            assert_eq!(left, ["8"], "{bad}");
            assert_eq!(import.held_back, ["7"], "{bad}");
            assert!(!import.bad.is_empty() && !import.is_partial, "{bad}");
        }
    }
}

/// A row without a readable id may be of anybody.
#[test]
fn row_of_an_unknown_person_makes_the_file_partial() {
    let header = "external_id,public_name,role,areas,unit\n";
    let import = parse(&format!(
        "{header}8,乙,mediator,330105013003,\n,甲,mediator,330105013003,\n"
    ));
    assert!(import.is_partial);
    assert_eq!(
        (import.good.len(), import.bad[0].code),
        (1, "import.no_external_id")
    );
}

/// role | areas | unit | column and code of the expected refusal; empty if the row is good.
const ROLE_ROWS: &str = "\
volunteer | 330105013003 | | unit import.unit_missing
volunteer | | wulin-aunties | areas import.areas_missing
volunteer | 330105013003 | gas-company | unit import.unit_of_wrong_kind
volunteer | 330105013003;330105013004 | wulin-aunties | areas import.too_many_areas
volunteer | 330105013003001 | wulin-aunties | areas import.area_of_wrong_level
grid_worker | 330105013003 | | areas import.area_of_wrong_level
grid_worker | 330105013003001 | gas-company | unit import.unit_of_wrong_kind
dispatcher | 330105000000 | | areas import.area_of_wrong_level
handler | | wulin-aunties | unit import.unit_of_wrong_kind
handler | | nobody | unit import.unknown_unit
handler | 330105013003 | gas-company | areas import.too_many_areas
district_lead | 330105013000 | | areas import.area_of_wrong_level
supervisor | | | areas import.areas_missing
mediator | 330105013003;330105013003 | | areas import.duplicate
mediator | 330199013003 | | areas import.unknown_area
mediator | 中北社区 | | areas area.bad_code
mayor | 330105013000 | | role import.unknown_role
system | 330105013000 | | role import.unknown_role
志愿者 | 330105013003 | wulin-aunties |
网格员 | 330105013003001、330105013003002 | |
调度员 | 330105013000 | wulin-command-room |
handler | | gas-company |
village_lead | 330105013003 | |
督导 | 330105013000 | |
district_lead | 330105000000 | |";

#[test]
fn each_role_needs_its_areas_and_unit() {
    let (areas, units) = world();
    for case in ROLE_ROWS.lines() {
        let cells: Vec<&str> = case.split('|').map(str::trim).collect();
        let [role, codes, unit, expected] = cells[..] else {
            panic!("{case}")
        };
        let table =
            format!("external_id,public_name,role,areas,unit\n1,甲,{role},{codes},{unit}\n");
        let import = parse_members("m.csv", table.as_bytes(), &areas, &units, &mut |_, _| {});
        assert_eq!(import.good.len() + import.bad.len(), 1, "{case}");
        let found = import.bad.first();
        let found = found.map(|bad| format!("{} {}", bad.column.as_deref().unwrap(), bad.code));
        assert_eq!(found.unwrap_or_default(), expected, "{case}");
    }
}

#[test]
fn a_column_of_telephone_numbers_is_refused_but_the_people_are_read() {
    let import = parse("external_id,public_name,role,unit,电话\n1,甲,handler,gas-company,139\n");
    assert_eq!(import.bad[0].code, "import.unknown_column");
    assert_eq!(import.bad[0].value, "电话");
    assert_eq!(import.good.len(), 1);
    assert!(import.strict().is_err());
}

#[test]
fn one_person_has_at_most_as_many_roles_as_a_certificate_holds() {
    let (areas, _) = world();
    let mut text = "external_id,public_name,role,areas,unit\n".to_owned();
    for village in areas.of_level(AreaLevel::Village).take(GRANTS_MAX + 1) {
        writeln!(text, "1,甲,mediator,{},", village.newest().code).unwrap();
    }
    let import = parse(&text);
    assert_eq!(import.good, []);
    assert_eq!(import.bad.len(), 1);
    assert_eq!(import.bad[0].code, "import.too_many_grants");
}

#[test]
fn every_code_of_the_import_has_a_sentence_in_both_languages() {
    let sources = [
        include_str!("mod.rs"),
        include_str!("encoding.rs"),
        include_str!("table.rs"),
        include_str!("geometry.rs"),
        include_str!("areas.rs"),
        include_str!("boundaries.rs"),
        include_str!("units.rs"),
        include_str!("members.rs"),
        include_str!("workbook.rs"),
    ];
    let quoted = sources.iter().flat_map(|source| source.split('"'));
    let is_code = |word: &&str| {
        ["import.", "polygon.", "area.", "unit."]
            .iter()
            .any(|area| word.starts_with(area))
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_')
    };
    let mut count = 0;
    for code in quoted.filter(is_code) {
        count += 1;
        assert!(
            Lang::ALL.iter().all(|lang| text(code, *lang).is_some()),
            "{code} has no text"
        );
    }
    assert!(count > 40, "the scan finds the codes");
}

#[test]
fn a_bad_row_reads_well_in_both_languages() {
    let import = parse("编号,姓名,角色\n1,甲,市长\n");
    let bad = &import.bad[0];
    let zh = bad.say(Lang::Zh);
    assert!(
        zh.starts_with("members.csv 第2行 “角色”列 [市长]："),
        "{zh}"
    );
    let en = bad.say(Lang::En);
    assert!(
        en.starts_with("members.csv line 2 column “角色” [市长]: "),
        "{en}"
    );
    assert!(en.ends_with("(import.unknown_role)"), "{en}");
}

/// A report on a terminal must show each change. Such characters hide or turn round the rest of it.
#[test]
fn characters_that_no_eye_sees_are_refused_and_not_printed() {
    for name in [
        "甲\u{202e}乙",
        "甲\u{200b}乙",
        "甲\u{2066}",
        "\u{feff}甲\u{feff}乙",
        "甲\u{1b}[8m乙",
    ] {
        let text = format!("编号,姓名,角色,区域代码\n1,{name},调解员,{VILLAGE}\n");
        let import = parse(&text);
        assert_eq!(import.good, [], "{name:?}");
        let said = import.bad.iter().map(|bad| bad.say(Lang::En));
        let said: String = said.collect();
        assert!(!said.chars().any(char::is_control), "{said:?}");
        assert!(
            !said.contains(['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}']),
            "{said:?}"
        );
    }
}
