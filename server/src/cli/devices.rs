//! `onegrid devices`: lists the enrolled phones.

use super::Context;
use super::invite::member_of;
use super::time::local;
use crate::error::{Phrase, Problem, Result};
use crate::registry::devices;
use crate::store::DeviceRow;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "MEMBER", help = "cli.arg_of_member")]
    member: Option<String>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists devices with member, enrolment and revocation.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let only = args
        .member
        .as_deref()
        .map(|text| member_of(&server, text))
        .transpose()?;
    let rows = server.store().read::<_, Problem>(|tx| {
        let mut rows: Vec<(DeviceRow, Option<String>, i64)> = Vec::new();
        for device in tx.devices()? {
            let Some(member) = device.member else {
                continue;
            };
            if only.is_none_or(|only| only == member) {
                let name = tx.member(member)?.and_then(|row| row.public_name);
                let newest = devices::newest(tx, device.id)?;
                let until_ms = newest.map_or(0, |newest| newest.facts().expires_ms);
                rows.push((device, name, until_ms));
            }
        }
        Ok(rows)
    })?;
    for (device, name, until_ms) in &rows {
        let member = device.member.map(|id| id.to_string()).unwrap_or_default();
        if args.json {
            context.json(&serde_json::json!({
                "device": device.id.to_string(),
                "member": member,
                "name": name,
                "enrolled_ms": device.enrolled_ms,
                "revoked_ms": device.revoked_ms,
                "reads_until_ms": until_ms,
            }))?;
            continue;
        }
        let standing = match device.revoked_ms {
            Some(ms) => Phrase::new("devices.revoked").with("at", local(ms)),
            None => Phrase::new("devices.enrolled")
                .with("at", local(device.enrolled_ms))
                .with("until", local(*until_ms)),
        };
        let (standing, name) = (
            standing.sentence(context.lang),
            name.as_deref().unwrap_or("-"),
        );
        context.line(format_args!("{}  {member}  {name}  {standing}", device.id))?;
    }
    if rows.is_empty() && !args.json {
        context.say(&Phrase::new("devices.none"))?;
    }
    Ok(())
}
