//! kill -9 at random write and sync calls: of a phone's process, alone and at a meeting, and of the
//! server. No acknowledged envelope is missing, no half result is left, and both sides continue to
//! work.
//!
//! `KILL_ROUNDS=300` plays that many rounds of each, `KILL_ROUND=17` one round again.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod administrator;
mod meeting;
mod phone;
mod power;
mod rescue;
mod server;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use onegrid_tests::killed::rounds;
use onegrid_tests::sim::chance::Chance;
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

/// The end of a round without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The process was killed.
    Killed,
    /// The process was done before its call came.
    Through,
}

impl End {
    fn of(killed: bool) -> Self {
        if killed { Self::Killed } else { Self::Through }
    }
}

/// Draws of one round. Threads never run alike twice, so a server is sometimes done before its call comes; then the
/// round draws again.
const DRAWS_MAX: usize = 30;

/// Plays the rounds on all cores, each until its process is killed; a round draws its point, and returns its end or
/// the fault that it found.
fn play(many: u64, quick: u64, round: impl Fn(u64, &mut Chance) -> Result<End, String> + Sync) {
    let rounds = rounds(many, quick);
    let next = AtomicU64::new(rounds.start);
    let until_killed = |number| {
        let mut chance = Chance::new(number);
        for _ in 0..DRAWS_MAX {
            if round(number, &mut chance)? == End::Killed {
                return Ok(());
            }
        }
        Err(format!("none of {DRAWS_MAX} draws killed it"))
    };
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
                    if let Err(what) = until_killed(number) {
                        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                        failures.push(format!("KILL_ROUND={number}: {what}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
