//! Files that no office wrote: each has its code, none costs more than the limits, none panics.

use std::io::{Cursor, Read as _, Write as _};

use rust_xlsxwriter::{Format, Formula};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::super::TemplateFile;
use super::books::{Book, parsed, report};
use crate::limits::{
    XLSFORM_FILE_BYTES_MAX, XLSFORM_PARTS_MAX, XLSFORM_ROWS_MAX, XLSFORM_UNPACKED_BYTES_MAX,
};

const HEADINGS: &[&str] = &["type", "name", "label"];

fn good() -> Book {
    Book::of(&[HEADINGS, &["text", "a", "甲"]])
}

fn codes(bytes: &[u8]) -> Vec<&'static str> {
    match TemplateFile::parse("bad.xlsx", bytes) {
        Ok(_) => Vec::new(),
        Err(bad) => bad.iter().map(|bad| bad.code).collect(),
    }
}

/// The parts of a workbook with one part more.
fn with_part(book: &Book, name: &str, content: &[u8], times: usize) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(book.to_bytes())).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        writer
            .raw_copy_file(archive.by_index_raw(index).unwrap())
            .unwrap();
    }
    for time in 0..times {
        let options = SimpleFileOptions::default();
        writer.start_file(format!("{name}{time}"), options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn zip_bomb_is_refused_by_the_sizes_it_claims() {
    let megabytes = vec![0; 1_024 * 1_024];
    let bomb = with_part(&good(), "xl/media/", &megabytes, 20);
    assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
    assert_eq!(codes(&bomb), ["xlsform.inflates"]);
}

/// The directory of the zip file lies, so the real bytes are counted too.
#[test]
fn zip_bomb_with_false_sizes_is_refused() {
    let long = usize::try_from(XLSFORM_UNPACKED_BYTES_MAX).unwrap() + 1;
    let mut bomb = with_part(&good(), "xl/media/", &vec![0; long], 1);
    let size = u32::try_from(long).unwrap().to_le_bytes();
    let found: Vec<usize> = (0..bomb.len() - 4)
        .filter(|at| bomb[*at..*at + 4] == size)
        .collect();
    assert!(!found.is_empty());
    for at in found {
        bomb[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    }
    let refused = codes(&bomb);
    let known = ["xlsform.inflates", "xlsform.unreadable"];
    assert!(
        refused.len() == 1 && known.contains(&refused[0]),
        "{refused:?}"
    );
}

#[test]
fn file_beyond_a_limit_is_refused_with_its_code() {
    let parts = with_part(&good(), "xl/media/", b"x", XLSFORM_PARTS_MAX);
    assert_eq!(codes(&parts), ["xlsform.too_many_parts"]);
    assert_eq!(
        codes(&vec![b'P'; XLSFORM_FILE_BYTES_MAX + 1]),
        ["xlsform.file_too_large"]
    );
    let mut sheets = good();
    for index in 0..30 {
        sheets.sheet(&format!("note{index}"), &[]);
    }
    assert_eq!(report(&sheets)[0].3, "xlsform.too_many_sheets");
    let mut rows = good();
    rows.change(|sheet| {
        sheet.write_string(XLSFORM_ROWS_MAX, 0, "text").unwrap();
    });
    assert_eq!(report(&rows)[0].3, "xlsform.too_many_rows");
    let mut columns = good();
    columns.change(|sheet| {
        sheet.write_string(1, 70, "text").unwrap();
    });
    assert_eq!(report(&columns)[0].3, "xlsform.too_many_columns");
    let mut cell = good();
    cell.change(|sheet| {
        sheet.write_string(1, 2, "x".repeat(20_000)).unwrap();
    });
    assert_eq!(report(&cell)[0].3, "xlsform.cell_too_long");
}

/// A cell in the last corner of a sheet costs nothing, because no grid is made.
#[test]
fn cell_in_the_last_corner_is_refused_cheaply() {
    let mut book = good();
    book.change(|sheet| {
        sheet.write_string(1_048_575, 16_383, "x").unwrap();
    });
    assert_eq!(report(&book)[0].3, "xlsform.too_many_rows");
}

#[test]
fn other_files_are_refused_with_their_code() {
    assert_eq!(codes(b""), ["xlsform.no_workbook"]);
    assert_eq!(codes(b"type,name\ntext,a\n"), ["xlsform.no_workbook"]);
    let old = [
        &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1][..],
        &[0; 512],
    ]
    .concat();
    assert_eq!(codes(&old), ["xlsform.old_workbook"]);
    assert_eq!(codes(b"PK\x03\x04 and no more"), ["xlsform.unreadable"]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.txt", SimpleFileOptions::default())
        .unwrap();
    assert_eq!(
        codes(&zip.finish().unwrap().into_inner()),
        ["xlsform.unreadable"]
    );
}

#[test]
fn missing_and_unsupported_sheets_are_refused() {
    let mut book = Book::empty();
    book.sheet("Sheet1", &[HEADINGS]);
    let codes = |book: &Book| -> Vec<_> { report(book).into_iter().map(|line| line.3).collect() };
    assert_eq!(codes(&book), ["xlsform.no_sheet", "xlsform.no_sheet"]);
    let mut book = good();
    book.sheet("external_choices", &[&["list_name", "name"]]);
    assert_eq!(codes(&book), ["xlsform.unsupported_sheet"]);
    let mut book = good();
    book.sheet("说明", &[&["随便写写"]]);
    assert!(
        parsed(&book).is_ok(),
        "notes of the author are no sheet of the form"
    );
}

#[test]
fn merged_cells_and_formulas_are_named_by_row() {
    let mut book = Book::of(&[HEADINGS, &["text", "a", "甲"], &["text", "b", "乙"]]);
    book.change(|sheet| {
        let format = Format::new();
        sheet.merge_range(1, 2, 2, 2, "甲", &format).unwrap();
        sheet
            .write_formula(2, 1, Formula::new("=\"b\"").set_result("b"))
            .unwrap();
    });
    let report = report(&book);
    assert!(
        report.contains(&("survey", 2, String::new(), "xlsform.merged")),
        "{report:?}"
    );
    assert!(
        report.contains(&("survey", 3, "B".to_owned(), "xlsform.formula")),
        "{report:?}"
    );
}

#[test]
fn ten_thousand_questions_are_refused_at_the_first_too_many() {
    let names: Vec<String> = (0..10_000).map(|index| format!("q{index}")).collect();
    let rows: Vec<[&str; 3]> = names.iter().map(|name| ["text", name, "题"]).collect();
    let rows: Vec<&[&str]> = std::iter::once(HEADINGS)
        .chain(rows.iter().map(|row| &row[..]))
        .collect();
    let report = report(&Book::of(&rows));
    assert_eq!(
        report,
        [("survey", 502, "name".to_owned(), "form.item_count")]
    );
}

#[test]
fn ten_thousand_open_groups_are_refused() {
    let names: Vec<String> = (0..10_000).map(|index| format!("g{index}")).collect();
    let rows: Vec<[&str; 3]> = names
        .iter()
        .map(|name| ["begin_group", name, "组"])
        .collect();
    let rows: Vec<&[&str]> = std::iter::once(HEADINGS)
        .chain(rows.iter().map(|row| &row[..]))
        .collect();
    let report = report(&Book::of(&rows));
    assert_eq!(report[0], ("survey", 6, "type".to_owned(), "form.too_deep"));
}

/// Every part of a workbook is cut and changed; the file is read or refused, never more.
#[test]
fn damaged_parts_never_panic() {
    let bytes = good().to_bytes();
    for end in (0..bytes.len()).step_by(97) {
        drop(codes(&bytes[..end]));
    }
    let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut part = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        part.read_to_end(&mut content).unwrap();
        parts.push((part.name().unwrap().into_owned(), content));
    }
    for changed in 0..parts.len() {
        let length = parts[changed].1.len();
        for at in (0..length).step_by(length / 8 + 1) {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            for (index, (name, content)) in parts.iter().enumerate() {
                let mut content = content.clone();
                if index == changed {
                    content[at] = content[at].wrapping_add(1);
                    content.truncate(length - at % 3);
                }
                writer
                    .start_file(name.as_str(), SimpleFileOptions::default())
                    .unwrap();
                writer.write_all(&content).unwrap();
            }
            drop(codes(&writer.finish().unwrap().into_inner()));
        }
    }
}
