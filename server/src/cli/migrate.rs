//! `onegrid migrate`: moves the database of a deployment to a database server, or back into the data folder.

use super::Context;
use super::time::now;
use crate::admin::data_dir::DataDir;
use crate::admin::migrate::{self, MoveResult};
use crate::config::{DatabaseConfig, DatabaseUrl, Password};
use crate::error::{Phrase, Problem, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(long, value_name = "ADDRESS|sqlite", help = "cli.arg_migrate_to")]
    to: String,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Copies every table, compares both sides, and says how the server is started from now on.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let config = context.config()?.config;
    let configured = config.store.database;
    let data = DataDir::at(&config.store.path);
    context.confirm(args.yes, &Phrase::new("migrate.confirm"))?;
    let actor = context.actor.clone();
    let mut copied = Vec::new();
    let mut progress = |table: &str, rows: u64| copied.push((table.to_owned(), rows));
    let (done, next) = if args.to == "sqlite" {
        let from = configured.ok_or_else(|| Problem::new("migrate.no_source"))?;
        let done = migrate::to_folder(&data, &from, &actor, now(), &mut progress)?;
        (done, Phrase::new("migrate.next_sqlite"))
    } else {
        let to = target(&args.to, configured, context)?;
        let done = migrate::to_server(&data, &to, &actor, now(), &mut progress)?;
        (
            done,
            Phrase::new("migrate.next_server").with("url", &to.url),
        )
    };
    show(&done, &copied, next, args.json, context)
}

/// The database server that the command names, with the password of the configuration unless it has its own.
fn target(
    raw: &str,
    configured: Option<DatabaseConfig>,
    context: &Context<'_>,
) -> Result<DatabaseConfig> {
    let url = DatabaseUrl::parse(raw).ok_or_else(|| Problem::new("store.address"))?;
    let known = configured.and_then(|known| known.password);
    let of_environment = || {
        let mut given = context.inputs.env.iter();
        let given = given.find(|(name, _)| name == crate::config::PGPASSWORD);
        given.map(|(_, text)| Password::new(text))
    };
    let password = if url.has_password() {
        None
    } else {
        known.or_else(of_environment)
    };
    Ok(DatabaseConfig { url, password })
}

fn show(
    done: &MoveResult,
    copied: &[(String, u64)],
    next: Phrase,
    json: bool,
    context: &mut Context<'_>,
) -> Result<()> {
    let aside = done
        .set_aside
        .as_ref()
        .map(|path| path.display().to_string());
    let tables: serde_json::Map<String, serde_json::Value> = copied
        .iter()
        .map(|(table, rows)| (table.clone(), (*rows).into()))
        .collect();
    let value = serde_json::json!({
        "rows": done.rows,
        "tables": tables,
        "set_aside": aside,
    });
    let mut said = vec![Phrase::new("migrate.done").with("rows", done.rows)];
    said.extend(aside.map(|path| Phrase::new("restore.aside").with("path", path)));
    said.push(next);
    context.result(json, &value, &said)
}
