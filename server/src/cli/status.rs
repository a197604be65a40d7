//! `onegrid status`: counts of the store, its templates of checklists, and whether a server runs.

use onegrid_core::domain::form::{Template, Words};
use onegrid_core::texts::Lang;

use super::Context;
use crate::admin::data_dir::DataDir;
use crate::error::{Phrase, Problem, Result};
use crate::ingest::RoutingState;
use crate::limits::TEMPLATES_MAX;
use crate::server::Server;

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
    let templates = newest_templates(&server)?;
    let routing = server.routing()?;
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
            "routing": routing.as_ref().map(routing_json),
            "templates": templates
                .iter()
                .map(Newest::to_json)
                .collect::<Vec<_>>(),
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
    if let Some(routing) = routing.filter(|routing| routing.ended_ms.is_none()) {
        context.say(
            &Phrase::new("status.routing")
                .with("done", routing.done)
                .with("all", routing.all),
        )?;
    }
    say_templates(&templates, context)?;
    if counts.held > 0 {
        context.say(&Phrase::new("status.held").with("count", counts.held))?;
    }
    Ok(())
}

fn say_templates(templates: &[Newest], context: &mut Context<'_>) -> Result<()> {
    for template in templates {
        context.say(
            &Phrase::new("status.template")
                .with("id", &template.id)
                .with("version", template.version)
                .with("title", template.title(context.lang)),
        )?;
    }
    Ok(())
}

fn routing_json(routing: &RoutingState) -> serde_json::Value {
    serde_json::json!({
        "done": routing.done,
        "all": routing.all,
        "changed": routing.changed,
        "failed": routing.failed,
        "begun_ms": routing.begun_ms,
        "ended_ms": routing.ended_ms,
    })
}

/// The newest version of a template.
struct Newest {
    id: String,
    version: u32,
    /// Absent if the template needs a newer program.
    title: Option<Words>,
}

impl Newest {
    fn title(&self, lang: Lang) -> String {
        let title = self.title.as_ref();
        title
            .map(|words| words.in_lang(lang).to_owned())
            .unwrap_or_default()
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"id": self.id, "version": self.version, "title": self.title})
    }
}

fn newest_templates(server: &Server) -> Result<Vec<Newest>> {
    let rows = server
        .store()
        .read::<_, Problem>(|tx| Ok(tx.templates(("", 0), TEMPLATES_MAX)?))?;
    let mut newest: Vec<Newest> = Vec::new();
    for row in rows {
        // The rows of an id follow each other, the newest last.
        newest.pop_if(|known| known.id == row.id);
        let template = Template::parse(&row.bytes).ok();
        newest.push(Newest {
            id: row.id,
            version: row.version,
            title: template.map(|template| template.title().clone()),
        });
    }
    Ok(newest)
}
