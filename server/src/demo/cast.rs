//! The seven people of the demo and their phones.

use std::net::SocketAddr;
use std::sync::Arc;

use onegrid_core::crdt::{Content, Details, Hazard, StoredPosition};
use onegrid_core::domain::Text;
use onegrid_core::domain::case::Severity;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::id::{RecordId, UnitId};
use onegrid_core::net::{Address, NetConfig, Roots, now_ms};
use onegrid_core::replica::Draft;

use super::deployment::Deployment;
use super::phone::Phone;
use super::place::Place;
use super::script::Script;
use crate::admin::import::units::unit_id;
use crate::error::{Phrase, Result};

/// One person of the demo.
pub(super) struct Person {
    /// Short name of the phone.
    pub(super) key: &'static str,
    /// The office's own id, as in the seed.
    external_id: &'static str,
    /// What the person is, as a text.
    pub(super) role: &'static str,
}

const fn person(key: &'static str, external_id: &'static str, role: &'static str) -> Person {
    Person {
        key,
        external_id,
        role,
    }
}

/// A volunteer team of three, a grid worker, the dispatcher of Wulin street, two handlers of units.
pub(super) const PEOPLE: [Person; 7] = [
    person("lead", "demo-lead", "demo.role_lead"),
    person("volunteer-1", "demo-volunteer-1", "demo.role_volunteer_a"),
    person("volunteer-2", "demo-volunteer-2", "demo.role_volunteer_b"),
    person("worker", "demo-grid-worker", "demo.role_worker"),
    person("dispatcher", "demo-dispatcher", "demo.role_dispatcher"),
    person("gas", "demo-handler-gas", "demo.role_gas"),
    person("urban", "demo-handler-urban", "demo.role_urban"),
];

/// Rounds in which everybody syncs: what one uploads in a round, those before it read in the next.
const ROUNDS: usize = 2;
/// Accuracy of the demo's positions, metres.
const ACCURACY_M: u32 = 8;

/// What a person reports, before it is a record.
pub(super) struct Report<'a> {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) category: &'a str,
    pub(super) severity: Option<Severity>,
    pub(super) at: (f64, f64),
    pub(super) team: bool,
}

/// Everybody.
pub(super) struct Cast {
    phones: Vec<Phone>,
    place: Arc<Place>,
}

impl Cast {
    /// Enrols everybody, each with an invitation of its own, and syncs once.
    pub(super) async fn enrol(deployment: &Deployment, script: &mut Script<'_>) -> Result<Self> {
        let config = reach(deployment.address(), script)?;
        let mut phones = Vec::with_capacity(PEOPLE.len());
        for person in &PEOPLE {
            let code = deployment.invite(person.external_id)?;
            let database = deployment.folder(&format!("phones/{}", person.key))?;
            let elsewhere = deployment.folder(&format!("markers/{}", person.key))?;
            let phone = Phone::enrol(person.key, &code, config.clone(), (&database, &elsewhere));
            phones.push(phone.await.map_err(|code| script.failed(&code))?);
        }
        let cast = Self {
            phones,
            place: Arc::clone(deployment.place()),
        };
        cast.everybody(script).await?;
        let names: Vec<String> = PEOPLE.iter().map(|p| script.text(p.role)).collect();
        script.done(
            &Phrase::new("demo.enrolled")
                .with("phones", cast.phones.len())
                .with("address", deployment.address()),
        )?;
        script.detail(names.join(" · "))?;
        Ok(cast)
    }

    pub(super) fn phones(&self) -> &[Phone] {
        &self.phones
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The phone of this name.
    pub(super) fn find(&self, key: &str) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.name() == key)
    }

    fn phone(&self, key: &'static str) -> &Phone {
        self.find(key).expect("every person of PEOPLE has a phone")
    }

    pub(super) fn lead(&self) -> &Phone {
        self.phone("lead")
    }

    pub(super) fn volunteer_a(&self) -> &Phone {
        self.phone("volunteer-1")
    }

    pub(super) fn volunteer_b(&self) -> &Phone {
        self.phone("volunteer-2")
    }

    pub(super) fn worker(&self) -> &Phone {
        self.phone("worker")
    }

    pub(super) fn dispatcher(&self) -> &Phone {
        self.phone("dispatcher")
    }

    pub(super) fn gas(&self) -> &Phone {
        self.phone("gas")
    }

    pub(super) fn urban(&self) -> &Phone {
        self.phone("urban")
    }

    /// Syncs everybody who is online until nobody has anything new.
    pub(super) async fn everybody(&self, script: &Script<'_>) -> Result<()> {
        for _ in 0..ROUNDS {
            for phone in self.phones.iter().filter(|phone| phone.is_online()) {
                self.sync(phone, script).await?;
            }
        }
        Ok(())
    }

    /// Syncs one phone.
    pub(super) async fn sync(&self, phone: &Phone, script: &Script<'_>) -> Result<()> {
        let synced = phone.sync().await;
        synced
            .map(drop)
            .map_err(|error| script.failed(error.code()).because(&error))
    }

    /// Reports on a phone.
    pub(super) fn report(
        &self,
        phone: &Phone,
        report: &Report<'_>,
        script: &Script<'_>,
    ) -> Result<RecordId> {
        let draft = self
            .draft(report)
            .ok_or_else(|| script.failed("demo.outside"))?;
        script.ok(phone.replica().report(&draft, now_ms()))
    }

    /// The draft of a report; `None` outside of Wulin street.
    pub(super) fn draft(&self, report: &Report<'_>) -> Option<Draft> {
        let (lat, lon) = report.at;
        let at = Position::from_degrees(lat, lon, Datum::Wgs84, Some(ACCURACY_M), 0).ok()?;
        let home = self.place.path_at(at.point())?;
        let content = Content::Hazard(Hazard {
            details: Details {
                title: Some(report.title.clone()),
                category: Some(report.category.to_owned()),
                position: Some(StoredPosition::of(at)),
                description: report.description.clone(),
                occurred_ms: Some(now_ms()),
                ..Details::default()
            },
            severity: report.severity,
        });
        let mut draft = Draft::staff(content, home);
        draft.team = report.team.then(|| unit("wulin-aunties"));
        Some(draft)
    }

    /// Puts every phone to rest.
    pub(super) fn close(&self) -> Result<()> {
        self.phones.iter().try_for_each(Phone::close)
    }
}

/// How phones reach a server of this machine.
pub(super) fn reach(address: SocketAddr, script: &Script<'_>) -> Result<NetConfig> {
    let address = Address::parse(&format!("http://{address}"), false);
    Ok(NetConfig {
        address: address.map_err(|error| script.failed(error.code()))?,
        roots: Roots::Public,
    })
}

/// The unit that the seed knows by this id.
pub(super) fn unit(external_id: &str) -> UnitId {
    unit_id(external_id)
}

/// Words of the stories, all within the limits.
pub(super) fn note(words: &str) -> Option<Text> {
    Text::new(words).ok()
}
