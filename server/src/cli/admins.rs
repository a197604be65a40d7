//! `onegrid admins`: accounts of administrators and their roles.

use serde_json::json;

use super::Context;
use super::time::{local, now};
use crate::error::{Phrase, Result};
use crate::registry::admins::{AdminRole, roles_of};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.admins_add")]
    Add(RoleArgs),
    #[command(about = "cli.admins_list")]
    List(ListArgs),
    #[command(about = "cli.admins_roles")]
    Roles(RoleArgs),
    #[command(about = "cli.admins_disable")]
    Disable(NameArgs),
    #[command(about = "cli.admins_enable")]
    Enable(NameArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RoleArgs {
    #[arg(value_name = "NAME", help = "cli.arg_admin")]
    name: String,
    #[arg(
        long,
        value_name = "operator|registrar|auditor",
        required = true,
        value_delimiter = ',',
        help = "cli.arg_admin_role"
    )]
    role: Vec<RoleArg>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct NameArgs {
    #[arg(value_name = "NAME", help = "cli.arg_admin")]
    name: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleArg {
    Operator,
    Registrar,
    Auditor,
}

impl RoleArg {
    fn role(self) -> AdminRole {
        match self {
            Self::Operator => AdminRole::Operator,
            Self::Registrar => AdminRole::Registrar,
            Self::Auditor => AdminRole::Auditor,
        }
    }
}

/// Lists or changes.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let actor = context.actor.clone();
    match command {
        Command::List(args) => list(args, context),
        Command::Add(args) => {
            let roles: Vec<AdminRole> = args.role.iter().map(|role| role.role()).collect();
            server.add_admin(&args.name, &roles, &actor, now())?;
            done("admins.added", &args.name, args.json, context)
        }
        Command::Roles(args) => {
            let roles: Vec<AdminRole> = args.role.iter().map(|role| role.role()).collect();
            server.set_admin_roles(&args.name, &roles, &actor, now())?;
            done("admins.changed", &args.name, args.json, context)
        }
        Command::Disable(args) => {
            server.set_admin_disabled(&args.name, true, &actor, now())?;
            done("admins.disabled", &args.name, args.json, context)
        }
        Command::Enable(args) => {
            server.set_admin_disabled(&args.name, false, &actor, now())?;
            done("admins.enabled", &args.name, args.json, context)
        }
    }
}

fn done(code: &'static str, name: &str, json: bool, context: &mut Context<'_>) -> Result<()> {
    let said = Phrase::new(code).with("name", name);
    context.result(json, &json!({ "name": name }), &[said])
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let rows = server.store().read(|tx| tx.admins())?;
    for row in &rows {
        let roles = roles_of(row);
        if args.json {
            let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            context.json(&json!({
                "name": row.name,
                "roles": names,
                "added_ms": row.added_ms,
                "disabled_ms": row.disabled_ms,
            }))?;
            continue;
        }
        let words: Vec<String> = roles
            .iter()
            .map(|role| Phrase::new(role.code()).sentence(context.lang))
            .collect();
        let standing = match row.disabled_ms {
            Some(ms) => Phrase::new("people.disabled").with("at", local(ms)),
            None => Phrase::new("admins.since").with("at", local(row.added_ms)),
        };
        let standing = standing.sentence(context.lang);
        context.line(format_args!(
            "{}  {}  {standing}",
            row.name,
            words.join(" + ")
        ))?;
    }
    if rows.is_empty() && !args.json {
        let none = Phrase::new("admins.none").with("user", &context.actor);
        context.say(&none)?;
    }
    Ok(())
}
