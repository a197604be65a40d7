//! `onegrid invite`: one more phone for a member. The code is shown once; the server only keeps data that
//! verifies it.

use std::net::SocketAddr;

use axum::http::Uri;
use axum::http::uri::Authority;
use onegrid_core::id::MemberId;
use onegrid_core::system::OsRandom;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::Context;
use super::time::{now, utc};
use crate::admin::ADMIN;
use crate::admin::data_dir::DataDir;
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
    let address = match &args.address {
        Some(text) => Some(checked(text)?),
        None => own_address(&config)?,
    };
    let valid_ms = i64::from(args.hours) * HOUR_MS;
    let invited = server.invite(member, valid_ms, ADMIN, now(), &mut OsRandom)?;
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

/// Address that phones can use: of the running server, which knows its real port, otherwise from the
/// configuration.
fn own_address(config: &Config) -> Result<Option<String>> {
    let scheme = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let configured = || format!("{scheme}://{}", config.server.listen);
    let served = DataDir::of(config).served_at()?;
    let address = served.unwrap_or_else(configured);
    let listen = address.split_once("://");
    let usable = listen.is_some_and(|(_, listen)| listen.parse().is_ok_and(is_reachable));
    Ok(usable.then_some(address))
}

/// Whether a phone can connect to an address that a server listens on.
fn is_reachable(listen: SocketAddr) -> bool {
    listen.port() != 0 && !listen.ip().is_unspecified()
}

/// An address that a person gave: `http` or `https`, a host and perhaps a port, no more.
fn checked(text: &str) -> Result<String> {
    let text = text.trim();
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    if full.parse().is_ok_and(|uri| is_origin(&uri)) {
        Ok(full)
    } else {
        Err(Problem::new("invite.bad_address").with("address", text))
    }
}

fn is_origin(uri: &Uri) -> bool {
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().map_or("", Authority::as_str);
    // A name of a user would stand before the host.
    let host = uri.host().filter(|host| !host.is_empty());
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port != 0);
    let has_port = match host.and_then(|host| authority.strip_prefix(host)) {
        None => false,
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
    };
    is_web && has_port && uri.path() == "/" && uri.query().is_none()
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
