//! The deployment of a testbed: a data folder with Wulin street, its units, and one person of each role.

use std::path::{Path, PathBuf};

use onegrid_core::domain::area::AreaLevel;
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::domain::form::{Template, TemplateEntry, TemplateError};
use onegrid_core::domain::position::Datum;
use onegrid_core::domain::walk::section::SectionId;
use onegrid_core::id::{AreaId, DeviceId, MemberId};
use onegrid_core::net::{OsRandom, now_ms};
use onegrid_core::trust::certificate::Stamp;
use onegrid_core::trust::invitation::{Invitation, InvitationId, Ticket};
use onegrid_core::trust::print_checkpoint;
use onegrid_server::admin::data_dir::DataDir;
use onegrid_server::admin::import::areas::{AreaOptions, parse_areas};
use onegrid_server::admin::import::units::unit_id;
use onegrid_server::admin::take_in::{Mode, Order, Outcome, import_members, import_units};
use onegrid_server::admin::{ADMIN, backup, seed, setup};
use onegrid_server::error::Problem;
use onegrid_server::keys::Keys;
use onegrid_server::registry::enrolment::NewInvitation;
use onegrid_server::registry::members::{MemberDescription, id_of_external};
use onegrid_server::rules::Rules;
use onegrid_server::server::Server;
use onegrid_server::store::{InvitationRow, MemberRow};

use super::answer::Refusal;

const UNITS: &[u8] = include_bytes!("../../data/testbed/units.csv");
const MEMBERS: &[u8] = include_bytes!("../../data/testbed/members.csv");
/// The streets of a small town: Wulin street and the one before it in the table.
const STREETS: [&str; 2] = ["012", "013"];
/// The lifetime of an invitation, ms.
const INVITATION_MS: i64 = 3_600_000;
/// The person that a foreign deployment invites.
const STRANGER: &str = "stranger";

/// The part of the district in a testbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// Two streets, with the outlines of their grids.
    #[default]
    Street,
    /// All 18 streets.
    District,
}

/// A data folder. The server over it is another process; this process works beside it as an administrator
/// does.
pub(super) struct Deployment {
    data: DataDir,
    /// `None` only inside a restore, which replaces no database that somebody has open.
    server: Option<Server>,
}

impl Deployment {
    /// Prepares a deployment with places, units and people.
    pub(super) fn prepare(folder: &Path, extent: Extent) -> Result<Self, Refusal> {
        let deployment = Self::bare(folder)?;
        let server = deployment.server();
        let now = now_ms();
        server.publish(areas(extent)?, ADMIN, now)?;
        let order = Order {
            mode: Mode::Strict,
            actor: ADMIN,
            now_ms: now,
        };
        let quiet = &mut |_, _| {};
        let units = import_units(server, "units.csv", UNITS, order, quiet)?;
        all_good(&units)?;
        let quiet = &mut |_, _| {};
        let people = import_members(server, "members.csv", MEMBERS, order, quiet)?;
        all_good(&people)?;
        Ok(deployment)
    }

    /// Prepares another deployment, with one person and no places.
    pub(super) fn foreign(folder: &Path) -> Result<Self, Refusal> {
        let deployment = Self::bare(folder)?;
        let stranger = MemberDescription {
            id: deployment.member(STRANGER),
            public_name: None,
            area: AreaId::of_first_code("330105000000"),
            grants: Vec::new(),
        };
        deployment
            .server()
            .put_members(vec![stranger], ADMIN, now_ms())?;
        Ok(deployment)
    }

    fn bare(folder: &Path) -> Result<Self, Refusal> {
        let data = DataDir::at(&folder.join("server"));
        std::fs::create_dir_all(folder)?;
        let root_key = folder.join("root.key");
        // The people of the histories have older certificates, so the keys vouch from before those.
        setup::prepare(&data, &root_key, crate::town::MORNING_MS, &mut OsRandom)?;
        let server = Some(open(&data, Rules::built_in())?);
        Ok(Self { data, server })
    }

    /// Returns the data folder.
    pub(super) fn path(&self) -> &Path {
        self.data.path()
    }

    /// Returns a node of this process over the same store, under the same rules.
    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("a restore has ended")
    }

    /// Returns a node without rules, for histories that already hold the moves that rules would make.
    pub(super) fn without_rules(&self) -> Result<Server, Refusal> {
        open(&self.data, Rules::none())
    }

    fn member(&self, who: &str) -> MemberId {
        id_of_external(self.server().keys().authority(), who)
    }

    /// Returns a person of the cast.
    pub(super) fn person(&self, who: &str) -> Result<MemberRow, Refusal> {
        let id = self.member(who);
        let found = self
            .server()
            .store()
            .read::<_, Problem>(|tx| Ok(tx.member(id)?))?;
        found.ok_or_else(|| {
            Refusal::new(
                "testbed.unknown_person",
                format!("no person is called {who:?}; tests/data/testbed/members.csv lists them"),
            )
        })
    }

    /// Returns a unit by the office's id.
    pub(super) fn unit(external_id: &str) -> String {
        unit_id(external_id).to_string()
    }

    /// Prints the code of a checkpoint with the key of the receipts.
    pub(super) fn checkpoint(&self, section: &str, number: i64) -> Result<String, Refusal> {
        let section = SectionId::new(section).ok_or_else(|| Refusal::argument("section"))?;
        let number = u16::try_from(number).map_err(|_| Refusal::argument("number"))?;
        let keys = self.server().keys();
        let stamp = Stamp {
            time_ms: now_ms(),
            generation: self.server().generation()?,
        };
        let by = (keys.receipts(), keys.authority());
        Ok(print_checkpoint(section, number, stamp, by).to_string())
    }

    /// Makes a one-time invitation.
    pub(super) fn invite(
        &self,
        who: &str,
        valid_ms: Option<i64>,
    ) -> Result<NewInvitation, Refusal> {
        let member = self.person(who)?.id;
        let valid_ms = valid_ms.unwrap_or(INVITATION_MS);
        let now = now_ms();
        Ok(self
            .server()
            .invite(member, valid_ms, ADMIN, now, &mut OsRandom)?)
    }

    /// Makes a one-time invitation for the one person of a foreign deployment.
    pub(super) fn invite_stranger(&self) -> Result<NewInvitation, Refusal> {
        self.invite(STRANGER, None)
    }

    /// Ends the time of an invitation, as if the person had waited.
    pub(super) fn expire(&self, code: &str) -> Result<(), Refusal> {
        let unknown = || Refusal::new("testbed.no_invitation", "no such invitation was made");
        let ticket =
            Ticket::parse(code).map_err(|error| Refusal::new(error.code(), error.to_string()))?;
        let id = InvitationId::of(&ticket.secret.key().public());
        let expires_ms = now_ms() - 1;
        let done = self.server().store().write::<_, Problem>(move |tx| {
            let Some(row) = tx.invitation(id.0)? else {
                return Ok(false);
            };
            let Ok(mut invitation) = minicbor::decode::<Invitation>(&row.data) else {
                return Ok(false);
            };
            invitation.expires_ms = expires_ms;
            let data = minicbor::to_vec(&invitation).expect("writing CBOR to memory does not fail");
            tx.put_invitation(&InvitationRow {
                data,
                expires_ms,
                ..row
            })?;
            Ok(true)
        })?;
        done.then_some(()).ok_or_else(unknown)
    }

    /// Returns the devices of a person that are not revoked.
    pub(super) fn devices(&self, who: &str) -> Result<Vec<DeviceId>, Refusal> {
        let member = self.person(who)?.id;
        let store = self.server().store();
        let rows = store.read::<_, Problem>(|tx| Ok(tx.devices_of(member)?))?;
        let valid = rows.into_iter().filter(|row| row.revoked_ms.is_none());
        Ok(valid.map(|row| row.id).collect())
    }

    /// Revokes the device of a lost phone, so that its later uploads wait for review.
    pub(super) fn revoke(&self, device: DeviceId) -> Result<bool, Refusal> {
        Ok(self.server().revoke(device, ADMIN, now_ms())?)
    }

    /// Publishes a version of a template. A newer format is published as it is, as a newer server does.
    pub(super) fn publish_template(
        &self,
        id: &str,
        version: u32,
        template: &serde_json::Value,
    ) -> Result<(), Refusal> {
        let refused = |error: TemplateError| Refusal::new(error.code(), error.to_string());
        let text = template.to_string();
        let entry = match Template::parse(text.as_bytes()) {
            Ok(template) => template.into(),
            Err(TemplateError::Newer { .. }) => {
                let id = id.parse().map_err(|_| Refusal::argument("template"))?;
                TemplateEntry::read(id, version, text.as_bytes()).map_err(refused)?
            }
            Err(error) => return Err(refused(error)),
        };
        let entry = DirectoryEntry::Template(entry);
        self.server().publish(vec![entry], ADMIN, now_ms())?;
        Ok(())
    }

    /// Copies the data while the server runs.
    pub(super) fn backup(&self, to: &Path) -> Result<(), Refusal> {
        let done = backup::backup(&self.data, to, ADMIN, now_ms())?;
        if !done.is_as_sealed {
            let broken = "the rows of the store do not fit their seal";
            return Err(Refusal::new("testbed.seal", broken));
        }
        Ok(())
    }

    /// Puts the data of the backup in place of the present data; no server may run. Returns the new
    /// generation.
    pub(super) fn restore(&mut self, from: &Path) -> Result<u32, Refusal> {
        self.server = None;
        let restored = backup::restore(&self.data, from, None, now_ms());
        self.server = Some(open(&self.data, Rules::built_in())?);
        Ok(restored?.generation)
    }

    /// Returns a path beside the data.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.data.path().with_file_name(name)
    }
}

fn open(data: &DataDir, rules: Rules) -> Result<Server, Refusal> {
    let keys = Keys::read(&data.keys())?;
    Ok(Server::open(data.store()?, keys, rules)?)
}

/// Returns the division of Gongshu, or the part of it that is a small town.
fn areas(extent: Extent) -> Result<Vec<DirectoryEntry>, Refusal> {
    let files = seed::gongshu();
    let options = AreaOptions {
        valid_from_ms: 0,
        datum: Datum::Wgs84,
    };
    let import = parse_areas(&files, &Areas::new(), options, &mut |_, _| {});
    if let Some(bad) = import.bad.first() {
        return Err(Refusal::new("testbed.bad_seed", bad.code));
    }
    let wanted = |level: AreaLevel, code: &str| {
        let street = code.get(6..9).unwrap_or_default();
        extent == Extent::District || level == AreaLevel::District || STREETS.contains(&street)
    };
    let good = import.good.into_iter();
    Ok(good
        .filter(|area| wanted(area.level, &area.version.code.to_string()))
        .map(DirectoryEntry::Area)
        .collect())
}

fn all_good(outcome: &Outcome) -> Result<(), Refusal> {
    match outcome.bad.first() {
        None => Ok(()),
        Some(bad) => Err(Refusal::new("testbed.bad_seed", bad.code)),
    }
}
