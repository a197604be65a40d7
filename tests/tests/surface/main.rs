//! The surface that mobile apps compile against: a snapshot of it, and the rules that keep the generated code
//! compiling in Kotlin, Swift and Python.
//!
//! The metadata come from the compiled library, where UniFFI's macros put them, so this is the very surface
//! that the generator sees. `RENEW_SURFACE=1 cargo test --test surface` writes `ffi/surface.txt` anew. Read
//! the difference before you commit it, because an app in the field was compiled against the old one.

mod item;
mod names;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use item::{Item, Place};
use uniffi_meta::Type;

/// Every item of the surface, in the order of the snapshot.
static ITEMS: LazyLock<Vec<Item>> = LazyLock::new(|| {
    // This call links the library, so the library exists and is no older than this test.
    assert!(onegrid_ffi::version().is_ok());
    let library = library();
    let bytes =
        std::fs::read(&library).unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    let found = uniffi_bindgen::macro_metadata::extract_from_bytes(&bytes)
        .unwrap_or_else(|error| panic!("{}: {error}", library.display()));
    let mut items: Vec<Item> = found.into_iter().flat_map(item::items_of).collect();
    items.sort_by_key(Item::rank);
    assert!(items.len() > 100, "only {} items were found", items.len());
    items
});

/// Returns the path of the library, beside this test's own program.
fn library() -> PathBuf {
    let name = format!(
        "{}onegrid_ffi{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let program = std::env::current_exe().expect("a running program has a path");
    program.with_file_name(name)
}

fn snapshot_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ffi/surface.txt")
}

/// Fails with every finding at once.
fn report(rule: &str, findings: &[String]) {
    assert!(
        findings.is_empty(),
        "\n{rule}\n  {}\n",
        findings.join("\n  ")
    );
}

#[test]
fn surface_equals_its_snapshot() {
    let mut now =
        "# What apps compile against. RENEW_SURFACE=1 cargo test --test surface writes it anew.\n"
            .to_owned();
    for item in ITEMS.iter() {
        now.extend([item.to_string().as_str(), "\n"]);
    }
    let path = snapshot_path();
    if std::env::var_os("RENEW_SURFACE").is_some() {
        std::fs::write(&path, &now).expect("the snapshot can be written");
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    let gone = then.lines().filter(|line| !now.lines().any(|l| l == *line));
    let new = now.lines().filter(|line| !then.lines().any(|l| l == *line));
    let findings: Vec<String> = gone
        .map(|line| format!("- {line}"))
        .chain(new.map(|line| format!("+ {line}")))
        .collect();
    report(
        "the surface differs from ffi/surface.txt; where that is meant, RENEW_SURFACE=1 cargo test --test surface",
        &findings,
    );
    assert_eq!(then, now, "the order of ffi/surface.txt");
}

#[test]
fn every_export_returns_a_result() {
    let findings: Vec<String> = ITEMS
        .iter()
        .filter(|item| item.call.as_ref().is_some_and(|call| call.throws.is_none()))
        .map(|item| format!("{item}: a panic in it ends the host; return Result"))
        .collect();
    report("every export returns a Result", &findings);
}

#[test]
fn every_export_blocks() {
    let findings: Vec<String> = ITEMS
        .iter()
        .filter(|item| item.call.as_ref().is_some_and(|call| call.is_async))
        .map(|item| format!("{item}: async exports hang; the bindings add async"))
        .collect();
    report("no async export", &findings);
}

#[test]
fn every_export_is_documented() {
    let findings: Vec<String> = ITEMS
        .iter()
        .filter(|item| item.docs.as_ref().is_none_or(|docs| docs.trim().is_empty()))
        .map(|item| format!("{item}: it has no doc comment"))
        .collect();
    report("every part of the surface is documented", &findings);
}

#[test]
fn no_documentation_ends_or_opens_a_comment() {
    let findings: Vec<String> = ITEMS
        .iter()
        .filter_map(|item| {
            let docs = item.docs.as_ref()?;
            // Kotlin nests comments, so the opening breaks it as well; three quotes end a docstring of Python.
            let bad = ["*/", "/*", "\"\"\""]
                .into_iter()
                .find(|bad| docs.contains(bad))?;
            Some(format!("{item}: {bad} in its doc comment"))
        })
        .collect();
    report("doc comments compile in every language", &findings);
}

#[test]
fn no_argument_borrows_bytes() {
    let mut findings = Vec::new();
    for item in ITEMS.iter() {
        for input in item.call.iter().flat_map(|call| &call.inputs) {
            if input.by_ref && input.ty == Type::Bytes {
                let name = &input.name;
                findings.push(format!("{item}: {name} is &[u8]; take Vec<u8>"));
            }
        }
    }
    report("no argument borrows bytes", &findings);
}

#[test]
fn names_compile_in_every_language() {
    let findings: Vec<String> = ITEMS
        .iter()
        .flat_map(|item| {
            item.names().into_iter().filter_map(move |(place, name)| {
                Some((item, place, name, names::taken(place, name)?))
            })
        })
        .map(|(item, place, name, why)| format!("{item}: {place:?} {name}: {why}"))
        .collect();
    report("names that generated code does not use itself", &findings);
}

#[test]
fn taken_names_are_found_where_they_break() {
    assert!(names::taken(Place::ErrorField, "message").is_some());
    assert!(names::taken(Place::Field, "message").is_none());
    assert!(names::taken(Place::Method, "close").is_some());
    assert!(names::taken(Place::Method, "to_string").is_some());
    assert!(names::taken(Place::Type, "Nothing").is_some());
    assert!(names::taken(Place::Type, "Data").is_some());
    assert!(names::taken(Place::Variant, "Any").is_some());
    assert!(names::taken(Place::Type, "Device").is_none());
}
