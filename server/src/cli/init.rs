//! `onegrid init`: a new deployment.

use std::path::PathBuf;

use onegrid_core::domain::position::Datum;
use onegrid_core::system::OsRandom;

use super::Context;
use super::time::now;
use crate::admin::data_dir::DataDir;
use crate::admin::import::areas::AreaFiles;
use crate::admin::take_in::{Mode, Outcome, import_areas, import_members, import_units};
use crate::admin::{seed, setup};
use crate::error::{Phrase, Problem, Result};
use crate::server::Server;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(
        long,
        value_name = "FILE",
        default_value = "onegrid-root.key",
        help = "cli.arg_root_key"
    )]
    root_key: PathBuf,
    #[arg(long, value_name = "gongshu|demo", help = "cli.arg_seed")]
    seed: Option<Seed>,
}

/// Built-in data for a new deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Seed {
    /// The division of Gongshu.
    Gongshu,
    /// The division of Gongshu, with the units and people of the demo.
    Demo,
}

/// Creates folder, keys and store, and adds the seed.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let config = context.config()?.config;
    let data = DataDir::of(&config);
    let fill = |server: &Server| match args.seed {
        Some(chosen) => sow(server, chosen, context),
        None => Ok(()),
    };
    let keys = setup::prepare_with(&data, &args.root_key, now(), &mut OsRandom, fill)?;
    context.say(
        &Phrase::new("init.done")
            .with("path", data.path().display())
            .with("authority", keys.authority().0),
    )?;
    context.say(&Phrase::new("init.root_key").with("path", args.root_key.display()))?;
    context.say(&Phrase::new("init.next"))
}

fn sow(server: &Server, chosen: Seed, context: &mut Context<'_>) -> Result<()> {
    let mut quiet = |_, _| {};
    let files: AreaFiles = seed::gongshu();
    let (datum, mode) = (Datum::Wgs84, Mode::Strict);
    let areas = import_areas(server, &files, datum, mode, now(), &mut quiet)?;
    told("import.done_areas", &areas, context)?;
    if chosen == Seed::Demo {
        let name = "units.csv";
        let units = import_units(server, name, seed::DEMO_UNITS, mode, now(), &mut quiet)?;
        told("import.done_units", &units, context)?;
        let name = "members.csv";
        let members = import_members(server, name, seed::DEMO_MEMBERS, mode, now(), &mut quiet)?;
        told("import.done_members", &members, context)?;
    }
    Ok(())
}

/// Prints the counts only: built-in data has no bad rows, because a test imports it.
fn told(code: &'static str, outcome: &Outcome, context: &mut Context<'_>) -> Result<()> {
    if !outcome.bad.is_empty() {
        return Err(Problem::new("server.internal"));
    }
    context.say(
        &Phrase::new(code)
            .with("changed", outcome.changed)
            .with("unchanged", outcome.unchanged),
    )
}
