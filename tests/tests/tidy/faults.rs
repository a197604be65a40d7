//! The faults that the simulator looks for still fit the sources.

use super::report;
use super::source::{FILES, text_of};

/// Returns the file of each hunk, and the lines that the hunk expects there.
fn hunks(patch: &str) -> Vec<(&str, String)> {
    let mut hunks: Vec<(&str, String)> = Vec::new();
    let mut file = "";
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = path;
        } else if line.starts_with("@@ ") {
            hunks.push((file, String::new()));
        } else if let (Some((_, expected)), Some(text)) =
            (hunks.last_mut(), line.strip_prefix([' ', '-']))
            && !line.starts_with("---")
        {
            expected.push_str(text);
            expected.push('\n');
        } else if line.starts_with("diff ") {
            file = "";
        }
    }
    hunks
}

#[test]
fn every_fault_still_fits_the_sources() {
    let patches = FILES
        .iter()
        .filter(|file| file.path.starts_with("tests/faults/") && file.path.ends_with(".patch"));
    let mut findings = Vec::new();
    let mut count = 0;
    for patch in patches {
        for (file, expected) in hunks(&patch.text) {
            count += 1;
            if !text_of(file).contains(&expected) {
                findings.push(format!(
                    "{}: does not fit {file} any more; make it again (docs/testing.md)",
                    patch.path
                ));
            }
        }
    }
    assert!(count > 6, "{count} hunks were found");
    report("A fault that can not be put in proves nothing:", &findings);
}
