//! Core has no circle: the files and folders of each folder depend on each other in one direction
//! ([testing.md](../../../docs/testing.md), “Circles”).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::report;
use super::source::{RUST, Rust, text_of};

const ROOT: &str = "core/src/";

static USE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);"));
static PATH: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[^:\w])([A-Za-z_]\w*(?:::[A-Za-z_]\w*)+)"));
static TEST_MODULE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub\S*\s+)?mod (\w+);"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The names of modules from the root of the crate to one module, or to an item in it.
type ModulePath = Vec<String>;

/// A name that a file imports, with the path as written.
#[derive(Debug, PartialEq, Eq)]
struct Import {
    path: ModulePath,
    name: String,
    is_public: bool,
}

/// One file without its tests.
struct Module {
    file: String,
    imports: Vec<Import>,
    /// The code without its imports.
    code: String,
}

/// The files of a crate by their place in the tree of modules.
struct Tree(BTreeMap<ModulePath, Module>);

/// The entries of one folder that depend on each other, each with an example.
type Level = BTreeMap<String, BTreeMap<String, Example>>;

/// A dependence: the file, the file that it needs, and the name.
type Example = (String, String, String);

fn split(path: &str) -> ModulePath {
    path.split("::")
        .map(|part| part.trim().to_owned())
        .collect()
}

/// The leaves of an import tree, each with the name that it has in the file.
fn leaves(tree: &str) -> Vec<(ModulePath, String)> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut path = split(path);
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = match alias.trim() {
            "" => path.last().cloned().unwrap_or_default(),
            alias => alias.to_owned(),
        };
        return vec![(path, name)];
    };
    let prefix = tree[..open].trim().trim_end_matches("::");
    let inner = tree[open + 1..].trim_end().trim_end_matches('}');
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| leaves(&format!("{prefix}::{}", part.trim())))
        .collect()
}

fn place_of(file: &str, root: &str) -> Option<ModulePath> {
    let inside = file.strip_prefix(root)?.strip_suffix(".rs")?;
    let mut path: ModulePath = inside.split('/').map(str::to_owned).collect();
    if path
        .last()
        .is_some_and(|name| name == "mod" || name == "lib")
    {
        path.pop();
    }
    Some(path)
}

impl Module {
    fn of(file: &Rust) -> Self {
        let mut text = String::new();
        for (_, line) in file.shipped() {
            text.push_str(&line.code);
            // A derive names functions in strings.
            for string in line.strings.iter().filter(|string| string.contains("::")) {
                text.push(' ');
                text.push_str(string);
            }
            text.push('\n');
        }
        let mut imports = Vec::new();
        for found in USE.captures_iter(&text) {
            let is_public = found.get(1).is_some();
            imports.extend(leaves(&found[2]).into_iter().map(|(path, name)| Import {
                path,
                name,
                is_public,
            }));
        }
        Self {
            file: file.path.clone(),
            imports,
            code: USE.replace_all(&text, "").into_owned(),
        }
    }
}

impl Tree {
    fn of<'a>(files: impl Iterator<Item = &'a Rust>, root: &str) -> Self {
        let all: Vec<(ModulePath, &Rust)> = files
            .filter_map(|file| Some((place_of(&file.path, root)?, file)))
            .collect();
        let mut tests: BTreeSet<ModulePath> = BTreeSet::new();
        for (place, file) in &all {
            let code: Vec<&str> = file.lines.iter().map(|line| line.code.as_str()).collect();
            for found in TEST_MODULE.captures_iter(&code.join("\n")) {
                let mut module = place.clone();
                module.push(found[1].to_owned());
                tests.insert(module);
            }
        }
        let is_test = |place: &[String]| (1..=place.len()).any(|len| tests.contains(&place[..len]));
        let modules = all
            .into_iter()
            .filter(|(place, file)| !file.is_test() && !is_test(place))
            .map(|(place, file)| (place, Module::of(file)));
        Self(modules.collect())
    }

    /// The path from the root of a path as written in a module; `None` for another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module, rest].concat()),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let base = module.get(..module.len().checked_sub(ups)?)?;
                Some([base, &path[ups..]].concat())
            }
            _ => {
                let child = [module, &path[..1]].concat();
                self.0.contains_key(&child).then(|| [module, path].concat())
            }
        }
    }

    /// The module that defines the item of a path from the root; re-exports are followed.
    fn definition(&self, path: &[String], ways: usize) -> Option<ModulePath> {
        if self.0.contains_key(path) {
            return Some(path.to_vec());
        }
        let len = (0..path.len())
            .rev()
            .find(|len| self.0.contains_key(&path[..*len]))?;
        let (module, name) = (&path[..len], &path[len]);
        let mut imports = self.0[module].imports.iter();
        let through = imports.find(|import| import.is_public && import.name == *name);
        let next = through.and_then(|import| self.absolute(module, &import.path));
        match next {
            Some(next) if ways > 0 => {
                let target = [next.as_slice(), &path[len + 1..]].concat();
                self.definition(&target, ways - 1)
            }
            _ => Some(module.to_vec()),
        }
    }

    /// The modules that a module needs, each with one name as an example.
    fn needs(&self, place: &[String]) -> BTreeMap<ModulePath, String> {
        let module = &self.0[place];
        let mut paths: Vec<ModulePath> = Vec::new();
        let mut names: BTreeMap<&str, ModulePath> = BTreeMap::new();
        for import in &module.imports {
            let Some(path) = self.absolute(place, &import.path) else {
                continue;
            };
            names.insert(&import.name, path.clone());
            // A folder's own file shows the parts of the folder.
            if !(import.is_public && path.starts_with(place)) {
                paths.push(path);
            }
        }
        for found in PATH.captures_iter(&module.code) {
            let path = split(&found[1]);
            match names.get(path[0].as_str()) {
                Some(module) if self.0.contains_key(module) => {
                    paths.push([module.as_slice(), &path[1..]].concat());
                }
                Some(_) => {}
                None => paths.extend(self.absolute(place, &path)),
            }
        }
        let found = paths.into_iter().filter_map(|path| {
            let definition = self.definition(&path, 8)?;
            (definition != place).then(|| (definition, path.join("::")))
        });
        found.collect()
    }

    /// The dependences inside each folder.
    fn levels(&self) -> BTreeMap<ModulePath, Level> {
        let mut levels: BTreeMap<ModulePath, Level> = BTreeMap::new();
        for (place, module) in &self.0 {
            for (other, name) in self.needs(place) {
                let common = place.iter().zip(&other).take_while(|(a, b)| a == b).count();
                let entry =
                    |path: &[String]| path.get(common).map_or("mod.rs", String::as_str).to_owned();
                let example = (module.file.clone(), self.0[&other].file.clone(), name);
                let level = levels.entry(place[..common].to_vec()).or_default();
                let needs = level.entry(entry(place)).or_default();
                needs.entry(entry(&other)).or_insert(example);
            }
        }
        levels
    }
}

/// The shortest way of dependences from an entry back to it.
fn circle(level: &Level, start: &str) -> Option<Vec<String>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for next in level.get(at).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut way = vec![start.to_owned(), at.to_owned()];
                let mut back = at;
                while back != start {
                    back = before[back];
                    way.push(back.to_owned());
                }
                way.reverse();
                way.dedup();
                return Some(way);
            }
            if !before.contains_key(next.as_str()) && next != start {
                before.insert(next, at);
                open.push_back(next);
            }
        }
    }
    None
}

fn findings(tree: &Tree) -> Vec<String> {
    let mut findings = Vec::new();
    for (folder, level) in tree.levels() {
        let mut named: BTreeSet<String> = BTreeSet::new();
        for start in level.keys() {
            let Some(way) = circle(&level, start).filter(|_| !named.contains(start)) else {
                continue;
            };
            named.extend(way.iter().cloned());
            let mut finding = format!("{}/: {}", folder.join("/"), way.join(" → "));
            for pair in way.windows(2) {
                let (file, other, name) = &level[&pair[0]][&pair[1]];
                let _ = write!(finding, "\n    {file} needs `{name}` of {other}");
            }
            findings.push(finding);
        }
    }
    findings
}

fn core() -> Tree {
    Tree::of(RUST.iter(), ROOT)
}

#[test]
fn no_files_or_folders_of_core_form_a_circle() {
    let rule = "core: the entries of a folder depend on each other in one direction; \
        move the item to where both can see it";
    report(rule, &findings(&core()));
}

/// The code map of ARCHITECTURE.md names the layers of core, the lowest first.
#[test]
fn layers_of_core_depend_on_lower_ones() {
    let map = text_of("ARCHITECTURE.md").lines();
    let layers: Vec<&str> = map
        .filter_map(|line| line.strip_prefix("| `core/src/")?.split_once("/`"))
        .map(|(layer, _)| layer)
        .filter(|layer| !layer.contains('/'))
        .collect();
    assert!(layers.len() > 6, "the code map names {layers:?}");
    let rank = |name: &str| layers.iter().position(|layer| *layer == name);
    let levels = core().levels();
    let mut findings = Vec::new();
    for (from, needs) in levels.get(&ModulePath::new()).into_iter().flatten() {
        for (to, (file, other, name)) in needs {
            if rank(from).zip(rank(to)).is_some_and(|(from, to)| from < to) {
                findings.push(format!("{file} needs `{name}` of {other}, a higher layer"));
            }
        }
    }
    report(
        "core: a layer depends on lower ones (ARCHITECTURE.md)",
        &findings,
    );
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let files: Vec<Rust> = files
        .iter()
        .map(|(path, text)| Rust {
            path: format!("{ROOT}{path}"),
            lines: super::rust_text::lines(text),
        })
        .collect();
    Tree::of(files.iter(), ROOT)
}

#[test]
fn circles_of_files_folders_and_parents_are_found() {
    let beside: [(&str, &str); 3] = [
        ("lib.rs", "pub mod a; pub mod b;"),
        ("a.rs", "use crate::b::{X, Y as Z};"),
        ("b.rs", "fn f() { super::a::g() }"),
    ];
    let folders: [(&str, &str); 4] = [
        ("a/one.rs", "use crate::b::two::T;"),
        ("a/two.rs", ""),
        ("b/one.rs", "use super::super::a::two;\nfn f() { two::g() }"),
        ("b/two.rs", ""),
    ];
    let parent: [(&str, &str); 2] = [
        ("a/mod.rs", "mod b;\nuse b::f;\npub struct A;"),
        ("a/b.rs", "use super::A;"),
    ];
    let shown: [(&str, &str); 4] = [
        ("a/mod.rs", "mod c;\npub use c::C;"),
        ("a/c.rs", "use crate::b::B;"),
        ("b.rs", "use crate::a::C;"),
        ("lib.rs", ""),
    ];
    let derived: [(&str, &str); 2] = [
        ("a.rs", "#[cbor(n(0), with = \"crate::b::bytes\")]"),
        ("b.rs", "use crate::a::A;"),
    ];
    for files in [&beside[..], &folders, &parent, &shown, &derived] {
        assert_eq!(findings(&tree(files)).len(), 1, "{files:?}");
    }
}

#[test]
fn one_direction_tests_and_shown_parts_are_no_circle() {
    let files = [
        ("lib.rs", "pub mod a;\npub mod b;\npub use a::c::C;"),
        (
            "a/mod.rs",
            "pub mod c;\nmod d;\npub use c::C;\npub struct A;\n#[cfg(test)]\nmod world;",
        ),
        (
            "a/c.rs",
            "use super::A;\n// use super::d::D;\n#[cfg(test)]\nmod tests {\n use super::super::d::D;\n}",
        ),
        (
            "a/d.rs",
            "use super::C;\nuse std::fmt;\nfn f() { fmt::g(); C::new() }",
        ),
        ("a/world.rs", "use crate::b::B;"),
        ("b.rs", "use crate::a::{self, A};\nfn f() { a::C::new() }"),
    ];
    assert_eq!(findings(&tree(&files)), Vec::<String>::new());
}
