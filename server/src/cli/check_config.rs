//! `onegrid check-config`: checks whether the server would start with this configuration, and prints the
//! source of each value.
//!
//! The output is itself a valid configuration file.

use serde_json::{Value as Json, json};

use super::Context;
use super::time::now;
use crate::api;
use crate::config::{Setting, Source, Value};
use crate::error::{Phrase, Result};
use crate::rules::Rules;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Loads every layer, opens the configured files, and prints the effective values.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let effective = context.config()?;
    if let Some(files) = &effective.config.server.tls {
        for warning in api::Tls::load(files)?.warnings(now()) {
            context.warn(&warning);
        }
    }
    Rules::read(effective.config.rules.path.as_deref())?;
    if args.json {
        let settings = effective.settings.iter();
        let settings: serde_json::Map<String, Json> = settings
            .map(|setting| (setting.key.dotted(), described(setting)))
            .collect();
        return context.json(&json!({ "usable": true, "settings": settings }));
    }
    let mut section = "";
    for setting in &effective.settings {
        if setting.key.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            section = setting.key.section;
            context.line(format_args!("{gap}[{section}]"))?;
        }
        let name = setting.key.name;
        let line = if let Some(value) = &setting.value {
            let source = setting.source.phrase().sentence(context.lang);
            format!("{:<44} # {source}", format!("{name} = {}", value.to_toml()))
        } else {
            let unset = Phrase::new("config.unset").sentence(context.lang);
            format!("{:<44} # {unset}", format!("# {name} ="))
        };
        context.line(line)?;
    }
    context.line("")?;
    let usable = Phrase::new("config.usable").sentence(context.lang);
    context.line(format_args!("# {usable}"))
}

/// The value of a setting and its origin, for programs.
fn described(setting: &Setting) -> Json {
    let value = setting.value.as_ref().map(|value| match value {
        Value::Address(address) => json!(address.to_string()),
        Value::Path(path) => json!(path.display().to_string()),
        Value::Bool(flag) => json!(flag),
        Value::Count(count) => json!(count),
        Value::Text(text) => json!(text),
        Value::Database(url) => json!(url.to_string()),
        Value::Networks(networks) => {
            json!(networks.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
    });
    let (from, file, line, variable) = match &setting.source {
        Source::Default => ("default", None, None, None),
        Source::File(path, line) => ("file", Some(path.display().to_string()), Some(line), None),
        Source::Env(name) => ("environment", None, None, Some(name)),
        Source::Flag => ("command_line", None, None, None),
    };
    json!({ "value": value, "from": from, "file": file, "line": line, "variable": variable })
}
