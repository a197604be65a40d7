//! `onegrid status`: counts of the store, and whether a server runs.

use super::Context;
use crate::admin::data_dir::DataDir;
use crate::error::{Phrase, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (config, server) = context.deployment()?;
    let data = DataDir::of(&config);
    let served = data.is_served()?;
    let address = data.served_at()?;
    let counts = server.store().read(|tx| tx.counts())?;
    let generation = server.generation()?;
    let bytes = std::fs::metadata(data.database()).map_or(0, |file| file.len());
    if args.json {
        return context.json(&serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "serving": served,
            "address": address,
            "generation": generation,
            "records": counts.records,
            "open": counts.open,
            "envelopes": counts.envelopes,
            "held": counts.held,
            "devices": counts.devices,
            "members": counts.members,
            "streams": counts.streams,
            "database_bytes": bytes,
        }));
    }
    let running = if served {
        "status.serving"
    } else {
        "status.not_serving"
    };
    context.say(&Phrase::new(running))?;
    if let Some(url) = &address {
        context.say(&Phrase::new("status.address").with("url", url))?;
    }
    context.say(
        &Phrase::new("status.counts")
            .with("records", counts.records)
            .with("open", counts.open)
            .with("envelopes", counts.envelopes)
            .with("members", counts.members)
            .with("devices", counts.devices)
            .with("streams", counts.streams),
    )?;
    context.say(
        &Phrase::new("status.store")
            .with("generation", generation)
            .with("bytes", bytes),
    )?;
    if counts.held > 0 {
        context.say(&Phrase::new("status.held").with("count", counts.held))?;
    }
    Ok(())
}
