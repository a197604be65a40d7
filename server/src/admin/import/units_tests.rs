#![allow(clippy::unwrap_used, reason = "tests")]
use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::id::AreaId;

use super::*;

fn areas() -> Areas {
    let mut areas = Areas::new();
    let version = AreaVersion {
        code: "330105000000".parse().unwrap(),
        names: Names::new("拱墅区", None).unwrap(),
        boundary: None,
        valid_from_ms: 0,
        valid_to_ms: None,
    };
    let id = AreaId::of_first_code("330105000000");
    let (level, parent) = (AreaLevel::District, None);
    areas
        .apply(AreaEntry {
            id,
            level,
            parent,
            version,
            successors: vec![],
        })
        .unwrap();
    areas
}

fn parse(text: &str, known: &BTreeMap<UnitId, Unit>) -> Import<UnitRow> {
    parse_units(
        "units.csv",
        text.as_bytes(),
        &areas(),
        known,
        &mut |_, _| {},
    )
}

#[test]
fn a_table_in_gb18030_with_chinese_words_reads_and_reads_again_as_unchanged() {
    let text = "单位编号,类型,名称,所属区域\n1,公用企业,燃气公司,330105000000\n";
    let (bytes, ..) = encoding_rs::GB18030.encode(text);
    let import = parse_units(
        "units.csv",
        &bytes,
        &areas(),
        &BTreeMap::new(),
        &mut |_, _| {},
    );
    assert_eq!(import.bad, []);
    let unit = &import.good[0].unit;
    assert_eq!(
        (unit.kind, unit.names.zh()),
        (UnitKind::Utility, "燃气公司")
    );
    assert_eq!(unit.id, unit_id("1"));
    let again = parse(text, &BTreeMap::from([(unit.id, unit.clone())]));
    assert_eq!((again.good.len(), again.unchanged), (0, 1));
}

#[test]
fn every_bad_row_names_line_column_and_reason() {
    let text = "external_id,kind,name,area\n\
                ,team,甲,330105000000\n\
                2,gang,乙,330105000000\n\
                3,team,,330105000000\n\
                4,team,丁,330105\n\
                5,team,戊,330199000000\n\
                6,team,己,330105000000\n\
                6,team,庚,330105000000\n";
    let import = parse(text, &BTreeMap::new());
    let bad = import.bad.iter();
    let found: Vec<_> = bad
        .map(|b| (b.line().unwrap(), b.column.as_deref().unwrap(), b.code))
        .collect();
    let expected = [
        (2, "external_id", "import.no_external_id"),
        (3, "kind", "unit.bad_kind"),
        (4, "name", "name.empty"),
        (5, "area", "area.bad_code"),
        (6, "area", "import.unknown_area"),
        (8, "external_id", "import.duplicate"),
    ];
    assert_eq!(found, expected);
    assert_eq!(import.good.len(), 1);
}

/// The kind decides the roles in a unit and the cases that reach it.
#[test]
fn changed_kind_is_refused_unless_it_is_wanted() {
    let row = |kind: &str| format!("external_id,kind,name,area\n1,{kind},甲,330105000000\n");
    let first = parse(&row("department"), &BTreeMap::new());
    let unit = first.good[0].unit.clone();
    let known = BTreeMap::from([(unit.id, unit.clone())]);
    let other = parse(&row("team"), &known);
    assert_eq!(other.good, []);
    let bad = &other.bad[0];
    let named = (bad.line(), bad.column.as_deref(), bad.code, &*bad.value);
    assert_eq!(
        named,
        (Some(2), Some("kind"), "import.kind_differs", "team")
    );
    let text = row("team");
    let known_all = (&areas(), &known);
    let wanted = KindChange::Wanted;
    let import = parse_units_with("u.csv", text.as_bytes(), known_all, wanted, &mut |_, _| {});
    assert_eq!(import.good[0].unit.kind, UnitKind::Team);
}

#[test]
fn dissolved_unit_does_not_return_by_an_old_table() {
    let text = "external_id,kind,name,area\n1,team,甲,330105000000\n";
    let mut unit = parse(text, &BTreeMap::new()).good[0].unit.clone();
    unit.dissolved_at_ms = Some(7);
    let again = parse(text, &BTreeMap::from([(unit.id, unit)]));
    assert_eq!(
        (again.good.len(), again.bad[0].code),
        (0, "import.unit_dissolved")
    );
}
