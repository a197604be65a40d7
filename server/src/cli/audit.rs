//! `onegrid audit`: the log of the administrators' work, and its export for a spreadsheet.

use std::path::PathBuf;

use onegrid_core::texts::text;
use serde_json::json;

use super::Context;
use super::time::{local, now};
use crate::admin::audit_log::{self, Line, LogKind, Sought};
use crate::error::{Phrase, Problem, Result};

const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.audit_list")]
    List(ListArgs),
    #[command(about = "cli.audit_search")]
    Search(SearchArgs),
    #[command(about = "cli.audit_export")]
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help = "cli.arg_last_lines"
    )]
    last: u32,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Conditions {
    #[arg(long, value_name = "NAME", help = "cli.arg_audit_by")]
    by: Option<String>,
    #[arg(long, value_name = "ACTION", help = "cli.arg_audit_action")]
    action: Option<String>,
    #[arg(long, value_name = "SUBJECT", help = "cli.arg_audit_subject")]
    subject: Option<String>,
    #[arg(
        long,
        value_name = "DAYS",
        value_parser = clap::value_parser!(i64).range(0..=36_500),
        help = "cli.arg_audit_days"
    )]
    days: Option<i64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct SearchArgs {
    #[command(flatten)]
    conditions: Conditions,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    #[arg(value_name = "FILE", help = "cli.arg_export_to")]
    file: PathBuf,
    #[arg(
        long,
        value_name = "audit|readings",
        default_value = "audit",
        help = "cli.arg_audit_log"
    )]
    log: LogArg,
    #[command(flatten)]
    conditions: Conditions,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogArg {
    Audit,
    Readings,
}

/// Lists, searches or exports.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => {
            let (_, server) = context.deployment()?;
            let lines = audit_log::last(&server, args.last as usize)?;
            lines
                .iter()
                .try_for_each(|line| show(line, args.json, context))
        }
        Command::Search(args) => {
            let (_, server) = context.deployment()?;
            let sought = args.conditions.sought();
            let mut count = 0;
            audit_log::search(&server, &sought, |line| {
                count += 1;
                show(line, args.json, context)
            })?;
            if count == 0 && !args.json {
                context.say(&Phrase::new("list.none"))?;
            }
            Ok(())
        }
        Command::Export(args) => export(args, context),
    }
}

impl Conditions {
    fn sought(&self) -> Sought {
        Sought {
            actor: self.by.clone(),
            action: self.action.clone(),
            subject: self.subject.clone(),
            since_ms: self.days.map(|days| now().saturating_sub(days * DAY_MS)),
        }
    }

    fn is_for_audit_alone(&self) -> bool {
        self.by.is_some() || self.action.is_some() || self.subject.is_some()
    }
}

fn show(line: &Line, json: bool, context: &mut Context<'_>) -> Result<()> {
    let row = &line.row;
    if json {
        return context.json(&json!({
            "no": row.no,
            "at_ms": row.at_ms,
            "actor": row.actor,
            "action": row.action,
            "subject": row.subject,
            "external_id": line.external_id,
        }));
    }
    let known = line.external_id.as_ref();
    let known = known.map(|id| format!(" ({id})")).unwrap_or_default();
    // An action of a newer program has no sentence here.
    let sentence = text(&row.action, context.lang).unwrap_or_default();
    context.line(format_args!(
        "{}  {}  {}  {sentence} [{}]  {}{known}",
        row.no,
        local(row.at_ms),
        row.actor,
        row.action,
        row.subject
    ))
}

fn export(args: &ExportArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let log = match args.log {
        LogArg::Audit => LogKind::Audit,
        LogArg::Readings if args.conditions.is_for_audit_alone() => {
            return Err(Problem::new("audit.no_such_condition"));
        }
        LogArg::Readings => LogKind::Readings,
    };
    let sought = args.conditions.sought();
    let count = audit_log::export(&server, &args.file, log, &sought, &context.actor, now())?;
    let path = args.file.display().to_string();
    let said = Phrase::new("audit.exported_lines")
        .with("count", count)
        .with("path", &path);
    let value = json!({ "path": path, "written": count });
    context.result(args.json, &value, &[said])
}
