//! One folder for each record kind: generic code names no kind, so a new kind changes no generic file.
//!
//! The names come from the registry of the kinds, so the rule covers a new kind without a change here.

use std::sync::LazyLock;

use onegrid_core::domain::kinds::KINDS;
use regex::Regex;

use super::report;
use super::source::{FILES, RUST, Rust};

/// Code that knows kinds through `KindSpec` alone.
const GENERIC: [&str; 3] = ["core/src/", "server/src/", "ffi/src/"];

/// The folders of the kinds, their registry and its tests.
const KINDS_FOLDER: &str = "core/src/domain/kinds/";

/// The permission table. Its rows have the names of `domain.md`, where an action of one kind has a row of its own.
const PERMISSIONS: &str = "core/src/domain/permissions.rs";

/// Names of kinds that are words with other meanings too: a request over HTTP, a place in a folder or list, a
/// visit of each node of a graph, the note of a move, a row of the permission table, news for a person,
/// a shift of bits.
/// Only a use that means the kind is a finding.
const AMBIGUOUS: [&str; 8] = [
    "request", "place", "visit", "note", "patrol", "task", "notice", "shift",
];

/// Strings that equal the name of a kind and mean another thing: file, string, meaning.
const OTHER_MEANING: [(&str, &str, &str); 9] = [
    ("core/src/domain/case/input.rs", "request", "for more time"),
    ("core/src/domain/form/check.rs", "note", "an item of words"),
    ("core/src/domain/form/kind.rs", "note", "an item of words"),
    ("core/src/domain/kind.rs", "task", "a source of a record"),
    ("core/src/replica/salvage.rs", "notice", "a table of news"),
    ("core/src/trust/request_mac.rs", "request", "label of a key"),
    (
        "server/src/admin/xlsform/survey.rs",
        "note",
        "an item of words",
    ),
    (
        "server/src/admin/xlsform/write.rs",
        "note",
        "an item of words",
    ),
    ("server/src/api/observe.rs", "request", "HTTP, in the log"),
];

/// A path into the folder of a kind, or a way around the names: all of `kinds`, an alias, a code as number.
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    let names = names().join("|");
    pattern(&format!(
        r"\bkinds::(?:\{{[^}}]*\b)?(?:{names})\b|\bkinds::\*|\bkinds\s+as\b|RecordKind::of_code\(\s*\d"
    ))
});

/// A kind as a variant or constant: `RecordKind::Place`, `Content::Request`, `RecordKind::PLACE`. The bare
/// `Kind` of an everyday word is another enum, such as the types of questions.
static VARIANT: LazyLock<Regex> = LazyLock::new(|| {
    let variants = |wanted: fn(&str) -> bool| {
        let names = names().into_iter().filter(|name| wanted(name));
        let words: Vec<String> = names
            .flat_map(|name| [camel(name), name.to_uppercase()])
            .collect();
        words.join("|")
    };
    let (clear, everyday) = (variants(is_clear), variants(|name| !is_clear(name)));
    pattern(&format!(
        r"\b\w*(?:Kind|Content)::(?:{clear})\b|\b(?:\w+Kind|\w*Content)::(?:{everyday})\b"
    ))
});

static IDENTIFIER: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z_][A-Za-z0-9_]*"));
static QUOTED: LazyLock<Regex> = LazyLock::new(|| pattern("'([^']*)'"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{error}"))
}

fn names() -> Vec<&'static str> {
    KINDS.iter().map(|spec| spec.name).collect()
}

fn is_clear(name: &str) -> bool {
    !AMBIGUOUS.contains(&name)
}

/// `care_visit` as `CareVisit`.
fn camel(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(capital).collect()
}

/// The words of an identifier in small letters: `HazardRow`, `hazard_row` and `HAZARD_ROW` have two.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words
}

/// Whether the words of the name follow each other in the identifier.
fn has_name(identifier: &str, name: &str) -> bool {
    let (words, name): (Vec<_>, Vec<_>) = (words(identifier), name.split('_').collect());
    words.windows(name.len()).any(|some| some == name)
}

/// The places of code that name a kind: offset, and the words there. Strings in the code are empty.
fn in_code(code: &str) -> Vec<(usize, String)> {
    let paths = PATH.find_iter(code).chain(VARIANT.find_iter(code));
    let mut found: Vec<(usize, String)> = paths
        .map(|found| (found.start(), found.as_str().to_owned()))
        .collect();
    for identifier in IDENTIFIER.find_iter(code) {
        let mut names = names().into_iter().filter(|name| is_clear(name));
        if names.any(|name| has_name(identifier.as_str(), name)) {
            found.push((identifier.start(), identifier.as_str().to_owned()));
        }
    }
    found
}

/// Whether a string literal names a kind.
fn in_string(path: &str, text: &str) -> bool {
    let excused = OTHER_MEANING
        .iter()
        .any(|(file, word, _)| (*file, *word) == (path, text));
    let word = |name: &&str| {
        IDENTIFIER
            .find_iter(text)
            .any(|found| found.as_str() == *name)
    };
    let named = names()
        .into_iter()
        .any(|name| text == name || (is_clear(name) && word(&name)));
    named && !excused
}

fn is_generic(path: &str) -> bool {
    let in_generic = GENERIC.iter().any(|folder| path.starts_with(folder));
    in_generic && !path.starts_with(KINDS_FOLDER) && path != PERMISSIONS
}

/// Files that are modules of tests, because another file declares them behind `#[cfg(test)]`.
fn is_declared_as_test(file: &Rust) -> bool {
    let Some((folder, name)) = file.path.trim_end_matches(".rs").rsplit_once('/') else {
        return false;
    };
    let declaration = format!("mod {name};");
    let mut beside = RUST.iter().filter(|other| {
        let other = other.path.as_str();
        other == format!("{folder}.rs") || other == format!("{folder}/mod.rs")
    });
    beside.any(|other| {
        other.lines.windows(2).any(|pair| {
            let (attribute, code) = (pair[0].code.trim(), pair[1].code.trim());
            attribute == "#[cfg(test)]" && code.ends_with(&declaration)
        })
    })
}

#[test]
fn generic_code_names_no_record_kind() {
    let mut findings = Vec::new();
    let remedy = "ask `RecordKind::spec` instead, and put the difference into the kind's folder";
    for file in RUST.iter().filter(|file| is_generic(&file.path)) {
        if is_declared_as_test(file) {
            continue;
        }
        let (mut code, mut starts) = (String::new(), Vec::new());
        for (number, line) in file.shipped() {
            starts.push((code.len(), number));
            code.push_str(&line.code);
            code.push('\n');
            for text in line
                .strings
                .iter()
                .filter(|text| in_string(&file.path, text))
            {
                findings.push(format!("{}:{number}: \"{text}\"; {remedy}", file.path));
            }
        }
        for (at, words) in in_code(&code) {
            let line = starts.iter().rev().find(|(start, _)| *start <= at);
            let number = line.map_or(0, |(_, number)| *number);
            findings.push(format!("{}:{number}: `{words}`; {remedy}", file.path));
        }
    }
    let sql = |path: &str| path.ends_with(".sql") && is_generic(path);
    for file in FILES.iter().filter(|file| sql(&file.path)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for quoted in QUOTED.captures_iter(line) {
                if in_string(&file.path, &quoted[1]) {
                    findings.push(format!("{}:{number}: {}; {remedy}", file.path, &quoted[0]));
                }
            }
        }
    }
    report("only the folder of a record kind names it", &findings);
}

#[test]
fn every_kind_has_a_folder_of_its_name() {
    let mut findings = Vec::new();
    for name in names() {
        let path = format!("{KINDS_FOLDER}{name}/mod.rs");
        if !FILES.iter().any(|file| file.path == path) {
            findings.push(format!("{path} is missing; name the folder as the kind"));
        }
    }
    report("domain/kinds: one folder for each kind", &findings);
}

#[test]
fn every_excused_string_is_still_there() {
    for (path, word, meaning) in OTHER_MEANING {
        let file = RUST.iter().find(|file| file.path == path);
        let mut strings = file.into_iter().flat_map(|file| &file.lines);
        let there = strings.any(|line| line.strings.iter().any(|text| text == word));
        assert!(there, "{path}: \"{word}\" ({meaning}) is gone; remove it");
    }
}

#[test]
fn names_of_kinds_are_found() {
    for code in [
        "RecordKind::Place",
        "ContentKind::Request => 1",
        "RecordKind::PLACE",
        "use crate::domain::kinds::place;",
        "use onegrid_core::domain::kinds::{\n    request,\n    tip};",
        "use crate::domain::kinds::*;",
        "use crate::domain::kinds as all;",
        "kind == RecordKind::of_code(3)",
        "enum Row { Hazard }",
        "fn hazard_row() {}",
        "struct MyHazardRow;",
        "const TIP: u8 = 2;",
    ] {
        assert!(!in_code(code).is_empty(), "{code}");
    }
    for text in ["hazard", "place", "kind = 'tip'"] {
        assert!(in_string("core/src/a.rs", text), "{text}");
    }
    assert!(in_string("core/src/a.rs", "request"));
}

#[test]
fn other_meanings_of_the_same_words_are_left_alone() {
    for code in [
        "http::Request::builder()",
        "fn send(request: hyper::http::request::Builder) {}",
        "Cell::Place => in_place(actor)",
        "Place::Live",
        "x => Kind::Note",
        "let place = state.place();",
        "use crate::domain::kinds::{KINDS, KindSpec};",
        "use crate::domain::kinds::KindSpec;",
        "RecordKind::of_code(row.kind)",
        "a.next_multiple_of(8); let multiple = 1;",
        "let tips = 1;",
    ] {
        assert_eq!(in_code(code), [], "{code}");
    }
    for text in ["no place for this field", "request_id", "haz", ""] {
        assert!(!in_string("core/src/a.rs", text), "{text}");
    }
    let (path, text, _) = OTHER_MEANING[0];
    assert!(!in_string(path, text));
}
