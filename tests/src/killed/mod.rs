//! Processes that are killed at a chosen system call: at the nth write, sync or cut of a file.
//!
//! ```text
//!  count ─▶ which calls a story makes ─▶ draw (call, n) from a seed ─▶ strace kills the process there
//! ```
//!
//! The process is killed without a warning before the call is done. Data that it had handed to the kernel
//! stay, and data in its memory are lost. (A power cut differs, because it may also lose unsynced data.)

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panic")]

pub mod life;
pub mod meeting;
pub mod serving;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::Command;

use crate::sim::chance::Chance;

/// The calls with an effect outside the process: on a disk, or on another process.
pub const CALLS: [&str; 12] = [
    "pwrite64",
    "write",
    "fdatasync",
    "fsync",
    "ftruncate",
    "copy_file_range",
    "mkdir",
    "unlink",
    "unlinkat",
    "rename",
    "sendto",
    "writev",
];

/// The point at which a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The system call.
    pub call: &'static str,
    /// The number of the call, from 1, in the thread that reaches it first.
    pub nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number {}", self.call, self.nth)
    }
}

/// The number of each call of a process, in the thread that makes it most.
#[derive(Debug, Clone, Default)]
pub struct Counts(BTreeMap<&'static str, u32>);

impl Counts {
    /// Reads the log of a [`counting`] command.
    #[must_use]
    pub fn read(log: &Path) -> Self {
        let mut by_thread: BTreeMap<(&str, &'static str), u32> = BTreeMap::new();
        let text = std::fs::read_to_string(log).unwrap();
        for line in text.lines() {
            let Some((thread, rest)) = line.split_once(' ') else {
                continue;
            };
            let name = rest.trim_start().split('(').next().unwrap_or_default();
            if let Some(call) = CALLS.iter().find(|call| **call == name) {
                *by_thread.entry((thread, call)).or_default() += 1;
            }
        }
        let mut most = BTreeMap::new();
        for ((_, call), count) in by_thread {
            let known = most.entry(call).or_insert(0);
            *known = count.max(*known);
        }
        Self(most)
    }

    /// Returns the number of all calls.
    #[must_use]
    pub fn sum(&self) -> u32 {
        self.0.values().sum()
    }

    /// Draws a point from the whole run. Half of the draws choose every call with equal chance. The other half
    /// choose the kind of call first, so rare calls (a file is cut, a log is synced) are drawn too.
    #[must_use]
    pub fn draw(&self, chance: &mut Chance) -> Point {
        let kinds: Vec<(&'static str, u32)> = self.0.iter().map(|(call, n)| (*call, *n)).collect();
        if chance.one_in(2) {
            let (call, count) = chance.pick(&kinds).expect("a process that writes nothing");
            return Point {
                call,
                nth: 1 + below(chance, count),
            };
        }
        let mut nth = below(chance, self.sum());
        for (call, count) in kinds {
            if nth < count {
                return Point { call, nth: nth + 1 };
            }
            nth -= count;
        }
        unreachable!("it is below the sum")
    }
}

fn below(chance: &mut Chance, end: u32) -> u32 {
    u32::try_from(chance.below(end as usize)).unwrap()
}

/// Returns a command that runs `program` and counts its calls into `log`.
#[must_use]
pub fn counting(program: &Path, log: &Path) -> Command {
    let calls: Vec<String> = CALLS.iter().map(|call| format!("?{call}")).collect();
    let mut command = traced(log.as_os_str());
    command.arg("-e").arg(format!("trace={}", calls.join(",")));
    command.arg("--").arg(program);
    command
}

/// Returns a command that runs `program` and kills it at this point.
#[must_use]
pub fn killed_at(program: &Path, point: Point) -> Command {
    let Point { call, nth } = point;
    let mut command = traced(OsStr::new("/dev/null"));
    command.arg("-e").arg(format!("trace={call}"));
    let inject = format!("inject={call}:signal=KILL:when={nth}");
    command.arg("-e").arg(inject).arg("--").arg(program);
    command
}

fn traced(log: &OsStr) -> Command {
    let mut command = Command::new("strace");
    // `--seccomp-bpf` is left out, because it skips the injected signal.
    command.args(["-f", "-qq", "-o"]).arg(log);
    command
}

/// Returns the rounds to play: `KILL_ROUND=n` plays one, `KILL_ROUNDS=n` the first n.
#[must_use]
pub fn rounds(many: u64, quick: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(one) = number("KILL_ROUND") {
        return one..one + 1;
    }
    let quick = std::env::var_os("QUICK").is_some().then_some(quick);
    0..number("KILL_ROUNDS").or(quick).unwrap_or(many)
}
