//! `onegrid invite`: one more phone for a member. The code is shown once; the server only keeps data that
//! verifies it.

use onegrid_core::id::MemberId;
use onegrid_core::system::OsRandom;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::Context;
use super::time::{now, utc};
use crate::admin::ADMIN;
use crate::config::Config;
use crate::error::{Phrase, Problem, Result};
use crate::registry::members::id_of_external;
use crate::server::Server;

const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[arg(
        long,
        value_name = "HOURS",
        default_value_t = 72,
        value_parser = clap::value_parser!(u16).range(1..=720),
        help = "cli.arg_hours"
    )]
    hours: u16,
    #[arg(long, value_name = "URL", help = "cli.arg_address")]
    address: Option<String>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Invites, and prints code and QR text.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (config, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let valid_ms = i64::from(args.hours) * HOUR_MS;
    let invited = server.invite(member, valid_ms, ADMIN, now(), &mut OsRandom)?;
    let address = args.address.clone().or_else(|| own_address(&config));
    let qr = address.map(|address| invited.qr(server.keys(), &address));
    let expires_ms = invited.invitation.expires_ms;
    if args.json {
        return context.json(&serde_json::json!({
            "member": member.to_string(),
            "code": invited.code,
            "qr": qr,
            "expires_ms": expires_ms,
        }));
    }
    context.say(
        &Phrase::new("invite.code")
            .with("code", &invited.code)
            .with("until", utc(expires_ms)),
    )?;
    let Some(text) = qr else {
        return context.say(&Phrase::new("invite.no_address"));
    };
    context.line(picture(&text)?)?;
    context.line(&text)?;
    context.say(&Phrase::new("invite.next"))
}

/// Finds a member by OneGrid's id, or by the external id from the import.
pub(super) fn member_of(server: &Server, text: &str) -> Result<MemberId> {
    let candidates = [
        text.parse::<MemberId>().ok(),
        Some(id_of_external(server.keys().authority(), text)),
    ];
    for member in candidates.into_iter().flatten() {
        if server.store().read(|tx| tx.member(member))?.is_some() {
            return Ok(member);
        }
    }
    Err(Problem::new("registry.unknown_member").with("member", text))
}

/// Address from the configuration, if phones can use it.
fn own_address(config: &Config) -> Option<String> {
    let listen = config.server.listen;
    let usable = listen.port() != 0 && !listen.ip().is_unspecified();
    let scheme = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    usable.then(|| format!("{scheme}://{listen}"))
}

fn picture(text: &str) -> Result<String> {
    let code =
        QrCode::new(text).map_err(|error| Problem::new("server.internal").because(&error))?;
    // Terminals are dark, so light modules are drawn to make the code dark on light.
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .build())
}
