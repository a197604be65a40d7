//! The promises of the documents.

use std::collections::BTreeSet;

use super::report;
use super::source::{FILES, ROOT, RUST, text_of};

/// Invariants that ARCHITECTURE.md numbers.
const INVARIANTS: usize = 11;

/// Invariants without a guard. This list only gets shorter, because a guarded number may not stay here.
const UNGUARDED: [&str; 0] = [];

#[test]
fn the_readme_names_the_two_commands() {
    let readme = text_of("README.md");
    for command in ["make demo", "make test"] {
        assert!(
            readme.contains(command),
            "README.md: name `{command}`, it is what a newcomer runs"
        );
    }
}

/// Returns the names of all functions, tests among them.
fn functions() -> BTreeSet<&'static str> {
    RUST.iter()
        .flat_map(|file| &file.lines)
        .filter_map(|line| {
            line.code
                .trim()
                .split_once("fn ")?
                .1
                .split(['(', '<'])
                .next()
        })
        .collect()
}

/// A row of a table in Markdown.
struct Row {
    /// The first cell.
    first: &'static str,
    /// The words between backticks in the last cell.
    last_quoted: Vec<&'static str>,
}

/// Returns the rows of the tables of a text. A row without a first cell continues the one before.
fn rows_of(text: &'static str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let last_quoted = quoted(cells.last().copied().unwrap_or_default());
        match rows.last_mut() {
            Some(row) if cells[0].is_empty() => row.last_quoted.extend(last_quoted),
            _ => rows.push(Row {
                first: cells[0],
                last_quoted: last_quoted.collect(),
            }),
        }
    }
    rows
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let tests = functions();
    let invariants = text_of("ARCHITECTURE.md")
        .split_once("## Invariants")
        .map_or("", |(_, text)| text);
    let rows: Vec<Row> = rows_of(invariants)
        .into_iter()
        .filter(|row| row.first.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let mut findings = Vec::new();
    if rows.len() != INVARIANTS {
        findings.push(format!(
            "{} rows instead of {INVARIANTS}: `| number | … |`",
            rows.len()
        ));
    }
    for row in rows {
        let (number, names) = (row.first, row.last_quoted);
        match (names.is_empty(), UNGUARDED.contains(&number)) {
            (true, false) => {
                findings.push(format!("invariant {number}: name the test that guards it"));
            }
            (false, true) => findings.push(format!("invariant {number}: remove it from UNGUARDED")),
            _ => {}
        }
        for name in names.iter().filter(|name| !tests.contains(**name)) {
            findings.push(format!("invariant {number}: there is no test `{name}`"));
        }
    }
    report(
        "ARCHITECTURE.md: each invariant names a test that exists",
        &findings,
    );
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    let mut findings = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = ROOT.join(&file.path);
        let folder = folder.parent().unwrap_or(&ROOT);
        for (index, line) in file.text.lines().enumerate() {
            for link in line
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
            {
                let target = link.split('#').next().unwrap_or_default();
                let outside = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !outside && !folder.join(target).exists() {
                    let at = format!("{}:{}", file.path, index + 1);
                    findings.push(format!("{at}: {target} does not exist; correct the link"));
                }
            }
        }
    }
    report("links between documents", &findings);
}

#[test]
fn every_decision_is_a_numbered_page_of_its_own() {
    let mut findings = Vec::new();
    let mut numbers = BTreeSet::new();
    for file in FILES.iter() {
        let Some(name) = file.path.strip_prefix("docs/decisions/") else {
            continue;
        };
        if name == "dependencies.md" {
            continue;
        }
        let number = name.split('-').next().unwrap_or_default();
        if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
            findings.push(format!("{}: name it NNNN-title.md", file.path));
        } else if !numbers.insert(number) {
            findings.push(format!(
                "{}: the number {number} is taken; take the next",
                file.path
            ));
        }
        for part in ["## Context", "## Options", "## Choice", "## Consequences"] {
            if !file.text.contains(part) {
                findings.push(format!("{}: the part “{part}” is missing", file.path));
            }
        }
    }
    report(
        "docs/decisions: context, options, choice, consequences",
        &findings,
    );
}

/// The least number of lines in the table of bad input: one for each kind that the project promises to
/// survive.
const KINDS_OF_BAD_INPUT: usize = 20;

#[test]
fn every_kind_of_bad_input_names_tests_that_exist() {
    let tests = functions();
    let table = text_of("docs/testing.md")
        .split_once("## Bad input")
        .map_or("", |(_, table)| table);
    let rows: Vec<Row> = rows_of(table)
        .into_iter()
        .filter(|row| row.first != "bad input")
        .collect();
    let mut findings = Vec::new();
    if rows.len() < KINDS_OF_BAD_INPUT {
        findings.push(format!("{} rows of {KINDS_OF_BAD_INPUT}", rows.len()));
    }
    for row in rows {
        let (kind, names) = (row.first, row.last_quoted);
        if names.is_empty() {
            findings.push(format!("{kind}: name the test that shows it"));
        }
        for name in names.iter().filter(|name| !tests.contains(**name)) {
            findings.push(format!("{kind}: there is no test `{name}`"));
        }
    }
    report(
        "docs/testing.md: each kind of bad input names tests that exist",
        &findings,
    );
}

/// Words between backticks.
pub(super) fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether a quoted word is the path of one file or folder.
fn is_path(word: &str) -> bool {
    let ends = [".rs", ".py", ".sql", ".tsv", ".md", "/"];
    ends.iter().any(|end| word.ends_with(end))
        && !word.contains(['<', '*', ' '])
        && !word.contains("NNNN")
        && !word.contains("://")
}

/// Whether a quoted word is the name of a test: four words or more.
fn is_test_name(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    word.matches('_').count() >= 3 && word.chars().all(plain)
}

/// A document whose long names are those of metrics, not of tests.
const METRICS: &str = "docs/operations.md";

#[test]
fn every_file_and_test_in_the_documents_exists() {
    let tests = functions();
    let exists = |path: &str| {
        let end = format!("/{path}");
        FILES.iter().any(|file| {
            let file = format!("/{}", file.path);
            file.ends_with(&end) || (path.ends_with('/') && file.contains(&end))
        })
    };
    let mut findings = Vec::new();
    let mut seen = 0;
    for file in FILES
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .filter(|file| file.path.starts_with("docs/") || !file.path.contains('/'))
    {
        for (number, line) in (1..).zip(file.text.lines()) {
            for word in quoted(line) {
                let missing = if is_path(word) {
                    seen += 1;
                    !exists(word)
                } else {
                    file.path != METRICS && is_test_name(word) && !tests.contains(word)
                };
                if missing {
                    findings.push(format!("{}:{number}: there is no `{word}`", file.path));
                }
            }
        }
    }
    assert!(seen > 100, "the documents name files: {seen}");
    report("documents: files and tests that are named exist", &findings);
}
