//! Sizes, sleeps, and text that a file must not contain.

use super::report;
use super::rust_text::has_word;
use super::source::{FILES, RUST};

/// Returns absolute paths of developers' machines. Each is composed of parts, so this file does not
/// contain it.
fn machine_paths() -> Vec<String> {
    ["work", "home", "root", "Users"]
        .iter()
        .map(|folder| format!("/{folder}/"))
        .collect()
}

/// Returns hosts that a registry's client knows by default, composed of parts for the same reason.
fn registry_hosts() -> Vec<String> {
    [
        ("crates", "io"),
        ("npmjs", "org"),
        ("pypi", "org"),
        ("rubygems", "org"),
    ]
    .map(|(name, end)| format!("{name}.{end}"))
    .to_vec()
}

#[test]
fn a_line_fits_the_width() {
    let mut findings = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".rs")) {
        for (index, line) in file.text.lines().enumerate() {
            if line.chars().count() > 120 {
                findings.push(format!(
                    "{}:{}: wrap it at 100 columns",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    report("no line far over 100 columns", &findings);
}

#[test]
fn tests_wait_for_events_never_for_time() {
    let mut findings = Vec::new();
    for file in RUST.iter() {
        for (number, line) in file.numbered() {
            // A benchmark measures time, so a slow listener there is one that sleeps.
            let bench = file.path.starts_with("tests/src/bench/");
            let test = (file.is_test() || line.in_test) && !bench;
            if test && (has_word(&line.code, "sleep") || has_word(&line.code, "sleep_until")) {
                let path = &file.path;
                findings.push(format!("{path}:{number}: sleep; wait for the event itself"));
            }
        }
    }
    report("no sleep in a test", &findings);
}

#[test]
fn a_test_that_is_left_out_says_why() {
    let mut findings = Vec::new();
    for file in RUST.iter() {
        for (number, line) in file.numbered() {
            if line.code.contains("#[ignore]") {
                let path = &file.path;
                findings.push(format!("{path}:{number}: write #[ignore = \"reason\"]"));
            }
        }
    }
    report("no test is ignored without a reason", &findings);
}

#[test]
fn no_machine_path_and_no_registry_host_stands_in_a_file() {
    let mut findings = Vec::new();
    for file in FILES.iter() {
        for (index, line) in file.text.lines().enumerate() {
            for path in machine_paths()
                .iter()
                .filter(|path| starts_path(line, path))
            {
                let at = format!("{}:{}", file.path, index + 1);
                findings.push(format!("{at}: {path}…; use a path relative to the project"));
            }
            for host in registry_hosts()
                .iter()
                .filter(|host| line.contains(host.as_str()))
            {
                let at = format!("{}:{}", file.path, index + 1);
                findings.push(format!(
                    "{at}: {host}; leave the host to the registry's client"
                ));
            }
        }
    }
    report(
        "no absolute path of a machine, no host of a registry",
        &findings,
    );
}

/// Whether an absolute path starts here, and not a folder of that name inside another path.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '*' | '}'))
    })
}
