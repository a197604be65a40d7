//! The hostile member: enrolled, with a genuine certificate and a modified app.
//!
//! ```text
//!  attack ─▶ sealing (real key, false content) ─▶ the server
//!    │                                         └▶ another phone, as if they met
//!    └ foreign · bytes · heavy · lines · packs · unmask · verdicts · newer · forbidden
//! ```
//!
//! One file holds one family of attacks. An attack that may count nowhere goes into [`World::forged`]; the oracle
//! looks for the harm of all others.

mod app;
mod bytes;
mod chunk;
mod forbidden;
mod foreign;
mod heavy;
mod lines;
mod newer;
mod packs;
mod sealing;
mod unmask;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::crdt::ActorId;
use onegrid_core::id::{DeviceId, EnvelopeId, RecordId};
use onegrid_core::limits::PARENTS_MAX;
use onegrid_core::record::Record;
use onegrid_core::sync::port::{Handover, PeerPort};
use onegrid_core::trust::sign::Authority;
use onegrid_core::wire::body::Body;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::message::{Bundle, GiveBack};
use onegrid_core::wire::verdict::Status;

use super::act::broken;
use super::chance::Chance;
use super::oracle::names::Source;
use super::world::{Part, Player, World};

pub use sealing::seal;
use sealing::{Ground, bundle, change, seal_on};

/// Records that the last round tries.
const RECORDS_MAX: usize = 10;

/// Roles that the hostile member may have: name, areas, unit.
const ROLES: [(&str, &str, &str); 5] = [
    ("station_head", "330105013003;330105013001", ""),
    ("volunteer", "330105013003", "wulin-aunties"),
    ("grid_worker", "330105013003001;330105013003002", ""),
    ("handler", "", "gas-company"),
    ("dispatcher", "330105013000", "wulin-command-room"),
];

/// The notes of the hostile member.
#[derive(Debug, Default)]
pub struct Hostility {
    /// Its newest accepted envelope in each record; the next one must build on it.
    tips: BTreeMap<RecordId, EnvelopeId>,
    /// Envelopes of others that a forged copy came before.
    pub overtaken: BTreeSet<EnvelopeId>,
    /// Its own reports.
    reports: BTreeSet<RecordId>,
    /// It has filled a record.
    filled: bool,
    /// Records with heavy edits. Further content may be beyond their budget.
    pub heavy_on: BTreeSet<RecordId>,
}

/// A record that the hostile member can read, with everything for an attack on it.
struct Target {
    /// The hostile member among the people.
    who: usize,
    record: Record,
    device: DeviceId,
    clock_ms: i64,
    authority: Authority,
}

impl Target {
    /// Where an honest app would put the next envelope.
    fn ground(&self, tip: Option<EnvelopeId>) -> Ground {
        let mut ground = Ground::on(&self.record, self.clock_ms);
        let unseen = tip.filter(|tip| self.record.node(*tip).is_none());
        if unseen.is_some() {
            ground.parents.truncate(PARENTS_MAX - 1);
        }
        ground.parents.extend(unseen);
        ground
    }

    /// A new installation of the member's app.
    fn fresh_actor(&self, chance: &mut Chance) -> ActorId {
        ActorId::new(&self.device, chance.bytes())
    }
}

impl World {
    /// Enrols the hostile member in one of the roles.
    pub fn hostile_member_comes(&mut self) {
        let (role, areas, unit) = self.chance.pick(&ROLES).expect("there are roles");
        self.enrols_hostile(role, areas, unit);
    }

    fn enrols_hostile(&mut self, role: &str, areas: &str, unit: &str) {
        let member = self.town.describe("hacked", role, areas, unit);
        // Some members also have a role of a newer app.
        if self.chance.one_in(4) {
            self.town.grant_newer_role("hacked", role, areas, unit);
        }
        let mut phone = self.town.enrol_phone("hacked", member);
        phone.sync(&mut self.town);
        self.note(&format!("a hostile {role} comes"));
        self.people.push(Player::new(phone, Part::Hostile));
    }

    /// Whether this device belongs to the rogue or to the hostile member.
    #[must_use]
    pub fn is_hostile(&self, device: DeviceId) -> bool {
        let mut hostile = self.people.iter().filter(|one| one.part != Part::Honest);
        hostile.any(|one| one.phone.device() == device)
    }

    fn hostile(&self) -> Option<usize> {
        let part = |person: &Player| person.part == Part::Hostile;
        self.people.iter().position(part)
    }

    /// Lets the hostile member attack, in a way that chance picks.
    pub fn attacks(&mut self) -> Result<(), String> {
        let Some(who) = self.hostile() else {
            return Ok(());
        };
        match self.chance.below(30) {
            0..6 => self.syncs_in_its_way(who),
            6..10 => self.wraps_somebody_elses_change(who),
            10..12 => self.steals_a_number(who),
            12..14 => self.writes_odd_bytes(who),
            14 => self.writes_a_newer_field(who),
            15 => self.writes_heavily(who),
            16 => self.writes_many_operations(who),
            17 => self.names_a_crowd(who),
            18 => self.looks_again_and_again(who),
            19 => self.denies_what_it_saw(who),
            20 => self.begins_anew_again_and_again(who),
            21 => self.answers_junk(who),
            22 => self.gives_packs_without_names(who),
            23 => self.forges_verdicts(who),
            24..26 => self.writes_as_a_newer_app(who),
            26..29 => self.moves_its_own_report(who),
            _ => self.draws_itself_in(who),
        }
    }

    fn syncs_in_its_way(&mut self, who: usize) -> Result<(), String> {
        if self.chance.one_in(3) {
            return self.somebody_syncs(who);
        }
        self.gives_back_without_names(who)
    }

    /// Picks a record that the hostile member can read.
    fn target(&mut self, who: usize) -> Result<Option<Target>, String> {
        let records = self.records_of(who)?;
        let Some(record) = self.chance.pick(&records) else {
            return Ok(None);
        };
        self.target_in(who, record)
    }

    fn target_in(&mut self, who: usize, record: RecordId) -> Result<Option<Target>, String> {
        let authority = *self.town.keys().authority();
        let phone = &mut self.people[who].phone;
        let loaded = phone.replica().load(record);
        let loaded = loaded.map_err(|error| broken("load", &error))?;
        let whole = loaded.filter(|loaded| !loaded.heads().is_empty());
        Ok(whole.map(|record| Target {
            who,
            record,
            device: phone.device(),
            clock_ms: phone.clock_ms(&self.town),
            authority,
        }))
    }

    /// Signs a body where an honest app would put it.
    fn sealed(&mut self, target: &Target, body: &Body) -> Result<Envelope, String> {
        let tip = self.hostility.tips.get(&target.record.id()).copied();
        self.sealed_on(target, &target.ground(tip), body)
    }

    fn sealed_on(
        &mut self,
        target: &Target,
        ground: &Ground,
        body: &Body,
    ) -> Result<Envelope, String> {
        let phone = &mut self.people[target.who].phone;
        seal_on(phone, ground, body, &target.authority)
    }

    /// Notes that an envelope may count nowhere.
    fn is_forged(&mut self, envelope: &Envelope) {
        self.forged.insert(envelope.id());
        self.forged_on.insert(envelope.record());
    }

    /// Hands envelopes to the server or to the phone of another person.
    fn hands_over(&mut self, who: usize, envelopes: &[Envelope], what: &str) -> Result<(), String> {
        if envelopes.is_empty() {
            return Ok(());
        }
        let bundle = bundle(&mut self.people[who].phone, envelopes)?;
        if self.chance.one_in(3) {
            let other = self.chance.below(self.people.len());
            if self.people[other].part == Part::Honest {
                return self.reaches_phone(who, other, GiveBack::default(), bundle, what);
            }
        }
        self.reaches_server(bundle, what)
    }

    /// Hands something to another phone, as if the two had met.
    fn reaches_phone(
        &mut self,
        who: usize,
        other: usize,
        give_back: GiveBack,
        bundle: Bundle,
        what: &str,
    ) -> Result<(), String> {
        let certificate = self.people[who].phone.replica().certificate().cloned();
        let certificate = certificate.ok_or("the attacker is not enrolled")?;
        self.acquainted.insert((other, certificate.hash()));
        let given = Handover {
            give_back,
            bundle,
            ..Handover::default()
        };
        let before = self.shown_to(other)?;
        let names = self.names_shown(other)?;
        let now_ms = self.people[other].phone.clock_ms(&self.town);
        let replica = self.people[other].phone.replica();
        let applied = replica.apply_peer(&given, &certificate, now_ms);
        let name = self.people[other].phone.name.clone();
        self.note(&format!("hostile to {name}: {what}: {applied:?}"));
        if let Err(error) = applied
            && error.code.starts_with("replica.")
        {
            return Err(format!("{name} can not stand {what}: {}", error.code));
        }
        self.learned_nothing_secret(other, &before)?;
        self.learned_no_name(other, names, Source::Phone(who))?;
        self.nothing_forged_counts(other)
    }

    /// Hands the server envelopes that it may have to refuse.
    pub fn reaches_server(&mut self, bundle: Bundle, what: &str) -> Result<(), String> {
        let none = std::collections::HashMap::new();
        let now_ms = self.town.now_ms;
        let brought: Vec<(EnvelopeId, RecordId)> = bundle
            .envelopes
            .iter()
            .filter_map(|raw| Envelope::parse(raw.clone()).ok())
            .map(|envelope| (envelope.id(), envelope.record()))
            .collect();
        let ingested = self.town.server().ingest(bundle, &none, now_ms);
        let ingested = ingested.map_err(|error| format!("ingest of {what}: {}", error.code()))?;
        for line in &ingested.lines {
            let id = line.hash.envelope_id();
            let known = brought.iter().find(|(brought, _)| *brought == id);
            if let (Status::Accepted | Status::Admitted, Some((_, record))) =
                (line.verdict.status, known)
            {
                self.hostility.tips.insert(*record, id);
            }
        }
        let statuses: Vec<Status> = ingested.lines.iter().map(|l| l.verdict.status).collect();
        let line = match &statuses[..] {
            [] => format!("missing {:?}", ingested.missing),
            [first, .., last] if statuses.len() > 3 => {
                format!("{} lines, {first:?} .. {last:?}", statuses.len())
            }
            few => format!("{few:?}"),
        };
        self.note(&format!("forged to the server: {what}: {line}"));
        Ok(())
    }

    /// Lets the hostile member try two kinds of changes on every record that it reads. Where no such member took part
    /// in the storm, one enrols now. It has dice of its own, so all earlier steps stay as they are.
    pub fn last_attacks(&mut self) -> Result<(), String> {
        let dice = Chance::new(self.chance.clone().below(usize::MAX) as u64);
        let storm = std::mem::replace(&mut self.chance, dice);
        let tried = self.tries_every_record();
        self.chance = storm;
        tried
    }

    fn tries_every_record(&mut self) -> Result<(), String> {
        if self.hostile().is_none() {
            let (role, areas, unit) = ROLES[0];
            self.enrols_hostile(role, areas, unit);
        }
        let who = self.hostile().expect("it has come");
        if self.people[who].revoked {
            return Ok(());
        }
        for record in self.records_of(who)?.into_iter().take(RECORDS_MAX) {
            let Some(target) = self.target_in(who, record)? else {
                continue;
            };
            let Some(document) = target.record.document() else {
                continue;
            };
            let actor = target.fresh_actor(&mut self.chance);
            let tries = [
                (
                    bytes::Odd::OtherSpelling.change(document, actor),
                    "in other bytes",
                ),
                (
                    bytes::of_another(document, &target.device),
                    "with the change of somebody else",
                ),
            ];
            for (raw, what) in tries {
                let Some(raw) = raw else { continue };
                let body = change(raw, self.chance.bytes());
                let envelope = self.sealed(&target, &body)?;
                self.is_forged(&envelope);
                let bundle = bundle(&mut self.people[who].phone, std::slice::from_ref(&envelope))?;
                self.reaches_server(bundle, &format!("{} {what}", envelope.id()))?;
            }
        }
        Ok(())
    }

    /// Writes a change in bytes that no app writes.
    fn writes_odd_bytes(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let odd = self.chance.pick(&bytes::Odd::ALL).expect("there are some");
        let actor = target.fresh_actor(&mut self.chance);
        let raw = target
            .record
            .document()
            .and_then(|document| odd.change(document, actor));
        let Some(raw) = raw else { return Ok(()) };
        let body = change(raw, self.chance.bytes());
        let envelope = self.sealed(&target, &body)?;
        self.is_forged(&envelope);
        let what = format!("{} {odd:?}", envelope.id());
        self.hands_over(who, &[envelope], &what)
    }

    /// Edits a field that no app knows.
    fn writes_a_newer_field(&mut self, who: usize) -> Result<(), String> {
        let Some(target) = self.target(who)? else {
            return Ok(());
        };
        let words = self.new_words();
        let actor = target.fresh_actor(&mut self.chance);
        let raw = target
            .record
            .document()
            .and_then(|document| bytes::newer_field(document, actor, &words));
        let Some(raw) = raw else { return Ok(()) };
        let body = change(raw, self.chance.bytes());
        let envelope = self.sealed(&target, &body)?;
        let what = format!("{} a field of a newer app", envelope.id());
        self.hands_over(who, &[envelope], &what)
    }
}
