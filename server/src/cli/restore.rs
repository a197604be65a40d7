//! `onegrid restore`: replaces the data with a backup, under a new generation.

use std::path::PathBuf;

use super::Context;
use super::time::{local, now};
use crate::admin::backup::{self, RestoreOptions};
use crate::admin::restore_losses::{self, Losses};
use crate::error::{Phrase, Problem, Result};
use crate::registry::members::Stamp;
use crate::store::AuditRow;

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
    if data.remote().is_some() {
        return Err(Problem::new("restore.on_server"));
    }
    let options = RestoreOptions {
        above: args.above,
        takes_damaged: args.damaged,
    };
    let stamp = Stamp {
        actor: &context.actor,
        now_ms: now(),
    };
    let restored = backup::restore_with(&data, &args.from, options, stamp)?;
    // The data folder may have been made by hand, with access for others.
    context.protect(&data);
    let lost = match &restored.set_aside {
        Some(aside) => restore_losses::losses(aside, &data.store()?),
        None => Err(Problem::new("restore.lost_unknown")),
    };
    let aside = restored.set_aside.map(|path| path.display().to_string());
    let found = lost.as_ref().ok();
    let value = serde_json::json!({
        "generation": restored.generation,
        "lost": restored.lost,
        "set_aside": aside,
        "commands": found.map(|lost| &lost.commands),
        "absent": found.map(|lost| &lost.absent),
        "audit": found.map(|lost| lost.audit.iter().map(line_to_json).collect::<Vec<_>>()),
    });
    let mut said = Vec::new();
    said.extend(aside.map(|path| Phrase::new("restore.aside").with("path", path)));
    said.push(Phrase::new("restore.done").with("generation", restored.generation));
    said.push(Phrase::new("restore.invitations"));
    if restored.lost > 0 {
        said.push(Phrase::new("restore.lost").with("count", restored.lost));
    }
    context.result(args.json, &value, &said)?;
    match &lost {
        // The previous data is missing or damaged.
        Err(_) => context.warn(&Phrase::new("restore.lost_unknown")),
        Ok(lost) if !args.json => tell(lost, context)?,
        Ok(_) => {}
    }
    Ok(())
}

fn line_to_json(row: &AuditRow) -> serde_json::Value {
    serde_json::json!({
        "no": row.no,
        "at_ms": row.at_ms,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
    })
}

/// Tells the work of administrators that has to be done once more.
fn tell(lost: &Losses, context: &mut Context<'_>) -> Result<()> {
    if !lost.commands.is_empty() {
        context.say(&Phrase::new("restore.lost_commands").with("count", lost.commands.len()))?;
        for command in &lost.commands {
            context.line(format_args!("  {command}"))?;
        }
    }
    if !lost.absent.is_empty() {
        let ids: Vec<&str> = lost.absent.iter().map(String::as_str).collect();
        let absent = Phrase::new("restore.lost_people").with("count", ids.len());
        context.say(&absent.with("ids", ids.join(" ")))?;
    }
    if !lost.audit.is_empty() {
        context.say(&Phrase::new("restore.lost_log").with("count", lost.audit.len()))?;
        for row in &lost.audit {
            let (at, actor) = (local(row.at_ms), &row.actor);
            context.line(format_args!(
                "  {at}  {actor}  {}  {}",
                row.action, row.subject
            ))?;
        }
    }
    Ok(())
}
