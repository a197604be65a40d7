//! The files of the project.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::rust_text::{Line, lines};

/// Folders that hold no written file.
const SKIPPED: [&str; 5] = [".git", "target", ".cache", "node_modules", "dist"];

pub(crate) struct File {
    /// Path from the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One Rust file in its parts.
pub(crate) struct Rust {
    /// Path from the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
}

/// The project's root.
pub(crate) static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(Path::to_path_buf).unwrap_or_default()
});

/// Every text file, except lock files.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(&ROOT, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        files.len() > 10,
        "the project's files were not found under {}",
        ROOT.display()
    );
    files
});

pub(crate) static RUST: LazyLock<Vec<Rust>> = LazyLock::new(|| {
    FILES
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .map(|file| Rust {
            path: file.path.clone(),
            lines: lines(&file.text),
        })
        .collect()
});

fn collect(folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                collect(&path, files);
            }
        } else if kind.is_file()
            && name != ".git"
            && !name.ends_with(".lock")
            && !name.contains("package-lock")
        {
            // A file that is not UTF-8 is not a text file.
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let path = path.strip_prefix(&*ROOT).unwrap_or(&path);
            files.push(File {
                path: path.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
}

/// Returns the text of one file; empty if the file is missing.
pub(crate) fn text_of(path: &str) -> &'static str {
    FILES
        .iter()
        .find(|file| file.path == path)
        .map_or("", |file| file.text.as_str())
}

impl Rust {
    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.is_in(&["tests/", "core/src/fixtures/"])
            || self.path.contains("/tests/")
            || self.path.ends_with("tests.rs")
    }

    /// Whether the file lies in one of these folders, or is one of these files.
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// Returns the lines outside tests, counted from one.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &Line)> {
        let whole = self.is_test();
        self.numbered()
            .filter(move |(_, line)| !whole && !line.in_test)
    }

    /// Returns all lines, counted from one.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines
            .iter()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}
