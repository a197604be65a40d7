//! `onegrid renew`: renews a certificate that has run out or soon will, so that its phone can
//! continue to read.

use super::Context;
use super::revoke::device_of;
use super::time::{local, now};
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "DEVICE", help = "cli.arg_device")]
    device: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Renews with the member's present grants; the phone gets the certificate with its next
/// connection.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let device = device_of(&server, &args.device)?;
    let expires_ms = server.renew(device, &context.actor, now())?;
    let value = serde_json::json!({
        "device": device.to_string(),
        "reads_until_ms": expires_ms,
    });
    let done = Phrase::new("renew.done")
        .with("device", device)
        .with("until", local(expires_ms));
    context.result(args.json, &value, &[done])
}
