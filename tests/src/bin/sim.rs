//! Runs the simulator: many seeds on all cores, or one seed with its trace.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use onegrid_tests::sim::tally::Tally;
use onegrid_tests::sim::weather::Climate;
use onegrid_tests::sim::{Failure, Plan, RESTORES_MAX, run};

/// A run makes and drops small pieces of memory more than anything else.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The simulator.
#[derive(Debug, Parser)]
struct Arguments {
    /// Run only this seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Steps of each seed.
    #[arg(long, default_value_t = 200)]
    steps: u32,
    /// Plain weather in place of swarm weather.
    #[arg(long)]
    plain: bool,
    /// Most restores of the server in one run; by default one, or any number in plain weather.
    #[arg(long)]
    restores: Option<u32>,
    /// Print the trace.
    #[arg(long)]
    trace: bool,
    /// Continue after a failing seed.
    #[arg(long)]
    keep_going: bool,
    /// Threads; by default one for each core.
    #[arg(long)]
    threads: Option<usize>,
}

impl Arguments {
    fn plan(&self, seed: u64) -> Plan {
        let (climate, usual) = if self.plain {
            (Climate::Plain, u32::MAX)
        } else {
            (Climate::Swarm, RESTORES_MAX)
        };
        Plan {
            seed,
            steps: self.steps,
            climate,
            restores_max: self.restores.unwrap_or(usual),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    std::panic::set_hook(Box::new(|_| {}));
    match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None => many(&arguments),
    }
}

fn one(seed: u64, arguments: &Arguments) -> ExitCode {
    let plan = arguments.plan(seed);
    println!("seed {seed}: weather {}", plan.weather());
    match run(plan) {
        Ok(outcome) => {
            if arguments.trace {
                for line in &outcome.lines {
                    println!("{line}");
                }
            }
            println!(
                "seed {seed}: {} lines, {} records, {} envelopes",
                outcome.lines.len(),
                outcome.records,
                outcome.written
            );
            println!("{:?}", outcome.tally);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if arguments.trace {
                for line in &failure.trace {
                    println!("{line}");
                }
            }
            say(&failure);
            ExitCode::FAILURE
        }
    }
}

fn say(failure: &Failure) {
    println!("seed {} FAILED: {}", failure.plan.seed, failure.what);
    println!("  replay: {}", failure.command());
}

fn many(arguments: &Arguments) -> ExitCode {
    let (next, done, stop) = (
        AtomicU64::new(arguments.first),
        AtomicU64::new(0),
        AtomicBool::new(false),
    );
    let failures: Mutex<Vec<Failure>> = Mutex::default();
    let tally: Mutex<Tally> = Mutex::default();
    let started = Instant::now();
    let end = arguments.first + arguments.seeds;
    let threads = arguments.threads.unwrap_or_else(|| {
        std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get)
    });
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    match run(arguments.plan(seed)) {
                        Ok(outcome) => {
                            let mut sum =
                                tally.lock().expect("no thread panics while it holds this");
                            *sum += outcome.tally;
                        }
                        Err(failure) => {
                            say(&failure);
                            stop.fetch_or(!arguments.keep_going, Ordering::Relaxed);
                            failures
                                .lock()
                                .expect("no thread panics while it holds this")
                                .push(failure);
                        }
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(20) || done == arguments.seeds {
                        let seconds = started.elapsed().as_secs();
                        eprintln!("{done}/{} seeds, {seconds} s", arguments.seeds);
                    }
                }
            });
        }
    });
    let failed = failures.lock().map_or(1, |failures| failures.len());
    let done = done.load(Ordering::Relaxed);
    println!(
        "{done} seeds x {} steps, {failed} failed, {} s",
        arguments.steps,
        started.elapsed().as_secs()
    );
    println!("{:?}", tally.into_inner().unwrap_or_default());
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
