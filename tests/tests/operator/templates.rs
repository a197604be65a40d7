//! A checklist comes out of a spreadsheet, to every phone, and into a spreadsheet again.

use std::io::{Cursor, Write as _};

use onegrid_tests::onegrid::{Operator, Ran};
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

const HEADINGS: &[&str] = &[
    "type",
    "name",
    "label::中文 (zh)",
    "label::English (en)",
    "relevant",
];

fn fill(sheet: &mut Worksheet, name: &str, rows: &[&[&str]]) {
    sheet.set_name(name).unwrap();
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(*cells) {
            if !cell.is_empty() {
                sheet.write_string(row, column, *cell).unwrap();
            }
        }
    }
}

/// A workbook with these questions behind the headings, and a change to their sheet.
fn workbook(version: &str, questions: &[&[&str]], change: impl Fn(&mut Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let rows = [&[HEADINGS][..], questions].concat();
    let survey = book.add_worksheet();
    fill(survey, "survey", &rows);
    change(survey);
    let settings: &[&[&str]] = &[
        &["form_title", "form_title_en", "form_id", "version"],
        &["楼道检查", "Stairwell check", "stairwell", version],
    ];
    fill(book.add_worksheet(), "settings", settings);
    book.save_to_buffer().unwrap()
}

fn plain(version: &str, questions: &[&[&str]]) -> Vec<u8> {
    workbook(version, questions, |_| {})
}

const QUESTION: &[&str] = &["text", "found", "发现了什么", "Findings"];

fn versions(operator: &Operator) -> Vec<(String, u64)> {
    let status = operator.json(&["status", "--json"]);
    let templates = status["templates"].as_array().unwrap();
    let version = |template: &Value| {
        let id = template["id"].as_str().unwrap().to_owned();
        (id, template["version"].as_u64().unwrap())
    };
    templates.iter().map(version).collect()
}

fn import(operator: &Operator, name: &str, bytes: &[u8]) -> Ran {
    std::fs::write(operator.path(name), bytes).unwrap();
    operator.run(&["import", "templates", name, "--json"])
}

fn counts(ran: &Ran) -> (u64, u64) {
    let said: Value = serde_json::from_str(ran.out.trim()).unwrap();
    let count = |name: &str| said[name].as_u64().unwrap();
    (count("changed"), count("unchanged"))
}

fn codes(ran: &Ran) -> Vec<String> {
    let said: Value = serde_json::from_str(ran.out.trim()).unwrap();
    let bad = said["bad"].as_array().unwrap().iter();
    bad.map(|bad| bad["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn checklist_is_imported_listed_exported_and_known_again() {
    let operator = Operator::with_demo();
    let shipped = versions(&operator);
    assert_eq!(shipped.len(), 7, "{shipped:?}");

    let first = import(&operator, "a.xlsx", &plain("2", &[QUESTION]));
    assert_eq!((first.code, counts(&first)), (0, (1, 0)), "{first:?}");
    assert!(versions(&operator).contains(&("stairwell".to_owned(), 2)));
    assert!(operator.out(&["status"]).contains("Stairwell check"));
    let again = import(&operator, "a.xlsx", &plain("2", &[QUESTION]));
    assert_eq!((again.code, counts(&again)), (0, (0, 1)), "{again:?}");

    operator.ok(&["export", "template", "stairwell", "out.xlsx"]);
    operator.ok(&[
        "export",
        "template",
        "stairwell",
        "out.json",
        "--version",
        "2",
    ]);
    for name in ["out.xlsx", "out.json"] {
        let back = operator.run(&["import", "templates", name, "--json"]);
        assert_eq!((back.code, counts(&back)), (0, (0, 1)), "{back:?}");
    }
    let twice = operator.run(&["export", "template", "stairwell", "out.xlsx"]);
    assert_eq!(twice.code, 3, "a file is never overwritten: {twice:?}");
    assert!(twice.err.contains("[export.exists]"), "{twice:?}");
    for args in [
        &["nothing", "x.xlsx"][..],
        &["stairwell", "x.xlsx", "--version", "9"],
    ] {
        let unknown = operator.run(&[&["export", "template"][..], args].concat());
        assert!(unknown.err.contains("template.unknown"), "{unknown:?}");
    }
    operator.ok(&["verify"]);
    operator.ok(&["export", "records.jsonl"]);
}

#[test]
fn version_never_changes_and_never_goes_back() {
    let operator = Operator::with_demo();
    assert_eq!(
        import(&operator, "a.xlsx", &plain("2", &[QUESTION])).code,
        0
    );
    let other: &[&str] = &["text", "other", "别的", "Others"];
    for (version, code) in [("2", "template.version_taken"), ("1", "template.older")] {
        let refused = import(&operator, "b.xlsx", &plain(version, &[other]));
        assert_eq!(
            (refused.code, codes(&refused)),
            (3, vec![code.to_owned()]),
            "{refused:?}"
        );
        let said = operator.run(&["--lang", "zh", "import", "templates", "b.xlsx"]);
        assert!(said.out.contains("settings 表第2行"), "{said:?}");
    }
    assert_eq!(import(&operator, "c.xlsx", &plain("3", &[other])).code, 0);
    let known = import(&operator, "a.xlsx", &plain("2", &[QUESTION]));
    assert_eq!(
        (known.code, counts(&known)),
        (0, (0, 1)),
        "an old version is still known"
    );
    operator.ok(&[
        "export",
        "template",
        "stairwell",
        "old.json",
        "--version",
        "2",
    ]);
    assert!(
        std::fs::read_to_string(operator.path("old.json"))
            .unwrap()
            .contains("found")
    );
}

/// All or nothing: one wrong row keeps the others out.
#[test]
fn wrong_rows_are_named_and_nothing_is_stored() {
    let operator = Operator::with_demo();
    let before = operator.out(&["status", "--json"]);
    let wrong: &[(&[&[&str]], &str)] = &[
        (
            &[QUESTION, &["rank x", "r", "排序"]],
            "xlsform.unsupported_type",
        ),
        (&[QUESTION, QUESTION], "form.duplicate"),
        (
            &[
                &["text", "a", "甲", "", "${b} = ''"],
                &["text", "b", "乙", "", "${a} = ''"],
            ],
            "form.loop",
        ),
        (&[&["text", "a", "甲", "", "1 div"]], "form.syntax"),
        (
            &[&["select_one x", "a", "甲"], &["text", "b", ""]],
            "xlsform.no_label",
        ),
    ];
    for (rows, expected) in wrong {
        let ran = import(&operator, "bad.xlsx", &plain("1", rows));
        assert_eq!(
            (ran.code, codes(&ran)),
            (3, vec![(*expected).to_owned()]),
            "{ran:?}"
        );
        assert!(ran.err.contains("import.nothing_taken"), "{ran:?}");
    }
    let report = operator.run(&["import", "templates", "bad.xlsx"]);
    assert!(report.out.contains("survey row 3 column"), "{report:?}");
    let chinese = operator.run(&["--lang", "zh", "import", "templates", "bad.xlsx"]);
    assert!(chinese.out.contains("survey 表第3行"), "{chinese:?}");
    assert_eq!(operator.out(&["status", "--json"]), before);
}

#[test]
fn hostile_workbooks_change_nothing() {
    let operator = Operator::with_demo();
    let before = operator.out(&["status", "--json"]);
    let merged = workbook("1", &[QUESTION], |sheet| {
        sheet.merge_range(1, 2, 2, 2, "甲", &Format::new()).unwrap();
    });
    let formula = workbook("1", &[QUESTION], |sheet| {
        sheet
            .write_formula(1, 2, Formula::new("=A1").set_result("甲"))
            .unwrap();
    });
    let mut sheets = Workbook::new();
    fill(sheets.add_worksheet(), "Sheet1", &[HEADINGS, QUESTION]);
    let names: Vec<String> = (0..10_000).map(|number| format!("q{number}")).collect();
    let many: Vec<[&str; 3]> = names.iter().map(|name| ["text", name, "题"]).collect();
    let many: Vec<&[&str]> = many.iter().map(|row| &row[..]).collect();
    for (bytes, code) in [
        (merged, "xlsform.merged"),
        (formula, "xlsform.formula"),
        (sheets.save_to_buffer().unwrap(), "xlsform.no_sheet"),
        (plain("1", &many), "form.item_count"),
        (bomb(), "xlsform.inflates"),
        (b"survey".to_vec(), "xlsform.no_workbook"),
        (b"{\"format\":1".to_vec(), "form.malformed"),
    ] {
        let ran = import(&operator, "bad.xlsx", &bytes);
        assert_eq!(ran.code, 3, "{code}: {ran:?}");
        assert!(codes(&ran).contains(&code.to_owned()), "{code}: {ran:?}");
    }
    assert_eq!(operator.out(&["status", "--json"]), before);
}

/// A workbook of some kilobytes whose parts unpack to more than 16 MiB.
fn bomb() -> Vec<u8> {
    let mut book = ZipArchive::new(Cursor::new(plain("1", &[QUESTION]))).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..book.len() {
        writer
            .raw_copy_file(book.by_index_raw(index).unwrap())
            .unwrap();
    }
    writer
        .start_file("xl/media/image1.png", SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&vec![0; 17 * 1_024 * 1_024]).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn backup_has_the_templates() {
    let operator = Operator::with_demo();
    assert_eq!(
        import(&operator, "a.xlsx", &plain("2", &[QUESTION])).code,
        0
    );
    operator.ok(&["backup", "copy"]);
    let listed = versions(&operator);
    std::fs::remove_dir_all(operator.path("data")).unwrap();
    operator.ok(&["restore", "copy"]);
    assert_eq!(versions(&operator), listed);
    operator.ok(&["verify"]);
    let known = import(&operator, "a.xlsx", &plain("2", &[QUESTION]));
    assert_eq!((known.code, counts(&known)), (0, (0, 1)), "{known:?}");
}
