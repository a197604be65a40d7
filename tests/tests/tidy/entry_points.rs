//! The section “Entry points” of ARCHITECTURE.md: its files and functions exist.

use super::docs::quoted;
use super::report;
use super::rust_text::has_word;
use super::source::{RUST, text_of};

/// The least number of functions that the section names.
const FUNCTIONS_MIN: usize = 20;

/// Whether the code of a file has a function: `name`, or `Type::name` of a type with an `impl` there.
fn has_function(path: &str, name: &str) -> bool {
    let Some(file) = RUST.iter().find(|file| file.path == path) else {
        return false;
    };
    let (owner, function) = match name.split_once("::") {
        Some((owner, function)) => (Some(owner), function),
        None => (None, name),
    };
    let code = || file.lines.iter().map(|line| line.code.trim());
    let is_owner = |line: &str| {
        let head = line.split('{').next().unwrap_or_default();
        line.starts_with("impl") && owner.is_none_or(|owner| has_word(head, owner))
    };
    let defined = code().any(|line| {
        let after = line.split_once("fn ").map_or("", |(_, after)| after);
        after.split(['(', '<']).next() == Some(function)
    });
    defined && (owner.is_none() || code().any(is_owner))
}

#[test]
fn every_file_and_function_of_the_entry_points_exists() {
    let section = text_of("ARCHITECTURE.md")
        .split_once("## Entry points")
        .and_then(|(_, rest)| rest.split_once("\n## "))
        .map_or("", |(section, _)| section);
    let mut findings = Vec::new();
    let mut named = 0;
    for row in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, file, functions, _] = cells[..] else {
            findings.push(format!("{row}: write four cells"));
            continue;
        };
        let Some(path) = quoted(file).next() else {
            continue;
        };
        for function in quoted(functions) {
            named += 1;
            if !has_function(path, function) {
                findings.push(format!("{path} has no function `{function}`"));
            }
        }
    }
    assert!(
        named >= FUNCTIONS_MIN,
        "the section names {named} functions"
    );
    report("ARCHITECTURE.md: entry points that exist", &findings);
}
