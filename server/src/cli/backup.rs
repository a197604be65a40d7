//! `onegrid backup`: a consistent copy, while the server keeps running. The exit code is 1 if the copy lacks
//! something.

use std::path::PathBuf;

use super::Context;
use super::time::now;
use crate::admin::backup;
use crate::error::{Phrase, Problem, Result};

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
    let done = backup::backup(&data, &args.to, &context.actor, now())?;
    let path = args.to.display().to_string();
    let mut said = vec![Phrase::new("backup.done").with("path", &path)];
    if done.left_out > 0 {
        said.push(Phrase::new("backup.left_out").with("count", done.left_out));
    }
    if !done.is_as_sealed {
        said.push(Phrase::new("backup.not_sealed"));
    }
    let value = serde_json::json!({
        "path": path,
        "left_out": done.left_out,
        "as_sealed": done.is_as_sealed,
    });
    context.result(args.json, &value, &said)?;
    if !done.is_whole() {
        return Err(Problem::new("backup.not_whole").with("path", path));
    }
    Ok(())
}
