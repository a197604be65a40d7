//! `onegrid restore`: replaces the data with a backup, under a new generation.

use std::path::PathBuf;

use super::Context;
use super::time::now;
use crate::admin::backup::{self, RestoreOptions};
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "FOLDER", help = "cli.arg_backup_from")]
    from: PathBuf,
    #[arg(
        long,
        value_name = "GENERATION",
        value_parser = clap::value_parser!(u32).range(..i64::from(u32::MAX)),
        help = "cli.arg_above"
    )]
    above: Option<u32>,
    #[arg(long, help = "cli.arg_damaged")]
    damaged: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let data = context.data()?;
    let options = RestoreOptions {
        above: args.above,
        takes_damaged: args.damaged,
    };
    let restored = backup::restore_with(&data, &args.from, options, now())?;
    // The data folder may have been made by hand, with access for others.
    context.protect(&data);
    let aside = restored.set_aside.map(|path| path.display().to_string());
    let value = serde_json::json!({
        "generation": restored.generation,
        "lost": restored.lost,
        "set_aside": aside,
    });
    let mut said = Vec::new();
    said.extend(aside.map(|path| Phrase::new("restore.aside").with("path", path)));
    said.push(Phrase::new("restore.done").with("generation", restored.generation));
    said.push(Phrase::new("restore.invitations"));
    if restored.lost > 0 {
        said.push(Phrase::new("restore.lost").with("count", restored.lost));
    }
    context.result(args.json, &value, &said)
}
