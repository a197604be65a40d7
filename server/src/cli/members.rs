//! `onegrid members`: the people of the deployment, their roles, and switching them off and on.

use onegrid_core::domain::area::{Area, AreaCode};
use onegrid_core::domain::directory::Directory;
use onegrid_core::domain::{Grant, Role, Scope};
use onegrid_core::id::{AreaId, MemberId};
use serde_json::{Value, json};

use super::Context;
use super::invite::{ForPhones, member_of};
use super::page::Page;
use super::time::{local, now};
use crate::admin::import::areas::has_ended;
use crate::admin::import::members::{ROLES, Refused, post_of, role_of};
use crate::admin::people::{self, Filter, Found, Person};
use crate::admin::wording::Wording;
use crate::directory::{self, unit_id};
use crate::error::{Phrase, Problem, Result};
use crate::registry::members::MemberDescription;
use crate::server::Server;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    #[command(about = "cli.members_list")]
    List(ListArgs),
    #[command(about = "cli.members_search")]
    Search(SearchArgs),
    #[command(about = "cli.members_show")]
    Show(OneArgs),
    #[command(about = "cli.members_disable")]
    Disable(DisableArgs),
    #[command(about = "cli.members_enable")]
    Enable(EnableArgs),
    #[command(about = "cli.members_roles", subcommand)]
    Roles(RolesCommand),
    #[command(about = "cli.members_move")]
    Move(MoveArgs),
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum RolesCommand {
    #[command(about = "cli.members_roles_add")]
    Add(RoleArgs),
    #[command(about = "cli.members_roles_take")]
    Take(RoleArgs),
}

#[derive(Debug, clap::Args)]
struct Conditions {
    #[arg(long, value_name = "CODE", help = "cli.arg_in_area")]
    area: Option<String>,
    #[arg(long, value_name = "ROLE", help = "cli.arg_with_role")]
    role: Option<String>,
    #[arg(long, value_name = "UNIT", help = "cli.arg_in_unit")]
    unit: Option<String>,
    #[arg(long, help = "cli.arg_disabled", conflicts_with = "enabled")]
    disabled: bool,
    #[arg(long, help = "cli.arg_enabled")]
    enabled: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct SearchArgs {
    #[arg(value_name = "TEXT", help = "cli.arg_search_text")]
    text: String,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    page: Page,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct OneArgs {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DisableArgs {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[arg(long, help = "cli.arg_yes")]
    yes: bool,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct EnableArgs {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[command(flatten)]
    phones: ForPhones,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RoleArgs {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[arg(long, value_name = "ROLE", help = "cli.arg_role")]
    role: String,
    #[arg(long, value_name = "CODE", help = "cli.arg_role_areas")]
    area: Vec<String>,
    #[arg(long, value_name = "UNIT", help = "cli.arg_role_unit")]
    unit: Option<String>,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct MoveArgs {
    #[arg(value_name = "MEMBER", help = "cli.arg_member")]
    member: String,
    #[arg(long, value_name = "CODE", help = "cli.arg_move_to")]
    area: String,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Lists, shows or changes.
pub(super) fn run(command: &Command, context: &mut Context<'_>) -> Result<()> {
    match command {
        Command::List(args) => list(&args.conditions, None, args.page, args.json, context),
        Command::Search(args) => {
            let text = Some(args.text.clone());
            list(&args.conditions, text, args.page, args.json, context)
        }
        Command::Show(args) => show(args, context),
        Command::Disable(args) => disable(args, context),
        Command::Enable(args) => enable(args, context),
        Command::Roles(RolesCommand::Add(args)) => add_role(args, context),
        Command::Roles(RolesCommand::Take(args)) => take_role(args, context),
        Command::Move(args) => change_area(args, context),
    }
}

fn list(
    conditions: &Conditions,
    text: Option<String>,
    page: Page,
    json: bool,
    context: &mut Context<'_>,
) -> Result<()> {
    let (_, server) = context.deployment()?;
    let filter = conditions.filter(&server, text)?;
    let Found { people, directory } = people::find(&server, &filter)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    for person in page.of(&people) {
        if json {
            context.json(&to_json(person, wording))?;
        } else {
            context.line(line(person, wording))?;
        }
    }
    if json {
        return Ok(());
    }
    page.footer(people.len(), context)
}

impl Conditions {
    fn filter(&self, server: &Server, text: Option<String>) -> Result<Filter> {
        let directory = directory_of(server)?;
        let area = self.area.as_deref();
        let area = area.map(|code| area_of(&directory, code).map(Area::id));
        let role = self.role.as_deref().map(role_named);
        let unit = self.unit.as_deref().map(|external_id| {
            let unit = directory.units.get(&unit_id(external_id));
            let unknown = || Problem::new("registry.unknown_unit").with("unit", external_id);
            unit.map(|unit| unit.id).ok_or_else(unknown)
        });
        Ok(Filter {
            area: area.transpose()?,
            role: role.transpose()?,
            unit: unit.transpose()?,
            disabled: (self.disabled || self.enabled).then_some(self.disabled),
            text,
        })
    }
}

pub(super) fn directory_of(server: &Server) -> Result<Directory> {
    server
        .store()
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))
}

/// Finds an area by its code.
pub(super) fn area_of<'a>(directory: &'a Directory, code: &str) -> Result<&'a Area> {
    let unknown = || Problem::new("registry.unknown_area").with("code", code);
    let parsed: AreaCode = code.parse().map_err(|_| unknown())?;
    directory.areas.by_code(parsed).ok_or_else(unknown)
}

fn role_named(text: &str) -> Result<Role> {
    role_of(text.trim()).ok_or_else(|| {
        let names: Vec<&str> = ROLES.iter().map(|role| role.name()).collect();
        Problem::new("registry.unknown_role")
            .with("role", text)
            .with("roles", names.join(" "))
    })
}

fn line(person: &Person, wording: Wording<'_>) -> String {
    let name = person.name.as_deref().unwrap_or("-");
    let (area, roles) = (wording.area(person.area), wording.grants(&person.grants));
    let standing = match person.disabled_ms {
        Some(ms) => Phrase::new("people.disabled").with("at", local(ms)),
        None => Phrase::new("people.devices").with("count", person.devices),
    };
    let standing = standing.sentence(wording.lang);
    format!("{}  {name}  {area}  {roles}  {standing}", person.shown_id())
}

fn to_json(person: &Person, wording: Wording<'_>) -> Value {
    let grants = person.grants.iter();
    let grants: Vec<String> = grants.map(|grant| wording.grant(grant)).collect();
    json!({
        "member": person.id.to_string(),
        "external_id": person.external_id,
        "name": person.name,
        "area": wording.area(person.area),
        "area_code": wording.area_code(person.area),
        "roles": grants,
        "grants": wording.grants_codes(&person.grants),
        "disabled_ms": person.disabled_ms,
        "devices": person.devices,
    })
}

fn show(args: &OneArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let (person, directory) = people::one(&server, member)?;
    let devices = server.store().read(|tx| tx.devices_of(member))?;
    let invitations = server.invitations()?;
    let now_ms = now();
    let open: Vec<_> = invitations
        .iter()
        .filter(|one| one.member == member && one.is_open(now_ms))
        .collect();
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    if args.json {
        let mut value = to_json(&person, wording);
        let device = |row: &crate::store::DeviceRow| {
            json!({
                "device": row.id.to_string(),
                "enrolled_ms": row.enrolled_ms,
                "revoked_ms": row.revoked_ms,
            })
        };
        value["devices"] = devices.iter().map(device).collect();
        value["open_invitations"] = json!(open.len());
        return context.json(&value);
    }
    context.line(line(&person, wording))?;
    context.say(&Phrase::new("people.id").with("id", member))?;
    for grant in &person.grants {
        context.line(format_args!("  {}", wording.grant(grant)))?;
    }
    for device in &devices {
        let phrase = match device.revoked_ms {
            Some(ms) => Phrase::new("devices.revoked").with("at", local(ms)),
            None => Phrase::new("people.enrolled").with("at", local(device.enrolled_ms)),
        };
        let standing = phrase.sentence(context.lang);
        context.line(format_args!("  {}  {standing}", device.id))?;
    }
    for one in open {
        let until = local(one.expires_ms);
        context.say(&Phrase::new("people.invited").with("until", until))?;
    }
    Ok(())
}

fn disable(args: &DisableArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let (person, directory) = people::one(&server, member)?;
    let lang = context.lang;
    let named = Wording {
        directory: &directory,
        lang,
    }
    .person(&person);
    let question = Phrase::new("people.ask_disable")
        .with("member", &named)
        .with("devices", person.devices);
    context.confirm(args.yes, &question)?;
    let done = server.disable_member(member, &context.actor, now())?;
    let code = if done.already {
        "people.already_disabled"
    } else {
        "people.is_disabled"
    };
    let said = Phrase::new(code)
        .with("member", &named)
        .with("devices", done.devices)
        .with("invitations", done.invitations);
    let value = json!({
        "member": member.to_string(),
        "already_disabled": done.already,
        "revoked": done.devices,
        "cancelled": done.invitations,
    });
    context.result(args.json, &value, &[said])
}

fn enable(args: &EnableArgs, context: &mut Context<'_>) -> Result<()> {
    let (config, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    // A wrong address must not leave half of the work done.
    let address = args.phones.address(&config)?;
    let (person, directory) = people::one(&server, member)?;
    let fresh = server.enable_member(member, &context.actor, now())?;
    if !fresh {
        let said = Phrase::new("people.not_disabled").with("member", person.shown_id());
        let value = json!({
            "member": member.to_string(),
            "external_id": person.external_id,
            "name": person.name,
            "already_enabled": true,
        });
        return context.result(args.json, &value, &[said]);
    }
    if !args.json {
        context.say(&Phrase::new("people.is_enabled").with("member", person.shown_id()))?;
    }
    let people = (&[person][..], &directory);
    args.phones
        .invite(&server, people, address.as_deref(), args.json, context)
}

fn add_role(args: &RoleArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let role = role_named(&args.role)?;
    let directory = directory_of(&server)?;
    let unit = args.unit.as_deref().unwrap_or_default();
    let post = post_of(
        role,
        &args.area.join(" "),
        unit,
        &directory.areas,
        &directory.units,
    );
    let post = post.map_err(|(column, code): Refused| {
        let value = match column {
            "areas" => args.area.join(" "),
            "unit" => unit.to_owned(),
            _ => args.role.clone(),
        };
        let value = Some(value).filter(|value| !value.is_empty());
        let value = value.map(|value| format!(" [{value}]"));
        Problem::new("registry.role_refused")
            .with("value", value.unwrap_or_default())
            .with_phrase("reason", Phrase::new(code))
    })?;
    alter(&server, member, args.json, context, move |described| {
        let new = post.grants.iter().cloned();
        let new = new.filter(|grant| !described.grants.contains(grant));
        let new: Vec<Grant> = new.collect();
        if described.grants.len() + new.len() > onegrid_core::limits::GRANTS_MAX {
            return Err(Problem::new("registry.too_many_grants"));
        }
        described.grants.extend(new);
        Ok(())
    })
}

fn take_role(args: &RoleArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let role = role_named(&args.role)?;
    let directory = directory_of(&server)?;
    let areas = args.area.iter();
    let areas = areas.map(|code| area_of(&directory, code).map(Area::id));
    let areas: Vec<AreaId> = areas.collect::<Result<_>>()?;
    let unit = args.unit.as_deref().map(unit_id);
    let everywhere = areas.is_empty() && unit.is_none();
    let role_text = args.role.clone();
    alter(&server, member, args.json, context, move |described| {
        let before = described.grants.len();
        described.grants.retain(|grant| {
            let is_there = everywhere
                || match &grant.scope {
                    Scope::Area(path) => areas.contains(&path.leaf()),
                    Scope::Unit(held) => unit == Some(*held),
                    Scope::Zone { .. } => false,
                };
            grant.role != role || !is_there
        });
        if described.grants.len() == before {
            return Err(Problem::new("registry.role_not_held").with("role", &role_text));
        }
        Ok(())
    })
}

fn change_area(args: &MoveArgs, context: &mut Context<'_>) -> Result<()> {
    let (_, server) = context.deployment()?;
    let member = member_of(&server, &args.member)?;
    let directory = directory_of(&server)?;
    let to = area_of(&directory, &args.area)?;
    let unknown = || Problem::new("registry.unknown_area").with("code", &args.area);
    let (to, level) = (to.id(), to.level());
    if has_ended(&directory.areas, to) {
        return Err(Problem::new("registry.area_ended").with("code", &args.area));
    }
    let path = directory.areas.path(to).ok_or_else(unknown)?;
    let levels = directory.areas;
    let code = args.area.clone();
    alter(&server, member, args.json, context, move |described| {
        let from = described.area;
        if levels.get(from).is_some_and(|area| area.level() != level) {
            return Err(Problem::new("registry.other_level").with("code", &code));
        }
        described.area = to;
        for grant in &mut described.grants {
            if matches!(&grant.scope, Scope::Area(held) if held.leaf() == from) {
                grant.scope = Scope::Area(path);
            }
        }
        Ok(())
    })
}

/// Changes a member and shows the result.
fn alter(
    server: &Server,
    member: MemberId,
    json: bool,
    context: &mut Context<'_>,
    change: impl Fn(&mut MemberDescription) -> Result<()> + Send + 'static,
) -> Result<()> {
    let changed = server.change_member(member, &context.actor, now(), change)?;
    let (person, directory) = people::one(server, member)?;
    let wording = Wording {
        directory: &directory,
        lang: context.lang,
    };
    if json {
        let mut value = to_json(&person, wording);
        value["changed"] = json!(changed);
        return context.json(&value);
    }
    if !changed {
        context.say(&Phrase::new("people.unchanged"))?;
    }
    context.line(line(&person, wording))
}
