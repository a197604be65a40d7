//! kill -9 at random write and sync calls: of a phone's process and of the server. No acknowledged
//! envelope is missing, no half result is left, and both sides continue to work.
//!
//! `KILL_ROUNDS=300` plays that many rounds of each, `KILL_ROUND=17` one round again.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod administrator;
mod phone;
mod rescue;
mod server;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use onegrid_tests::killed::rounds;
use onegrid_tests::town::{Card, Town, VILLAGE};

/// Enrols two phones of a town, a volunteer's and the station head's, syncs and closes them.
fn enrolled(town: &mut Town) -> [Card; 2] {
    let people = [
        ("dama", "volunteer", "wulin-aunties"),
        ("head", "station_head", ""),
    ];
    people.map(|(name, role, unit)| {
        let mut phone = town.enrol(name, role, VILLAGE, unit);
        phone.sync(town);
        phone.close();
        phone.card()
    })
}

/// Plays the rounds on all cores; a round returns the place of its kill, or the fault that it found.
fn play(many: u64, quick: u64, round: impl Fn(u64) -> Result<String, String> + Sync) {
    let rounds = rounds(many, quick);
    let (next, killed) = (AtomicU64::new(rounds.start), AtomicU64::new(0));
    let failures: Mutex<Vec<String>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= rounds.end {
                        return;
                    }
                    match round(number) {
                        Ok(end) => {
                            killed.fetch_add(u64::from(end == KILLED), Ordering::Relaxed);
                        }
                        Err(what) => {
                            let mut failures =
                                failures.lock().unwrap_or_else(PoisonError::into_inner);
                            failures.push(format!("KILL_ROUND={number}: {what}"));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let (killed, played) = (killed.into_inner(), rounds.end - rounds.start);
    // Threads never run alike twice, so now and then a server is done before its call comes.
    assert!(
        killed * 10 >= played * 8,
        "{killed} of {played} were killed"
    );
}

/// The word of a round that killed its process.
const KILLED: &str = "killed";
