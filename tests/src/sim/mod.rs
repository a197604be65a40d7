//! The simulator: many phones, one server, and everything that can go wrong, driven by one seed.
//!
//! ```text
//!  seed ─▶ steps (people act · lines fail · machines crash · clocks jump · backups come back)
//!       ─▶ rest (everybody syncs until nothing moves)
//!       ─▶ oracle (saved · receipts · agreement · rights · words · names · harm · photos)
//!       ─▶ a last round of attacks, rest and oracle once more
//! ```
//!
//! The [`weather`] of a run says how often each kind of trouble comes, the attacks of a [`hostile`] member among them.
//!
//! **Contract.** The same seed gives the same trace, byte for byte. A failure names the seed and the command
//! that replays it. The oracle does not trust the code under test. It folds the server's envelopes anew, and
//! it has its own definition of rights and of the rule of danger.

#![allow(clippy::unwrap_used, reason = "a simulation fails by panic")]

pub mod act;
pub mod chance;
pub mod events;
pub mod hostile;
pub mod oracle;
pub mod photos;
pub mod pipe;
pub mod reading;
pub mod rest;
pub mod tally;
pub mod trouble;
pub mod weather;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use onegrid_core::id::Hash;

use tally::Tally;
use weather::{Climate, Weather};
use world::World;

/// Restores of the server in one run, unless a plan says otherwise.
pub const RESTORES_MAX: u32 = 1;

/// The run of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// Steps before the rest.
    pub steps: u32,
    /// Where its weather comes from.
    pub climate: Climate,
    /// Most restores of the server.
    pub restores_max: u32,
}

impl Plan {
    /// A run in swarm weather, with at most [`RESTORES_MAX`] restores.
    #[must_use]
    pub fn swarm(seed: u64, steps: u32) -> Self {
        Self {
            seed,
            steps,
            climate: Climate::Swarm,
            restores_max: RESTORES_MAX,
        }
    }

    /// A run in plain weather, with as many restores as come.
    #[must_use]
    pub fn plain(seed: u64, steps: u32) -> Self {
        Self {
            seed,
            steps,
            climate: Climate::Plain,
            restores_max: u32::MAX,
        }
    }

    /// Returns the weather of the run.
    #[must_use]
    pub fn weather(&self) -> Weather {
        Weather::of(self.climate, self.seed)
    }
}

/// The result of a run without a fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Hash of the trace: equal for equal seeds.
    pub trace: Option<Hash>,
    /// The trace.
    pub lines: Vec<String>,
    /// Records on the server at the end.
    pub records: usize,
    /// Envelopes that people wrote.
    pub written: usize,
    /// Counts of events with photos and of meetings over pipes.
    pub tally: Tally,
}

/// A run that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run.
    pub plan: Plan,
    /// The broken promise.
    pub what: String,
    /// The trace so far.
    pub trace: Vec<String>,
}

impl Failure {
    /// Returns the command that replays the run.
    #[must_use]
    pub fn command(&self) -> String {
        let Plan {
            seed,
            steps,
            climate,
            restores_max,
        } = self.plan;
        let weather = match climate {
            Climate::Plain => "--plain ",
            Climate::Swarm => "",
        };
        format!(
            "cargo run -p onegrid-tests --bin sim -- --seed {seed} --steps {steps} \
             {weather}--restores {restores_max} --trace"
        )
    }
}

/// Runs one seed.
pub fn run(plan: Plan) -> Result<Outcome, Failure> {
    let mut world = World::new(&plan);
    let played = catch_unwind(AssertUnwindSafe(|| play(&mut world, plan.steps)));
    let what = match played {
        Ok(Ok(())) => {
            let trace = std::mem::take(&mut world.trace);
            let bytes: Vec<&[u8]> = trace.iter().map(String::as_bytes).collect();
            return Ok(Outcome {
                trace: Some(Hash::of(&bytes)),
                lines: trace,
                records: world.records_at_rest,
                written: world.people.iter().map(|person| person.said.len()).sum(),
                tally: world.album.tally,
            });
        }
        Ok(Err(what)) => what,
        Err(panic) => format!("panic: {}", text_of(panic.as_ref())),
    };
    Err(Failure {
        plan,
        what,
        trace: std::mem::take(&mut world.trace),
    })
}

fn play(world: &mut World, steps: u32) -> Result<(), String> {
    for step in 0..steps {
        world.step = step;
        world.advance()?;
    }
    world.rest()?;
    oracle::judge(world)?;
    world.last_attacks()?;
    world.rest()?;
    oracle::judge(world)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "without words".to_owned())
}
