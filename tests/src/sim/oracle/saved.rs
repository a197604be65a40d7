//! Invariants 1, 2 and 6: each saved envelope is on its phone, each receipt has its envelope on the
//! server, and each word is found again or its author has a notice.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::Record;

use super::super::act::broken;
use super::super::world::{Said, World};

pub(super) fn judge(world: &mut World, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    let there: BTreeSet<EnvelopeId> = truth
        .values()
        .flat_map(|record| record.nodes().iter().map(|node| node.id))
        .collect();
    if !world.restored
        && let Some((lost, _)) = world.receipts.iter().find(|(id, _)| !there.contains(id))
    {
        return Err(format!("{lost} has a receipt and is not on the server"));
    }
    for who in 0..world.people.len() {
        world.still_saved(who)?;
        world.every_word(who, truth)?;
    }
    Ok(())
}

impl World {
    /// Checks invariant 1: every envelope without a verdict is on its phone.
    pub fn still_saved(&mut self, who: usize) -> Result<(), String> {
        let person = &mut self.people[who];
        for said in person.said.iter().filter(|said| !said.answered) {
            let loaded = person.phone.replica().load(said.record);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            if loaded.is_none_or(|loaded| loaded.node(said.id).is_none()) {
                let name = &person.phone.name;
                return Err(format!("{name} has lost {} {}", said.id, said.words));
            }
        }
        Ok(())
    }

    /// Checks invariant 6 for one phone.
    fn every_word(&mut self, who: usize, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
        let restored = self.restored;
        let person = &mut self.people[who];
        let notices = person.phone.replica().notices();
        let notices = notices.map_err(|error| broken("notices", &error))?;
        let mut pages = BTreeMap::new();
        for said in &person.said {
            let counts = truth
                .get(&said.record)
                .is_some_and(|record| record.counts(said.id));
            let told = notices.iter().any(|notice| {
                let words = !said.words.is_empty() && notice.detail.contains(&said.words);
                // The purge of a record is notice enough for words that count, but not for others.
                let purged = notice.code == "replica.purged" && notice.record == Some(said.record);
                words || (purged && (counts || restored)) || notice.envelope == Some(said.id)
            });
            if let Entry::Vacant(place) = pages.entry(said.record) {
                let view = person.phone.replica().view(said.record);
                let loaded = person.phone.replica().load(said.record);
                place.insert((
                    view.map_err(|error| broken("view", &error))?,
                    loaded.map_err(|error| broken("load", &error))?,
                ));
            }
            let (view, loaded) = &pages[&said.record];
            let aside = view
                .as_ref()
                .is_some_and(|view| view.set_aside.iter().any(|aside| aside.id == said.id));
            let here = loaded.as_ref().is_some_and(|loaded| loaded.counts(said.id));
            // A copy that went back in time may never have had the notice.
            let server = person.went_back
                && truth
                    .get(&said.record)
                    .is_some_and(|record| record.node(said.id).is_some());
            if !(here || told || aside || server) {
                return Err(format!(
                    "{}: {} is gone without a word ({})",
                    person.phone.name,
                    say(said),
                    if view.is_some() {
                        "record here"
                    } else {
                        "record gone"
                    }
                ));
            }
        }
        Ok(())
    }
}

fn say(said: &Said) -> String {
    format!("{} in {}: {}", said.id, said.record, said.words)
}
