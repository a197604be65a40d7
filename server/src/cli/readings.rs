//! `onegrid readings`: lists the readers of records of sensitive kinds. The audit log notes each use of
//! this command.

use onegrid_core::id::RecordId;

use super::Context;
use super::invite::member_of;
use super::time::{local, now};
use crate::error::{Phrase, Problem, Result};
use crate::feed::readings::{Sought, export_of};
use crate::limits::READINGS_KEPT_DAYS;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "MEMBER", help = "cli.arg_of_reader")]
    member: Option<String>,
    #[arg(long, value_name = "RECORD", help = "cli.arg_of_record")]
    record: Option<String>,
    #[arg(long, value_name = "DAYS", default_value_t = READINGS_KEPT_DAYS, help = "cli.arg_days")]
    days: i64,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists time, member, device, record and stream, the oldest day first.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = args.member.as_deref();
    let member = member.map(|text| member_of(&server, text)).transpose()?;
    let record = args.record.as_deref().map(record_of).transpose()?;
    let now_ms = now();
    let sought = Sought {
        member,
        record,
        since_ms: now_ms.saturating_sub(args.days.clamp(0, 36_500) * 24 * 3_600_000),
    };
    let actor = context.actor.clone();
    let count = server.readings(&sought, &actor, now_ms, |row| {
        if args.json {
            return context.json(&serde_json::json!({
                "first_ms": row.first_ms,
                "member": row.member.to_string(),
                "device": row.key.device.to_string(),
                "by": if row.key.device == export_of(row.member) { "export" } else { "phone" },
                "record": row.key.record.to_string(),
                "stream": row.stream.to_string(),
            }));
        }
        let (at, key) = (local(row.first_ms), row.key);
        let device = if key.device == export_of(row.member) {
            Phrase::new("readings.export").sentence(context.lang)
        } else {
            key.device.to_string()
        };
        context.line(format_args!(
            "{at}  {}  {device}  {}  {}",
            row.member, key.record, row.stream
        ))
    })?;
    if count == 0 && !args.json {
        context.say(&Phrase::new("readings.none"))?;
    }
    Ok(())
}

fn record_of(text: &str) -> Result<RecordId> {
    text.parse()
        .map_err(|_| Problem::new("registry.unknown_record").with("record", text))
}
