//! `onegrid areas`: the areas of the directory, by code and name.

use onegrid_core::domain::area::{Area, AreaLevel};
use onegrid_core::domain::directory::Directory;
use onegrid_core::id::AreaId;
use serde_json::{Value, json};

use super::Context;
use super::members::{area_of, directory_of};
use super::page::Page;
use super::structure;
use super::time::{local, now};
use crate::admin::people::is_in;
use crate::admin::wording::Wording;
use crate::error::{Phrase, Problem, Result};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.areas_list")]
    List(ListArgs),
    #[command(about = "cli.areas_show")]
    Show(ShowArgs),
    #[command(about = "cli.areas_merge")]
    Merge(structure::MergeArgs),
    #[command(about = "cli.areas_dissolve")]
    Dissolve(structure::DissolveArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(
        long,
        value_name = "district|town|village|grid",
        help = "cli.arg_area_level"
    )]
    level: Option<LevelArg>,
    #[arg(long, value_name = "CODE", help = "cli.arg_area_under")]
    under: Option<String>,
    #[arg(long, help = "cli.arg_dissolved")]
    dissolved: bool,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[arg(value_name = "CODE", help = "cli.arg_area_code")]
    code: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LevelArg {
    District,
    Town,
    Village,
    Grid,
}

impl LevelArg {
    fn level(self) -> AreaLevel {
        match self {
            Self::District => AreaLevel::District,
            Self::Town => AreaLevel::Town,
            Self::Village => AreaLevel::Village,
            Self::Grid => AreaLevel::Grid,
        }
    }
}

/// Lists, shows or ends areas.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(args, context),
        Command::Show(args) => show(args, context),
        Command::Merge(args) => structure::merge(args, context),
        Command::Dissolve(args) => structure::dissolve(args, context),
    }
}

/// Whether an area has come to its end.
fn is_dissolved(area: &Area) -> bool {
    area.newest().valid_to_ms.is_some_and(|end| end <= now())
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let under = args.under.as_deref();
    let under = under.map(|code| area_of(&directory, code).map(Area::id));
    let under = under.transpose()?;
    let level = args.level.map(LevelArg::level);
    let lies_under = |id: AreaId, above: AreaId| {
        let path = directory.areas.path(id);
        id != above && path.is_some_and(|path| path.contains(above))
    };
    let mut found: Vec<&Area> = directory
        .areas
        .iter()
        .filter(|area| level.is_none_or(|level| level == area.level()))
        .filter(|area| under.is_none_or(|above| lies_under(area.id(), above)))
        .filter(|area| is_dissolved(area) == args.dissolved)
        .collect();
    found.sort_by_key(|area| (area.newest().code, area.id()));
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    for area in args.page.of(&found) {
        if args.json {
            context.json(&to_json(area, wording))?;
        } else {
            let level = level_of(area, wording);
            context.line(format_args!("{}  {level}", wording.area(area.id())))?;
        }
    }
    if args.json {
        return Ok(());
    }
    args.page.footer(found.len(), context)
}

fn level_of(area: &Area, wording: Wording<'_>) -> String {
    let code = format!("level.{}", area.level());
    onegrid_core::texts::say(&code, wording.lang, &[])
}

fn to_json(area: &Area, wording: Wording<'_>) -> Value {
    let newest = area.newest();
    json!({
        "code": newest.code.to_string(),
        "name": newest.names.zh(),
        "name_en": newest.names.en(),
        "level": area.level().to_string(),
        "parent": area.parent().map(|id| code_of(wording.directory, id)),
        "valid_from_ms": newest.valid_from_ms,
        "valid_to_ms": newest.valid_to_ms,
    })
}

/// Newest code of an area; its id if the directory lacks it.
fn code_of(directory: &Directory, id: AreaId) -> String {
    let area = directory.areas.get(id);
    area.map_or_else(|| id.to_string(), |area| area.newest().code.to_string())
}

fn show(args: &ShowArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let area = area_of(&directory, &args.code)?;
    let people = server.store().read::<_, Problem>(|tx| {
        let members = tx.members()?.into_iter();
        let inside = members.filter(|row| is_in(row, area.id(), &directory));
        Ok(inside.count())
    })?;
    let below: Vec<&Area> = directory
        .areas
        .children(area.id())
        .filter(|child| !is_dissolved(child))
        .collect();
    let units: Vec<String> = directory
        .units
        .values()
        .filter(|unit| unit.area == area.id() && unit.dissolved_at_ms.is_none())
        .map(|unit| unit.names.zh().to_owned())
        .collect();
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    let heirs = area.successors().iter();
    if args.json {
        let mut value = to_json(area, wording);
        value["below"] = json!(below.len());
        value["units"] = json!(units);
        value["people"] = json!(people);
        value["successors"] = heirs.map(|id| code_of(&directory, *id)).collect();
        return context.json(&value);
    }
    let level = level_of(area, wording);
    context.line(format_args!("{}  {level}", wording.area(area.id())))?;
    for version in area.versions() {
        let from = local(version.valid_from_ms);
        let phrase = match version.valid_to_ms {
            Some(to_ms) => Phrase::new("areas.version_ended").with("to", local(to_ms)),
            None => Phrase::new("areas.version"),
        };
        let phrase = phrase
            .with("code", version.code)
            .with("name", version.names.zh())
            .with("from", from);
        context.say(&phrase)?;
    }
    for heir in heirs {
        let heir = wording.area(*heir);
        context.say(&Phrase::new("areas.heir").with("area", heir))?;
    }
    context.say(
        &Phrase::new("areas.counts")
            .with("below", below.len())
            .with("units", units.len())
            .with("people", people),
    )
}
