//! The trouble of a run: faults of lines and machines, and decisions of the office.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::id::{DeviceId, EnvelopeId, RecordId};
use onegrid_core::wire::verdict::Status;
use onegrid_server::store::StoreError;

use super::oracle::names::{Names, Source};
use super::weather::Rare;
use super::world::{Copy, Part, Player, World};
use crate::town::{DAY_MS, Disk, Fault, Met, Turn};

/// Records and names that the phones of a meeting showed before it.
pub struct Sights {
    records: [BTreeSet<RecordId>; 2],
    names: [Option<Names>; 2],
}

impl World {
    /// Runs a few turns of a sync, and checks that the phone learned nothing that its owner may not know.
    pub fn somebody_syncs(&mut self, who: usize) -> Result<(), String> {
        let before = self.names_shown(who)?;
        self.takes_turns(who)?;
        self.learned_no_name(who, before, Source::Server)
    }

    /// Runs a few turns of a sync over a line that may fail in every way.
    fn takes_turns(&mut self, who: usize) -> Result<(), String> {
        let turns = 1 + self.chance.below(12);
        let line = self.weather.line;
        let bad = self.chance.ever(line.bad);
        let name = self.people[who].phone.name.clone();
        for _ in 0..turns {
            let fault = if bad && self.chance.ever(line.fault) {
                self.fault()
            } else if self.chance.ever(line.slow) {
                // The office changes roles, so a person may lose a role in the middle of writing.
                if self.chance.ever(line.role) {
                    self.changes_role(who);
                }
                Fault::Slow
            } else {
                Fault::None
            };
            let turn = self.people[who].phone.turn(&mut self.town, fault);
            self.note(&format!("{name} {fault:?} -> {}", brief(&turn)));
            match turn {
                Turn::Done(_) => break,
                Turn::Awaited => return self.writes_meanwhile(who),
                Turn::Waits => self.people[who].phone.wake(),
                Turn::Failed(code) => self.may_fail(who, fault, &code)?,
                Turn::Answered => self.count_receipts(who)?,
                Turn::Lost => {}
            }
        }
        Ok(())
    }

    /// Lets the person write while a request is on its way, without waiting for its answer. The answer
    /// knows nothing of this work.
    fn writes_meanwhile(&mut self, who: usize) -> Result<(), String> {
        for _ in 0..self.chance.below(4) {
            self.somebody_acts(who)?;
        }
        Ok(())
    }

    fn fault(&mut self) -> Fault {
        match self.chance.below(11) {
            0 | 1 => Fault::RequestLost,
            2 | 3 => Fault::AnswerLost,
            4 => Fault::Twice,
            5 => Fault::Stale,
            6 => Fault::Cut(self.chance.below(4_000)),
            7 => Fault::Flip(self.chance.below(40_000)),
            8 | 9 => Fault::Slow,
            _ if self.chance.one_in(2) => Fault::ServerCrash,
            _ => Fault::PhoneCrash,
        }
    }

    /// Checks that an error is a fault of the line, and not of the server or a replica.
    pub fn may_fail(&mut self, who: usize, fault: Fault, code: &str) -> Result<(), String> {
        let name = &self.people[who].phone.name;
        let inside = ["server.", "store.", "replica.", "http.busy"];
        if inside.iter().any(|start| code.starts_with(start)) {
            return Err(format!("{name}: {code} after {fault:?}"));
        }
        Ok(())
    }

    /// Checks invariant 2 at once: if a phone holds a verdict of this generation, its envelope is in the
    /// store.
    pub fn count_receipts(&mut self, who: usize) -> Result<(), String> {
        let store = self.town.store();
        let person = &mut self.people[who];
        let mut fresh: Vec<(EnvelopeId, u32)> = Vec::new();
        let mut records = BTreeMap::new();
        for said in person.said.iter_mut().filter(|said| !said.answered) {
            if let Entry::Vacant(place) = records.entry(said.record) {
                let loaded = person.phone.replica().load(said.record);
                place.insert(loaded.map_err(|error| super::act::broken("load", &error))?);
            }
            let node = records[&said.record]
                .as_ref()
                .and_then(|loaded| loaded.node(said.id));
            let Some(node) = node else {
                // The envelope was delivered and removed with its record, or the server refused it and
                // its author withdrew it; the oracle looks for the notice of a removal.
                let known: Result<_, StoreError> = store.read(|tx| tx.verdict(said.id));
                let known = known.map_err(|error| error.to_string())?.is_some();
                if !known && !self.had.contains(&said.id) {
                    let notices = person.phone.replica().notices();
                    let notices = notices.map_err(|error| super::act::broken("notices", &error))?;
                    if !notices.iter().any(|one| one.envelope == Some(said.id)) {
                        return Err(format!("{} is gone and was not delivered", said.id));
                    }
                }
                said.answered = true;
                continue;
            };
            if let Some(verdict) = node.verdict {
                said.answered = true;
                // The server does not store an envelope that it refuses, for example in a full record.
                if !matches!(verdict.status, Status::Refused(_)) {
                    fresh.push((said.id, verdict.generation));
                }
            }
        }
        let generation = self.town.generation;
        for (id, of) in fresh {
            self.receipts.insert(id, of);
            let known = self.town.store().read(|tx| tx.verdict(id));
            let known: Result<_, StoreError> = known;
            if of == generation && known.map_err(|error| error.to_string())?.is_none() {
                return Err(format!("{id} has a receipt and is not in the store"));
            }
        }
        Ok(())
    }

    /// Lets this phone meet another one.
    pub fn two_meet(&mut self, who: usize) -> Result<(), String> {
        let other = self.chance.below(self.people.len());
        self.meets(who, other)
    }

    /// Lets two phones meet, or part in the middle.
    pub fn meets(&mut self, who: usize, other: usize) -> Result<(), String> {
        if other == who {
            return Ok(());
        }
        let pieces = if self.chance.one_in(3) {
            1 + self.chance.below(8)
        } else {
            usize::MAX
        };
        let sights = self.before_meeting(who, other)?;
        let (here, there) = pair(&mut self.people, who, other);
        let met = here.phone.meet_until(&mut there.phone, &self.town, pieces);
        let line = format!("{} meets {}: {met:?}", here.phone.name, there.phone.name);
        self.note(&line);
        self.after_meeting(who, other, sights, &met, &line)
    }

    /// Notes the records and names that two phones show before they meet. From now on each knows the other's name.
    pub fn before_meeting(&mut self, who: usize, other: usize) -> Result<Sights, String> {
        let records = [self.shown_to(who)?, self.shown_to(other)?];
        let names = [self.names_shown(who)?, self.names_shown(other)?];
        for (reader, shown) in [(who, other), (other, who)] {
            let certificate = self.people[shown].phone.replica().certificate();
            let certificate = certificate.map(|shown| (reader, shown.hash()));
            self.acquainted.extend(certificate);
        }
        Ok(Sights { records, names })
    }

    /// Checks that two phones that met learned nothing that their owners may not know.
    pub fn after_meeting(
        &mut self,
        who: usize,
        other: usize,
        before: Sights,
        met: &Met,
        line: &str,
    ) -> Result<(), String> {
        if matches!(met, Met::Refused(code) if code.starts_with("replica.")) {
            return Err(line.to_owned());
        }
        let Sights { records, names } = before;
        let [own_names, other_names] = names;
        self.learned_nothing_secret(who, &records[0])?;
        self.learned_nothing_secret(other, &records[1])?;
        self.learned_no_name(who, own_names, Source::Phone(other))?;
        self.learned_no_name(other, other_names, Source::Phone(who))?;
        self.nothing_forged_counts(who)?;
        self.nothing_forged_counts(other)
    }

    /// Crashes a phone's process, or closes it in order.
    pub fn phone_crashes(&mut self, who: usize) -> Result<(), String> {
        let orderly = self.chance.one_in(3);
        let person = &mut self.people[who];
        if orderly {
            person.phone.close();
        } else {
            person.phone.crash();
        }
        let name = person.phone.name.clone();
        person
            .phone
            .try_reopen()
            .map_err(|error| super::act::broken("reopen", &error))?;
        self.note(&format!("{name} restarts, orderly: {orderly}"));
        self.still_saved(who)
    }

    /// Lets one of the rare events happen.
    pub fn something_else(&mut self, who: usize) -> Result<(), String> {
        match self.chance.weighted(&self.weather.rare) {
            Rare::Server => self.server_restarts(),
            Rare::Clock => self.clock_jumps(who),
            Rare::SaveCopy => self.saves_copy(who),
            Rare::GoBack => return self.goes_back(who),
            Rare::Clone => self.cloned(who),
            Rare::Backup => self.backs_up(),
            Rare::Restore => self.restores()?,
            Rare::Revoke => self.revokes(who)?,
            Rare::Role => self.changes_role(who),
            Rare::Review => return self.reviews(),
            Rare::Tick => return self.ticks(),
            Rare::Day => {
                self.town.pass(DAY_MS);
                self.note("a day passes");
            }
            Rare::Sync => return self.somebody_syncs(who),
        }
        Ok(())
    }

    fn server_restarts(&mut self) {
        if self.chance.one_in(3) {
            self.town.close_server();
        } else {
            self.town.crash_server();
        }
        self.town.reopen_server();
        self.note("server restarts");
    }

    fn clock_jumps(&mut self, who: usize) {
        let years = 3_652 * DAY_MS;
        let skews = [0, 0, 0, 3_600_000, -3_600_000, 3 * DAY_MS, years, -years];
        let skew_ms = self.chance.pick(&skews).expect("there are some");
        self.people[who].phone.skew_ms = skew_ms;
        let name = self.people[who].phone.name.clone();
        self.note(&format!("{name} clock {skew_ms}"));
    }

    fn saves_copy(&mut self, who: usize) {
        let path = self.town.folder().join(format!("copy-{who}-{}", self.step));
        let person = &mut self.people[who];
        person.phone.save_copy(&path);
        person.copies.push(Copy {
            path,
            said: person.said.clone(),
            photos: person.photos.clone(),
        });
    }

    /// Puts the phone back to an older copy of itself. Its later work that was not delivered is lost, as
    /// the phone never promised to keep it.
    fn goes_back(&mut self, who: usize) -> Result<(), String> {
        let copies = self.people[who].copies.clone();
        let Some(copy) = self.chance.pick(&copies) else {
            return Ok(());
        };
        let person = &mut self.people[who];
        person.phone.restore_copy(&copy.path);
        person.went_back = true;
        let kept = copy.said.len();
        person.copies.retain(|other| other.said.len() <= kept);
        // Work that was delivered since the copy comes back from the server, if it counts.
        person.said = copy.said;
        person.photos = copy.photos;
        self.time_travel = true;
        let name = self.people[who].phone.name.clone();
        self.note(&format!("{name} goes back to {kept}"));
        self.still_saved(who)
    }

    /// Copies a whole phone, with or without the marker; both are used afterwards.
    fn cloned(&mut self, who: usize) {
        if self.people.len() > 12 || self.people[who].part != Part::Honest {
            return;
        }
        let with_marker = self.chance.one_in(2);
        let is_clone = self.people[who].phone.name.contains('-');
        if self.weather.photos > 0 && is_clone {
            // It would draw the random numbers of the first clone again, and with them the names of
            // sealed files.
            return;
        }
        let under = self.town.folder().join("phones");
        let name = format!("{}-{}", self.people[who].phone.name, self.step);
        let clone = self.people[who].phone.clone_to(&name, &under, with_marker);
        let mut person = Player::new(clone, Part::Honest);
        person.revoked = self.people[who].revoked;
        person.photos.clone_from(&self.people[who].photos);
        person.went_back = true;
        self.people.push(person);
        self.note(&format!("{name} is a clone, marker: {with_marker}"));
    }

    fn backs_up(&mut self) {
        let backup = self.town.backup();
        self.backups.push(backup);
        self.note("backup");
    }

    fn restores(&mut self) -> Result<(), String> {
        if self.restores_left == 0 {
            return Ok(());
        }
        let Some(backup) = self.chance.pick(&self.backups.clone()) else {
            return Ok(());
        };
        // The phones that read the old server's verdicts on these envelopes keep the verdicts, which stay
        // valid.
        let had = self.everything_on_the_server()?.into_values().flatten();
        let had: Vec<EnvelopeId> = had.map(|(envelope, _)| envelope.id()).collect();
        self.had.extend(had);
        self.restores_left -= 1;
        self.look_at_server()?;
        let disk = if self.weather.photos > 0 && self.album.dice.one_in(2) {
            Disk::Lost
        } else {
            Disk::Kept
        };
        self.town.restore_onto(disk, &backup);
        let there: BTreeSet<_> = self.photos_on_server()?.into_iter().collect();
        self.album.lost = self.album.served.difference(&there).copied().collect();
        self.time_travel = true;
        self.restored = true;
        // This oracle does not decide whether a phone that knows a revocation gives it back.
        self.revoked.clear();
        self.note("server comes back from a backup");
        Ok(())
    }

    fn revokes(&mut self, who: usize) -> Result<(), String> {
        let some = self.people[who].part == Part::Rogue || self.people[who].phone.name == "room";
        if some || self.people[who].revoked || !self.chance.one_in(2) {
            return Ok(());
        }
        let device = self.people[who].phone.device();
        let now_ms = self.town.now_ms;
        let done = self.town.server().revoke(device, "admin", now_ms);
        let Ok(done) = done else {
            // A restored server may not know the device.
            return Ok(());
        };
        let known = self.envelopes_of(device)?;
        self.revoked.insert(device, known);
        for person in &mut self.people {
            person.revoked |= person.phone.device() == device;
        }
        let name = self.people[who].phone.name.clone();
        self.note(&format!("{name} revoked: {done}"));
        Ok(())
    }

    /// Returns the ids of all envelopes of a device on the server.
    pub fn envelopes_of(&self, device: DeviceId) -> Result<BTreeSet<EnvelopeId>, String> {
        Ok(self
            .everything_on_the_server()?
            .into_values()
            .flatten()
            .filter(|(envelope, _)| envelope.header().author == device)
            .map(|(envelope, _)| envelope.id())
            .collect())
    }

    fn changes_role(&mut self, who: usize) {
        let base = self.people[who].phone.name.clone();
        let roles = match base.as_str() {
            "dama1" | "dama2" => [
                ("volunteer", "330105013003", "wulin-aunties"),
                ("team_lead", "330105013003", "wulin-aunties"),
            ],
            "grid" => [
                ("grid_worker", "330105013003001;330105013003002", ""),
                ("grid_worker", "330105013001001;330105013002001", ""),
            ],
            "head" => [
                ("station_head", "330105013003;330105013001", ""),
                ("station_head", "330105013002", ""),
            ],
            "gas" => [
                ("handler", "", "gas-company"),
                ("handler", "", "urban-management"),
            ],
            _ => return,
        };
        let (role, areas, unit) = self.chance.pick(&roles).expect("there are two");
        self.town.describe(&base, role, areas, unit);
        self.note(&format!("{base} is {role} in {areas}{unit}"));
    }

    fn reviews(&mut self) -> Result<(), String> {
        let waiting = self.town.server().waiting(20);
        let waiting = waiting.map_err(|error| error.code().to_owned())?;
        let Some(one) = self.chance.pick(&waiting) else {
            return Ok(());
        };
        let accept = self.chance.one_in(2);
        let now_ms = self.town.now_ms;
        let decided = self
            .town
            .server()
            .decide(one.envelope, accept, "admin", now_ms);
        let changed = decided.map_err(|error| format!("review: {}", error.code()))?;
        if accept {
            self.let_in.extend(changed.iter().map(|(id, _)| *id));
        }
        self.note(&format!("review {} {accept}", one.envelope));
        Ok(())
    }

    fn ticks(&mut self) -> Result<(), String> {
        let made = self.town.server().tick(self.town.now_ms);
        let made = made.map_err(|error| format!("tick: {}", error.code()))?;
        self.note(&format!("tick {made}"));
        Ok(())
    }
}

fn brief(turn: &Turn) -> String {
    match turn {
        Turn::Done(report) => format!(
            "done up {} down {} equal {} {:?}",
            report.pushed, report.pulled, report.equal, report.incidents
        ),
        other => format!("{other:?}"),
    }
}

/// Returns two people at once.
pub fn pair(people: &mut [Player], a: usize, b: usize) -> (&mut Player, &mut Player) {
    let (low, high) = (a.min(b), a.max(b));
    let (left, right) = people.split_at_mut(high);
    if a < b {
        (&mut left[low], &mut right[0])
    } else {
        (&mut right[0], &mut left[low])
    }
}
