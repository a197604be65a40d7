//! The end of the demo: a comparison of every phone with the server, record by record, and a table of
//! the costs.

use std::collections::BTreeMap;

use onegrid_core::id::RecordId;

use crate::cast::{Cast, PEOPLE};
use crate::deployment::{Deployment, Held};
use crate::phone::Phone;
use crate::script::Script;
use onegrid_server::error::{Phrase, Problem, Result};

/// A line of the table.
struct Line {
    cells: [String; 6],
    /// The first difference, if there is one.
    difference: Option<String>,
}

/// Syncs everybody once more, prints the table, and fails on the first difference.
pub(crate) async fn check(
    cast: &Cast,
    deployment: &Deployment,
    script: &mut Script<'_>,
) -> Result<()> {
    cast.everybody(script).await?;
    let held = deployment.records()?;
    let mut lines = Vec::new();
    for (phone, person) in cast.phones().iter().zip(&PEOPLE) {
        lines.push(line(phone, person.role, &held, script)?);
    }
    // The command room reads the whole street, so it must know every record on the server.
    let room = script.ok(cast.dispatcher().replica().rows())?.len();
    print(&lines, script)?;
    if let Some(difference) = lines.iter().find_map(|line| line.difference.clone()) {
        return Err(Problem::new("demo.unequal").with("what", difference));
    }
    script.expect("records of the command room", room, held.len())?;
    script.say(
        &Phrase::new("demo.equal")
            .with("phones", cast.phones().len())
            .with("records", held.len()),
    )
}

fn line(
    phone: &Phone,
    role: &'static str,
    held: &BTreeMap<RecordId, Held>,
    script: &Script<'_>,
) -> Result<Line> {
    let rows = script.ok(phone.replica().rows())?;
    let undelivered = script.ok(phone.replica().undelivered())?;
    let photos = script.ok(phone.replica().files_left())?.uploads;
    let said_equal = phone.report().is_some_and(|report| report.equal);
    let differs = rows.iter().find(|row| {
        held.get(&row.id)
            .is_none_or(|held| held.digest != row.digest || held.stage != row.stage)
    });
    let name = script.text(role);
    let difference = match differs {
        Some(row) => Some(format!("{name}: {}", row.id)),
        None if !said_equal => Some(format!("{name}: digest")),
        None if undelivered + photos > 0 => Some(format!("{name}: {undelivered} + {photos}")),
        None => None,
    };
    let traffic = phone.traffic();
    let mark = if difference.is_none() {
        "demo.yes"
    } else {
        "demo.no"
    };
    Ok(Line {
        cells: [
            name,
            rows.len().to_string(),
            undelivered.to_string(),
            kilobytes(traffic.bytes_up),
            kilobytes(traffic.bytes_down),
            script.text(mark),
        ],
        difference,
    })
}

/// Returns a number of bytes in kB, with one decimal place.
pub(crate) fn kilobytes(bytes: u64) -> String {
    format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100)
}

fn print(lines: &[Line], script: &mut Script<'_>) -> Result<()> {
    let head = [
        "demo.column_phone",
        "demo.column_records",
        "demo.column_undelivered",
        "demo.column_up",
        "demo.column_down",
        "demo.column_equal",
    ]
    .map(|code| script.text(code));
    let all: Vec<&[String; 6]> = std::iter::once(&head)
        .chain(lines.iter().map(|line| &line.cells))
        .collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|at| all.iter().map(|cells| width(&cells[at])).max().unwrap_or(0))
        .collect();
    script.line("")?;
    for cells in all {
        let mut text = String::from(" ");
        for (at, (cell, wide)) in cells.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(wide - width(cell));
            // The first column holds words, the others hold figures.
            if at == 0 {
                text.extend([" ", cell, &pad]);
            } else {
                text.extend(["   ", &pad, cell]);
            }
        }
        script.line(text.trim_end())?;
    }
    script.line("")
}

/// Returns the columns of a text in a terminal, where a Chinese character takes two.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| if c >= '\u{1100}' && c != '…' { 2 } else { 1 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_both_scripts() {
        assert_eq!(width("网格员 A"), 8);
        assert_eq!(width("grid worker"), 11);
        assert_eq!(kilobytes(12_345), "12.3 kB");
        assert_eq!(kilobytes(45), "0.0 kB");
    }
}
