//! The command line of `onegrid`: one file a command under `cli/`.
//!
//! To add a command: a file with `Args` (derive `clap::Args`; every `about` and `help` is a code of
//! `texts.tsv`) and `run(args, context) -> Result<()>`; then one variant in [`Command`] and one arm in
//! [`dispatch`]. Results go to `context.line`, problems are returned; both languages come with the code.
//!
//! Exit codes: 0 done, 1 failure, 2 usage, 3 data, 4 refused.

mod check_config;
mod context;
mod frame;

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
    #[command(about = "cli.check_config")]
    CheckConfig(check_config::Args),
}

fn dispatch(command: Command, context: &mut Context<'_>) -> Result<()> {
    match command {
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
