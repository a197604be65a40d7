//! `onegrid import`: areas, units, members, templates of checklists and lists of records from the files of an
//! office.
//!
//! Every bad row and every change is printed on a line of its own, with `--dry-run` and without. The exit code
//! is 3 if there were bad rows, even if the other rows were imported.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use onegrid_core::domain::kinds::LISTS;
use onegrid_core::domain::month::Month;
use onegrid_core::domain::position::Datum;
use onegrid_core::texts::Lang;

use super::Context;
use super::progress::Bar;
use super::time::now;
use crate::admin::changes::Change;
use crate::admin::import::areas::AreaFiles;
use crate::admin::import::units::KindChange;
use crate::admin::import::{BadRow, Progress};
use crate::admin::take_in::{
    Mode, Order, Outcome, Renaming, import_areas, import_list, import_members_with,
    import_template, import_units_with,
};
use crate::admin::wording::Wording;
use crate::directory;
use crate::error::{Phrase, Problem, Result};
use crate::ingest::Listed;
use crate::limits::{CHANGES_SHOWN_MAX, IMPORT_FILE_BYTES_MAX};
use crate::server::Server;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.import_areas")]
    Areas(AreaArgs),
    #[command(about = "cli.import_units")]
    Units(UnitArgs),
    #[command(about = "cli.import_members")]
    Members(MemberArgs),
    #[command(about = "cli.import_templates")]
    Templates(TemplateArgs),
    #[command(about = "cli.import_disputes")]
    Disputes(ListArgs),
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
pub(super) struct MemberArgs {
    #[arg(value_name = "FILE", help = "cli.arg_table")]
    file: PathBuf,
    #[arg(long, help = "cli.arg_rename")]
    rename: bool,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(super) struct UnitArgs {
    #[arg(value_name = "FILE", help = "cli.arg_table")]
    file: PathBuf,
    #[arg(long, help = "cli.arg_change_kinds")]
    change_kinds: bool,
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

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(value_name = "FILE", help = "cli.arg_table")]
    file: PathBuf,
    #[arg(long, value_name = "YYYY-MM", help = "cli.arg_month")]
    month: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Copy, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct How {
    #[arg(long, help = "cli.arg_dry_run")]
    dry_run: bool,
    #[arg(long, help = "cli.arg_strict", conflicts_with = "dry_run")]
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

impl DatumArg {
    fn datum(self) -> Datum {
        match self {
            Self::Wgs84 => Datum::Wgs84,
            Self::Gcj02 => Datum::Gcj02,
            Self::Bd09 => Datum::Bd09,
        }
    }
}

/// Reads the files, reports bad rows and changes, and imports the good rows.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let actor = context.actor.clone();
    let order = |how: How| Order {
        mode: how.mode(),
        actor: &actor,
        now_ms: now(),
    };
    match command {
        Command::Areas(args) => {
            let bar = Bar::new(args.how.progress);
            let files = match read_areas(&args.folder) {
                Ok(files) => files,
                Err(outcome) => {
                    return tell("import.done_areas", &server, &outcome, args.how, context);
                }
            };
            let datum = args.datum.datum();
            let outcome = import_areas(&server, &files, datum, order(args.how), &mut bar.on())?;
            bar.end();
            tell("import.done_areas", &server, &outcome, args.how, context)
        }
        Command::Units(args) => {
            let (bar, bytes) = (Bar::new(args.how.progress), read(&args.file)?);
            let (name, order) = (name_of(&args.file), order(args.how));
            let kinds = if args.change_kinds {
                KindChange::Wanted
            } else {
                KindChange::Refused
            };
            let outcome = import_units_with(&server, (&name, &bytes), kinds, order, &mut bar.on())?;
            bar.end();
            tell("import.done_units", &server, &outcome, args.how, context)
        }
        Command::Members(args) => {
            let (bar, bytes) = (Bar::new(args.how.progress), read(&args.file)?);
            let (name, order) = (name_of(&args.file), order(args.how));
            let names = if args.rename {
                Renaming::Wanted
            } else {
                Renaming::HeldBack
            };
            let file = (&*name, &*bytes);
            let outcome = import_members_with(&server, file, names, order, &mut bar.on())?;
            bar.end();
            tell("import.done_members", &server, &outcome, args.how, context)
        }
        Command::Disputes(args) => {
            let bar = Bar::new(args.how.progress);
            let outcome = list("disputes", args, &server, order(args.how), &mut bar.on())?;
            bar.end();
            tell("import.done_disputes", &server, &outcome, args.how, context)
        }
        Command::Templates(args) => {
            let bytes = read(&args.file)?;
            let name = name_of(&args.file);
            let outcome = import_template(&server, &name, &bytes, &actor, now())?;
            let how = How {
                dry_run: false,
                strict: true,
                progress: false,
                json: args.json,
            };
            tell("import.done_templates", &server, &outcome, how, context)
        }
    }
}

/// Reads the folder of the areas; the outcome of an import without it otherwise.
fn read_areas(folder: &Path) -> std::result::Result<AreaFiles, Outcome> {
    AreaFiles::read_folder(folder).map_err(|mut bad| {
        bad.file = folder.join(&bad.file).display().to_string();
        if !folder.is_dir() {
            bad.code = "import.no_folder";
        }
        Outcome {
            bad: vec![bad],
            withheld: true,
            ..Outcome::default()
        }
    })
}

/// Imports the list of this name.
fn list(
    name: &str,
    args: &ListArgs,
    server: &Server,
    order: Order<'_>,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let list = LISTS.iter().find(|list| list.name == name);
    let month = args.month.parse::<Month>();
    let month = month.map_err(|error| Problem::new("month.malformed").because(&error))?;
    let listed = Listed {
        list: list.ok_or_else(|| Problem::new("server.internal"))?,
        month,
    };
    let bytes = read(&args.file)?;
    import_list(
        server,
        (&name_of(&args.file), &bytes),
        listed,
        order,
        progress,
    )
}

/// Prints the report: remarks, bad rows, people who are held back, changes, counts.
fn tell(
    code: &'static str,
    server: &Server,
    outcome: &Outcome,
    how: How,
    context: &mut Context<'_>,
) -> Result<()> {
    let mut directory = server
        .store()
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))?;
    if how.dry_run {
        // The import reports the same, and has stored the areas that it names.
        for change in &outcome.changes {
            if let Change::Area { after, .. } = change {
                // An area that does not fit is named by its id.
                let _ = directory.areas.apply((**after).clone());
            }
        }
    }
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    if how.json {
        context.json(&to_json(outcome, how, wording))?;
    } else {
        say(code, outcome, how, wording, context)?;
    }
    let count = outcome.bad.len();
    let code = match (count, how.dry_run, outcome.withheld) {
        (0, ..) => return Ok(()),
        (_, true, _) => "import.rows_wrong",
        (_, _, true) => "import.nothing_taken",
        // Not one row could be used, so there is no rest.
        _ if outcome.changed + outcome.unchanged == 0 => "import.nothing_taken",
        (_, _, false) => "import.rest_taken",
    };
    Err(Problem::new(code).with("count", count))
}

fn to_json(outcome: &Outcome, how: How, wording: Wording<'_>) -> serde_json::Value {
    let row = |row: &BadRow| bad_row(row, wording.lang);
    let changes = outcome.changes.iter().filter(|_| !outcome.withheld);
    let changes: Vec<_> = changes.map(|change| change.to_json(wording)).collect();
    serde_json::json!({
        "dry_run": how.dry_run,
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "withheld": outcome.withheld,
        "changes": changes,
        "held_back": outcome.held_back,
        "notes": outcome.notes.iter().map(row).collect::<Vec<_>>(),
        "bad": outcome.bad.iter().map(row).collect::<Vec<_>>(),
    })
}

pub(super) fn bad_row(row: &BadRow, lang: Lang) -> serde_json::Value {
    serde_json::json!({
        "file": row.file,
        "sheet": row.sheet(),
        "line": row.line(),
        "column": row.column,
        "code": row.code,
        "value": row.value,
        "reason": row.reason(lang),
    })
}

fn say(
    code: &'static str,
    outcome: &Outcome,
    how: How,
    wording: Wording<'_>,
    context: &mut Context<'_>,
) -> Result<()> {
    for row in outcome.notes.iter().chain(&outcome.bad) {
        context.line(row.say(wording.lang))?;
    }
    if !outcome.held_back.is_empty() {
        let shown = outcome.held_back.iter().take(CHANGES_SHOWN_MAX);
        let ids: Vec<&str> = shown.map(String::as_str).collect();
        context.say(
            &Phrase::new("import.held_back")
                .with("count", outcome.held_back.len())
                .with("ids", ids.join(" ")),
        )?;
    }
    if outcome.withheld {
        return Ok(());
    }
    for change in outcome.changes.iter().take(CHANGES_SHOWN_MAX) {
        context.line(change.say(wording))?;
    }
    let more = outcome.changes.len().saturating_sub(CHANGES_SHOWN_MAX);
    if more > 0 {
        context.say(&Phrase::new("import.more_changes").with("count", more))?;
    }
    let code = match code {
        "import.done_areas" if how.dry_run => "import.would_areas",
        "import.done_units" if how.dry_run => "import.would_units",
        "import.done_members" if how.dry_run => "import.would_members",
        "import.done_disputes" if how.dry_run => "import.would_disputes",
        code => code,
    };
    context.say(
        &Phrase::new(code)
            .with("changed", outcome.changed)
            .with("unchanged", outcome.unchanged),
    )?;
    if how.dry_run {
        context.say(&Phrase::new("import.was_dry_run"))?;
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
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

pub(super) fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

impl How {
    fn mode(self) -> Mode {
        if self.dry_run {
            Mode::DryRun
        } else if self.strict {
            Mode::Strict
        } else {
            Mode::Rest
        }
    }
}
