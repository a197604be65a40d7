//! The simulator in the suite: fixed seeds, seeds that once failed, and the proof that a seed
//! decides everything.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use onegrid_server::store::StoreError;
use onegrid_tests::sim::tally::Tally;
use onegrid_tests::sim::world::World;
use onegrid_tests::sim::{Failure, Plan, run};
use onegrid_tests::town::{Fault, MINUTE_MS, STREET, VILLAGE};

/// The number of seeds of the sweep and of the newcomer's path.
const SEEDS: u64 = 160;
const SEEDS_QUICK: u64 = 40;
const STEPS: u32 = 200;
/// The number of long seeds, the first of them, and their steps.
const LONG_SEEDS: u64 = 4;
const LONG_FIRST: u64 = 1_001;
const LONG_STEPS: u32 = 2_500;

fn sweep(plans: &[Plan]) -> (Vec<Failure>, Tally) {
    let next = AtomicU64::new(0);
    let failures: Mutex<Vec<Failure>> = Mutex::default();
    let tally: Mutex<Tally> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let plan = usize::try_from(place).ok().and_then(|at| plans.get(at));
                    let Some(plan) = plan else { return };
                    match run(*plan) {
                        Ok(outcome) => {
                            let mut sum = tally.lock().unwrap_or_else(PoisonError::into_inner);
                            *sum += outcome.tally;
                        }
                        Err(failure) => {
                            let mut all = failures.lock().unwrap_or_else(PoisonError::into_inner);
                            all.push(failure);
                        }
                    }
                }
            });
        }
    });
    (failures.into_inner().unwrap(), tally.into_inner().unwrap())
}

fn assert_clean(failures: &[Failure]) {
    let say = |failure: &Failure| {
        let Failure { plan, what, .. } = failure;
        format!("seed {}: {what}\n  {}", plan.seed, failure.command())
    };
    let said: Vec<String> = failures.iter().map(say).collect();
    assert!(failures.is_empty(), "{}", said.join("\n"));
}

#[test]
fn a_seed_says_all() {
    for plan in [Plan::plain(3, STEPS), Plan::swarm(3, STEPS)] {
        let (once, again) = (run(plan).unwrap(), run(plan).unwrap());
        assert!(once.lines.len() > 100 && once.written > 10, "{once:?}");
        assert_eq!(once, again);
    }
}

#[test]
fn seeds_that_once_failed_stay_clean() {
    let file = include_str!("../data/sim/seeds.tsv");
    let plans: Vec<Plan> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t');
            let mut number = || fields.next().unwrap().parse().unwrap();
            Plan::plain(number(), u32::try_from(number()).unwrap())
        })
        .collect();
    assert!(plans.len() > 5);
    let (failures, tally) = sweep(&plans);
    assert_clean(&failures);
    // Old seeds are as old as they were, without a photo on its way.
    assert_eq!(tally, Tally::default());
}

#[test]
fn every_promise_holds_whatever_goes_wrong() {
    let quick = std::env::var_os("QUICK").is_some();
    let seeds = if quick { SEEDS_QUICK } else { SEEDS };
    // The long seeds come first, because the last of them would otherwise run alone.
    let long = LONG_FIRST..LONG_FIRST + if quick { 0 } else { LONG_SEEDS };
    let long = long.map(|seed| Plan::swarm(seed, LONG_STEPS));
    let plans: Vec<Plan> = long
        .chain((1..=seeds).map(|seed| Plan::swarm(seed, STEPS)))
        .collect();
    let (failures, tally) = sweep(&plans);
    assert_clean(&failures);
    assert_everything_happened(&tally);
}

/// A sweep that never meets some kind of trouble with photos proves nothing about it.
fn assert_everything_happened(tally: &Tally) {
    let Tally {
        added,
        served,
        cut,
        fetched,
        exchanged,
        freed,
        given_back,
        meetings,
        broken,
        parcels,
        pried,
    } = *tally;
    let counts = [
        added, served, cut, fetched, exchanged, freed, given_back, meetings, broken, parcels, pried,
    ];
    assert!(counts.iter().all(|count| *count > 0), "{tally:?}");
}

/// A reader gives the record back as a pack. The envelope of its author was judged anew after the first
/// restore, and the author then brings the later verdict.
#[test]
fn oracle_counts_a_later_verdict_on_a_base() {
    let mut world = World::new(&Plan::plain(1, 0));
    let town = &mut world.town;
    let mut writer = town.enrol("writer", "volunteer", VILLAGE, "wulin-aunties");
    let mut reader = town.enrol("reader", "dispatcher", STREET, "wulin-command-room");
    writer.sync(town);
    let backup = town.backup();
    let draft = town.hazard("accepted twice");
    let record = writer.replica().report(&draft, town.now_ms).unwrap();
    writer.turn(town, Fault::AnswerLost);
    // A phone that reads a stream for the first time gets packs.
    reader.sync(town);
    town.pass(MINUTE_MS);
    town.restore(&backup);
    writer.wake();
    writer.sync(town);
    town.pass(MINUTE_MS);
    town.restore(&backup);
    reader.sync(town);
    writer.sync(town);

    let bases = world.town.store().read(|tx| tx.base_packs(record));
    let bases = bases.map_err(|error: StoreError| error.to_string());
    assert_eq!(bases.unwrap().len(), 1);
    let settled = world.town.store().read(|tx| tx.settled(record));
    let mut settled: Vec<_> = settled
        .map_err(|error: StoreError| error.to_string())
        .unwrap();
    settled.sort_unstable_by_key(|(id, _)| *id);
    let mut truth: Vec<_> = world.truth().unwrap()[&record].settled().collect();
    truth.sort_unstable_by_key(|(id, _)| *id);
    assert_eq!(truth, settled);
}
