//! `onegrid keys`: the server's keys, and new ones in their place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use onegrid_core::id::DeviceId;
use onegrid_core::net::OsRandom;
use onegrid_core::trust::certificate::{ServerKey, ServerPurpose};

use super::Context;
use super::time::{now, utc};
use crate::admin::data_dir::DataDir;
use crate::admin::rotation;
use crate::error::{Phrase, Result};
use crate::keys::{Ending, Keys};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.keys_list")]
    List,
    #[command(about = "cli.keys_request")]
    Request(RequestArgs),
    #[command(about = "cli.keys_sign")]
    Sign(SignArgs),
    #[command(about = "cli.keys_install")]
    Install(InstallArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    #[arg(value_name = "FILE", help = "cli.arg_key_request_out")]
    file: PathBuf,
    #[arg(long, value_name = "PURPOSE", help = "cli.arg_key_retire")]
    retire: Vec<PurposeArg>,
    #[arg(long, value_name = "PURPOSE", help = "cli.arg_key_leaked")]
    leaked: Vec<PurposeArg>,
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
}

#[derive(Debug, clap::Args)]
pub(super) struct InstallArgs {
    #[arg(value_name = "LIST", help = "cli.arg_key_list")]
    list: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PurposeArg {
    Certificates,
    Receipts,
    Packs,
}

impl PurposeArg {
    fn purpose(self) -> ServerPurpose {
        match self {
            Self::Certificates => ServerPurpose::Certificates,
            Self::Receipts => ServerPurpose::Receipts,
            Self::Packs => ServerPurpose::Packs,
        }
    }
}

/// Lists, requests, signs or installs.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List => {
            let data = DataDir::of(&context.config()?.config);
            let keys = Keys::read(&data.keys())?;
            let list = keys.anchors().list();
            context.say(&Phrase::new("keys.list").with("number", list.number))?;
            show(&list.keys, context)
        }
        Command::Request(args) => {
            let data = DataDir::of(&context.config()?.config);
            let mut endings = BTreeMap::new();
            endings.extend(args.retire.iter().map(|p| (p.purpose(), Ending::Retired)));
            endings.extend(args.leaked.iter().map(|p| (p.purpose(), Ending::Leaked)));
            let proposal = rotation::request(&data, &args.file, &endings, now(), &mut OsRandom)?;
            show(&proposal.keys, context)?;
            context.say(&Phrase::new("keys.requested").with("path", args.file.display()))
        }
        Command::Sign(args) => {
            let list = rotation::sign(&args.request, &args.root_key, &args.list)?;
            context.say(&Phrase::new("keys.list").with("number", list.number))?;
            show(&list.keys, context)?;
            context.say(&Phrase::new("keys.signed").with("path", args.list.display()))
        }
        Command::Install(args) => {
            let data = DataDir::of(&context.config()?.config);
            let installed = rotation::install(&data, &args.list, now())?;
            context.say(&Phrase::new("keys.installed").with("number", installed.number))?;
            match installed.generation {
                Some(generation) => {
                    context.say(&Phrase::new("keys.new_generation").with("generation", generation))
                }
                None => Ok(()),
            }
        }
    }
}

fn show(keys: &[ServerKey], context: &mut Context<'_>) -> Result<()> {
    for key in keys {
        let code = match key.until_ms {
            None => "keys.in_use",
            Some(_) => "keys.retired",
        };
        let purpose = match key.purpose {
            ServerPurpose::Certificates => "certificates",
            ServerPurpose::Receipts => "receipts",
            ServerPurpose::Packs => "packs",
        };
        let phrase = Phrase::new(code)
            .with("purpose", purpose)
            .with("id", DeviceId::of_key(&key.key))
            .with("from", utc(key.from_ms))
            .with("generation", key.generation_max);
        let phrase = match key.until_ms {
            None => phrase,
            Some(until_ms) => phrase.with("until", utc(until_ms)),
        };
        context.say(&phrase)?;
    }
    Ok(())
}
