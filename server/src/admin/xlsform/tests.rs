#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod books;
mod hostile;
mod random;
mod rows;

use onegrid_core::domain::form::{Kind, Template, shipped};

use self::books::{Book, SETTINGS, parsed};
use super::*;

#[test]
fn shipped_templates_come_back_with_equal_bytes() {
    for template in shipped() {
        let bytes = to_workbook(&template).unwrap();
        let again = TemplateFile::parse("again.xlsx", &bytes).unwrap().template;
        assert_eq!(again.to_bytes(), template.to_bytes());
        assert_eq!(
            to_workbook(&again).unwrap(),
            bytes,
            "one template, one workbook"
        );
    }
}

#[test]
fn every_type_has_its_place_in_a_workbook() {
    let book = Book::of(&[
        &[
            "type",
            "name",
            "label::中文 (zh)",
            "label::English (en)",
            "decimals",
            "required",
        ],
        &["text", "a", "甲", "A", "", "yes"],
        &["integer", "b", "乙", "", "", "no"],
        &["decimal", "c", "丙", "", "", "${a} = 'x'"],
        &["decimal", "c2", "丙", "", "2", ""],
        &["select_one colour", "d", "丁"],
        &["select_multiple colour", "e", "戊"],
        &["select_one Yes_No", "f", "己"],
        &["date", "g", "庚"],
        &["time", "h", "辛"],
        &["geopoint", "i", "壬"],
        &["image", "j", "癸"],
        &["note", "k", "子"],
        &["begin_group", "l", "丑"],
        &["begin_repeat", "m", "寅"],
        &["text", "n", "卯"],
        &["end_repeat"],
        &["end_group"],
    ]);
    let template = parsed(&book).unwrap();
    let kinds: Vec<&str> = template
        .items()
        .iter()
        .map(|item| item.kind.name())
        .collect();
    let expected = [
        "text", "number", "number", "number", "one", "many", "yes_no", "date", "time", "position",
        "photo", "note", "section", "repeat", "text",
    ];
    assert_eq!(kinds, expected);
    let decimals = |id: &str| match template.item(id).unwrap().kind {
        Kind::Number { decimals, .. } => decimals,
        _ => panic!("{id} is no number"),
    };
    assert_eq!([decimals("b"), decimals("c"), decimals("c2")], [0, 6, 2]);
    let required = |id: &str| {
        let rule = template.item(id).unwrap().required.as_ref();
        rule.map(|rule| rule.source().to_owned())
    };
    assert_eq!(required("a").as_deref(), Some("true()"));
    assert_eq!(required("b"), None);
    assert_eq!(required("c").as_deref(), Some("${a} = 'x'"));
}

#[test]
fn headings_of_other_writers_are_understood() {
    let book = Book::of(&[
        &[
            "Type",
            "NAME",
            "label::Chinese (zh-CN)",
            "label :: English",
            "relevance",
        ],
        &["string", "a", "甲", "A"],
        &["begin group", "b", "乙", "B", "${a} = '1'"],
        &["photo", "c", "丙"],
        &["end group"],
    ]);
    let template = parsed(&book).unwrap();
    let a = template.item("a").unwrap();
    assert_eq!(
        (a.label.zh.as_str(), a.label.en.as_deref()),
        ("甲", Some("A"))
    );
    assert!(template.item("b").unwrap().relevant.is_some());
}

#[test]
fn cells_of_other_kinds_read_as_shown() {
    let mut book = Book::of(&[
        &["type", "name", "label", "default"],
        &["integer", "a", "甲", ""],
        &["date", "b", "乙", ""],
        &["time", "c", "丙", ""],
    ]);
    book.number(1, 3, 7.0, None);
    book.number(2, 3, 46_356.0, Some("yyyy-mm-dd"));
    book.number(3, 3, 0.770_833_333_333_333_4, Some("hh:mm"));
    let template = parsed(&book).unwrap();
    let default = |id: &str| {
        template
            .item(id)
            .unwrap()
            .default
            .as_ref()
            .unwrap()
            .to_text()
    };
    assert_eq!(
        [default("a"), default("b"), default("c")],
        ["7", "2026-11-30", "18:30"]
    );
}

#[test]
fn template_without_place_in_a_workbook_is_refused() {
    for (id, label) in [("a", "你好，${b}"), ("meta", "名称")] {
        let json = serde_json::json!({
            "format": 1, "id": "t", "version": 1, "title": {"zh": "表"},
            "items": [{"type": "text", "id": id, "label": {"zh": label}}],
        });
        let template = Template::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
        let error = to_workbook(&template).unwrap_err();
        assert_eq!(error.code(), "xlsform.no_place");
    }
}

#[test]
fn json_is_read_in_any_spelling() {
    let template = &shipped()[0];
    let value: serde_json::Value = serde_json::from_slice(&template.to_bytes()).unwrap();
    let pretty = serde_json::to_vec_pretty(&value).unwrap();
    let marked = ["\u{feff}".as_bytes(), &pretty].concat();
    let marked = TemplateFile::parse("a.json", &marked).unwrap();
    assert_eq!(&marked.template, template, "saved by an editor of Windows");
    let read = TemplateFile::parse("a.json", &pretty).unwrap();
    assert_eq!(read.template.to_bytes(), template.to_bytes());
    let bad = TemplateFile::parse("a.json", b"{\"format\": 1").unwrap_err();
    assert_eq!(bad[0].code, "form.malformed");
    let refused = read.refused("a.json", "template.older", 9);
    assert!(refused.to_string().contains('9'), "{refused}");
}

#[test]
fn settings_row_carries_the_refused_version() {
    let book = Book::of(&[&["type", "name", "label"], &["text", "a", "甲"]]);
    assert_eq!(SETTINGS[1][1], "form");
    let read = TemplateFile::parse("a.xlsx", &book.to_bytes()).unwrap();
    let refused = read.refused("a.xlsx", "template.version_taken", 1);
    assert_eq!(
        (refused.sheet(), refused.line()),
        (Some("settings"), Some(2))
    );
    assert_eq!(refused.column.as_deref(), Some("version"));
}
