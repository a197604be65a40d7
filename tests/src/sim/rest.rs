//! The rest after the storm: everybody syncs until nothing moves any more.

use onegrid_core::sync::report::{Incident, Report};

use super::oracle::agree::differences;
use super::oracle::names::Source;
use super::world::World;
use crate::town::MINUTE_MS;

/// Rounds with one sync for everybody. Work that is written again takes one round more.
const ROUNDS_MAX: usize = 12;

impl World {
    /// Lets everybody who still may sync until nothing is new for anybody.
    pub fn rest(&mut self) -> Result<(), String> {
        if !self.town.is_up() {
            self.town.reopen_server();
        }
        let has_photos = self.weather.photos > 0;
        for round in 0..ROUNDS_MAX {
            // The first round ends requests under way, which may describe an earlier state of the
            // server.
            let mut quiet = round > 0;
            let made = self.town.server().tick(self.town.now_ms);
            quiet &= made.map_err(|problem| problem.code().to_owned())? == 0;
            for who in 0..self.people.len() {
                if self.people[who].revoked {
                    continue;
                }
                self.town.pass(MINUTE_MS);
                quiet &= self.rests(who)?;
                if has_photos && !self.people[who].revoked {
                    // An app that is opened anew tries every photo again.
                    self.people[who].phone.begin_files(round == 0);
                    quiet &= self.rests_with_photos(who)?;
                }
            }
            if quiet {
                return Ok(());
            }
        }
        Err(format!("no rest after {ROUNDS_MAX} rounds"))
    }

    /// Runs one sync without faults; returns whether nothing moved.
    fn rests(&mut self, who: usize) -> Result<bool, String> {
        let names = self.names_shown(who)?;
        let person = &mut self.people[who];
        let name = person.phone.name.clone();
        person.phone.wake();
        let report = match person.phone.try_sync(&mut self.town) {
            Ok(report) => report,
            // Another phone gave this revocation back to a restored server.
            Err(code) if code == "session.revoked" => {
                person.revoked = true;
                self.note(&format!("{name} learns that it is revoked"));
                return Ok(false);
            }
            Err(code) => return Err(format!("{name} can not sync: {code}")),
        };
        self.note(&format!("{name} rests {report:?}"));
        self.count_receipts(who)?;
        self.learned_no_name(who, names, Source::Server)?;
        self.incidents(who, &report)?;
        Ok(report.equal && report.pushed == 0 && report.pulled == 0)
    }

    /// Checks that a run without time travel has nothing to repair.
    fn incidents(&mut self, who: usize, report: &Report) -> Result<(), String> {
        let bad = report.incidents.iter().find(|incident| match incident {
            Incident::GenerationChanged { .. } | Incident::NotTaken => !self.restored,
            Incident::DigestMismatch
            | Incident::Repaired { .. }
            | Incident::MissingParents
            | Incident::ParcelRefused { .. } => !self.time_travel,
            Incident::Unrepaired | Incident::NoProgress | Incident::PutOff => true,
        });
        match bad {
            Some(incident) => {
                let differences = differences(self, who)?;
                let name = &self.people[who].phone.name;
                Err(format!(
                    "{name}: {} in {report:?}{differences}",
                    incident.code()
                ))
            }
            None => Ok(()),
        }
    }
}
