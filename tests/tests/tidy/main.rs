//! The rules of the house that neither compiler nor clippy sees. Each finding says what, where and how to
//! mend it; exceptions stand in the rule's own file, each with a reason.

#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "the project's files end in small letters"
)]

mod codes;
mod dependencies;
mod docs;
mod faults;
mod rust_text;
mod source;
mod style;

/// Fails with every finding at once: mending them one run at a time wastes an afternoon.
fn report(rule: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "\n{rule}\n  {}\n",
        findings.join("\n  ")
    );
}
