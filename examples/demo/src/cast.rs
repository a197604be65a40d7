//! The eight people of the demo and their phones.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onegrid_core::domain::Text;
use onegrid_core::domain::case::Severity;
use onegrid_core::domain::content::{Content, Details, StoredPosition};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::id::{Hash, RecordId, UnitId};
use onegrid_core::net::{Address, NetConfig, Roots, now_ms};
use onegrid_core::replica::Draft;

use crate::deployment::Deployment;
use crate::meeting::{Meeting, meet};
use crate::phone::Phone;
use crate::place::Place;
use crate::script::Script;
use onegrid_server::admin::import::units::unit_id;
use onegrid_server::error::{Phrase, Result};

/// One person of the demo.
pub(crate) struct Person {
    /// Short name of the phone.
    pub(crate) key: &'static str,
    /// The office's own id, as in the seed.
    external_id: &'static str,
    /// The code of the text that describes the person.
    pub(crate) role: &'static str,
}

const fn person(key: &'static str, external_id: &'static str, role: &'static str) -> Person {
    Person {
        key,
        external_id,
        role,
    }
}

/// A volunteer team of three, a grid worker, the dispatcher and the supervisor of Wulin street, and two
/// handlers of units.
pub(crate) const PEOPLE: [Person; 8] = [
    person("lead", "demo-lead", "demo.role_lead"),
    person("volunteer-1", "demo-volunteer-1", "demo.role_volunteer_a"),
    person("volunteer-2", "demo-volunteer-2", "demo.role_volunteer_b"),
    person("worker", "demo-grid-worker", "demo.role_worker"),
    person("dispatcher", "demo-dispatcher", "demo.role_dispatcher"),
    person("supervisor", "demo-supervisor", "demo.role_supervisor"),
    person("gas", "demo-handler-gas", "demo.role_gas"),
    person("urban", "demo-handler-urban", "demo.role_urban"),
];

/// One sync of every phone is a round. Uploads of one round reach earlier phones in the next round.
const ROUNDS: usize = 2;
/// Accuracy of the demo's positions, metres.
pub(crate) const ACCURACY_M: u32 = 8;

/// The content of a report before it is a record.
pub(crate) struct Report<'a> {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) category: &'a str,
    pub(crate) severity: Option<Severity>,
    pub(crate) at: (f64, f64),
    pub(crate) team: bool,
    /// Staged photos with their captions.
    pub(crate) photos: Vec<(Hash, String)>,
}

pub(crate) struct Cast {
    phones: Vec<Phone>,
    place: Arc<Place>,
    /// The meetings so far, in their order.
    meetings: Mutex<Vec<Meeting>>,
}

impl Cast {
    /// Enrols everybody, each with a separate invitation, and syncs once.
    pub(crate) async fn enrol(deployment: &Deployment, script: &mut Script<'_>) -> Result<Self> {
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
            meetings: Mutex::default(),
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

    pub(crate) fn phones(&self) -> &[Phone] {
        &self.phones
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the phone of this name.
    pub(crate) fn find(&self, key: &str) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.name() == key)
    }

    fn phone(&self, key: &'static str) -> &Phone {
        self.find(key).expect("every person of PEOPLE has a phone")
    }

    pub(crate) fn lead(&self) -> &Phone {
        self.phone("lead")
    }

    pub(crate) fn volunteer_a(&self) -> &Phone {
        self.phone("volunteer-1")
    }

    pub(crate) fn volunteer_b(&self) -> &Phone {
        self.phone("volunteer-2")
    }

    pub(crate) fn worker(&self) -> &Phone {
        self.phone("worker")
    }

    pub(crate) fn dispatcher(&self) -> &Phone {
        self.phone("dispatcher")
    }

    pub(crate) fn supervisor(&self) -> &Phone {
        self.phone("supervisor")
    }

    pub(crate) fn gas(&self) -> &Phone {
        self.phone("gas")
    }

    pub(crate) fn urban(&self) -> &Phone {
        self.phone("urban")
    }

    /// Syncs everybody who is online until no phone has any news.
    pub(crate) async fn everybody(&self, script: &Script<'_>) -> Result<()> {
        for _ in 0..ROUNDS {
            for phone in self.phones.iter().filter(|phone| phone.is_online()) {
                self.sync(phone, script).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn sync(&self, phone: &Phone, script: &Script<'_>) -> Result<()> {
        let synced = phone.sync().await;
        synced
            .map(drop)
            .map_err(|error| script.failed(error.code()).because(&error))
    }

    /// Fetches a full photo onto a phone; returns its bytes.
    pub(crate) async fn fetch(
        &self,
        phone: &Phone,
        (record, id): (RecordId, Hash),
        script: &Script<'_>,
    ) -> Result<Vec<u8>> {
        script.ok(phone.replica().want_attachment(record, id))?;
        self.sync(phone, script).await?;
        script.ok(phone.full_photo(record, id))
    }

    /// Writes a report on a phone.
    pub(crate) fn report(
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

    /// Returns the draft of a report; `None` outside of Wulin street.
    pub(crate) fn draft(&self, report: &Report<'_>) -> Option<Draft> {
        let (lat, lon) = report.at;
        let at = Position::from_degrees(lat, lon, Datum::Wgs84, Some(ACCURACY_M), 0).ok()?;
        let home = self.place.path_at(at.point())?;
        let captions = report
            .photos
            .iter()
            .filter(|(_, caption)| !caption.is_empty());
        let content = Content::from(Hazard {
            details: Details {
                title: Some(report.title.clone()),
                category: Some(report.category.to_owned()),
                position: Some(StoredPosition::of(at)),
                description: report.description.clone(),
                occurred_ms: Some(now_ms()),
                photos: captions.cloned().collect(),
                ..Details::default()
            },
            severity: report.severity,
        });
        let mut draft = Draft::staff(content, home);
        draft.team = report.team.then(|| unit("wulin-aunties"));
        draft.attachments = report.photos.iter().map(|(id, _)| *id).collect();
        Some(draft)
    }

    /// Lets two phones meet without a network.
    pub(crate) fn meet(
        &self,
        caller: &Phone,
        listener: &Phone,
    ) -> std::result::Result<Meeting, String> {
        let meeting = meet(caller, listener)?;
        self.meetings().push(meeting.clone());
        Ok(meeting)
    }

    /// Returns the meetings so far, in their order.
    pub(crate) fn meetings(&self) -> MutexGuard<'_, Vec<Meeting>> {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every phone.
    pub(crate) fn close(&self) -> Result<()> {
        self.phones.iter().try_for_each(Phone::close)
    }
}

/// Returns the settings of phones for a server of this machine.
pub(crate) fn reach(address: SocketAddr, script: &Script<'_>) -> Result<NetConfig> {
    let address = Address::parse(&format!("http://{address}"), false);
    Ok(NetConfig {
        address: address.map_err(|error| script.failed(error.code()))?,
        roots: Roots::Public,
    })
}

/// Returns the unit that the seed knows by this id.
pub(crate) fn unit(external_id: &str) -> UnitId {
    unit_id(external_id)
}

/// Returns words of the stories as a text; they are all within the limits.
pub(crate) fn note(words: &str) -> Option<Text> {
    Text::new(words).ok()
}
