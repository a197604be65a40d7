//! `onegrid invite`: one more phone for a member, or a first phone for many. The code is shown once; the server
//! only keeps data that verifies it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::http::Uri;
use axum::http::uri::Authority;
use onegrid_core::domain::directory::Directory;
use onegrid_core::id::MemberId;
use onegrid_core::system::OsRandom;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::members::{area_of, directory_of};
use super::time::{local, now};
use super::{Context, import};
use crate::admin::data_dir::DataDir;
use crate::admin::import::people::parse_people;
use crate::admin::invitation_sheet::{self, Sheet, Slip};
use crate::admin::people::{self, Filter, Found, Person};
use crate::admin::wording::Wording;
use crate::config::Config;
use crate::error::{Phrase, Problem, Result};
use crate::registry::enrolment::NewInvitation;
use crate::registry::members::id_of_external;
use crate::server::Server;

const HOUR_MS: i64 = 3_600_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(
        value_name = "MEMBER",
        help = "cli.arg_member",
        required_unless_present_any = ["all_new", "area", "from"],
        conflicts_with_all = ["all_new", "area", "from"]
    )]
    member: Option<String>,
    #[arg(long, help = "cli.arg_all_new", conflicts_with_all = ["area", "from"])]
    all_new: bool,
    #[arg(
        long,
        value_name = "CODE",
        help = "cli.arg_new_in_area",
        conflicts_with = "from"
    )]
    area: Option<String>,
    #[arg(long, value_name = "FILE", help = "cli.arg_invite_from")]
    from: Option<PathBuf>,
    #[command(flatten)]
    phones: ForPhones,
    #[arg(long, help = "cli.arg_json")]
    json: bool,
}

/// Options of an invitation.
#[derive(Debug, clap::Args)]
pub(super) struct ForPhones {
    #[arg(
        long,
        value_name = "HOURS",
        default_value_t = 72,
        value_parser = clap::value_parser!(u16).range(1..=720),
        help = "cli.arg_hours"
    )]
    hours: u16,
    #[arg(long, value_name = "URL", help = "cli.arg_address")]
    address: Option<String>,
    #[arg(long, help = "cli.arg_for_this_machine")]
    for_this_machine: bool,
    #[arg(long, value_name = "FILE", help = "cli.arg_sheet")]
    sheet: Option<PathBuf>,
}

/// Invites, and prints codes and QR texts.
pub(super) fn run(args: &Args, context: &mut Context<'_>) -> Result<()> {
    let (config, server) = context.deployment()?;
    let address = args.phones.address(&config)?;
    let Found { people, directory } = args.people(&server, context)?;
    if people.is_empty() {
        if !args.json {
            context.say(&Phrase::new("invite.nobody"))?;
        }
        return Ok(());
    }
    if args.member.is_none() && args.phones.sheet.is_none() && !args.json {
        return Err(Problem::new("invite.sheet_needed").with("count", people.len()));
    }
    let people = (people.as_slice(), &directory);
    let phones = &args.phones;
    phones.invite(&server, people, address.as_deref(), args.json, context)
}

impl Args {
    /// The people to be invited.
    fn people(&self, server: &Server, context: &mut Context<'_>) -> Result<Found> {
        if let Some(text) = &self.member {
            let (person, directory) = people::one(server, member_of(server, text)?)?;
            if person.disabled_ms.is_some() {
                return Err(disabled(&person));
            }
            return Ok(Found {
                people: vec![person],
                directory,
            });
        }
        if let Some(path) = &self.from {
            return listed(server, path, self.json, context);
        }
        let area = match &self.area {
            Some(code) => Some(area_of(&directory_of(server)?, code)?.id()),
            None => None,
        };
        let filter = Filter {
            area,
            disabled: Some(false),
            ..Filter::default()
        };
        let mut found = people::find(server, &filter)?;
        let now_ms = now();
        let invited = server.invitations()?.into_iter();
        let invited = invited.filter(|one| one.is_open(now_ms));
        let invited: HashSet<MemberId> = invited.map(|one| one.member).collect();
        found
            .people
            .retain(|person| person.devices == 0 && !invited.contains(&person.id));
        Ok(found)
    }
}

/// The people of a file. Each row without a person to invite is told, and then the whole list is
/// refused.
fn listed(server: &Server, path: &Path, json: bool, context: &mut Context<'_>) -> Result<Found> {
    let (file, bytes) = (import::name_of(path), import::read(path)?);
    let Found { people, directory } = people::find(server, &Filter::default())?;
    let mut by_id: HashMap<MemberId, Person> =
        people.into_iter().map(|one| (one.id, one)).collect();
    let (rows, mut bad) = match parse_people(&file, &bytes) {
        Ok(rows) => (rows, Vec::new()),
        Err(bad) => (Vec::new(), bad),
    };
    let (mut wanted, mut known) = (Vec::new(), HashSet::new());
    for row in rows {
        let member = match member_of(server, &row.external_id) {
            Ok(member) => member,
            Err(problem) if problem.code() == "registry.unknown_member" => {
                bad.push(row.refused(&file, problem.code()));
                continue;
            }
            Err(problem) => return Err(problem),
        };
        match by_id.get(&member) {
            Some(person) if person.disabled_ms.is_some() => {
                bad.push(row.refused(&file, "registry.member_disabled"));
            }
            _ if known.insert(member) => wanted.extend(by_id.remove(&member)),
            _ => {}
        }
    }
    if bad.is_empty() {
        return Ok(Found {
            people: wanted,
            directory,
        });
    }
    for row in &bad {
        if json {
            context.json(&import::bad_row(row, context.lang))?;
        } else {
            context.line(row.say(context.lang))?;
        }
    }
    Err(Problem::new("invite.list_wrong").with("count", bad.len()))
}

fn disabled(person: &Person) -> Problem {
    Problem::new("registry.member_disabled").with("member", person.shown_id())
}

impl ForPhones {
    /// The address that phones use; `None` if no address is known that they can reach.
    pub(super) fn address(&self, config: &Config) -> Result<Option<String>> {
        let address = match &self.address {
            Some(text) => {
                let address = checked(text)?;
                if !self.for_this_machine && is_local(&address) {
                    return Err(Problem::new("invite.only_this_machine").with("address", text));
                }
                Some(address)
            }
            None => own_address(config)?.filter(|own| self.for_this_machine || !is_local(own)),
        };
        if address.is_none() && self.sheet.is_some() {
            return Err(Problem::new("invite.sheet_without_address"));
        }
        if let Some(path) = &self.sheet {
            invitation_sheet::refuse_existing(path)?;
        }
        Ok(address)
    }

    /// Invites one phone of each person, and shows the invitations: as JSON, as a sheet for
    /// printing, or one on the screen. An invitation whose code cannot be handed over is cancelled.
    pub(super) fn invite(
        &self,
        server: &Server,
        people: (&[Person], &Directory),
        address: Option<&str>,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let (valid_ms, now_ms) = (i64::from(self.hours) * HOUR_MS, now());
        let ids: Vec<MemberId> = people.0.iter().map(|person| person.id).collect();
        let made = server.draft_invitations(&ids, valid_ms, now_ms, &mut OsRandom)?;
        let sheet = self.sheet_of(server, people, &made, address)?;
        server.store_invitations(&made, &context.actor, now_ms)?;
        let has_sheet = sheet.is_some();
        let kept = sheet.map_or(Ok(()), Sheet::keep);
        let told = kept.map_err(|problem| (problem, false)).and_then(|()| {
            let told = self.tell(server, people, &made, address, json, context);
            // The sheet has the codes.
            told.map_err(|problem| (problem, has_sheet))
        });
        told.map_err(|(problem, has_codes)| {
            if has_codes {
                problem
            } else {
                server.withdraw_invitations(&made, &context.actor, now(), problem)
            }
        })
    }

    fn sheet_of(
        &self,
        server: &Server,
        (people, directory): (&[Person], &Directory),
        made: &[NewInvitation],
        address: Option<&str>,
    ) -> Result<Option<Sheet>> {
        let (Some(path), Some(address)) = (&self.sheet, address) else {
            return Ok(None);
        };
        let slips = people.iter().zip(made).map(|(person, one)| {
            let qr = one.qr(server.keys(), address);
            slip(person, one, &qr, directory)
        });
        let slips: Vec<Slip> = slips.collect();
        Sheet::write(path, &slips).map(Some)
    }

    /// Shows invitations, which are in the order of the people.
    fn tell(
        &self,
        server: &Server,
        (people, directory): (&[Person], &Directory),
        made: &[NewInvitation],
        address: Option<&str>,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let qr = |one: &NewInvitation| address.map(|address| one.qr(server.keys(), address));
        let mut pairs = people.iter().zip(made);
        if json {
            return pairs.try_for_each(|(person, one)| {
                context.json(&serde_json::json!({
                    "member": person.id.to_string(),
                    "external_id": person.external_id,
                    "name": person.name,
                    "code": one.code,
                    "qr": qr(one),
                    "expires_ms": one.invitation.expires_ms,
                }))
            });
        }
        if let Some(path) = &self.sheet {
            let done = Phrase::new("invite.sheet_written").with("count", made.len());
            return context.say(&done.with("path", path.display()));
        }
        let lang = context.lang;
        let wording = Wording { directory, lang };
        pairs.try_for_each(|(person, one)| {
            context.line(wording.person(person))?;
            show(one, qr(one), context)
        })
    }
}

fn slip(person: &Person, one: &NewInvitation, qr: &str, directory: &Directory) -> Slip {
    let area = |lang| Wording { directory, lang }.area(person.area);
    Slip {
        name: person.name.clone().unwrap_or_default(),
        external_id: person.external_id.clone().unwrap_or_default(),
        area: onegrid_core::texts::Lang::ALL.map(area),
        code: one.code.clone(),
        qr: qr.to_owned(),
        until: local(one.invitation.expires_ms),
    }
}

fn show(one: &NewInvitation, qr: Option<String>, context: &mut Context<'_>) -> Result<()> {
    context.say(
        &Phrase::new("invite.code")
            .with("code", &one.code)
            .with("until", local(one.invitation.expires_ms)),
    )?;
    let Some(text) = qr else {
        return context.say(&Phrase::new("invite.no_address"));
    };
    context.line(picture(&text)?)?;
    context.line(&text)?;
    context.say(&Phrase::new("invite.next"))
}

/// Finds a member by OneGrid's id, or by the external id from the import.
pub(super) fn member_of(server: &Server, text: &str) -> Result<MemberId> {
    let candidates = [
        text.parse::<MemberId>().ok(),
        Some(id_of_external(server.keys().authority(), text)),
    ];
    for member in candidates.into_iter().flatten() {
        if server.store().read(|tx| tx.member(member))?.is_some() {
            return Ok(member);
        }
    }
    Err(Problem::new("registry.unknown_member").with("member", text))
}

/// Address that phones can use: of the running server, which knows its real port, otherwise from the
/// configuration.
fn own_address(config: &Config) -> Result<Option<String>> {
    let scheme = if config.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let configured = || format!("{scheme}://{}", config.server.listen);
    let served = DataDir::of(config).served_at()?;
    let address = served.unwrap_or_else(configured);
    let listen = address.split_once("://");
    let usable = listen.is_some_and(|(_, listen)| listen.parse().is_ok_and(is_reachable));
    Ok(usable.then_some(address))
}

/// Whether a process can connect to an address that a server listens on.
fn is_reachable(listen: SocketAddr) -> bool {
    listen.port() != 0 && !listen.ip().is_unspecified()
}

/// Whether only this machine itself can connect to a URL: a loopback address, the unspecified one, or
/// `localhost`.
fn is_local(url: &str) -> bool {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches([']', '.']);
    if let Ok(ip) = host.parse::<IpAddr>() {
        let ip = ip.to_canonical();
        return ip.is_loopback() || ip.is_unspecified();
    }
    let host = host.to_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// An address that a person gave: `http` or `https`, a host and perhaps a port, no more.
fn checked(text: &str) -> Result<String> {
    let text = text.trim();
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    if full.parse().is_ok_and(|uri| is_origin(&uri)) {
        Ok(full)
    } else {
        Err(Problem::new("invite.bad_address").with("address", text))
    }
}

fn is_origin(uri: &Uri) -> bool {
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().map_or("", Authority::as_str);
    // The authority may begin with the name of a user.
    let host = uri.host().filter(|host| !host.is_empty());
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port != 0);
    let has_port = match host.and_then(|host| authority.strip_prefix(host)) {
        None => false,
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(is_port),
    };
    is_web && has_port && uri.path() == "/" && uri.query().is_none()
}

fn picture(text: &str) -> Result<String> {
    let code =
        QrCode::new(text).map_err(|error| Problem::new("server.internal").because(&error))?;
    // Terminals are dark, so light modules are drawn to make the code dark on light.
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    /// A phone that scans such an address looks for the server in itself.
    #[test]
    fn address_of_this_machine_alone_is_known_in_every_form() {
        for url in [
            "http://127.0.0.1:8787",
            "https://127.1.2.3",
            "http://[::1]:8787",
            "http://[::ffff:127.0.0.1]:1",
            "http://0.0.0.0:8787",
            "https://localhost:8787",
            "https://LocalHost.",
            "https://grid.localhost",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "https://grid.example.org",
            "http://192.168.1.7:8787",
            "http://[2001:db8::1]:8787",
            "https://localhost.example.org",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }
}
