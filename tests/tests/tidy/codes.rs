//! Codes and their sentences.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::texts::{Lang, codes, text};

use super::report;
use super::source::{RUST, text_of};

/// Last parts of texts that look like a code: files and their kinds.
const FILE_KINDS: [&str; 24] = [
    "bin", "cbor", "css", "csv", "db", "geojson", "gz", "html", "js", "json", "key", "keys",
    "lock", "log", "md", "pem", "rs", "sql", "sqlite", "toml", "tsv", "txt", "xlsx", "zst",
];

/// First parts of texts that look like a code: `onegrid.` starts the domain separators of hashes, and `test.`
/// the inventions of tests.
const NO_AREAS: [&str; 2] = ["onegrid", "test"];

/// Prefixes of texts that consist of a prefix and a word of the domain, such as `state.` + `reported`. Conflict
/// cards, stories, the phone SDK and exports use them; `every_word_of_a_card_has_a_text`,
/// `every_word_of_the_sdk_has_a_text` and `every_column_has_a_heading` walk through them.
const COMPOSED: [&str; 15] = [
    "act.",
    "assignment.",
    "column.",
    "field.",
    "input.",
    "kind.",
    "level.",
    "notify.",
    "outcome.",
    "part.",
    "reason.",
    "role.",
    "severity.",
    "stage.",
    "story.",
];

fn is_code(literal: &str) -> bool {
    let part = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    literal.split_once('.').is_some_and(|(area, reason)| {
        part(area) && part(reason) && !FILE_KINDS.contains(&reason) && !NO_AREAS.contains(&area)
    })
}

/// Returns every code in a string of shipped code, with its places. The text of an error may continue after its
/// code (`area.reason: details`).
fn used() -> BTreeMap<String, Vec<String>> {
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in RUST
        .iter()
        .filter(|file| file.is_in(&["core/src/", "server/src/", "ffi/src/", "examples/"]))
        // Conditions of SQL name columns, which look like codes: `record.no`.
        .filter(|file| !file.path.starts_with("core/src/replica/table/"))
        // The table of classes describes codes and does not use them.
        .filter(|file| file.path != "server/src/error/table.rs")
    {
        for (number, line) in file.shipped() {
            for literal in &line.strings {
                let code = literal
                    .split_once(": ")
                    .map_or(literal.as_str(), |(code, _)| code);
                if is_code(code) {
                    used.entry(code.to_owned())
                        .or_default()
                        .push(format!("{}:{number}", file.path));
                }
            }
        }
    }
    used
}

#[test]
fn every_code_has_a_sentence_in_both_languages() {
    let findings: Vec<String> = used()
        .iter()
        .filter(|(code, _)| Lang::ALL.iter().any(|lang| text(code, *lang).is_none()))
        .map(|(code, places)| {
            format!(
                "{code} ({}): add code<TAB>zh<TAB>en to core/src/texts.tsv",
                places.join(", ")
            )
        })
        .collect();
    report(
        "each code in a string has a line in core/src/texts.tsv",
        &findings,
    );
}

#[test]
fn every_sentence_is_used() {
    let used = used();
    let mut findings: Vec<String> = codes()
        .filter(|code| !used.contains_key(*code))
        .filter(|code| !COMPOSED.iter().any(|prefix| code.starts_with(prefix)))
        .map(|code| format!("core/src/texts.tsv: {code} is used nowhere; remove its line"))
        .collect();
    findings.sort();
    report("no sentence without use", &findings);
}

#[test]
fn every_problem_has_a_class() {
    let table = text_of("server/src/error/table.rs");
    let classified: BTreeSet<&str> = table
        .split("(\"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0))
        .collect();
    let mut findings = Vec::new();
    for file in RUST.iter().filter(|file| file.is_in(&["server/src/"])) {
        for (number, line) in file.shipped() {
            if !line.code.contains("Problem::new(\"\")") {
                continue;
            }
            for code in line.strings.iter().filter(|code| is_code(code)) {
                if !classified.contains(code.as_str()) {
                    let path = &file.path;
                    findings.push(format!(
                        "{path}:{number}: {code}; add its class to server/src/error/table.rs"
                    ));
                }
            }
        }
    }
    report(
        "each problem has a class: HTTP status, exit code, log level",
        &findings,
    );
}
