//! The command line of `onegrid`: one file a command under `cli/`.
//!
//! To add a command, write a file with `Args` (derive `clap::Args`; every `about` and `help` is a code
//! of `texts.tsv`) and `run(args, context) -> Result<()>`. Then add one variant to `Command` and one
//! arm to `dispatch`. A command prints results with `context.result`, which also prints the JSON of
//! `--json`, and returns problems; both languages come with the codes. `docs/operations.md` lists the keys
//! of the JSON.
//!
//! Exit codes: 0 done, 1 failure, 2 usage, 3 data, 4 refused.

mod admins;
mod areas;
mod audit;
mod backup;
mod check_config;
mod context;
mod devices;
mod export;
mod frame;
mod import;
mod init;
mod invitations;
mod invite;
mod keys;
mod members;
mod migrate;
mod page;
mod progress;
mod readings;
mod reload;
mod renew;
mod restore;
mod review;
mod revoke;
mod serve;
mod status;
mod structure;
mod time;
mod units;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use onegrid_core::texts::Lang;

pub use context::Context;

use crate::config::Inputs;
use crate::error::{Problem, Result};
use crate::registry::admins::AdminRole;

/// Everything that the command line gets from its process; tests pass their own.
pub struct Process<'a> {
    /// Arguments; the first one is the program's name.
    pub args: Vec<OsString>,
    /// The environment, without names and values that are not Unicode.
    pub env: Vec<(String, String)>,
    /// `onegrid.toml` of the working directory, if it exists.
    pub default_file: Option<PathBuf>,
    /// Receives results.
    pub out: &'a mut dyn Write,
    /// Receives problems.
    pub err: &'a mut dyn Write,
}

/// The part of the process that a program works with, once its arguments are read.
pub struct Inside<'a> {
    /// The environment.
    pub env: Vec<(String, String)>,
    /// The working directory's `onegrid.toml`, when it is there.
    pub default_file: Option<PathBuf>,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Warnings.
    pub err: &'a mut dyn Write,
}

#[derive(Debug, Parser)]
#[command(name = "onegrid", version, about = "cli.about")]
struct Line {
    #[arg(long, global = true, value_name = "zh|en", help = "cli.arg_lang")]
    lang: Option<Lang>,
    #[arg(long, global = true, value_name = "FILE", help = "cli.arg_config")]
    config: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        value_name = "SECTION.KEY=VALUE",
        help = "cli.arg_set"
    )]
    set: Vec<String>,
    #[arg(long, global = true, value_name = "NAME", help = "cli.arg_actor")]
    actor: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = "cli.init")]
    Init(init::Args),
    #[command(about = "cli.serve")]
    Serve(serve::Args),
    #[command(about = "cli.invite")]
    Invite(invite::Args),
    #[command(about = "cli.invitations", subcommand)]
    Invitations(invitations::Command),
    #[command(about = "cli.members", subcommand)]
    Members(members::Command),
    #[command(about = "cli.areas", subcommand)]
    Areas(areas::Command),
    #[command(about = "cli.units", subcommand)]
    Units(units::Command),
    #[command(about = "cli.devices")]
    Devices(devices::Args),
    #[command(about = "cli.revoke")]
    Revoke(revoke::Args),
    #[command(about = "cli.renew")]
    Renew(renew::Args),
    #[command(about = "cli.import", subcommand)]
    Import(import::Command),
    #[command(about = "cli.server_keys", subcommand)]
    Keys(keys::Command),
    #[command(about = "cli.review", subcommand)]
    Review(review::Command),
    #[command(about = "cli.admins", subcommand)]
    Admins(admins::Command),
    #[command(about = "cli.audit", subcommand)]
    Audit(audit::Command),
    #[command(about = "cli.readings")]
    Readings(readings::Args),
    #[command(about = "cli.export")]
    Export(export::Args),
    #[command(about = "cli.backup")]
    Backup(backup::Args),
    #[command(about = "cli.restore")]
    Restore(restore::Args),
    #[command(about = "cli.migrate")]
    Migrate(migrate::Args),
    #[command(about = "cli.verify")]
    Verify(verify::Args),
    #[command(about = "cli.status")]
    Status(status::Args),
    #[command(about = "cli.check_config")]
    CheckConfig(check_config::Args),
}

fn dispatch(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Invite(args) => invite::run(args, context),
        Command::Invitations(command) => invitations::run(command, context),
        Command::Members(command) => members::run(command, context),
        Command::Areas(command) => areas::run(command, context),
        Command::Units(command) => units::run(command, context),
        Command::Devices(args) => devices::run(args, context),
        Command::Revoke(args) => revoke::run(args, context),
        Command::Renew(args) => renew::run(args, context),
        Command::Import(command) => import::run(command, context),
        Command::Keys(command) => keys::run(command, context),
        Command::Review(command) => review::run(command, context),
        Command::Admins(command) => admins::run(command, context),
        Command::Audit(command) => audit::run(command, context),
        Command::Readings(args) => readings::run(args, context),
        Command::Export(args) => export::run(args, context),
        Command::Backup(args) => backup::run(args, context),
        Command::Restore(args) => restore::run(args, context),
        Command::Migrate(args) => migrate::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::CheckConfig(args) => check_config::run(args, context),
    }
}

/// Right that a command takes once there are accounts of administrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It shows no data of people and changes none, or there is no deployment yet.
    Nothing,
    /// Any account.
    Account,
    /// An account with this role.
    Role(AdminRole),
}

impl Command {
    fn need(&self) -> Need {
        match self {
            Self::Init(_) | Self::Serve(_) | Self::Status(_) | Self::CheckConfig(_) => {
                Need::Nothing
            }
            Self::Areas(areas::Command::Merge(_) | areas::Command::Dissolve(_))
            | Self::Units(units::Command::Dissolve(_))
            | Self::Invite(_)
            | Self::Invitations(_)
            | Self::Members(_)
            | Self::Import(_)
            | Self::Revoke(_)
            | Self::Renew(_)
            | Self::Review(_) => Need::Role(AdminRole::Registrar),
            Self::Devices(_) | Self::Areas(_) | Self::Units(_) => Need::Account,
            Self::Audit(_) | Self::Readings(_) | Self::Export(_) => Need::Role(AdminRole::Auditor),
            Self::Admins(_)
            | Self::Keys(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Migrate(_)
            | Self::Verify(_) => Need::Role(AdminRole::Operator),
        }
    }

    /// Whether the command takes rights away, so that the reserve of the disk is for it.
    fn is_urgent(&self) -> bool {
        matches!(
            self,
            Self::Revoke(_)
                | Self::Members(members::Command::Disable(_))
                | Self::Invitations(invitations::Command::Cancel(_))
        )
    }

    /// Whether the command has work to do when the store does not open.
    fn mends(&self) -> bool {
        matches!(self, Self::Restore(_) | Self::Verify(_))
    }
}

/// Does the work once more with the reserve of the disk, if it failed because the disk is full.
fn with_reserve<C>(
    context: &mut C,
    release: impl Fn(&C) -> bool,
    mut work: impl FnMut(&mut C) -> Result<()>,
) -> Result<()> {
    match work(context) {
        Err(problem) if problem.code() == "store.full" && release(context) => work(context),
        done => done,
    }
}

/// Runs one command line and returns its exit code.
#[must_use]
pub fn run(process: Process<'_>) -> u8 {
    run_as(process, |line: Line, process: Inside<'_>, lang| {
        let variable = |name: &str| {
            let mut found = process.env.iter().filter(|(key, _)| key == name);
            found.next().map(|(_, value)| PathBuf::from(value))
        };
        let named = line.actor.or_else(|| {
            let value = variable("ONEGRID_ACTOR")?.into_os_string();
            value.into_string().ok()
        });
        let inputs = Inputs {
            file: line
                .config
                .or_else(|| variable("ONEGRID_CONFIG"))
                .or(process.default_file),
            env: process.env,
            flags: line.set,
        };
        let mut context = Context {
            lang,
            inputs,
            actor: String::new(),
            out: process.out,
            err: process.err,
        };
        let (need, mends) = (line.command.need(), line.command.mends());
        let named = named.as_deref().filter(|name| !name.is_empty());
        let is_urgent = line.command.is_urgent();
        let release = |context: &Context<'_>| is_urgent && context.release_reserve();
        with_reserve(&mut context, release, |context| {
            context.authorise(named, need, mends)?;
            dispatch(&line.command, context)
        })
    })
}

/// Runs a program whose command line has another shape, in the same two languages and with the same exit codes.
#[must_use]
pub fn run_as<P: Parser>(
    process: Process<'_>,
    work: impl FnOnce(P, Inside<'_>, Lang) -> Result<()>,
) -> u8 {
    let lang = frame::language(&process.args, &process.env);
    let line = match frame::parse::<P>(&process.args, lang) {
        Ok(line) => line,
        Err(frame::Stop::Shown(text)) => {
            return match process.out.write_all(text.as_bytes()) {
                Ok(()) => 0,
                Err(error) => report(
                    &Problem::new("cli.output").because(&error),
                    lang,
                    process.err,
                ),
            };
        }
        Err(frame::Stop::Problem(problem)) => return report(&problem, lang, process.err),
    };
    let inside = Inside {
        env: process.env,
        default_file: process.default_file,
        out: process.out,
        err: &mut *process.err,
    };
    match work(line, inside, lang) {
        Ok(()) => 0,
        Err(problem) => report(&problem, lang, process.err),
    }
}

/// Prints a problem and returns its exit code. Only faults print their cause, because the operator reads
/// this output and needs the cause to repair a fault.
fn report(problem: &Problem, lang: Lang, err: &mut dyn Write) -> u8 {
    let class = problem.class();
    let sentence = problem.sentence(lang);
    // If standard error is closed, no channel is left to report that.
    let _ = writeln!(err, "onegrid: {sentence} [{}]", problem.code());
    if let (1 | 3, Some(cause)) = (class.exit_code(), problem.cause()) {
        let _ = writeln!(err, "  {cause}");
    }
    class.exit_code()
}

#[cfg(test)]
mod tests;
