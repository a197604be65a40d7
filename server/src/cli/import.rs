//! `onegrid import`: areas, units, members and templates of checklists from the files of an office.
//!
//! Every bad row is printed on a line of its own. The exit code is 3 if there were bad rows, even if the
//! other rows were imported.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use onegrid_core::domain::position::Datum;

use super::Context;
use super::progress::Bar;
use super::time::now;
use crate::admin::import::areas::AreaFiles;
use crate::admin::take_in::{
    Mode, Outcome, import_areas, import_members, import_template, import_units,
};
use crate::error::{Phrase, Problem, Result};
use crate::limits::IMPORT_FILE_BYTES_MAX;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.import_areas")]
    Areas(AreaArgs),
    #[command(about = "cli.import_units")]
    Units(FileArgs),
    #[command(about = "cli.import_members")]
    Members(FileArgs),
    #[command(about = "cli.import_templates")]
    Templates(TemplateArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct AreaArgs {
    #[arg(value_name = "FOLDER", help = "cli.arg_areas_folder")]
    folder: PathBuf,
    #[arg(
        long,
        value_name = "wgs84|gcj02|bd09",
        default_value = "wgs84",
        help = "cli.arg_datum"
    )]
    datum: DatumArg,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(super) struct FileArgs {
    #[arg(value_name = "FILE", help = "cli.arg_table")]
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(super) struct TemplateArgs {
    #[arg(value_name = "FILE", help = "cli.arg_template_file")]
    file: PathBuf,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::Args)]
struct How {
    #[arg(long, help = "cli.arg_strict")]
    strict: bool,
    #[arg(long, help = "cli.arg_progress")]
    progress: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum DatumArg {
    Wgs84,
    Gcj02,
    Bd09,
}

/// Reads the files, reports bad rows, and imports the others.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    match command {
        Command::Areas(args) => {
            let bar = Bar::new(args.how.progress);
            let files = match AreaFiles::read_folder(&args.folder) {
                Ok(files) => files,
                Err(bad) => {
                    let outcome = Outcome {
                        bad: vec![bad],
                        withheld: true,
                        ..Outcome::default()
                    };
                    return tell("import.done_areas", &outcome, args.how, context);
                }
            };
            let datum = match args.datum {
                DatumArg::Wgs84 => Datum::Wgs84,
                DatumArg::Gcj02 => Datum::Gcj02,
                DatumArg::Bd09 => Datum::Bd09,
            };
            let outcome = import_areas(
                &server,
                &files,
                datum,
                args.how.mode(),
                now(),
                &mut bar.on(),
            )?;
            bar.end();
            tell("import.done_areas", &outcome, args.how, context)
        }
        Command::Units(args) => {
            let (bar, bytes) = (Bar::new(args.how.progress), read(&args.file)?);
            let (name, mode) = (name_of(&args.file), args.how.mode());
            let outcome = import_units(&server, &name, &bytes, mode, now(), &mut bar.on())?;
            bar.end();
            tell("import.done_units", &outcome, args.how, context)
        }
        Command::Members(args) => {
            let (bar, bytes) = (Bar::new(args.how.progress), read(&args.file)?);
            let (name, mode) = (name_of(&args.file), args.how.mode());
            let outcome = import_members(&server, &name, &bytes, mode, now(), &mut bar.on())?;
            bar.end();
            tell("import.done_members", &outcome, args.how, context)
        }
        Command::Templates(args) => {
            let bytes = read(&args.file)?;
            let outcome = import_template(&server, &name_of(&args.file), &bytes, now())?;
            let how = How {
                strict: true,
                progress: false,
                json: args.json,
            };
            tell("import.done_templates", &outcome, how, context)
        }
    }
}

fn tell(code: &'static str, outcome: &Outcome, how: How, context: &mut Context<'_>) -> Result<()> {
    let lang = context.lang;
    if how.json {
        let bad = outcome.bad.iter().map(|bad| {
            serde_json::json!({
                "file": bad.file,
                "sheet": bad.sheet(),
                "line": bad.line(),
                "column": bad.column,
                "code": bad.code,
                "value": bad.value,
                "reason": bad.reason(lang),
            })
        });
        context.json(&serde_json::json!({
            "changed": outcome.changed,
            "unchanged": outcome.unchanged,
            "withheld": outcome.withheld,
            "bad": bad.collect::<Vec<_>>(),
        }))?;
    } else {
        for bad in &outcome.bad {
            context.line(bad.say(lang))?;
        }
        if !outcome.withheld {
            context.say(
                &Phrase::new(code)
                    .with("changed", outcome.changed)
                    .with("unchanged", outcome.unchanged),
            )?;
        }
    }
    let count = outcome.bad.len();
    match (count, outcome.withheld) {
        (0, _) => Ok(()),
        (_, true) => Err(Problem::new("import.nothing_taken").with("count", count)),
        (_, false) => Err(Problem::new("import.rest_taken").with("count", count)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |error: std::io::Error| {
        Problem::new("import.no_file")
            .with("path", path.display())
            .because(&error)
    };
    let mut bytes = Vec::new();
    // One byte above the limit lets the parser notice that the file is too large.
    std::fs::File::open(path)
        .map_err(unreadable)?
        .take(IMPORT_FILE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

impl How {
    fn mode(self) -> Mode {
        if self.strict {
            Mode::Strict
        } else {
            Mode::Rest
        }
    }
}
