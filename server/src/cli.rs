//! The command line of `onegrid`: one file a command under `cli/`.
//!
//! To add a command: a file with `Args` (derive `clap::Args`; every `about` and `help` is a code of
//! `texts.tsv`) and `run(args, context) -> Result<()>`; then one variant in [`Command`] and one arm in
//! [`dispatch`]. Results go to `context.line`, problems are returned; both languages come with the code.
//!
//! Exit codes: 0 done, 1 failure, 2 usage, 3 data, 4 refused.

mod backup;
mod check_config;
mod context;
mod demo;
mod devices;
mod export;
mod frame;
mod import;
mod init;
mod invite;
mod progress;
mod readings;
mod renew;
mod restore;
mod review;
mod revoke;
mod serve;
mod status;
mod time;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use onegrid_core::texts::Lang;

pub use context::Context;

use crate::config::Inputs;
use crate::error::{Problem, Result};

/// What the process hands to the command line; tests hand in their own.
pub struct Process<'a> {
    /// Arguments, the program's name first.
    pub args: Vec<OsString>,
    /// The environment; names and values that are no Unicode are left out.
    pub env: Vec<(String, String)>,
    /// The working directory's `onegrid.toml`, when it is there.
    pub default_file: Option<PathBuf>,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Problems.
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
    #[command(about = "cli.devices")]
    Devices(devices::Args),
    #[command(about = "cli.revoke")]
    Revoke(revoke::Args),
    #[command(about = "cli.renew")]
    Renew(renew::Args),
    #[command(about = "cli.import", subcommand)]
    Import(import::Command),
    #[command(about = "cli.review", subcommand)]
    Review(review::Command),
    #[command(about = "cli.readings")]
    Readings(readings::Args),
    #[command(about = "cli.export")]
    Export(export::Args),
    #[command(about = "cli.backup")]
    Backup(backup::Args),
    #[command(about = "cli.restore")]
    Restore(restore::Args),
    #[command(about = "cli.verify")]
    Verify(verify::Args),
    #[command(about = "cli.status")]
    Status(status::Args),
    #[command(about = "cli.demo")]
    Demo(demo::Args),
    #[command(about = "cli.check_config")]
    CheckConfig(check_config::Args),
}

fn dispatch(command: Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Invite(args) => invite::run(&args, context),
        Command::Devices(args) => devices::run(&args, context),
        Command::Revoke(args) => revoke::run(&args, context),
        Command::Renew(args) => renew::run(&args, context),
        Command::Import(command) => import::run(&command, context),
        Command::Review(command) => review::run(&command, context),
        Command::Readings(args) => readings::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Backup(args) => backup::run(&args, context),
        Command::Restore(args) => restore::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::CheckConfig(args) => check_config::run(&args, context),
    }
}

/// Runs one command line and gives its exit code.
#[must_use]
pub fn run(process: Process<'_>) -> u8 {
    let lang = frame::language(&process.args, &process.env);
    let line = match frame::parse::<Line>(&process.args, lang) {
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
    let variable = |name: &str| {
        process
            .env
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| PathBuf::from(value))
    };
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
        out: process.out,
    };
    match dispatch(line.command, &mut context) {
        Ok(()) => 0,
        Err(problem) => report(&problem, lang, process.err),
    }
}

/// Prints a problem and gives its exit code. The cause goes along for faults only: whoever runs the
/// command is the operator, and a fault without its cause cannot be mended.
fn report(problem: &Problem, lang: Lang, err: &mut dyn Write) -> u8 {
    let class = problem.class();
    let sentence = problem.sentence(lang);
    // Nowhere is left to say that standard error is gone.
    let _ = writeln!(err, "onegrid: {sentence} [{}]", problem.code());
    if let (1 | 3, Some(cause)) = (class.exit_code(), problem.cause()) {
        let _ = writeln!(err, "  {cause}");
    }
    class.exit_code()
}

#[cfg(test)]
mod tests;
