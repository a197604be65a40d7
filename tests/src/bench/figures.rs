//! Figures of another process: that process prints one figure a line, and its parent puts them into the table.

#![allow(
    clippy::print_stdout,
    reason = "the process that started it reads the lines"
)]

use super::table::Table;

/// The units that a line may name.
const UNITS: [&str; 5] = ["s", "ms", "MB", "B", "records"];

/// Prints a figure with its budget.
pub(super) fn say(name: &str, value: f64, unit: &str, budget: Option<f64>) {
    let budget = budget.map_or("-".to_owned(), |most| most.to_string());
    println!("{name}\t{value:.3}\t{unit}\t{budget}");
}

/// Puts a printed line into the table; returns whether the line is a figure.
pub(super) fn take_down(table: &mut Table, bench: &str, line: &str) -> bool {
    let parts: Vec<&str> = line.split('\t').collect();
    let [name, value, unit, budget] = parts[..] else {
        return false;
    };
    let known = UNITS.into_iter().find(|known| *known == unit);
    let (Some(unit), Ok(value)) = (known.or((unit.is_empty()).then_some("")), value.parse()) else {
        return false;
    };
    match budget.parse() {
        Ok(most) => table.budget(bench, name, value, unit, most),
        Err(_) => table.note(bench, name, value, unit),
    }
    true
}
