//! `onegrid invite`: one more phone for a member, or a first phone for many. The code is shown once; the server
//! only keeps data that verifies it.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::http::Uri;
use axum::http::uri::Authority;
use onegrid_core::domain::directory::Directory;
use onegrid_core::id::MemberId;
use onegrid_core::system::OsRandom;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::Context;
use super::members::{area_of, directory_of};
use super::time::{local, now};
use crate::admin::data_dir::DataDir;
use crate::admin::invitation_sheet::{self, Slip};
use crate::admin::people::{self, Filter, Found, Person};
use crate::admin::wording::Wording;
use crate::config::Config;
use crate::error::{Phrase, Problem, Result};
use crate::limits::IMPORT_FILE_BYTES_MAX;
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
    let Found { people, directory } = args.people(&server)?;
    if people.is_empty() {
        if !args.json {
            context.say(&Phrase::new("invite.nobody"))?;
        }
        return Ok(());
    }
    if args.member.is_none() && args.phones.sheet.is_none() && !args.json {
        return Err(Problem::new("invite.sheet_needed").with("count", people.len()));
    }
    let ids: Vec<MemberId> = people.iter().map(|person| person.id).collect();
    let made = args.phones.invite(&server, &ids, context)?;
    let people = (people.as_slice(), &directory);
    let phones = &args.phones;
    phones.tell(
        &server,
        people,
        &made,
        address.as_deref(),
        args.json,
        context,
    )
}

impl Args {
    /// The people to be invited.
    fn people(&self, server: &Server) -> Result<Found> {
        if let Some(text) = &self.member {
            let (person, directory) = people::one(server, member_of(server, text)?)?;
            return Ok(Found {
                people: vec![person],
                directory,
            });
        }
        if let Some(path) = &self.from {
            return listed(server, path);
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

/// The people of a file with one external id a line. Other columns are ignored.
fn listed(server: &Server, path: &Path) -> Result<Found> {
    let unreadable = |error: std::io::Error| {
        Problem::new("import.no_file")
            .with("path", path.display())
            .because(&error)
    };
    let mut text = String::new();
    let limit = IMPORT_FILE_BYTES_MAX as u64;
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(limit)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let ids = text
        .trim_start_matches('\u{feff}')
        .split(['\n', '\r'])
        .filter_map(|line| line.split([',', ';', '\t']).next())
        .map(|id| id.trim().trim_matches('"'));
    let Found { people, directory } = people::find(server, &Filter::default())?;
    let mut by_id: HashMap<MemberId, Person> =
        people.into_iter().map(|one| (one.id, one)).collect();
    let mut wanted = Vec::new();
    let mut known = HashSet::new();
    for id in ids.filter(|id| !id.is_empty()) {
        let member = member_of(server, id)?;
        if known.insert(member) {
            wanted.extend(by_id.remove(&member));
        }
    }
    Ok(Found {
        people: wanted,
        directory,
    })
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
        if let Some(path) = self.sheet.as_ref().filter(|path| path.exists()) {
            return Err(Problem::new("export.exists").with("path", path.display()));
        }
        Ok(address)
    }

    /// Invites one phone of each member.
    pub(super) fn invite(
        &self,
        server: &Server,
        members: &[MemberId],
        context: &Context<'_>,
    ) -> Result<Vec<NewInvitation>> {
        let valid_ms = i64::from(self.hours) * HOUR_MS;
        server.invite_all(members, valid_ms, &context.actor, now(), &mut OsRandom)
    }

    /// Shows invitations, which are in the order of the people: as JSON, as a sheet for printing, or one on
    /// the screen.
    pub(super) fn tell(
        &self,
        server: &Server,
        people: (&[Person], &Directory),
        made: &[NewInvitation],
        address: Option<&str>,
        json: bool,
        context: &mut Context<'_>,
    ) -> Result<()> {
        let (people, directory) = people;
        let qr = |one: &NewInvitation| address.map(|address| one.qr(server.keys(), address));
        if let Some(path) = &self.sheet {
            let slips: Vec<Slip> = people
                .iter()
                .zip(made)
                .filter_map(|(person, one)| Some(slip(person, one, &qr(one)?, directory)))
                .collect();
            invitation_sheet::write(path, &slips)?;
        }
        if json {
            return people.iter().zip(made).try_for_each(|(person, one)| {
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
        made.iter().try_for_each(|one| show(one, qr(one), context))
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
