//! `onegrid review`: the entries that wait for a person's decision.

use std::collections::BTreeMap;

use onegrid_core::id::{DeviceId, EnvelopeId};
use onegrid_core::wire::verdict::Verdict;

use super::Context;
use super::revoke::device_of;
use super::time::{local, now};
use crate::error::{Phrase, Result};
use crate::server::Server;

/// Limit of rows in one list.
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
    #[arg(
        value_name = "ENVELOPE",
        help = "cli.arg_envelope",
        required_unless_present = "device"
    )]
    envelope: Option<EnvelopeId>,
    #[arg(
        long,
        value_name = "DEVICE",
        help = "cli.arg_of_device",
        conflicts_with = "envelope"
    )]
    device: Option<String>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists entries, or decides.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(args, context),
        Command::Accept(args) => decide(args, true, context),
        Command::Refuse(args) => decide(args, false, context),
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
            let since = local(one.since_ms);
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

fn decide(args: &DecideArgs, accept: bool, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let mut decided = BTreeMap::new();
    if let Some(envelope) = args.envelope {
        decided.extend(server.decide(envelope, accept, &context.actor, now())?);
    }
    if let Some(device) = &args.device {
        let device = device_of(&server, device)?;
        decide_all(&server, device, (accept, &context.actor), &mut decided)?;
    }
    let accepted = decided
        .values()
        .filter(|verdict| verdict.status.is_accepted())
        .count();
    let refused = decided.len() - accepted;
    let value = serde_json::json!({ "accepted": accepted, "refused": refused });
    let done = Phrase::new("review.decided")
        .with("accepted", accepted)
        .with("refused", refused);
    context.result(args.json, &value, &[done])
}

/// Decides each waiting entry of a device once. An accepted entry may continue to wait for another
/// reason.
fn decide_all(
    server: &Server,
    device: DeviceId,
    (accept, actor): (bool, &str),
    decided: &mut BTreeMap<EnvelopeId, Verdict>,
) -> Result<()> {
    for one in server.waiting(usize::MAX)? {
        if one.author != device || decided.contains_key(&one.envelope) {
            continue;
        }
        match server.decide(one.envelope, accept, actor, now()) {
            Ok(changed) => decided.extend(changed),
            // The decision about another entry already included this one.
            Err(problem) if problem.code() == "review.not_waiting" => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}
