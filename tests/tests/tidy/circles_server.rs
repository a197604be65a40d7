//! The inner order of the server: its folders use each other in one direction.
//!
//! Each folder or file directly under `server/src` is one part. Part A uses part B where the code of A names
//! `crate::b`. A method needs no import, so an `impl` block stays in the part of its type; then every use of a
//! method follows the imports.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::LazyLock;

use regex::Regex;

use super::report;
use super::source::{RUST, Rust};

const SOURCE: &str = "server/src/";

/// The edges of a graph: each node with the nodes that it uses.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// Returns circles, so that every circle of the graph shares a node with one of them. Each is a shortest one
/// through its first node.
pub(crate) fn circles(graph: &Graph) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    for start in graph.keys() {
        if found.iter().any(|circle| circle.contains(&start.as_str())) {
            continue;
        }
        // A search in breadth from the node back to itself.
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([start.as_str()]);
        while let Some(node) = open.pop_front() {
            for next in graph.get(node).into_iter().flatten() {
                if !before.contains_key(next.as_str()) {
                    before.insert(next, node);
                    open.push_back(next);
                }
            }
        }
        let mut circle = vec![start.as_str()];
        while let Some(node) = before.get(circle[circle.len() - 1]) {
            if *node == start {
                circle.reverse();
                circle.rotate_right(1);
                found.push(circle);
                break;
            }
            circle.push(node);
        }
    }
    found
}

/// A path from the root of the crate, or from a module above the present one.
static PATH: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b(crate|super(?:\s*::\s*super)*)\s*::\s*"));
static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[a-z_][a-z0-9_]*"));
/// The declaration of a type.
static TYPE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum)\s+(\w+)"));
/// The head of an `impl` block: the type, or a trait, which is no type. `From` names its source first,
/// because `?` calls it without an import.
static IMPL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?m)^impl(?:<[^>]*>)?\s+(?:From<(\w+)[^{]*>\s+for\s+)?(\w+)[^{;]*\{")
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{error}"))
}

/// One file of the server outside tests.
struct Source {
    /// Path from the project's root.
    path: &'static str,
    /// The modules from the root of the crate to this file.
    modules: Vec<&'static str>,
    /// The code, with strings emptied, comments and tests left out; one line for each line of the file.
    code: String,
}

impl Source {
    fn of(file: &'static Rust) -> Option<Self> {
        let inner = file.path.strip_prefix(SOURCE)?.strip_suffix(".rs")?;
        let mut modules: Vec<&str> = inner.split('/').collect();
        if matches!(modules.last(), Some(&("mod" | "lib" | "main"))) {
            modules.pop();
        }
        // The root of the crate only lists its parts.
        if modules.is_empty() || file.is_test() {
            return None;
        }
        let shipped = |line: &super::rust_text::Line| {
            if line.in_test {
                "\n".to_owned()
            } else {
                format!("{}\n", line.code)
            }
        };
        let code = file.lines.iter().map(shipped).collect();
        Some(Self {
            path: &file.path,
            modules,
            code,
        })
    }

    fn part(&self) -> &'static str {
        self.modules[0]
    }

    fn line_at(&self, place: usize) -> usize {
        self.code[..place].matches('\n').count() + 1
    }

    /// Returns the parts that the code names, each with the line.
    fn uses(&self) -> Vec<(String, usize)> {
        let mut uses = Vec::new();
        for found in PATH.captures_iter(&self.code) {
            let Some(path) = found.get(0) else { continue };
            // So many steps up as the file is deep lead to the root of the crate.
            let ups = found[1].matches("super").count();
            if ups > 0 && ups < self.modules.len() {
                continue;
            }
            let line = self.line_at(path.start());
            let names = names(&self.code[path.end()..]);
            uses.extend(names.into_iter().map(|name| (name, line)));
        }
        uses
    }
}

/// Returns the first names of the paths at the beginning of `code`: one name, or one for each path in braces.
fn names(code: &str) -> Vec<String> {
    let Some(list) = code.strip_prefix('{') else {
        return NAME
            .find(code)
            .map(|name| name.as_str().to_owned())
            .into_iter()
            .collect();
    };
    let (mut depth, mut at_start, mut names) = (0, true, Vec::new());
    for (place, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            letter if letter.is_whitespace() => {}
            _ if at_start => {
                at_start = false;
                names.extend(
                    NAME.find(&list[place..])
                        .map(|name| name.as_str().to_owned()),
                );
            }
            _ => {}
        }
    }
    names
}

/// Modules that another file declares behind `#[cfg(test)]`; their files are tests.
fn test_modules() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in RUST.iter().filter(|file| file.path.starts_with(SOURCE)) {
        let folder = match file.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs")) => folder.to_owned(),
            _ => file.path.trim_end_matches(".rs").to_owned(),
        };
        for pair in file.lines.windows(2) {
            let (attribute, code) = (pair[0].code.trim(), pair[1].code.trim());
            let name = code
                .strip_suffix(';')
                .and_then(|code| code.split_once("mod "));
            if let (true, Some((_, name))) = (attribute == "#[cfg(test)]", name) {
                found.insert(format!("{folder}/{name}"));
            }
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let tests = test_modules();
    let is_test = |path: &str| {
        tests.iter().any(|module| {
            let rest = path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
        })
    };
    let shipped = RUST.iter().filter(|file| !is_test(&file.path));
    shipped.filter_map(Source::of).collect()
}

#[test]
fn parts_of_the_server_form_no_circle() {
    let sources = sources();
    let parts: BTreeSet<&str> = sources.iter().map(Source::part).collect();
    assert!(parts.len() > 10, "{parts:?}");
    let mut graph = Graph::new();
    let mut places: BTreeMap<(&str, String), String> = BTreeMap::new();
    for source in &sources {
        for (name, line) in source.uses() {
            if parts.contains(name.as_str()) && name != source.part() {
                let uses = graph.entry(source.part().to_owned()).or_default();
                uses.insert(name.clone());
                let place = format!("{}:{line}", source.path);
                places.entry((source.part(), name)).or_insert(place);
            }
        }
    }
    let steps = |circle: &Vec<&str>| {
        let next = circle.iter().cycle().skip(1);
        let steps = circle.iter().zip(next).map(|(from, to)| {
            let place = &places[&(*from, (*to).to_owned())];
            format!("{from} uses {to} ({place})")
        });
        steps.collect::<Vec<_>>().join(", ")
    };
    let findings: Vec<String> = circles(&graph).iter().map(steps).collect();
    report(
        "server/src: parts use each other in one direction; move the shared code into a part below both",
        &findings,
    );
}

#[test]
fn methods_of_the_server_stay_in_the_part_of_their_type() {
    let sources = sources();
    let mut types: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for source in &sources {
        for found in TYPE.captures_iter(&source.code) {
            types
                .entry(found[1].to_owned())
                .or_default()
                .insert(source.part());
        }
    }
    let mut findings = Vec::new();
    for source in &sources {
        for found in IMPL.captures_iter(&source.code) {
            let is_here = |name: &str| types.get(name).map(|parts| parts.contains(source.part()));
            let from_here = found.get(1).and_then(|from| is_here(from.as_str()));
            if is_here(&found[2]) == Some(false) && from_here != Some(true) {
                let line = source.line_at(found.get(0).map_or(0, |place| place.start()));
                let (path, name) = (source.path, &found[2]);
                findings.push(format!(
                    "{path}:{line}: `{name}` is declared in another part"
                ));
            }
        }
    }
    report(
        "server/src: write a function, or move the methods (and `From`, which `?` calls) to their type",
        &findings,
    );
}

#[test]
fn circles_are_found_and_lines_are_none() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            let uses = graph.entry((*from).to_owned()).or_default();
            uses.insert((*to).to_owned());
        }
        graph
    };
    let line = graph(&[("a", "b"), ("b", "c"), ("a", "c"), ("d", "a")]);
    assert!(circles(&line).is_empty());
    let two = graph(&[
        ("a", "b"),
        ("b", "c"),
        ("c", "b"),
        ("c", "d"),
        ("x", "y"),
        ("y", "z"),
        ("z", "x"),
    ]);
    assert_eq!(circles(&two), [vec!["b", "c"], vec!["x", "y", "z"]]);
}

#[test]
fn names_of_parts_are_read_from_paths() {
    assert_eq!(names("feed::page::Wish;"), ["feed"]);
    assert_eq!(
        names("{feed::{page, load}, keys::Keys,\n    sync};"),
        ["feed", "keys", "sync"]
    );
    assert_eq!(names("Context;"), Vec::<String>::new());
}
