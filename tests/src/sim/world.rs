//! The people of a run, and one step of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use onegrid_core::id::{DeviceId, EnvelopeId, RecordId};

use super::chance::Chance;
use crate::town::{Card, MINUTE_MS, Phone, Town, TownTemplate};

/// Something that a phone said is saved.
#[derive(Debug, Clone)]
pub struct Said {
    /// The record.
    pub record: RecordId,
    /// The envelope.
    pub id: EnvelopeId,
    /// The words, unlike any others of the run; empty for a move without a word.
    pub words: String,
    /// The phone has a verdict on it.
    pub answered: bool,
}

/// A copy of a phone's file, with what the phone had said by then.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The file.
    pub path: PathBuf,
    /// [`Person::said`] as it was.
    pub said: Vec<Said>,
}

/// Somebody with a phone.
pub struct Person {
    /// The phone.
    pub phone: Phone,
    /// Everything that the phone said is saved, as long as the phone promises it.
    pub said: Vec<Said>,
    /// Copies of the phone's file.
    pub copies: Vec<Copy>,
    /// The device was revoked: it no longer takes part, and still may not lose what it holds.
    pub revoked: bool,
    /// Writes only what it may not; its own replica never knows.
    pub rogue: bool,
    /// The file was put back to an older copy: what it had been told in between it may not know.
    pub went_back: bool,
}

/// Everything of one run.
pub struct World {
    /// The town.
    pub town: Town,
    /// Who takes part.
    pub people: Vec<Person>,
    /// The dice.
    pub chance: Chance,
    /// What happened.
    pub trace: Vec<String>,
    /// The step.
    pub step: u32,
    /// Words so far, to make the next ones unlike them.
    pub words: u32,
    /// Backups of the server.
    pub backups: Vec<PathBuf>,
    /// What the server had of each device when it was revoked.
    pub revoked: BTreeMap<DeviceId, BTreeSet<EnvelopeId>>,
    /// What a person let in at the review.
    pub let_in: BTreeSet<EnvelopeId>,
    /// Envelopes that their author may not write, by construction.
    pub forged: BTreeSet<EnvelopeId>,
    /// The records that those are about.
    pub forged_on: BTreeSet<RecordId>,
    /// The server or a phone has gone back in time: digests may differ until they are repaired.
    pub time_travel: bool,
    /// The server has been restored.
    pub restored: bool,
    /// Records in which somebody wrote, also by a phone that went back in time since and knows nothing of it.
    pub written_in: BTreeSet<RecordId>,
    /// Envelopes of which some phone held the server's word, with the generation of that.
    pub receipts: BTreeMap<EnvelopeId, u32>,
    /// Envelopes that a server had which came back from a backup.
    pub had: BTreeSet<EnvelopeId>,
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
    /// The morning of a run.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let town = TEMPLATE.town.copy(seed);
        let mut people = Vec::new();
        for (n, card) in TEMPLATE.cards.iter().enumerate() {
            let rogue = n + 1 == CAST.len();
            // Not everybody is there every day; the command room and the rogue are.
            if !rogue && n != 4 && chance.one_in(4) {
                continue;
            }
            people.push(Person::new(card.open_in(&town, seed), rogue));
        }
        Self {
            town,
            people,
            chance,
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
            records_at_rest: 0,
        }
    }

    /// One step.
    pub fn advance(&mut self) -> Result<(), String> {
        let minutes = i64::try_from(self.chance.below(20)).expect("small");
        self.town.pass(minutes * MINUTE_MS);
        let who = self.chance.below(self.people.len());
        match self.chance.below(100) {
            0..40 => self.somebody_acts(who),
            40..70 => self.somebody_syncs(who),
            70..80 => self.two_meet(who),
            80..86 => self.phone_crashes(who),
            86..88 => self.forges(who),
            _ => self.something_else(who),
        }
    }

    /// A line of the trace.
    pub fn note(&mut self, line: &str) {
        self.trace.push(format!("{:>4} {line}", self.step));
    }

    /// Words unlike any others of the run.
    pub fn new_words(&mut self) -> String {
        self.words += 1;
        // A closing mark, so that 第1句 is not found in 第12句.
        format!("第{}句", self.words)
    }
}

impl Person {
    /// Somebody who has said nothing yet.
    #[must_use]
    pub fn new(phone: Phone, rogue: bool) -> Self {
        Self {
            phone,
            said: Vec::new(),
            copies: Vec::new(),
            revoked: false,
            rogue,
            went_back: false,
        }
    }
}
