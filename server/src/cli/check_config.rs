//! `onegrid check-config`: checks whether the server would start with this configuration, and prints the
//! source of each value.
//!
//! The output is itself a valid configuration file.

use super::Context;
use crate::api;
use crate::error::{Phrase, Result};
use crate::rules::Rules;

/// The command has no arguments of its own.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Loads every layer, opens the configured files, and prints the effective values.
pub(super) fn run(_: &Args, context: &mut Context<'_>) -> Result<()> {
    let effective = context.config()?;
    if let Some(files) = &effective.config.server.tls {
        api::load_tls(files)?;
    }
    Rules::read(effective.config.rules.path.as_deref())?;
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
