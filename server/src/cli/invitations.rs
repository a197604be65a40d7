//! `onegrid invitations`: lists invitations and cancels open ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use onegrid_core::id::MemberId;
use onegrid_core::trust::invitation::InvitationId;
use serde_json::json;

use super::Context;
use super::invite::member_of;
use super::page::Page;
use super::time::{local, now};
use crate::error::{Phrase, Problem, Result};
use crate::registry::enrolment::IssuedInvitation;
use crate::server::Server;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.invitations_list")]
    List(ListArgs),
    #[command(about = "cli.invitations_cancel")]
    Cancel(CancelArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(long, value_name = "MEMBER", help = "cli.arg_invited_member")]
    member: Option<String>,
    #[arg(long, help = "cli.arg_all_invitations")]
    all: bool,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct CancelArgs {
    #[arg(
        value_name = "INVITATION",
        help = "cli.arg_invitation",
        required_unless_present_any = ["member", "all"],
        conflicts_with_all = ["member", "all"]
    )]
    invitation: Option<String>,
    #[arg(
        long,
        value_name = "MEMBER",
        help = "cli.arg_invited_member",
        conflicts_with = "all"
    )]
    member: Option<String>,
    #[arg(long, help = "cli.arg_cancel_all")]
    all: bool,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists, or cancels.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(args, context),
        Command::Cancel(args) => cancel(args, context),
    }
}

/// Id of an invitation as hexadecimal digits.
fn shown(id: InvitationId) -> String {
    id.0.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = args.member.as_deref();
    let member = member.map(|text| member_of(&server, text)).transpose()?;
    let now_ms = now();
    let found = of_member(&server, member)?;
    let found: Vec<IssuedInvitation> = found
        .into_iter()
        .filter(|one| args.all || one.is_open(now_ms))
        .collect();
    for one in args.page.of(&found) {
        let (external_id, name) = server.store().read::<_, Problem>(|tx| {
            let row = tx.member(one.member)?;
            let name = row.and_then(|row| row.public_name);
            Ok((tx.external_id(one.member.0)?, name))
        })?;
        let state = state(one, now_ms);
        if args.json {
            context.json(&json!({
                "invitation": shown(one.id),
                "member": one.member.to_string(),
                "external_id": external_id,
                "name": name,
                "state": state.0,
                "created_ms": one.created_ms,
                "expires_ms": one.expires_ms,
                "device": one.redeemed.map(|(device, _)| device.to_string()),
                "redeemed_ms": one.redeemed.map(|(_, at_ms)| at_ms),
            }))?;
            continue;
        }
        let id = external_id.unwrap_or_else(|| one.member.to_string());
        let name = name.as_deref().unwrap_or("-");
        let state = state.1.sentence(context.lang);
        context.line(format_args!("{}  {id}  {name}  {state}", shown(one.id)))?;
    }
    if args.json {
        return Ok(());
    }
    args.page.footer(found.len(), context)
}

/// The state for programs and for people.
fn state(one: &IssuedInvitation, now_ms: i64) -> (&'static str, Phrase) {
    match one.redeemed {
        Some((_, at_ms)) => {
            let used = Phrase::new("invitations.used").with("at", local(at_ms));
            ("used", used)
        }
        None if one.is_open(now_ms) => {
            let open = Phrase::new("invitations.open");
            ("open", open.with("until", local(one.expires_ms)))
        }
        None => {
            let over = Phrase::new("invitations.expired");
            ("expired", over.with("at", local(one.expires_ms)))
        }
    }
}

fn of_member(server: &Server, member: Option<MemberId>) -> Result<Vec<IssuedInvitation>> {
    let all = server.invitations()?.into_iter();
    let wanted = all.filter(|one| member.is_none_or(|member| member == one.member));
    Ok(wanted.collect())
}

fn cancel(args: &CancelArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = args.member.as_deref();
    let member = member.map(|text| member_of(&server, text)).transpose()?;
    let unused = of_member(&server, member)?.into_iter();
    let unused = unused.filter(|one| one.redeemed.is_none());
    let ids: Vec<InvitationId> = match &args.invitation {
        None => unused.map(|one| one.id).collect(),
        Some(text) => {
            let text = text.to_lowercase();
            let found = unused.filter(|one| shown(one.id).starts_with(&text));
            let found: Vec<InvitationId> = found.map(|one| one.id).collect();
            if found.len() != 1 || text.len() < DIGITS_MIN {
                return Err(Problem::new("invitations.unknown").with("invitation", text));
            }
            found
        }
    };
    if ids.len() > 1 {
        let question = Phrase::new("invitations.ask_cancel").with("count", ids.len());
        context.confirm(args.yes, &question)?;
    }
    let ids: Vec<InvitationId> = ids
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let cancelled = server.cancel_invitations(ids, &context.actor, now())?;
    let said = Phrase::new("invitations.cancelled").with("count", cancelled);
    context.result(args.json, &json!({ "cancelled": cancelled }), &[said])
}

/// Fewest digits of an id that may name an invitation, if only one begins with them.
const DIGITS_MIN: usize = 6;
