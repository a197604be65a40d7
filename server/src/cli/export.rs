//! `onegrid export`: records as lines of JSON, as tables or as a map, for evaluation outside OneGrid.
//!
//! Without `--as` it writes an outline, which has no texts, names or authors.

use std::path::PathBuf;

use super::Context;
use super::invite::member_of;
use super::progress::Bar;
use super::time::now;
use crate::admin::ADMIN;
use crate::admin::export::{Files, Format, Wanted, export};
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "FILE", help = "cli.arg_export_to")]
    to: PathBuf,
    #[arg(long, value_name = "FORMAT", help = "cli.arg_format")]
    format: Option<Format>,
    #[arg(long = "as", value_name = "MEMBER", help = "cli.arg_export_as")]
    reader: Option<String>,
    #[arg(long, help = "cli.arg_progress")]
    progress: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Writes new files from one snapshot.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let reader = args.reader.as_deref();
    let reader = reader.map(|text| member_of(&server, text)).transpose()?;
    let wanted = Wanted {
        reader,
        format: args.format.unwrap_or_default(),
    };
    let mut files = Files::create(&args.to, wanted)?;
    let bar = Bar::new(args.progress);
    let done = export(&server, wanted, &mut files, ADMIN, now(), &mut bar.on());
    bar.end();
    let done = done?;
    let path = args.to.display().to_string();
    let value = serde_json::json!({
        "path": path,
        "written": done.written,
        "left_out": done.left_out,
    });
    let mut said = vec![
        Phrase::new("export.done")
            .with("count", done.written)
            .with("path", path),
    ];
    if done.left_out > 0 {
        said.push(Phrase::new("export.left_out").with("count", done.left_out));
    }
    context.result(args.json, &value, &said)
}
