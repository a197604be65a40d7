//! `onegrid devices`: lists the enrolled phones, the failing ones first, and shows one.

use onegrid_core::domain::area::Area;
use onegrid_core::id::AreaId;
use serde_json::{Value, json};

use super::Context;
use super::invite::member_of;
use super::members::{area_of, directory_of};
use super::page::Page;
use super::revoke::device_of;
use super::time::{local, now};
use crate::admin::phones::{self, Filter, Phone, Standing};
use crate::admin::wording::Wording;
use crate::error::{Phrase, Problem, Result};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(about = "cli.devices_list")]
    List(ListArgs),
    #[command(about = "cli.devices_show")]
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[arg(long, value_name = "MEMBER", help = "cli.arg_of_member")]
    member: Option<String>,
    #[arg(long, value_name = "CODE", help = "cli.arg_phones_in_area")]
    area: Option<String>,
    #[arg(long, help = "cli.arg_failing")]
    failing: bool,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    #[arg(value_name = "DEVICE", help = "cli.arg_device")]
    device: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists or shows.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    match &args.command {
        None => list(&args.list, context),
        Some(Command::List(args)) => list(args, context),
        Some(Command::Show(args)) => show(args, context),
    }
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = args.member.as_deref();
    let member = member.map(|text| member_of(&server, text)).transpose()?;
    let area = args.area.as_deref();
    let area = area.map(|code| -> Result<AreaId> {
        let directory = directory_of(&server)?;
        area_of(&directory, code).map(Area::id)
    });
    let filter = Filter {
        member,
        area: area.transpose()?,
        failing: args.failing,
        device: None,
    };
    let (found, directory) = phones::find(&server, filter, now())?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    for phone in args.page.of(&found) {
        if args.json {
            context.json(&to_json(phone, wording))?;
        } else {
            context.line(line(phone, wording))?;
        }
    }
    if args.json {
        return Ok(());
    }
    if found.is_empty() && !args.failing {
        return context.say(&Phrase::new("devices.none"));
    }
    args.page.footer(found.len(), context)
}

fn owner_id(phone: &Phone) -> String {
    let known = phone.external_id.clone();
    known.unwrap_or_else(|| phone.owner.id.to_string())
}

fn line(phone: &Phone, wording: Wording<'_>) -> String {
    let name = phone.owner.public_name.as_deref().unwrap_or("-");
    let roles = wording.grants(&phone.owner.grants);
    let standing = standing(phone).sentence(wording.lang);
    let (device, owner) = (phone.device.id, owner_id(phone));
    format!("{device}  {owner}  {name}  {roles}  {standing}")
}

/// The worst thing about a phone, in words.
fn standing(phone: &Phone) -> Phrase {
    let until = local(phone.reads_until_ms);
    match phone.standing {
        Standing::Revoked => {
            let at_ms = phone.device.revoked_ms.unwrap_or_default();
            Phrase::new("devices.revoked").with("at", local(at_ms))
        }
        Standing::Expired => Phrase::new("devices.expired").with("until", until),
        Standing::Waiting => Phrase::new("devices.waiting").with("count", phone.waiting),
        Standing::Silent => {
            let at = local(phone.device.enrolled_ms);
            Phrase::new("devices.silent").with("at", at)
        }
        Standing::Behind => {
            let count = phone.behind.unwrap_or_default();
            Phrase::new("devices.behind").with("count", count)
        }
        Standing::Well => Phrase::new("devices.enrolled")
            .with("at", local(phone.device.enrolled_ms))
            .with("until", until),
    }
}

fn to_json(phone: &Phone, wording: Wording<'_>) -> Value {
    let roles = phone.owner.grants.iter();
    let roles: Vec<String> = roles.map(|grant| wording.grant(grant)).collect();
    json!({
        "device": phone.device.id.to_string(),
        "member": phone.owner.id.to_string(),
        "external_id": phone.external_id,
        "name": phone.owner.public_name,
        "roles": roles,
        "enrolled_ms": phone.device.enrolled_ms,
        "revoked_ms": phone.device.revoked_ms,
        "reads_until_ms": phone.reads_until_ms,
        "behind": phone.behind,
        "waiting": phone.waiting,
        "standing": phone.standing.name(),
    })
}

fn show(args: &ShowArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let filter = Filter {
        device: Some(device_of(&server, &args.device)?),
        ..Filter::default()
    };
    let (found, directory) = phones::find(&server, filter, now())?;
    let unknown = || Problem::new("registry.unknown_device").with("device", &args.device);
    let phone = found.first().ok_or_else(unknown)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    if args.json {
        return context.json(&to_json(phone, wording));
    }
    context.line(line(phone, wording))?;
    for grant in &phone.owner.grants {
        context.line(format_args!("  {}", wording.grant(grant)))?;
    }
    let known = Phrase::new("devices.enrolled")
        .with("at", local(phone.device.enrolled_ms))
        .with("until", local(phone.reads_until_ms));
    let known = known.sentence(context.lang);
    context.line(format_args!("  {known}"))?;
    let mut said = vec![Phrase::new("devices.waiting").with("count", phone.waiting)];
    if let Some(behind) = phone.behind {
        said.push(Phrase::new("devices.behind").with("count", behind));
    }
    for phrase in said {
        let sentence = phrase.sentence(context.lang);
        context.line(format_args!("  {sentence}"))?;
    }
    Ok(())
}
