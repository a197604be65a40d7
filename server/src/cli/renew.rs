//! `onegrid renew`: a certificate has run out, or soon will, and its phone shall go on reading.

use super::Context;
use super::revoke::device_of;
use super::time::{now, utc};
use crate::admin::ADMIN;
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "DEVICE", help = "cli.arg_device")]
    device: String,
}

/// Renews with the grants of today; the phone takes the certificate when it comes next.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let device = device_of(&server, &args.device)?;
    let expires_ms = server.renew(device, ADMIN, now())?;
    context.say(
        &Phrase::new("renew.done")
            .with("device", device)
            .with("until", utc(expires_ms)),
    )
}
