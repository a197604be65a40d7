//! The bindings of the phone SDK: Kotlin, Swift and Python, their samples, scenarios and documentation.

use onegrid_core::texts::codes;

use super::report;
use super::source::FILES;

/// Returns each code that a binding names: as a whole string (`"vault.key_gone"`), or in prose after the word
/// “code”.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let strings = text.split('"').skip(1).step_by(2);
    let prose = text.split("code `").skip(1);
    strings.chain(prose.filter_map(|rest| Some(rest.split_once('`')?.0)))
}

fn is_code(name: &str) -> bool {
    let part =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b == b'_' || b.is_ascii_lowercase());
    let parts = name.split_once('.');
    // `meeting.py` is a file.
    parts.is_some_and(|(area, reason)| part(area) && part(reason) && reason != "py")
}

#[test]
fn codes_that_bindings_name_are_in_the_table() {
    let known: Vec<&str> = codes().collect();
    let areas: Vec<&str> = known
        .iter()
        .filter_map(|code| Some(code.split_once('.')?.0))
        .collect();
    let mut findings = Vec::new();
    let mut seen = 0;
    for file in FILES
        .iter()
        .filter(|file| file.path.starts_with("mobile-bindings/"))
    {
        for (number, line) in file.text.lines().enumerate() {
            for name in named(line).filter(|name| is_code(name)) {
                let area = name.split('.').next().unwrap_or_default();
                if !areas.contains(&area) {
                    continue;
                }
                seen += 1;
                if !known.contains(&name) {
                    findings.push(format!(
                        "{}:{}: core/src/texts.tsv has no {name}",
                        file.path,
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} codes were found in mobile-bindings");
    report("codes that bindings name are in the table", &findings);
}

#[test]
fn codes_are_found_in_strings_and_prose() {
    let line = r#"raises(code == "vault.key_gone") # with code `phone.shut`, not `phone.report`"#;
    let found: Vec<&str> = named(line).filter(|name| is_code(name)).collect();
    assert_eq!(found, ["vault.key_gone", "phone.shut"]);
    assert!(!is_code("week.PNG") && !is_code("meeting.py") && !is_code("one") && !is_code("a.b.c"));
}
