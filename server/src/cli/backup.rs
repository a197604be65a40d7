//! `onegrid backup`: a consistent copy, while the server keeps running.

use std::path::PathBuf;

use super::Context;
use super::time::now;
use crate::admin::backup;
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "FOLDER", help = "cli.arg_backup_to")]
    to: PathBuf,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Copies database and keys into a new folder.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let data = context.data()?;
    backup::backup(&data, &args.to, now())?;
    let path = args.to.display().to_string();
    let done = Phrase::new("backup.done").with("path", &path);
    context.result(args.json, &serde_json::json!({ "path": path }), &[done])
}
