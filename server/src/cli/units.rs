//! `onegrid units`: the units and teams of the directory.

use onegrid_core::domain::area::Area;
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::unit::{Unit, UnitKind};
use onegrid_core::id::UnitId;
use serde_json::{Value, json};

use super::Context;
use super::members::{area_of, directory_of};
use super::page::Page;
use super::structure;
use super::time::local;
use crate::admin::people::{self, Filter};
use crate::admin::wording::Wording;
use crate::directory::unit_id;
use crate::error::{Phrase, Problem, Result};
use crate::server::Server;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.units_list")]
    List(ListArgs),
    #[command(about = "cli.units_show")]
    Show(ShowArgs),
    #[command(about = "cli.units_dissolve")]
    Dissolve(structure::DissolveUnitArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[arg(long, value_name = "KIND", help = "cli.arg_unit_kind")]
    kind: Option<UnitKind>,
    #[arg(long, value_name = "CODE", help = "cli.arg_unit_area")]
    area: Option<String>,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    #[arg(value_name = "UNIT", help = "cli.arg_unit")]
    unit: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists, shows or ends units.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(args, context),
        Command::Show(args) => show(args, context),
        Command::Dissolve(args) => structure::dissolve_unit(args, context),
    }
}

fn list(args: &ListArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let area = args.area.as_deref();
    let area = area.map(|code| area_of(&directory, code).map(Area::id));
    let area = area.transpose()?;
    let lies_in = |unit: &Unit| {
        let path = directory.areas.path(unit.area);
        area.is_none_or(|area| path.is_some_and(|path| path.contains(area)))
    };
    let units = directory.units.values();
    let units = units.filter(|unit| args.kind.is_none_or(|kind| kind == unit.kind));
    let mut found: Vec<(Option<String>, &Unit)> = Vec::new();
    for unit in units.filter(|unit| lies_in(unit)) {
        found.push((external_id(&server, unit.id)?, unit));
    }
    found.sort_by(|a, b| (&a.0, a.1.id).cmp(&(&b.0, b.1.id)));
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    for (external_id, unit) in args.page.of(&found) {
        if args.json {
            context.json(&to_json(external_id.as_deref(), unit, wording))?;
        } else {
            context.line(line(external_id.as_deref(), unit, wording))?;
        }
    }
    if args.json {
        return Ok(());
    }
    args.page.footer(found.len(), context)
}

/// Finds a unit by OneGrid's id, or by the id of the office.
pub(super) fn unit_of<'a>(directory: &'a Directory, text: &str) -> Result<&'a Unit> {
    let by_id = text.parse::<UnitId>().ok();
    let by_id = by_id.and_then(|id| directory.units.get(&id));
    let found = by_id.or_else(|| directory.units.get(&unit_id(text)));
    found.ok_or_else(|| Problem::new("registry.unknown_unit").with("unit", text))
}

fn external_id(server: &Server, unit: UnitId) -> Result<Option<String>> {
    Ok(server.store().read(|tx| tx.external_id(unit.0))?)
}

fn line(external_id: Option<&str>, unit: &Unit, wording: Wording<'_>) -> String {
    let id = external_id.map_or_else(|| unit.id.to_string(), str::to_owned);
    let (name, area) = (wording.unit(unit.id), wording.area(unit.area));
    let ended = unit.dissolved_at_ms.map(|at_ms| {
        let phrase = Phrase::new("units.dissolved").with("at", local(at_ms));
        format!("  {}", phrase.sentence(wording.lang))
    });
    let ended = ended.unwrap_or_default();
    format!("{id}  {name}  {}  {area}{ended}", unit.kind)
}

fn to_json(external_id: Option<&str>, unit: &Unit, wording: Wording<'_>) -> Value {
    json!({
        "unit": unit.id.to_string(),
        "external_id": external_id,
        "name": unit.names.zh(),
        "name_en": unit.names.en(),
        "kind": unit.kind.to_string(),
        "area": wording.area(unit.area),
        "dissolved_ms": unit.dissolved_at_ms,
    })
}

fn show(args: &ShowArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let unit = unit_of(&directory, &args.unit)?;
    let filter = Filter {
        unit: Some(unit.id),
        ..Filter::default()
    };
    let people = people::find(&server, &filter)?.people;
    let external_id = external_id(&server, unit.id)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    if args.json {
        let mut value = to_json(external_id.as_deref(), unit, wording);
        let ids: Vec<String> = people.iter().map(people::Person::shown_id).collect();
        value["people"] = json!(ids);
        return context.json(&value);
    }
    context.line(line(external_id.as_deref(), unit, wording))?;
    for person in &people {
        let name = person.name.as_deref().unwrap_or("-");
        let here = person.grants.iter();
        let here = here.filter(|grant| grant.scope.unit() == Some(unit.id));
        let roles = wording.grants(&here.cloned().collect::<Vec<_>>());
        context.line(format_args!("  {}  {name}  {roles}", person.shown_id()))?;
    }
    context.say(&Phrase::new("units.people").with("count", people.len()))
}
