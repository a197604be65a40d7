//! `onegrid areas merge`, `areas dissolve` and `units dissolve`: each shows what moves, and asks.

use onegrid_core::id::{AreaId, UnitId};
use onegrid_core::texts::say;
use serde_json::json;

use super::Context;
use super::members::{area_of, directory_of};
use super::time::now;
use super::units::unit_of;
use crate::admin::people;
use crate::admin::wording::Wording;
use crate::error::{Phrase, Result};
use crate::limits::CHANGES_SHOWN_MAX;
use crate::registry::mergers::{self, Belongings};
use crate::server::Server;

#[derive(Debug, clap::Args)]
pub(super) struct MergeArgs {
    #[arg(value_name = "CODE", help = "cli.arg_area_that_ends")]
    code: String,
    #[arg(long, value_name = "CODE", help = "cli.arg_area_into")]
    into: String,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DissolveArgs {
    #[arg(value_name = "CODE", help = "cli.arg_area_that_ends")]
    code: String,
    #[arg(long, value_name = "CODE", help = "cli.arg_area_heirs")]
    heir: Vec<String>,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DissolveUnitArgs {
    #[arg(value_name = "UNIT", help = "cli.arg_unit")]
    unit: String,
    #[arg(long, value_name = "UNIT", help = "cli.arg_unit_heir")]
    heir: Option<String>,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Merges an area into another one.
pub(super) fn merge(args: &MergeArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let from = area_of(&directory, &args.code)?.id();
    let into = area_of(&directory, &args.into)?.id();
    let now_ms = now();
    let found = mergers::preview_merge(&server.shared, from, into, now_ms)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    let (from_name, into_name) = (wording.area(from), wording.area(into));
    if !args.json {
        let phrase = Phrase::new("structure.moves")
            .with("from", &from_name)
            .with("into", &into_name)
            .with("areas", found.areas.len())
            .with("units", found.units.len())
            .with("people", found.people.len());
        context.say(&phrase)?;
        show_roles(&found, &into_name, context)?;
        show_cases(&found, &into_name, context)?;
    }
    let question = Phrase::new("structure.ask_merge")
        .with("from", &from_name)
        .with("into", &into_name);
    context.confirm(args.yes, &question)?;
    let moved = mergers::merge(&server.shared, from, into, &context.actor, now_ms)?;
    let value = json!({
        "code": args.code,
        "into": args.into,
        "areas": found.areas.len(),
        "units": found.units.len(),
        "people": moved,
        "open_cases": found.open_cases,
        "invitations": found.invitations,
        "zones": found.zones,
    });
    let done = Phrase::new("structure.merged")
        .with("from", from_name)
        .with("into", into_name)
        .with("people", moved);
    context.result(args.json, &value, &[done])
}

/// Roles in the area itself become wider, so the preview names them.
fn show_roles(found: &Belongings, into: &str, context: &mut Context<'_>) -> Result<()> {
    for (role, count) in &found.roles {
        let role = say(&format!("role.{}", role.name()), context.lang, &[]);
        let phrase = Phrase::new("structure.role")
            .with("role", role)
            .with("count", count)
            .with("into", into);
        context.say(&phrase)?;
    }
    Ok(())
}

fn show_cases(found: &Belongings, heirs: &str, context: &mut Context<'_>) -> Result<()> {
    let phrase = Phrase::new("structure.cases")
        .with("cases", found.open_cases)
        .with("into", heirs)
        .with("invitations", found.invitations);
    context.say(&phrase)?;
    if found.zones > 0 {
        context.say(&Phrase::new("structure.zones").with("zones", found.zones))?;
    }
    Ok(())
}

/// Dissolves an area that nothing belongs to any more.
pub(super) fn dissolve(args: &DissolveArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let area = area_of(&directory, &args.code)?;
    let (from, above) = (area.id(), area.parent());
    let heirs = args.heir.iter();
    let heirs = heirs.map(|code| Ok(area_of(&directory, code)?.id()));
    let heirs: Vec<AreaId> = heirs.collect::<Result<_>>()?;
    let now_ms = now();
    let found = mergers::preview_dissolve(&server.shared, from, &heirs, now_ms)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    let named = if heirs.is_empty() {
        above.into_iter().collect()
    } else {
        heirs.clone()
    };
    let named: Vec<String> = named.into_iter().map(|id| wording.area(id)).collect();
    let named = named.join(" + ");
    if !args.json {
        show_left(&server, &found, wording, context)?;
        show_cases(&found, &named, context)?;
    }
    let question = Phrase::new("structure.ask_dissolve").with("from", wording.area(from));
    context.confirm(args.yes || !found.is_empty(), &question)?;
    mergers::dissolve(&server.shared, from, &heirs, &context.actor, now_ms)?;
    let value = json!({
        "code": args.code,
        "heirs": args.heir,
        "open_cases": found.open_cases,
        "zones": found.zones,
    });
    let done = Phrase::new("structure.dissolved").with("from", wording.area(from));
    context.result(args.json, &value, &[done])
}

/// Names everything that has to move before an area ends.
fn show_left(
    server: &Server,
    found: &Belongings,
    wording: Wording<'_>,
    context: &mut Context<'_>,
) -> Result<()> {
    let areas = found.areas.iter().map(|id| wording.area(*id));
    let units = found.units.iter().map(|id| wording.unit(*id));
    let places: Vec<String> = areas.chain(units).collect();
    let all = places.len() + found.people.len();
    for place in places.iter().take(CHANGES_SHOWN_MAX) {
        context.line(format_args!("  {place}"))?;
    }
    let rest = CHANGES_SHOWN_MAX.saturating_sub(places.len());
    for member in found.people.iter().take(rest) {
        let (person, _) = people::one(server, *member)?;
        context.line(format_args!("  {}", wording.person(&person)))?;
    }
    let more = all.saturating_sub(CHANGES_SHOWN_MAX);
    if more > 0 {
        context.say(&Phrase::new("structure.more").with("count", more))?;
    }
    Ok(())
}

/// Dissolves a unit.
pub(super) fn dissolve_unit(args: &DissolveUnitArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let directory = directory_of(&server)?;
    let unit = unit_of(&directory, &args.unit)?.id;
    let heir = args.heir.as_deref();
    let heir = heir.map(|text| unit_of(&directory, text).map(|unit| unit.id));
    let heir: Option<UnitId> = heir.transpose()?;
    let now_ms = now();
    let found = mergers::preview_unit(&server.shared, unit, now_ms)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    let name = wording.unit(unit);
    if !args.json {
        let code = match heir {
            Some(_) => "structure.unit_moves",
            None => "structure.unit_ends",
        };
        let heir = heir.map(|id| wording.unit(id)).unwrap_or_default();
        let phrase = Phrase::new(code)
            .with("unit", &name)
            .with("into", heir)
            .with("people", found.people.len())
            .with("invitations", found.invitations);
        context.say(&phrase)?;
        if found.open_cases > 0 {
            let phrase = Phrase::new("structure.unit_cases").with("cases", found.open_cases);
            context.say(&phrase)?;
        }
    }
    let question = Phrase::new("structure.ask_dissolve").with("from", &name);
    context.confirm(args.yes, &question)?;
    let changed = mergers::dissolve_unit(&server.shared, unit, heir, &context.actor, now_ms)?;
    let value = json!({
        "unit": unit.to_string(),
        "heir": heir.map(|id| id.to_string()),
        "people": changed,
        "open_cases": found.open_cases,
        "invitations": found.invitations,
    });
    let done = Phrase::new("structure.dissolved").with("from", name);
    context.result(args.json, &value, &[done])
}
