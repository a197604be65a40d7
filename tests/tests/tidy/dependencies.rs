//! The allowed dependencies of each part.

use std::collections::BTreeSet;
use std::process::Command;

use super::report;
use super::rust_text::has_word;
use super::source::{ROOT, RUST, text_of};

/// Crates that the bare core must never depend on.
const NOT_IN_CORE: [&str; 8] = [
    "tokio",
    "axum",
    "rusqlite",
    "libsqlite3-sys",
    "uniffi",
    "reqwest",
    "tokio-tungstenite",
    "onegrid-server",
];

/// Words of code that mean a clock, randomness, a thread or IO.
const IMPURE: [&str; 13] = [
    "SystemTime",
    "Instant",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io::stdin",
    "std::thread",
    "thread::spawn",
    "getrandom",
    "OsRng",
    "tokio",
    "rusqlite",
];

/// Returns the output of `cargo tree` for the shipped form of a crate, without its tests.
fn shipped_tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "--locked", "--offline"])
        .args(arguments)
        .current_dir(&*ROOT)
        .output()
        .expect("cargo runs, it started this test");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree failed: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_bare_core_pulls_in_no_runtime_no_database_and_no_network() {
    let core = ["-p", "onegrid-core", "--no-default-features"];
    let tree = shipped_tree(&[&core[..], &["--prefix", "none"]].concat());
    assert!(tree.contains("automerge"), "{tree}");
    let names: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let findings: Vec<String> = NOT_IN_CORE
        .iter()
        .filter(|name| names.contains(**name))
        .map(|name| format!("onegrid-core: {name}; put it behind the feature `replica` or `net`"))
        .collect();
    report("core without features is pure", &findings);
}

/// The people and keys of tests belong into no server and no phone.
#[test]
fn shipped_crates_have_no_fixtures() {
    for shipped in ["onegrid-server", "onegrid-ffi"] {
        let format = ["--prefix", "none", "--format", "{p} [{f}]"];
        let tree = shipped_tree(&[&["-p", shipped][..], &format].concat());
        let core = tree.lines().find(|line| line.starts_with("onegrid-core "));
        let core = core.expect("every shipped crate has the core");
        assert!(core.contains("system"), "{shipped}: {core}");
        assert!(!core.contains("fixtures"), "{shipped}: {core}");
    }
}

#[test]
fn only_the_gate_touches_automerge() {
    let mut findings = Vec::new();
    for file in RUST
        .iter()
        .filter(|f| f.is_in(&["core/", "server/", "ffi/"]))
    {
        if file.is_in(&["core/src/crdt.rs", "core/src/crdt/"]) {
            continue;
        }
        for (number, line) in file.numbered() {
            for name in ["automerge", "autosurgeon"] {
                if has_word(&line.code, name) {
                    let path = &file.path;
                    findings.push(format!("{path}:{number}: {name}; go through core/src/crdt"));
                }
            }
        }
    }
    report(
        "nothing but core/src/crdt uses automerge or autosurgeon",
        &findings,
    );
}

#[test]
fn core_has_no_clock_randomness_threads_or_io_of_its_own() {
    let outside = [
        "core/src/replica/",
        "core/src/replica.rs",
        "core/src/net/",
        "core/src/net.rs",
        "core/src/vault/",
        "core/src/system.rs",
    ];
    let mut findings = Vec::new();
    for file in RUST
        .iter()
        .filter(|f| f.is_in(&["core/src/"]) && !f.is_in(&outside))
    {
        for (number, line) in file.shipped() {
            for word in IMPURE.iter().filter(|word| has_word(&line.code, word)) {
                let path = &file.path;
                findings.push(format!(
                    "{path}:{number}: {word}; let the caller hand it in"
                ));
            }
        }
    }
    report(
        "core outside system, replica, vault and net is handed time and randomness",
        &findings,
    );
}

/// The same replica runs on another `Disk` on a host with other storage.
#[test]
fn replica_touches_files_through_its_disk_alone() {
    let mut findings = Vec::new();
    for file in RUST
        .iter()
        .filter(|f| f.is_in(&["core/src/replica/"]) && !f.is_in(&["core/src/replica/disk.rs"]))
    {
        for (number, line) in file.shipped() {
            let paths = [".exists()", ".metadata()", ".is_file()", "read_dir("];
            let of_path = paths.iter().any(|call| line.code.contains(call));
            if of_path || line.code.contains("fs::") || has_word(&line.code, "File") {
                let path = &file.path;
                findings.push(format!("{path}:{number}: files; go through the Disk"));
            }
        }
    }
    report("core/src/replica reaches files by its Disk", &findings);
}

#[test]
fn sql_stands_in_migrations_and_in_the_modules_of_the_two_stores() {
    let allowed = ["core/src/replica/", "server/src/store/", "tests/"];
    let mut findings = Vec::new();
    for file in RUST.iter().filter(|f| !f.is_in(&allowed)) {
        for (number, line) in file.shipped() {
            if let Some(sql) = line.strings.iter().find(|text| is_sql(text)) {
                let start: String = sql.chars().take(40).collect();
                let path = &file.path;
                findings.push(format!(
                    "{path}:{number}: `{start}…`; move it into the table's module under \
                     core/src/replica/ or server/src/store/"
                ));
            }
        }
    }
    report("no SQL outside the stores", &findings);
}

fn is_sql(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (first, second) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match first {
        "PRAGMA" | "VACUUM" | "SAVEPOINT" | "ATTACH" => true,
        "SELECT" => text.contains(" FROM ") || second.ends_with(')'),
        "INSERT" | "REPLACE" => second == "INTO" || second == "OR",
        "DELETE" => second == "FROM",
        "UPDATE" => text.contains(" SET "),
        "CREATE" | "DROP" | "ALTER" => {
            ["TABLE", "INDEX", "TRIGGER", "VIEW", "VIRTUAL", "UNIQUE"].contains(&second)
        }
        "BEGIN" => text == "BEGIN" || second == "IMMEDIATE" || second == "EXCLUSIVE",
        _ => false,
    }
}

#[test]
fn sql_is_recognised_and_prose_is_not() {
    for sql in [
        "SELECT a FROM t",
        "INSERT OR IGNORE INTO t",
        "PRAGMA user_version",
        "BEGIN",
    ] {
        assert!(is_sql(sql), "{sql}");
    }
    for prose in [
        "SELECT one of these",
        "Update the SET",
        "CREATE a team",
        "begin",
    ] {
        assert!(!is_sql(prose), "{prose}");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let names = dependencies(text_of("Cargo.toml"));
    let reasons = text_of("docs/decisions/dependencies.md");
    let mut findings = Vec::new();
    for name in names.iter().filter(|name| !name.starts_with("onegrid-")) {
        if !reasons.contains(&format!("| `{name}` |")) {
            findings.push(format!(
                "{name}: add a line to docs/decisions/dependencies.md"
            ));
        }
    }
    for line in reasons.lines().filter(|line| line.starts_with("| `")) {
        let name = line.split('`').nth(1).unwrap_or_default();
        if !names.contains(&name) {
            findings.push(format!("{name}: no longer a dependency; remove its line"));
        }
    }
    report(
        "each dependency in Cargo.toml has a line with its reason, and no other",
        &findings,
    );
}

#[test]
fn every_dependency_of_a_member_stands_in_its_code() {
    let mut findings = Vec::new();
    for member in members(text_of("Cargo.toml")) {
        let path = format!("{member}/Cargo.toml");
        let folder = format!("{member}/");
        let mut lines = RUST
            .iter()
            .filter(|file| file.is_in(&[&folder]))
            .flat_map(|file| &file.lines);
        for section in ["[dependencies]", "[dev-dependencies]"] {
            for name in names(text_of(&path), section) {
                let word = name.trim_end_matches(".workspace").replace('-', "_");
                if !lines.clone().any(|line| has_word(&line.code, &word)) {
                    findings.push(format!("{path}: {word}; no Rust file names it, remove it"));
                }
            }
        }
        assert!(lines.next().is_some(), "{member} has code");
    }
    report("each dependency of a member is used there", &findings);
}

/// Returns the folders of the workspace's members.
fn members(manifest: &str) -> impl Iterator<Item = &str> {
    let line = manifest.lines().find(|line| line.starts_with("members"));
    line.into_iter()
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// Returns the names in `[workspace.dependencies]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    names(manifest, "[workspace.dependencies]").collect()
}

/// Returns the names in a section of a manifest, one a line as this project writes them.
fn names<'a>(manifest: &'a str, section: &str) -> impl Iterator<Item = &'a str> {
    manifest
        .lines()
        .skip_while(move |line| *line != section)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
}
