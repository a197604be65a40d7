//! Tables as offices write them, sound and damaged.

#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

const COLUMNS: &[Column] = &[
    Column {
        name: "code",
        aliases: &["代码"],
        required: true,
    },
    Column {
        name: "name",
        aliases: &["名称"],
        required: true,
    },
    Column {
        name: "note",
        aliases: &["备注"],
        required: false,
    },
];

fn read(text: &str) -> Table {
    Table::read("t.csv", text.as_bytes(), COLUMNS)
}

fn codes(table: &Table) -> Vec<(Option<u64>, &'static str)> {
    table.bad.iter().map(|bad| (bad.line(), bad.code)).collect()
}

#[test]
fn headers_in_both_languages_any_order_and_three_separators() {
    for text in [
        "code,name\n1,甲\n",
        "名称;代码\r\n甲;1\r\n",
        "\u{feff}\n 名称 \tCode\t\n 甲 \t1\t\n\n",
    ] {
        let table = read(text);
        assert_eq!(codes(&table), [], "{text:?}");
        let cells: Vec<_> = table
            .rows
            .iter()
            .map(|r| (r.get("code"), r.get("name")))
            .collect();
        assert_eq!(cells, [("1", "甲")], "{text:?}");
        assert_eq!(table.rows[0].get("note"), "");
    }
}

#[test]
fn lines_are_those_of_the_file_even_after_quoted_line_breaks() {
    let table = read("code,name\n1,\"甲\n乙\"\n2,丙,,x\n");
    assert_eq!(table.rows[0].line, 2);
    assert_eq!(codes(&table), [(Some(4), "import.too_many_cells")]);
}

/// Old Macs end lines with a single `\r`, Windows with two characters.
#[test]
fn lines_are_counted_alike_for_every_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let lines = ["code,name", "1,甲", "", "2,\"乙", "丙\"", "3,丁,,x", "4,戊"];
        let table = read(&lines.join(end));
        let found: Vec<u64> = table.rows.iter().map(|row| row.line).collect();
        assert_eq!(found, [2, 4, 7], "{end:?}");
        let refused = (Some(6), "import.too_many_cells");
        assert_eq!(codes(&table), [refused], "{end:?}");
    }
}

/// A list that was joined from several pages has the header of each.
#[test]
fn repeated_header_is_noted_and_no_row() {
    let found = read("代码,名称\n1,甲\n代码,名称\nCODE,Name\n2,乙\n代码,丙\n代码,\n");
    let codes = |all: &[BadRow]| -> Vec<_> {
        let row = |row: &BadRow| (row.line(), row.code);
        all.iter().map(row).collect()
    };
    let again = "import.header_again";
    assert_eq!(codes(&found.notes), [(Some(3), again), (Some(4), again)]);
    assert_eq!(codes(&found.bad), []);
    let first = |row: &Row| row.get("code").to_owned();
    let rows: Vec<_> = found.rows.iter().map(first).collect();
    assert_eq!(rows, ["1", "2", "代码", "代码"], "one cell proves nothing");
}

#[test]
fn title_above_the_header_is_skipped() {
    let table = read("人员名单,,\n二〇二六年,,\ncode,name\n1,甲\n");
    assert_eq!(codes(&table), []);
    assert_eq!(table.rows[0].line, 4);
    let headless = read("人员名单\n甲\n");
    let missing = (Some(1), "import.missing_column");
    assert_eq!(codes(&headless), [missing, missing]);
}

/// A row that is gone may be a role of a person, so nothing may be concluded from its absence.
#[test]
fn table_with_a_gap_says_so() {
    assert!(!read("code,name\n1,甲\n").is_partial);
    let too_wide = read("code,name\n1,甲,x\n2,乙\n");
    assert_eq!(too_wide.refused[0].get("code"), "1");
    assert!(!too_wide.is_partial, "the refused row is known");
    assert!(read("code,name,nmae\n1,甲,\n").is_partial);
    let swallowed = "code,name\n1,\"甲,x,y\n2,乙\n3,丙\",x\n";
    assert!(read(swallowed).is_partial, "line 3 is gone");
    let endless = format!("code,name\n{}", "1,a\n".repeat(IMPORT_ROWS_MAX + 1));
    assert!(read(&endless).is_partial);
}

#[test]
fn a_header_that_does_not_fit_is_named() {
    let table = read("code\n1\n");
    assert_eq!(codes(&table), [(Some(1), "import.missing_column")]);
    assert_eq!(table.bad[0].value, "name / 名称");
    assert!(table.rows.is_empty());
    assert_eq!(
        codes(&read("code,代码,name\n")),
        [(Some(1), "import.column_twice")]
    );
    let unknown = read("code,name,电话\n1,甲,139\n");
    assert_eq!(codes(&unknown), [(Some(1), "import.unknown_column")]);
    assert_eq!(unknown.rows.len(), 1, "the rest can still be taken");
    let wide = "x,".repeat(IMPORT_COLUMNS_MAX + 1);
    assert_eq!(codes(&read(&wide)), [(Some(1), "import.too_many_columns")]);
    assert_eq!(codes(&read("code,name\n")), [(None, "import.no_rows")]);
}

/// A spreadsheet that saves a table as CSV writes what it shows.
#[test]
fn cells_that_a_spreadsheet_has_damaged_are_refused() {
    for (cell, code) in [
        ("3.30105E+17", "import.number_too_long"),
        ("3E+17", "import.number_too_long"),
        ("3.3e+17", "import.number_too_long"),
        ("#N/A", "import.error_cell"),
        ("#REF!", "import.error_cell"),
        ("#NAME?", "import.error_cell"),
        ("#####", "import.error_cell"),
        ("\"=\"\"0012\"\"\"", "import.formula_cell"),
    ] {
        let table = read(&format!("code,name\n{cell},甲\n2,乙\n"));
        assert_eq!(codes(&table), [(Some(2), code)], "{cell}");
        assert_eq!(table.rows.len(), 1, "{cell}");
    }
    for cell in ["3E", "E+17", "#7", "3.5", "A=B", "1E17"] {
        let table = read(&format!("code,name\n{cell},甲\n"));
        assert_eq!(codes(&table), [], "{cell}");
    }
}

#[test]
fn damaged_character_is_named_with_its_line() {
    let mut bytes = "code,name\n1,志愿者甲\n2,志愿者乙\n3,丙\n"
        .as_bytes()
        .to_vec();
    let at = bytes.iter().rposition(|byte| *byte == b'2').unwrap();
    bytes.remove(at + 3);
    let table = Table::read("t.csv", &bytes, COLUMNS);
    assert_eq!(codes(&table), [(Some(3), "import.unreadable_encoding")]);
    assert!(table.rows.is_empty());
}

#[test]
fn limits_stop_long_cells_and_endless_tables() {
    let long = format!(
        "code,name\n1,{}\n2,乙\n",
        "长".repeat(IMPORT_CELL_BYTES_MAX / 3 + 1)
    );
    let table = read(&long);
    assert_eq!(codes(&table), [(Some(2), "import.cell_too_long")]);
    assert_eq!(table.rows.len(), 1);
    let endless = format!("code,name\n{}", "1,a\n".repeat(IMPORT_ROWS_MAX + 1));
    let table = read(&endless);
    assert_eq!(table.rows.len(), IMPORT_ROWS_MAX);
    let line = u64::try_from(IMPORT_ROWS_MAX).unwrap() + 2;
    assert_eq!(codes(&table), [(Some(line), "import.too_many_rows")]);
}
