//! Each wrong row is named with its sheet, number, column and code, in both languages.

use onegrid_core::texts::{Lang, text};

use super::books::{Book, Line, SETTINGS, parsed, report};

const HEADINGS: &[&str] = &[
    "type",
    "name",
    "label",
    "hint",
    "relevant",
    "required",
    "constraint",
    "constraint_message",
    "default",
    "min",
    "max",
    "decimals",
];

fn survey(row: &[&str]) -> Book {
    Book::of(&[HEADINGS, &["text", "first", "第一题"], row])
}

fn at(sheet: &'static str, row: u64, column: &str, code: &'static str) -> Line {
    (sheet, row, column.to_owned(), code)
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of wrong rows")]
fn wrong_question_is_named_by_row_and_column() {
    let long = "长".repeat(1_001);
    let cases: &[(&[&str], &str, &'static str)] = &[
        (&["", "a", "甲"], "type", "xlsform.no_type"),
        (
            &["rank colour", "a", "甲"],
            "type",
            "xlsform.unsupported_type",
        ),
        (
            &["select_one colour or_other", "a", "甲"],
            "type",
            "xlsform.unsupported_type",
        ),
        (&["text", "A b", "甲"], "name", "form.bad_name"),
        (&["text", "meta", "甲"], "name", "xlsform.reserved_name"),
        (&["text", "first", "甲"], "name", "form.duplicate"),
        (&["text", "a", ""], "label", "xlsform.no_label"),
        (&["text", "a", &long], "label", "form.bad_words"),
        (&["text", "a", "甲 ${first}"], "label", "xlsform.reference"),
        (
            &["text", "a", "甲", "", "", "", "", "", "${first}"],
            "default",
            "xlsform.reference",
        ),
        (&["text", "a", "甲", "", "1 +"], "relevant", "form.syntax"),
        (
            &["text", "a", "甲", "", "", "${b}"],
            "required",
            "form.unknown_reference",
        ),
        (
            &["text", "a", "甲", "", "", "", "regex(., 'x')"],
            "constraint",
            "form.unknown_function",
        ),
        (
            &["text", "a", "甲", "", "", "", "", "不对"],
            "constraint_message",
            "form.misplaced_field",
        ),
        (
            &["integer", "a", "甲", "", "", "", "", "", "x"],
            "default",
            "form.bad_default",
        ),
        (
            &["integer", "a", "甲", "", "", "", "", "", "", "9", "1"],
            "min",
            "form.bad_range",
        ),
        (
            &["integer", "a", "甲", "", "", "", "", "", "", "", "", "2"],
            "decimals",
            "form.bad_range",
        ),
        (
            &["text", "a", "甲", "", "", "", "", "", "", "9"],
            "min",
            "form.misplaced_field",
        ),
        (&["select_one size", "a", "甲"], "type", "form.unknown_list"),
        (&["begin_group", "a", "甲"], "type", "xlsform.no_end"),
        (&["end_group"], "type", "xlsform.no_begin"),
        (
            &["text", "a", "甲", "", "${a} = 1"],
            "relevant",
            "form.loop",
        ),
    ];
    for (row, column, code) in cases {
        let book = survey(row);
        assert_eq!(report(&book), [at("survey", 3, column, code)], "{row:?}");
        for bad in parsed(&book).unwrap_err() {
            for lang in Lang::ALL {
                assert!(text(code, lang).is_some(), "{code} has a sentence");
                let said = bad.say(lang);
                assert!(!said.contains('{') || said.contains("${"), "{said}");
                assert!(said.contains("survey") && said.contains('3'), "{said}");
            }
        }
    }
}

/// One report for the whole file: rules of templates are no reason to stop at the first one.
#[test]
fn all_wrong_rows_are_reported_at_once() {
    let book = Book::of(&[
        HEADINGS,
        &["text", "a", "甲", "", "1 +", "", "x(", "不对"],
        &["integer", "b", "乙", "", "", "", "", "", "x", "9", "1"],
        &["select_one size", "c", "丙"],
        &["text", "d", "丁", "", "${nothing}"],
    ]);
    assert_eq!(
        report(&book),
        [
            at("survey", 2, "relevant", "form.syntax"),
            at("survey", 2, "constraint", "form.unknown_function"),
            at("survey", 3, "min", "form.bad_range"),
            at("survey", 3, "default", "form.bad_default"),
            at("survey", 4, "type", "form.unknown_list"),
            at("survey", 5, "relevant", "form.unknown_reference"),
        ]
    );
}

#[test]
fn words_without_chinese_are_refused() {
    let headings: &[&str] = &["type", "name", "label::中文 (zh)", "label::English (en)"];
    let book = Book::of(&[headings, &["text", "a", "", "Name"]]);
    let expected = [at("survey", 2, "label::中文 (zh)", "xlsform.no_chinese")];
    assert_eq!(report(&book), expected);
}

#[test]
fn filled_cells_of_other_columns_are_refused() {
    let book = Book::of(&[
        &["type", "name", "label", "appearance", "media::audio", ""],
        &["text", "a", "甲", "multiline"],
        &["text", "b", "乙", "", "b.mp3", "备注"],
        &["text", "c", "丙"],
    ]);
    assert_eq!(
        report(&book),
        [
            at("survey", 2, "appearance", "xlsform.unsupported_column"),
            at("survey", 3, "media::audio", "xlsform.unsupported_column"),
            at("survey", 3, "F", "xlsform.no_heading"),
        ]
    );
    let empty = Book::of(&[
        &["type", "name", "label", "appearance"],
        &["text", "a", "甲"],
    ]);
    assert!(parsed(&empty).is_ok(), "an empty column says nothing");
}

#[test]
fn headings_must_be_complete_and_single() {
    let book = Book::of(&[&["type", "label"], &["text", "甲"]]);
    assert_eq!(
        report(&book),
        [at("survey", 1, "", "import.missing_column")]
    );
    let book = Book::of(&[
        &["type", "name", "label", "label::中文 (zh)"],
        &["text", "a", "甲"],
    ]);
    let twice = [at("survey", 1, "label::中文 (zh)", "import.column_twice")];
    assert_eq!(report(&book), twice);
}

#[test]
fn wrong_choices_are_named_by_row_and_column() {
    let choices: &[&[&str]] = &[
        &["list_name", "name", "label", "town"],
        &["colour", "red", "红"],
        &["colour", "red", "红"],
        &["colour", "a b", "甲"],
        &["colour", "blue", ""],
        &["Colour", "x", "乙"],
        &["colour", "grey", "灰", "t1"],
        &["Yes_No", "maybe", "也许"],
    ];
    let book = Book::with(
        &[HEADINGS, &["select_one colour", "a", "甲"]],
        choices,
        SETTINGS,
    );
    assert_eq!(
        report(&book),
        [
            at("choices", 3, "name", "form.duplicate"),
            at("choices", 4, "name", "form.bad_name"),
            at("choices", 5, "label", "xlsform.no_label"),
            at("choices", 6, "list_name", "form.bad_name"),
            at("choices", 7, "town", "xlsform.unsupported_column"),
            at("choices", 8, "name", "xlsform.yes_no_list"),
        ]
    );
}

#[test]
fn wrong_settings_are_named_by_column() {
    let headings: &[&str] = &[
        "form_title",
        "form_id",
        "version",
        "volunteers",
        "next_visit_days",
        "style",
    ];
    for (row, column, code) in [
        (&["", "form", "1"][..], "form_title", "xlsform.no_label"),
        (&["表", "Form", "1"], "form_id", "form.bad_name"),
        (&["表", "form", "v1"], "version", "form.bad_count"),
        (&["表", "form", "0"], "version", "form.bad_count"),
        (
            &["表", "form", "1", "perhaps"],
            "volunteers",
            "xlsform.yes_or_no",
        ),
        (
            &["表", "form", "1", "", "x"],
            "next_visit_days",
            "form.bad_count",
        ),
        (
            &["表", "form", "1", "", "0"],
            "next_visit_days",
            "form.bad_count",
        ),
        (
            &["表", "form", "1", "", "", "pages"],
            "style",
            "xlsform.unsupported_column",
        ),
    ] {
        let book = Book::with(
            &[HEADINGS, &["text", "a", "甲"]],
            &[&["list_name", "name", "label"]],
            &[headings, row],
        );
        assert_eq!(report(&book), [at("settings", 2, column, code)], "{row:?}");
    }
    let rows: &[&[&str]] = &[headings, &["表", "form", "1"], &["表", "form", "2"]];
    let book = Book::with(&[HEADINGS, &["text", "a", "甲"]], &[], rows);
    let codes: Vec<&str> = report(&book).into_iter().map(|line| line.3).collect();
    assert!(codes.contains(&"xlsform.second_settings"), "{codes:?}");
}
