#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
use onegrid_core::domain::area::{AreaLevel, AreaVersion};
use onegrid_core::domain::areas::AreaEntry;
use onegrid_core::domain::content::Content;
use onegrid_core::domain::kinds::LISTS;
use onegrid_core::domain::names::Names as AreaNames;
use onegrid_core::id::AreaId;
use rust_xlsxwriter::{Format, Workbook};

use super::*;

const HEADER: &str = "编号,社区,事由,类型,等级,当事人,包案领导,责任单位,责任人,化解期限,涉及金额\n";
const NOW_MS: i64 = 1_794_000_000_000;

fn areas() -> Areas {
    let id = |n: u8| AreaId([n; 16]);
    let mut areas = Areas::new();
    for (n, parent, level, code, name, valid_to_ms) in [
        (1, None, AreaLevel::District, "330105000000", "拱墅区", None),
        (
            2,
            Some(1),
            AreaLevel::Town,
            "330105013000",
            "武林街道",
            None,
        ),
        (
            3,
            Some(2),
            AreaLevel::Village,
            "330105013003",
            "中北社区",
            None,
        ),
        (
            4,
            Some(2),
            AreaLevel::Village,
            "330105013004",
            "同名社区",
            None,
        ),
        (
            5,
            Some(1),
            AreaLevel::Town,
            "330105014000",
            "东街街道",
            None,
        ),
        (
            6,
            Some(5),
            AreaLevel::Village,
            "330105014001",
            "同名社区",
            None,
        ),
        (
            7,
            Some(5),
            AreaLevel::Village,
            "330105014002",
            "旧社区",
            Some(1_000),
        ),
    ] {
        let version = AreaVersion {
            code: code.parse().unwrap(),
            names: AreaNames::new(name, None).unwrap(),
            boundary: None,
            valid_from_ms: 0,
            valid_to_ms,
        };
        let entry = AreaEntry {
            id: id(n),
            level,
            parent: parent.map(id),
            version,
            successors: Vec::new(),
        };
        areas.apply(entry).unwrap();
    }
    areas
}

fn parse_bytes(file: &str, bytes: &[u8]) -> Import<ListRow> {
    let areas = areas();
    let ground = ListGround {
        list: LISTS[0],
        month: "2026-11".parse().unwrap(),
        areas: &areas,
        now_ms: NOW_MS,
    };
    parse_list(file, bytes, &ground, &mut |_, _| {})
}

fn parse(rows: &str) -> Import<ListRow> {
    parse_bytes("list.csv", format!("{HEADER}{rows}").as_bytes())
}

fn codes(import: &Import<ListRow>) -> Vec<(Option<u64>, Option<&str>, &str)> {
    let code = |row: &'_ BadRow| (row.line(), row.code);
    let all = import.bad.iter();
    all.map(|row| (code(row).0, row.column.as_deref(), code(row).1))
        .collect()
}

fn field(content: &Content, name: &str) -> Option<FieldValue> {
    let fields = content.fields().into_iter();
    let mut found = fields.filter(|(field, _)| field.name() == name);
    found.next().map(|(_, value)| value)
}

#[test]
fn row_fills_the_fields_of_its_kind() {
    let rows = "17,中北社区,楼上漏水,邻里纠纷,较重,张三、李四,王主任,司法所,调解员赵,2026-11-30,\"1,200.5元\"\n\
                18,330105013004,欠薪,wages,4,,,,,2026年12月1日,\n";
    let import = parse(rows);
    assert_eq!(codes(&import), []);
    let row = &import.good[0];
    assert_eq!((row.id.as_str(), row.line), ("17", 2));
    assert_eq!(row.home.village(), Some(AreaId([3; 16])));
    assert_eq!(row.names.as_deref(), Some("张三、李四"));
    let text = |text: &str| Some(FieldValue::Text(text.into()));
    let number = |number| Some(FieldValue::Number(number));
    for (name, expected) in [
        ("title", text("楼上漏水")),
        ("dispute_type", number(1)),
        ("dispute_level", number(2)),
        ("parties", None),
        ("duty_leader", text("王主任")),
        ("duty_unit", text("司法所")),
        ("duty_person", text("调解员赵")),
        // 2026-12-01 00:00 in China.
        ("deadline_ms", number(1_796_054_400_000)),
        ("amount_fen", number(120_050)),
        ("list_month", text("2026-11")),
        ("list_row", text("17")),
    ] {
        assert_eq!(field(&row.content, name), expected, "{name}");
    }
    assert!(!format!("{:?}", row.content).contains("张三"));
    let second = &import.good[1];
    assert_eq!(field(&second.content, "dispute_type"), number(4));
    assert_eq!(
        (second.names.as_deref(), second.home.village()),
        (None, Some(AreaId([4; 16])))
    );
}

#[test]
fn each_bad_row_is_named_with_its_column() {
    let rows = [
        (",中北社区,甲,,,,,,,,", "编号", "import.value_missing"),
        ("1,,甲,,,,,,,,", "社区", "import.value_missing"),
        ("1,中北社区,,,,,,,,,", "事由", "import.value_missing"),
        ("1,无此社区,甲,,,,,,,,", "社区", "import.area_not_found"),
        ("1,330105099999,甲,,,,,,,,", "社区", "import.area_not_found"),
        ("1,同名社区,甲,,,,,,,,", "社区", "import.area_name_twice"),
        ("1,330105014002,甲,,,,,,,,", "社区", "import.area_dissolved"),
        ("1,中北社区,甲,打架,,,,,,,", "类型", "import.no_choice"),
        ("1,中北社区,甲,11,,,,,,,", "类型", "import.no_choice"),
        ("1,中北社区,甲,,0,,,,,,", "等级", "import.no_choice"),
        (
            "1,中北社区,甲,,,,,,,2026-11-31,",
            "化解期限",
            "import.no_day",
        ),
        ("1,中北社区,甲,,,,,,,月底,", "化解期限", "import.no_day"),
        (
            "1,中北社区,甲,,,,,,,2026-10-31,",
            "化解期限",
            "import.day_before_month",
        ),
        ("1,中北社区,甲,,,,,,,,-5", "涉及金额", "import.no_amount"),
        ("1,中北社区,甲,,,,,,,,1.234", "涉及金额", "import.no_amount"),
        (
            "1,中北社区,甲,,,,,,,,99999999999999",
            "涉及金额",
            "import.no_amount",
        ),
    ];
    for (row, column, code) in rows {
        let import = parse(&format!("{row}\n2,武林街道,乙,,,,,,,,\n"));
        assert_eq!(codes(&import), [(Some(2), Some(column), code)], "{row}");
        assert_eq!(import.good.len(), 1, "the other row is good");
        for lang in Lang::ALL {
            assert!(text(code, lang).is_some(), "{code}");
        }
    }
    let twice = parse("1,中北社区,甲,,,,,,,,\n1,中北社区,乙,,,,,,,,\n");
    assert_eq!(codes(&twice), [(Some(3), Some("编号"), "import.duplicate")]);
}

/// The report of a bad cell repeats the cell, except names.
#[test]
fn report_repeats_no_names() {
    let long = "张三".repeat(300);
    let bad = "钱六\u{202e}";
    for names in [long.as_str(), bad] {
        let import = parse(&format!("1,中北社区,甲,,,{names},,,,,\n"));
        assert_eq!(import.bad.len(), 1);
        assert_eq!(import.bad[0].column.as_deref(), Some("当事人"));
        for lang in Lang::ALL {
            let said = import.bad[0].say(lang);
            assert!(!said.contains("张三") && !said.contains("钱六"), "{said}");
        }
    }
    let shown = parse("1,无此社区,甲,,,,,,,,\n");
    assert_eq!(shown.bad[0].value, "无此社区");
}

#[test]
fn workbook_is_read_like_a_table() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let merged = Format::new();
    sheet
        .merge_range(0, 0, 0, 10, "十一月矛盾纠纷清单", &merged)
        .unwrap();
    for (column, name) in (0..).zip(HEADER.trim().split(',')) {
        sheet.write(1, column, name).unwrap();
    }
    for (row, cells) in (2..).zip([
        ["1", "中北社区", "漏水", "邻里纠纷"],
        ["2", "中北社区", "噪声", "噪声扰民"],
    ]) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write(row, column, cell).unwrap();
        }
    }
    sheet.write(2, 10, 1_200.5).unwrap();
    // A cell that is merged over two columns belongs to neither of them.
    sheet.write(4, 0, "3").unwrap();
    sheet.write(4, 1, "中北社区").unwrap();
    sheet.write(4, 2, "合同").unwrap();
    sheet.merge_range(4, 6, 4, 7, "王主任", &merged).unwrap();
    let import = parse_bytes("list.xlsx", &book.save_to_buffer().unwrap());
    assert_eq!(
        codes(&import),
        [(Some(5), Some("责任单位"), "import.merged_cell")]
    );
    let ids: Vec<&str> = import.good.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    let amount = field(&import.good[0].content, "amount_fen");
    assert_eq!(amount, Some(FieldValue::Number(120_050)));
}

#[test]
fn wrong_sheets_and_columns_are_refused_by_code() {
    let mut book = Workbook::new();
    let people = book.add_worksheet().set_name("人员").unwrap();
    people.write(0, 0, "工号").unwrap();
    people.write(0, 1, "姓名").unwrap();
    people.write(1, 0, "1").unwrap();
    people.write(1, 1, "甲").unwrap();
    let list = book.add_worksheet().set_name("纠纷").unwrap();
    list.write(0, 0, "编号").unwrap();
    let import = parse_bytes("wrong.xlsx", &book.save_to_buffer().unwrap());
    assert_eq!(import.good.len(), 0);
    let found: Vec<&str> = import.bad.iter().map(|row| row.code).collect();
    assert!(found.contains(&"import.missing_column"), "{found:?}");
    assert!(found.contains(&"import.sheet_left_out"), "{found:?}");
    let unknown = parse_bytes(
        "list.csv",
        "编号,社区,事由,身份证号\n1,中北社区,甲,33\n".as_bytes(),
    );
    assert_eq!(codes(&unknown)[0].2, "import.unknown_column");
}
