//! An app that goes to the background in the middle of a first sync: the time of this step, and the locks
//! that another process sees afterwards.

#![allow(
    clippy::print_stdout,
    reason = "the process that started it reads the lines"
)]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use onegrid_ffi::types::{Query, SyncBudget};

use super::hand::{Hand, RECORDS};
use crate::bench::figures::say;
use crate::bench::table::at_share;
use crate::testbed::locks;

/// The word that asks the other process to look for locks; it answers with their number.
pub(super) const LOOK: &str = "look";
/// The longest call of `suspend()`.
const SUSPEND_MS_MAX: f64 = 500.0;
const ROUNDS: u32 = 10;
/// Each sync is interrupted this much later after its beginning than the one before.
const LATER: Duration = Duration::from_millis(200);

pub(super) fn measure(hand: &Hand) {
    let mut took = Vec::new();
    let (mut locked, mut broken_off) = (0, 0);
    say(
        "files that another process sees locked before",
        f64::from(look()),
        "",
        None,
    );
    for round in 1..=ROUNDS {
        thread::scope(|scope| {
            let sync = scope.spawn(|| hand.phone.sync_once(SyncBudget::default()));
            thread::sleep(LATER * round);
            let start = Instant::now();
            hand.phone.suspend().unwrap();
            took.push(start.elapsed().as_secs_f64() * 1e3);
            broken_off += u32::from(sync.join().unwrap().is_err());
        });
        locked += look();
        hand.phone.resume().unwrap();
    }
    let records = hand.phone.count(Query::default()).unwrap();
    say("suspended", f64::from(ROUNDS), "", None);
    say("syncs broken off", f64::from(broken_off), "", None);
    say(
        "records after the last one",
        records as f64,
        "records",
        None,
    );
    say("suspend(), median", at_share(&mut took, 50), "ms", None);
    let longest = at_share(&mut took, 100);
    say("suspend(), longest", longest, "ms", Some(SUSPEND_MS_MAX));
    let name = "files that another process sees locked afterwards";
    say(name, f64::from(locked), "", Some(0.0));
    hand.sync();
    say("records at the end", RECORDS as f64, "records", None);
}

/// Lets the other process look; returns the number of files that it saw locked.
fn look() -> u32 {
    println!("{LOOK}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().parse().unwrap()
}

/// Returns the number of files below a folder that any process has locked.
pub(super) fn locked_below(folder: &Path) -> usize {
    let found = locks::of_folder(folder).unwrap();
    assert_ne!(found["files"], 0, "the phone has files");
    found["locked"].as_array().unwrap().len()
}
