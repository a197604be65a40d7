//! `onegrid export`: records as lines of JSON, as tables or as a map, for evaluation outside OneGrid; or a
//! template of checklists as a spreadsheet.
//!
//! Without `--as` it writes an outline, which has no texts, names or authors.

use std::path::PathBuf;

use super::Context;
use super::invite::member_of;
use super::progress::Bar;
use super::time::now;
use crate::admin::export::{Files, Format, Wanted, export, export_template};
use crate::error::{Phrase, Problem, Result};
use crate::server::Server;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    #[arg(value_name = "FILE", required = true, help = "cli.arg_export_to")]
    to: Option<PathBuf>,
    #[arg(long, value_name = "FORMAT", help = "cli.arg_format")]
    format: Option<Format>,
    #[arg(long = "as", value_name = "MEMBER", help = "cli.arg_export_as")]
    reader: Option<String>,
    #[arg(long, help = "cli.arg_progress")]
    progress: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Exports of other things than records.
#[derive(Debug, clap::Subcommand)]
enum Other {
    #[command(about = "cli.export_template")]
    Template(TemplateArgs),
}

#[derive(Debug, clap::Args)]
struct TemplateArgs {
    #[arg(value_name = "ID", help = "cli.arg_template_id")]
    id: String,
    #[arg(value_name = "FILE", help = "cli.arg_template_to")]
    to: PathBuf,
    #[arg(long, value_name = "N", help = "cli.arg_template_version")]
    version: Option<u32>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Writes new files from one snapshot.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    if let Some(Other::Template(args)) = &args.other {
        return template(&server, args, context);
    }
    let to = args.to.as_ref().ok_or_else(|| {
        let arg = "<FILE>";
        Problem::new("cli.missing_argument").with("arg", arg)
    })?;
    let reader = args.reader.as_deref();
    let reader = reader.map(|text| member_of(&server, text)).transpose()?;
    let wanted = Wanted {
        reader,
        format: args.format.unwrap_or_default(),
        lang: context.lang,
    };
    let mut files = Files::create(to, wanted)?;
    let bar = Bar::new(args.progress);
    let done = export(
        &server,
        wanted,
        &mut files,
        &context.actor,
        now(),
        &mut bar.on(),
    );
    bar.end();
    if done.is_err() {
        // Half a file would be in the way of the next export.
        files.remove();
    }
    let done = done?;
    let path = to.display().to_string();
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

fn template(server: &Server, args: &TemplateArgs, context: &mut Context<'_>) -> Result<()> {
    let version = export_template(server, &args.id, args.version, &args.to)?;
    let path = args.to.display().to_string();
    let value = serde_json::json!({"path": path, "id": args.id, "version": version});
    let said = Phrase::new("export.done_template")
        .with("id", &args.id)
        .with("version", version)
        .with("path", path);
    context.result(args.json, &value, &[said])
}
