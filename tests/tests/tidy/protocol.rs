//! `docs/protocol.md` has the limits, events, record kinds and reasons of the code, so that a client can be
//! written from the page alone.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::case::Event;
use onegrid_core::domain::kinds::KINDS;
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, VoidReason};

use super::docs::quoted;
use super::report;
use super::source::text_of;

/// The files that define limits.
const FILES: [&str; 2] = ["core/src/limits.rs", "server/src/limits.rs"];

/// The least number of limits in the section.
const LIMITS_MIN: usize = 60;

/// Units of the section. The others are ones.
const UNITS: [(&str, u64); 3] = [("KiB", 1_024), ("MiB", 1_024 * 1_024), ("day", 86_400_000)];

/// Returns the limits of the code that are whole numbers.
fn limits() -> BTreeMap<&'static str, u64> {
    let mut limits = BTreeMap::new();
    for file in FILES {
        for definition in text_of(file).split("pub const ").skip(1) {
            let Some((name, rest)) = definition.split_once(':') else {
                continue;
            };
            let value = rest
                .split_once('=')
                .and_then(|(_, rest)| rest.split_once(';'))
                .and_then(|(value, _)| evaluate(value, &limits));
            limits.extend(value.map(|value| (name, value)));
        }
    }
    limits
}

/// Evaluates a sum, product or power of two over numbers and earlier limits.
fn evaluate(text: &str, limits: &BTreeMap<&str, u64>) -> Option<u64> {
    if let Some((left, right)) = text.rsplit_once(" + ") {
        return evaluate(left, limits)?.checked_add(evaluate(right, limits)?);
    }
    if let Some((left, right)) = text.split_once(" - ") {
        return evaluate(left, limits)?.checked_sub(evaluate(right, limits)?);
    }
    if let Some((left, right)) = text.split_once(" << ") {
        let bits = u32::try_from(evaluate(right, limits)?).ok()?;
        return evaluate(left, limits)?.checked_shl(bits);
    }
    let factor = |word: &str| {
        let word = word.trim().rsplit("::").next()?;
        let number = word.replace('_', "").parse().ok();
        number.or_else(|| limits.get(word).copied())
    };
    text.split(" * ").map(factor).product()
}

/// A value of the section: a number and its unit, such as `3.5 MiB`, `1,024 B`, `2^30`.
fn value_of(text: &str) -> Option<(f64, Option<u64>)> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    if let Some((base, power)) = number.split_once('^') {
        return Some((base.parse::<f64>().ok()?.powi(power.parse().ok()?), None));
    }
    let unit = UNITS.iter().find(|(name, _)| unit == *name);
    Some((number.replace(',', "").parse().ok()?, unit.map(|(_, n)| *n)))
}

/// Returns a numbered section of the page.
fn section(number: u32) -> &'static str {
    let head = format!("\n## {number}. ");
    let page = text_of("docs/protocol.md");
    let rest = page.split_once(&head).map_or("", |(_, rest)| rest);
    rest.split_once("\n## ")
        .map_or(rest, |(section, _)| section)
}

/// Returns the numbers in the first cells of the tables of a text, such as `3, 4, 5`.
fn numbers(text: &str) -> BTreeSet<u16> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split(" |").next());
    cells
        .flat_map(|cell| cell.split(", "))
        .filter_map(|number| number.parse().ok())
        .collect()
}

#[test]
fn page_of_the_protocol_lists_every_event_kind_and_reason() {
    let mut findings = Vec::new();
    let events = numbers(section(5));
    for code in Event::CODES.iter().filter(|code| !events.contains(code)) {
        findings.push(format!("section 5: event {code}"));
    }
    for spec in KINDS {
        let row = format!("| {} | {} |", spec.kind.code(), spec.name);
        if !section(3).contains(&row) {
            findings.push(format!("section 3: `{row}`"));
        }
        for field in spec.fields {
            let names: Vec<&str> = section(4).lines().flat_map(quoted).collect();
            if !names.contains(&field.name) {
                findings.push(format!("section 4: field `{}`", field.name));
            }
        }
    }
    let void = VoidReason::ALL.iter().map(|reason| reason.code());
    let held = HeldReason::ALL.iter().map(|reason| reason.code());
    let refused = RefusedReason::ALL.iter().map(|reason| reason.code());
    for code in void.chain(held).chain(refused) {
        if !section(6).contains(&format!("`{code}`")) {
            findings.push(format!("section 6: `{code}`"));
        }
    }
    report("docs/protocol.md lacks", &findings);
}

#[test]
fn limits_that_the_protocol_names_are_listed() {
    let rows = section(16).lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<&str> = rows.flat_map(quoted).collect();
    let is_limit = |name: &&str| {
        let ends = ["_MAX", "_MIN", "_BYTES", "_DEFAULT"];
        let is_constant = name
            .bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_uppercase());
        is_constant && ends.iter().any(|end| name.ends_with(end))
    };
    let named = text_of("docs/protocol.md").lines().flat_map(quoted);
    let absent: BTreeSet<&str> = named
        .filter(is_limit)
        .filter(|name| !listed.contains(name))
        .collect();
    let findings: Vec<String> = absent.iter().map(ToString::to_string).collect();
    report("docs/protocol.md, section 16 lacks", &findings);
}

#[test]
fn limits_of_the_protocol_have_the_values_of_the_code() {
    let limits = limits();
    let section = section(16);
    let mut findings = Vec::new();
    let mut checked = 0;
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names: Vec<&str> = quoted(cells[0]).collect();
        let texts: Vec<&str> = cells[1].split(", ").collect();
        // One unit, or one value, may be that of the whole row.
        let last = texts.last().and_then(|text| value_of(text));
        let unit = last.and_then(|(_, unit)| unit).unwrap_or(1);
        for (index, name) in names.iter().enumerate() {
            let text = texts.get(index).or(texts.last()).copied().unwrap_or("");
            let Some((number, own)) = value_of(text.trim_end_matches(" each")) else {
                findings.push(format!("{name}: “{text}” is no value"));
                continue;
            };
            checked += 1;
            #[allow(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
            let is = |unit: u64, value: u64| (number * unit as f64 - value as f64).abs() < 0.5;
            match limits.get(name) {
                None => findings.push(format!("{name}: the code has no such limit")),
                Some(value) if !is(own.unwrap_or(1), *value) && !is(unit, *value) => {
                    findings.push(format!(
                        "{name}: {text} in the document, {value} in the code"
                    ));
                }
                Some(_) => {}
            }
        }
    }
    assert!(checked >= LIMITS_MIN, "the section names {checked} limits");
    report("docs/protocol.md: limits", &findings);
}
