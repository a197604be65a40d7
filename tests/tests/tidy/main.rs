//! The rules of the house that neither compiler nor clippy sees. Each finding names the problem, the
//! place and the remedy. Exceptions are in the rule's own file, each with a reason.

#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the project's files end in small letters"
)]

mod bindings;
mod circles;
mod circles_server;
mod codes;
mod dependencies;
mod docs;
mod english;
mod entry_points;
mod faults;
mod kinds;
mod protocol;
mod rust_text;
mod source;
mod style;

/// Fails with every finding at once, because it takes an afternoon to correct them one run at a time.
fn report(rule: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "\n{rule}\n  {}\n",
        findings.join("\n  ")
    );
}
