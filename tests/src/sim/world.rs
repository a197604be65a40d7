//! The people of a run, and one step of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::wire::transfer::FileName;

use super::Plan;
use super::chance::Chance;
use super::hostile::Hostility;
use super::photos::Album;
use super::weather::{Climate, Level, Step, Trouble, Weather};
use crate::town::{Card, MINUTE_MS, Phone, Town, TownTemplate};

/// An envelope that a phone has reported as saved.
#[derive(Debug, Clone)]
pub struct Said {
    /// The record of the envelope.
    pub record: RecordId,
    /// The id of the envelope.
    pub id: EnvelopeId,
    /// The words, unlike any others of the run; empty for a move without a word.
    pub words: String,
    /// The phone has a verdict on the envelope.
    pub answered: bool,
}

/// A copy of a phone's file, with the envelopes that the phone had saved by then.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The file.
    pub path: PathBuf,
    /// [`Player::said`] at the time of the copy.
    pub said: Vec<Said>,
    /// [`Player::photos`] at the time of the copy.
    pub photos: BTreeSet<FileName>,
}

/// The part that a person plays in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Works with the app as it is.
    Honest,
    /// Signs forbidden events, and does nothing else. The rogue's own replica never knows of them.
    Rogue,
    /// Attacks with a modified app.
    Hostile,
}

/// A person with a phone.
pub struct Player {
    /// The phone.
    pub phone: Phone,
    /// Everything that the phone reported as saved, as long as the phone promises it.
    pub said: Vec<Said>,
    /// Photos that the phone described, as long as it promises them.
    pub photos: BTreeSet<FileName>,
    /// Copies of the phone's file.
    pub copies: Vec<Copy>,
    /// The device was revoked, so it no longer takes part; it still may not lose its envelopes.
    pub revoked: bool,
    /// The part that the person plays.
    pub part: Part,
    /// The file was put back to an older copy, so the phone may not know later verdicts and notices.
    pub went_back: bool,
}

/// Everything of one run.
pub struct World {
    /// The town.
    pub town: Town,
    /// The people who take part.
    pub people: Vec<Player>,
    /// The dice.
    pub chance: Chance,
    /// The weather.
    pub weather: Weather,
    /// The photos.
    pub album: Album,
    /// Times that the server may still come back from a backup.
    pub restores_left: u32,
    /// Whether people also make visits and private notes: not in plain weather, which is as old as its seeds.
    pub visits: bool,
    /// The hostile member's notes.
    pub hostility: Hostility,
    /// The events of the run so far.
    pub trace: Vec<String>,
    /// The number of the step.
    pub step: u32,
    /// The number of words so far, which makes the next words unlike them.
    pub words: u32,
    /// Backups of the server.
    pub backups: Vec<PathBuf>,
    /// The envelopes of each device that the server had when the device was revoked.
    pub revoked: BTreeMap<DeviceId, BTreeSet<EnvelopeId>>,
    /// Envelopes that a person accepted at the review.
    pub let_in: BTreeSet<EnvelopeId>,
    /// Envelopes that their author had no right to write; the run makes them on purpose.
    pub forged: BTreeSet<EnvelopeId>,
    /// The records of the forged envelopes.
    pub forged_on: BTreeSet<RecordId>,
    /// The server or a phone has gone back in time, so digests may differ until they are repaired.
    pub time_travel: bool,
    /// The server has been restored.
    pub restored: bool,
    /// Records with an envelope of a person, also of a phone that went back in time since and knows nothing
    /// of it.
    pub written_in: BTreeSet<RecordId>,
    /// Envelopes with a verdict on some phone, each with the generation of that verdict.
    pub receipts: BTreeMap<EnvelopeId, u32>,
    /// Envelopes that a server had before it came back from a backup.
    pub had: BTreeSet<EnvelopeId>,
    /// Certificates that each person, by number, was shown at a meeting.
    pub acquainted: BTreeSet<(usize, Hash)>,
    /// Records on the server at the end.
    pub records_at_rest: usize,
}

const VILLAGES: [&str; 3] = ["330105013001", "330105013002", "330105013003"];

/// Name, role, areas, unit of everybody at the start. The last one is the rogue.
pub const CAST: [(&str, &str, &str, &str); 10] = [
    ("dama1", "volunteer", VILLAGES[2], "wulin-aunties"),
    ("dama2", "volunteer", VILLAGES[2], "wulin-aunties"),
    ("lead", "team_lead", VILLAGES[2], "wulin-aunties"),
    (
        "grid",
        "grid_worker",
        "330105013003001;330105013003002;330105013001001",
        "",
    ),
    ("room", "dispatcher", "330105013000", "wulin-command-room"),
    ("gas", "handler", "", "gas-company"),
    ("urban", "handler", "", "urban-management"),
    ("head", "station_head", "330105013003;330105013001", ""),
    ("district", "district_lead", "330105000000", ""),
    ("rogue", "supervisor", "330105013000", ""),
];

struct Template {
    town: TownTemplate,
    cards: Vec<Card>,
}

/// The town with everybody enrolled and the directory on every phone; every run begins with a copy.
static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let mut town = Town::small(7);
    let mut cards = Vec::new();
    for (name, role, areas, unit) in CAST {
        let mut phone = town.enrol(name, role, areas, unit);
        phone.sync(&mut town);
        phone.close();
        cards.push(phone.card());
    }
    Template {
        town: town.into_template(),
        cards,
    }
});

impl World {
    /// Makes the morning of a run.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let seed = plan.seed;
        let weather = Weather::of(plan.climate, seed);
        let mut chance = Chance::new(seed);
        let town = TEMPLATE.town.copy(seed);
        let mut people = Vec::new();
        for (n, card) in TEMPLATE.cards.iter().enumerate() {
            let rogue = n + 1 == CAST.len();
            // Some people are absent on a day, but the command room and the rogue are always there.
            if !rogue && n != 4 && chance.one_in(4) {
                continue;
            }
            let part = if rogue { Part::Rogue } else { Part::Honest };
            people.push(Player::new(card.open_in(&town, seed), part));
        }
        let mut world = Self {
            town,
            people,
            chance,
            weather,
            album: Album::new(seed),
            restores_left: plan.restores_max,
            visits: plan.climate == Climate::Swarm,
            hostility: Hostility::default(),
            trace: Vec::new(),
            step: 0,
            words: 0,
            backups: Vec::new(),
            revoked: BTreeMap::new(),
            let_in: BTreeSet::new(),
            forged: BTreeSet::new(),
            forged_on: BTreeSet::new(),
            time_travel: false,
            restored: false,
            written_in: BTreeSet::new(),
            receipts: BTreeMap::new(),
            had: BTreeSet::new(),
            acquainted: BTreeSet::new(),
            records_at_rest: 0,
        };
        let level = world.weather.level(Trouble::Hostile);
        if level.is_some_and(|level| level != Level::Off) {
            world.hostile_member_comes();
        }
        world
    }

    /// Runs one step, and then maybe one with photos.
    pub fn advance(&mut self) -> Result<(), String> {
        self.usual_step()?;
        self.photo_step()
    }

    fn usual_step(&mut self) -> Result<(), String> {
        let minutes = i64::try_from(self.chance.below(20)).expect("small");
        self.town.pass(minutes * MINUTE_MS);
        let who = self.chance.below(self.people.len());
        match self.chance.weighted(&self.weather.steps) {
            Step::Act => self.somebody_acts(who),
            Step::Sync => self.somebody_syncs(who),
            Step::Meet => self.two_meet(who),
            Step::Crash => self.phone_crashes(who),
            Step::Forge => self.forges(who),
            Step::Attack => self.attacks(),
            Step::Rare => self.something_else(who),
        }
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, line: &str) {
        self.trace.push(format!("{:>4} {line}", self.step));
    }

    /// Returns words unlike any others of the run.
    pub fn new_words(&mut self) -> String {
        self.words += 1;
        // The closing mark keeps 第1句 from being found in 第12句.
        format!("第{}句", self.words)
    }
}

impl Player {
    /// Makes a person who has written nothing yet.
    #[must_use]
    pub fn new(phone: Phone, part: Part) -> Self {
        Self {
            phone,
            said: Vec::new(),
            photos: BTreeSet::new(),
            copies: Vec::new(),
            revoked: false,
            part,
            went_back: false,
        }
    }
}
