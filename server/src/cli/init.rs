//! `onegrid init`: a new deployment.

use std::path::PathBuf;

use onegrid_core::domain::position::Datum;
use onegrid_core::system::OsRandom;

use super::Context;
use super::time::now;
use crate::admin::data_dir::DataDir;
use crate::admin::import::areas::AreaFiles;
use crate::admin::take_in::{Mode, Order, Outcome, import_areas, import_members, import_units};
use crate::admin::{ADMIN, seed, setup};
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
    #[arg(long, help = "cli.arg_json")]
    json: bool,
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
    if data.remote().is_some() {
        return Err(Problem::new("init.on_server"));
    }
    let mut sown = Sown::default();
    let fill = |server: &Server| match args.seed {
        Some(chosen) => sow(server, chosen, &mut sown),
        None => Ok(()),
    };
    let keys = setup::prepare_with(&data, &args.root_key, now(), &mut OsRandom, fill)?;
    // The data folder may have been made by hand, with access for others.
    context.protect(&data);
    let (path, root_key) = (data.path().display(), args.root_key.display());
    let authority = keys.authority().0;
    let value = serde_json::json!({
        "path": path.to_string(),
        "authority": authority.to_string(),
        "root_key": root_key.to_string(),
        "areas": sown.areas,
        "units": sown.units,
        "members": sown.members,
    });
    let mut said = sown.phrases;
    said.push(
        Phrase::new("init.done")
            .with("path", path)
            .with("authority", authority),
    );
    said.push(Phrase::new("init.root_key").with("path", root_key));
    said.push(Phrase::new("init.next"));
    context.result(args.json, &value, &said)
}

/// Rows of the built-in data that were imported.
#[derive(Debug, Default)]
struct Sown {
    areas: usize,
    units: usize,
    members: usize,
    phrases: Vec<Phrase>,
}

fn sow(server: &Server, chosen: Seed, sown: &mut Sown) -> Result<()> {
    let mut quiet = |_, _| {};
    let files: AreaFiles = seed::gongshu();
    let order = Order {
        mode: Mode::Strict,
        actor: ADMIN,
        now_ms: now(),
    };
    let areas = import_areas(server, &files, Datum::Wgs84, order, &mut quiet)?;
    sown.areas = sown.count("import.done_areas", &areas)?;
    if chosen == Seed::Demo {
        let name = "units.csv";
        let units = import_units(server, name, seed::DEMO_UNITS, order, &mut quiet)?;
        sown.units = sown.count("import.done_units", &units)?;
        let name = "members.csv";
        let members = import_members(server, name, seed::DEMO_MEMBERS, order, &mut quiet)?;
        sown.members = sown.count("import.done_members", &members)?;
    }
    Ok(())
}

impl Sown {
    /// Notes the counts only: built-in data has no bad rows, because a test imports it.
    fn count(&mut self, code: &'static str, outcome: &Outcome) -> Result<usize> {
        if !outcome.bad.is_empty() {
            return Err(Problem::new("server.internal"));
        }
        let phrase = Phrase::new(code)
            .with("changed", outcome.changed)
            .with("unchanged", outcome.unchanged);
        self.phrases.push(phrase);
        Ok(outcome.changed)
    }
}
