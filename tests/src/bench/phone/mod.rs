//! The promises of the phone SDK, measured through `onegrid-ffi` as an app uses it. Each phone is a process of
//! its own, and so is the server.
//!
//! ```text
//!  this process ── stdin, stdout ─▶ phone (onegrid-ffi) ── HTTP over loopback ─▶ onegrid serve
//! ```

mod events;
mod hand;
mod lists;
mod memory;
mod suspend;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::deployment::{Deployment, MemberLine, Serving};
use super::figures;
use super::recipe::DISTRICT_10;
use super::table::Table;
use hand::Hand;

/// The purpose of each phone, in the order of measurement. The server makes the packs for the first one.
const PARTS: [(&str, &str); 4] = [
    (
        "memory",
        "the phone SDK syncs 10,000 records for the first time",
    ),
    ("lists", "the phone SDK lists 10,000 records"),
    ("events", "the phone SDK writes while a listener is slow"),
    (
        "suspend",
        "the phone SDK is suspended in the middle of a first sync",
    ),
];

pub(super) fn measure(table: &mut Table) {
    eprintln!("the phone SDK");
    let deployment = Deployment::of(&DISTRICT_10);
    let people = PARTS.map(|(part, _)| {
        MemberLine::new(&format!("bench-{part}"), "district_lead", "330105000000")
    });
    let codes = deployment.invite(&people);
    let serving = deployment.serve();
    for ((part, bench), code) in PARTS.into_iter().zip(&codes) {
        let mut phone = Started::new(part, &serving, code);
        while let Some(line) = phone.line() {
            if figures::take_down(table, bench, &line) {
                continue;
            }
            assert_eq!(line, suspend::LOOK, "a figure, or the wish for a look");
            let locked = suspend::locked_below(phone.folder.path());
            phone.answer(&locked.to_string());
        }
    }
}

/// Runs the phone's process.
pub fn child(part: &str, folder: &Path, url: &str, code: &str) {
    let hand = Hand::new(folder, url, code);
    match part {
        "memory" => memory::measure(&hand),
        "lists" => lists::measure(&hand),
        "events" => events::measure(&hand),
        _ => suspend::measure(&hand),
    }
}

/// The handle of a phone's process.
struct Started {
    folder: TempDir,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Started {
    fn new(part: &str, serving: &Serving, code: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["phone-child", part])
            .arg(folder.path())
            .args([&serving.url, code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            folder,
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Returns the next line; `None` after the process has ended well.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line).unwrap() == 0 {
            assert!(self.child.wait().unwrap().success(), "the phone ended well");
            return None;
        }
        Some(line.trim_end_matches('\n').to_owned())
    }

    fn answer(&mut self, words: &str) {
        writeln!(self.input, "{words}").unwrap();
        self.input.flush().unwrap();
    }
}
