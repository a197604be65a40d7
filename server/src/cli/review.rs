//! `onegrid review`: what waits for a person's decision.

use onegrid_core::id::EnvelopeId;
use onegrid_core::wire::verdict::Status;

use super::Context;
use super::time::{now, utc};
use crate::admin::ADMIN;
use crate::error::{Phrase, Result};

/// Rows of one list.
const LIST_MAX: usize = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.review_list")]
    List(ListArgs),
    #[command(about = "cli.review_accept")]
    Accept(DecideArgs),
    #[command(about = "cli.review_refuse")]
    Refuse(DecideArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DecideArgs {
    #[arg(value_name = "ENVELOPE", help = "cli.arg_envelope")]
    envelope: EnvelopeId,
}

/// Lists, or decides.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(args, context),
        Command::Accept(args) => decide(args.envelope, true, context),
        Command::Refuse(args) => decide(args.envelope, false, context),
    }
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let waiting = server.waiting(LIST_MAX)?;
    for one in &waiting {
        if args.json {
            context.json(&serde_json::json!({
                "envelope": one.envelope.to_string(),
                "record": one.record.to_string(),
                "author": one.author.to_string(),
                "reason": one.reason.code(),
                "since_ms": one.since_ms,
            }))?;
        } else {
            let since = utc(one.since_ms);
            let reason = Phrase::new(one.reason.code()).sentence(context.lang);
            context.line(format_args!(
                "{}  {}  {}  {since}  {reason}",
                one.envelope, one.record, one.author
            ))?;
        }
    }
    if waiting.is_empty() && !args.json {
        context.say(&Phrase::new("review.none"))?;
    }
    Ok(())
}

fn decide(envelope: EnvelopeId, accept: bool, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let changed = server.decide(envelope, accept, ADMIN, now())?;
    let accepted = changed
        .iter()
        .filter(|(_, verdict)| verdict.status == Status::Accepted)
        .count();
    context.say(
        &Phrase::new("review.decided")
            .with("accepted", accepted)
            .with("refused", changed.len() - accepted),
    )
}
