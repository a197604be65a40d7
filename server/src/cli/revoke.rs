//! `onegrid revoke`: cuts off a lost phone. Its delivered work stays; its later uploads wait for
//! review.

use onegrid_core::id::DeviceId;

use super::Context;
use super::time::now;
use crate::error::{Phrase, Problem, Result};
use crate::server::Server;

/// Fewest digits of a device id that may name a device, if only one device begins with them.
const PREFIX_DIGITS_MIN: usize = 6;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "DEVICE", help = "cli.arg_device")]
    device: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Revokes the device; a running server cuts it off within a second.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let device = device_of(&server, &args.device)?;
    let fresh = server.revoke(device, &context.actor, now())?;
    let code = if fresh {
        "revoke.done"
    } else {
        "revoke.already"
    };
    let value = serde_json::json!({
        "device": device.to_string(),
        "already_revoked": !fresh,
    });
    let done = Phrase::new(code).with("device", device);
    context.result(args.json, &value, &[done])
}

pub(super) fn device_of(server: &Server, text: &str) -> Result<DeviceId> {
    let unknown = || Problem::new("registry.unknown_device").with("device", text);
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    if text.len() < PREFIX_DIGITS_MIN {
        return Err(unknown());
    }
    let devices = server.store().read(|tx| tx.devices())?;
    let mut found = devices
        .into_iter()
        .map(|row| row.id)
        .filter(|id| id.to_string().starts_with(&text.to_lowercase()));
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        _ => Err(unknown()),
    }
}
