//! `onegrid review`: the entries that wait for a person's decision, with the words for a member who may read them.

use std::collections::BTreeMap;

use onegrid_core::id::{DeviceId, EnvelopeId, MemberId};
use onegrid_core::texts::say;
use onegrid_core::wire::verdict::Verdict;

use super::Context;
use super::invite::member_of;
use super::page::Page;
use super::revoke::device_of;
use super::time::{local, now};
use crate::admin::held::{self, Held};
use crate::error::{Phrase, Result};
use crate::ingest::Waiting;
use crate::server::Server;

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
struct Conditions {
    #[arg(long, value_name = "DEVICE", help = "cli.arg_of_device")]
    device: Option<String>,
    #[arg(long, value_name = "MEMBER", help = "cli.arg_waiting_of")]
    member: Option<String>,
    #[arg(long, value_name = "REASON", help = "cli.arg_waiting_for")]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    conditions: Conditions,
    #[arg(long = "as", value_name = "MEMBER", help = "cli.arg_review_as")]
    reader: Option<String>,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DecideArgs {
    #[arg(
        value_name = "ENVELOPE",
        help = "cli.arg_envelope",
        required_unless_present_any = ["device", "member", "reason"],
        conflicts_with_all = ["device", "member", "reason"]
    )]
    envelope: Option<EnvelopeId>,
    #[command(flatten)]
    conditions: Conditions,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
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

impl Conditions {
    /// Returns the waiting entries that match, the oldest first.
    fn select(&self, server: &Server) -> Result<Vec<Waiting>> {
        let device = self.device.as_deref();
        let device = device.map(|text| device_of(server, text)).transpose()?;
        let member = self.member.as_deref();
        let member = member.map(|text| member_of(server, text)).transpose()?;
        let of_member: Option<Vec<DeviceId>> = match member {
            Some(member) => {
                let rows = server.store().read(|tx| tx.devices_of(member))?;
                Some(rows.into_iter().map(|row| row.id).collect())
            }
            None => None,
        };
        let reason = self.reason.as_deref().map(reason_code);
        let all = server.waiting(usize::MAX)?.into_iter();
        let found = all
            .filter(|one| device.is_none_or(|device| device == one.author))
            .filter(|one| {
                let devices = of_member.as_ref();
                devices.is_none_or(|devices| devices.contains(&one.author))
            })
            .filter(|one| {
                let wanted = reason.as_deref();
                wanted.is_none_or(|wanted| wanted == one.reason.code())
            });
        Ok(found.collect())
    }
}

/// The code of a reason, with or without its area.
fn reason_code(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix(HELD) {
        Some(_) => text.to_owned(),
        None => format!("{HELD}{text}"),
    }
}

/// Begins the code of each reason.
const HELD: &str = "held.";

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let waiting = args.conditions.select(&server)?;
    let reader = args.reader.as_deref();
    let reader = reader.map(|text| member_of(&server, text)).transpose()?;
    let page = args.page.of(&waiting);
    let words = match reader {
        Some(reader) => held::read(&server, page, reader, &context.actor, now())?,
        None => BTreeMap::new(),
    };
    for one in page {
        let held = words.get(&one.envelope);
        if args.json {
            context.json(&to_json(one, held))?;
            continue;
        }
        let since = local(one.since_ms);
        let reason = Phrase::new(one.reason.code()).sentence(context.lang);
        context.line(format_args!(
            "{}  {}  {}  {since}  {reason}",
            one.envelope, one.record, one.author
        ))?;
        match held {
            Some(held) => show(held, context)?,
            None if reader.is_some() => context.say(&Phrase::new("review.hidden"))?,
            None => {}
        }
    }
    if args.json {
        return Ok(());
    }
    if waiting.is_empty() {
        return context.say(&Phrase::new("review.none"));
    }
    args.page.footer(waiting.len(), context)
}

fn show(held: &Held, context: &mut Context<'_>) -> Result<()> {
    let name = held
        .by
        .as_ref()
        .map(|(member, name)| shown_name(*member, name.as_deref()));
    let name = name.unwrap_or_else(|| "-".to_owned());
    let title = held.title.as_deref().unwrap_or("-");
    let what = say(&format!("act.{}", held.what), context.lang, &[]);
    context.line(format_args!("  {name}  {what}  {title}"))?;
    match &held.words {
        Some(words) => words
            .lines()
            .try_for_each(|words| context.line(format_args!("    {words}"))),
        None => Ok(()),
    }
}

fn shown_name(member: MemberId, name: Option<&str>) -> String {
    name.map_or_else(|| member.to_string(), str::to_owned)
}

fn to_json(one: &Waiting, held: Option<&Held>) -> serde_json::Value {
    let by = held.and_then(|held| held.by.as_ref());
    serde_json::json!({
        "envelope": one.envelope.to_string(),
        "record": one.record.to_string(),
        "author": one.author.to_string(),
        "reason": one.reason.code(),
        "since_ms": one.since_ms,
        "by": by.map(|(member, _)| member.to_string()),
        "by_name": by.and_then(|(_, name)| name.clone()),
        "what": held.map(|held| held.what),
        "title": held.and_then(|held| held.title.clone()),
        "words": held.and_then(|held| held.words.clone()),
    })
}

fn decide(args: &DecideArgs, accept: bool, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let mut decided = BTreeMap::new();
    if let Some(envelope) = args.envelope {
        decided.extend(server.decide(envelope, accept, &context.actor, now())?);
    } else {
        let waiting = args.conditions.select(&server)?;
        confirm(&waiting, accept, args, context)?;
        decide_all(&server, &waiting, (accept, &context.actor), &mut decided)?;
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

/// Counts the entries of the decision by phone and reason, and asks.
fn confirm(
    waiting: &[Waiting],
    accept: bool,
    args: &DecideArgs,
    context: &mut Context<'_>,
) -> Result<()> {
    if waiting.len() < 2 {
        return Ok(());
    }
    let mut groups: BTreeMap<(DeviceId, &str), usize> = BTreeMap::new();
    for one in waiting {
        *groups.entry((one.author, one.reason.code())).or_default() += 1;
    }
    if !args.json {
        for ((author, reason), count) in groups {
            let reason = Phrase::new(reason).sentence(context.lang);
            context.line(format_args!("{author}  {count}  {reason}"))?;
        }
    }
    let code = if accept {
        "review.ask_accept"
    } else {
        "review.ask_refuse"
    };
    context.confirm(args.yes, &Phrase::new(code).with("count", waiting.len()))
}

/// Decides each of these entries once. An accepted entry may continue to wait for another reason.
fn decide_all(
    server: &Server,
    waiting: &[Waiting],
    (accept, actor): (bool, &str),
    decided: &mut BTreeMap<EnvelopeId, Verdict>,
) -> Result<()> {
    for one in waiting {
        if decided.contains_key(&one.envelope) {
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
