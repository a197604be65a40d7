//! `onegrid restore`: replaces the data with a backup, under a new generation.

use std::path::PathBuf;

use super::Context;
use super::time::now;
use crate::admin::backup;
use crate::admin::data_dir::DataDir;
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
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let data = DataDir::of(&context.config()?.config);
    let restored = backup::restore(&data, &args.from, args.above, now())?;
    if let Some(aside) = &restored.set_aside {
        context.say(&Phrase::new("restore.aside").with("path", aside.display()))?;
    }
    context.say(&Phrase::new("restore.done").with("generation", restored.generation))?;
    context.say(&Phrase::new("restore.invitations"))
}
