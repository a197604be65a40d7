//! `onegrid keys`: the server's keys, and new ones in their place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use onegrid_core::id::DeviceId;
use onegrid_core::system::OsRandom;
use onegrid_core::trust::certificate::{ServerKey, ServerPurpose};
use serde_json::{Value, json};

use super::Context;
use super::time::{local, now};
use crate::admin::rotation;
use crate::error::{Phrase, Result};
use crate::keys::Ending;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.keys_list")]
    List(ListArgs),
    #[command(about = "cli.keys_request")]
    Request(RequestArgs),
    #[command(about = "cli.keys_sign")]
    Sign(SignArgs),
    #[command(about = "cli.keys_install")]
    Install(InstallArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    #[arg(value_name = "FILE", help = "cli.arg_key_request_out")]
    file: PathBuf,
    #[arg(long, value_name = "PURPOSE", help = "cli.arg_key_retire")]
    retire: Vec<PurposeArg>,
    #[arg(long, value_name = "PURPOSE", help = "cli.arg_key_leaked")]
    leaked: Vec<PurposeArg>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SignArgs {
    #[arg(value_name = "REQUEST", help = "cli.arg_key_request")]
    request: PathBuf,
    #[arg(value_name = "LIST", help = "cli.arg_key_list_out")]
    list: PathBuf,
    #[arg(
        long,
        value_name = "FILE",
        default_value = "onegrid-root.key",
        help = "cli.arg_root_key_in"
    )]
    root_key: PathBuf,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct InstallArgs {
    #[arg(value_name = "LIST", help = "cli.arg_key_list")]
    list: PathBuf,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PurposeArg {
    Certificates,
    Receipts,
    Packs,
    Parcels,
}

impl PurposeArg {
    fn purpose(self) -> ServerPurpose {
        match self {
            Self::Certificates => ServerPurpose::Certificates,
            Self::Receipts => ServerPurpose::Receipts,
            Self::Packs => ServerPurpose::Packs,
            Self::Parcels => ServerPurpose::Parcels,
        }
    }
}

/// Lists, requests, signs or installs.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => {
            let keys = context.data()?.read_keys()?;
            let list = keys.anchors().list();
            let value = json!({ "number": list.number, "keys": values(&list.keys) });
            let mut said = vec![Phrase::new("keys.list").with("number", list.number)];
            said.extend(list.keys.iter().map(phrase));
            context.result(args.json, &value, &said)
        }
        Command::Request(args) => {
            let data = context.data()?;
            let mut endings = BTreeMap::new();
            endings.extend(args.retire.iter().map(|p| (p.purpose(), Ending::Retired)));
            endings.extend(args.leaked.iter().map(|p| (p.purpose(), Ending::Leaked)));
            let proposal = rotation::request(&data, &args.file, &endings, now(), &mut OsRandom)?;
            let path = args.file.display().to_string();
            let value = json!({
                "path": path,
                "number": proposal.number,
                "keys": values(&proposal.keys),
            });
            let mut said: Vec<Phrase> = proposal.keys.iter().map(phrase).collect();
            said.push(Phrase::new("keys.requested").with("path", path));
            context.result(args.json, &value, &said)
        }
        Command::Sign(args) => {
            let list = rotation::sign(&args.request, &args.root_key, &args.list)?;
            let path = args.list.display().to_string();
            let value = json!({
                "path": path,
                "number": list.number,
                "keys": values(&list.keys),
            });
            let mut said = vec![Phrase::new("keys.list").with("number", list.number)];
            said.extend(list.keys.iter().map(phrase));
            said.push(Phrase::new("keys.signed").with("path", path));
            context.result(args.json, &value, &said)
        }
        Command::Install(args) => {
            let data = context.data()?;
            let installed = rotation::install(&data, &args.list, &context.actor, now())?;
            let value = json!({
                "number": installed.number,
                "generation": installed.generation,
            });
            let mut said = vec![Phrase::new("keys.installed").with("number", installed.number)];
            let raised = installed.generation.map(|generation| {
                Phrase::new("keys.new_generation").with("generation", generation)
            });
            said.extend(raised);
            context.result(args.json, &value, &said)
        }
    }
}

fn name(purpose: ServerPurpose) -> &'static str {
    match purpose {
        ServerPurpose::Certificates => "certificates",
        ServerPurpose::Receipts => "receipts",
        ServerPurpose::Packs => "packs",
        ServerPurpose::Parcels => "parcels",
    }
}

/// The keys of a list for programs.
fn values(keys: &[ServerKey]) -> Vec<Value> {
    let value = |key: &ServerKey| {
        json!({
            "purpose": name(key.purpose),
            "id": DeviceId::of_key(&key.key).to_string(),
            "from_ms": key.from_ms,
            "until_ms": key.until_ms,
            "generation_max": key.generation_max,
        })
    };
    keys.iter().map(value).collect()
}

/// A key of a list for people.
fn phrase(key: &ServerKey) -> Phrase {
    let code = match key.until_ms {
        None => "keys.in_use",
        Some(_) => "keys.retired",
    };
    let phrase = Phrase::new(code)
        .with("purpose", name(key.purpose))
        .with("id", DeviceId::of_key(&key.key))
        .with("from", local(key.from_ms))
        .with("generation", key.generation_max);
    match key.until_ms {
        None => phrase,
        Some(until_ms) => phrase.with("until", local(until_ms)),
    }
}
