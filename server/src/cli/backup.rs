//! `onegrid backup`: a consistent copy, while the server keeps running.

use std::path::PathBuf;

use super::Context;
use super::time::now;
use crate::admin::backup;
use crate::admin::data_dir::DataDir;
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "FOLDER", help = "cli.arg_backup_to")]
    to: PathBuf,
}

/// Copies database and keys into a new folder.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let data = DataDir::of(&context.config()?.config);
    backup::backup(&data, &args.to, now())?;
    context.say(&Phrase::new("backup.done").with("path", args.to.display()))
}
