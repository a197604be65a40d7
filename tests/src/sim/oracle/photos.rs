//! Photos: the server has each photo that a phone which may give it still holds, with the same
//! bytes, and none is lost before the server is restored.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::id::{DeviceId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::wire::transfer::FileName;
use onegrid_core::wire::verdict::Status;

use super::super::act::broken;
use super::super::photos::{describes, info};
use super::super::world::World;
use super::agree::held_by_streams;

/// The descriptions of a photo on the server.
#[derive(Default)]
struct Described {
    is_accepted: bool,
    /// The authors of descriptions that count.
    authors: BTreeSet<DeviceId>,
    /// The authors of descriptions that wait for a review. The feed gives such a description only
    /// once it counts, so an author whose phone went back to an older copy does not have it.
    held: BTreeSet<DeviceId>,
}

impl Described {
    fn of(record: &Record, name: &FileName) -> Self {
        let mut described = Self::default();
        let nodes = record.nodes().iter();
        for node in nodes.filter(|node| describes(&node.body, name.id)) {
            match node.verdict.map(|verdict| verdict.status) {
                Some(status) if status.is_accepted() => {
                    described.is_accepted = true;
                    described.authors.insert(node.author);
                }
                Some(Status::Held(_)) => {
                    described.held.insert(node.author);
                }
                _ => {}
            }
        }
        described
    }
}

/// The descriptions of a photo with the verdicts on them, for the replay of a failure.
fn verdicts(record: &Record, name: &FileName) -> Vec<String> {
    let nodes = record.nodes().iter();
    let nodes = nodes.filter(|node| describes(&node.body, name.id));
    let lines = nodes.map(|node| {
        let (counts, waits) = (node.counts(), node.waits);
        format!(
            "{} {:?} counts {counts} waits {waits}",
            node.id, node.verdict
        )
    });
    lines.collect()
}

pub(super) fn judge(world: &mut World, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    if world.weather.photos == 0 {
        return Ok(());
    }
    for name in world.photos_on_server()? {
        world.equals_on_server(&name)?;
    }
    let names: Vec<FileName> = world.album.photos.keys().copied().collect();
    let mut held: BTreeSet<FileName> = BTreeSet::new();
    for who in 0..world.people.len() {
        world.photos_stay(who)?;
        world.photos_are_true(who)?;
        let here = world.photos_on(who)?;
        held.extend(&here);
        if world.people[who].revoked {
            continue;
        }
        let records = held_by_streams(world, who)?;
        for name in here {
            let described = truth.get(&name.record);
            let described = described.map(|record| Described::of(record, &name));
            let described = described.unwrap_or_default();
            let went_back = world.people[who].went_back;
            let phone = &mut world.people[who].phone;
            let may_give = described.authors.contains(&phone.device())
                || described.held.contains(&phone.device()) && !went_back
                || described.is_accepted && records.contains(&name.record);
            if may_give && !world.is_on_server(&name)? {
                let replica = world.people[who].phone.replica();
                let info = info(replica, &name)?;
                let loaded = replica.load(name.record);
                let loaded = loaded.map_err(|error| broken("load", &error))?;
                let here = loaded.map(|record| verdicts(&record, &name));
                let there = truth.get(&name.record);
                let there = there.map(|record| verdicts(record, &name));
                let whose = &world.people[who].phone.name;
                return Err(format!(
                    "the server lacks {}, {whose} has it: {info:?}; its descriptions on the phone: \
                     {here:?}, on the server: {there:?}",
                    name.id
                ));
            }
        }
    }
    if world.restored {
        return Ok(());
    }
    let copied: BTreeSet<DeviceId> = world
        .people
        .iter()
        .filter(|person| person.went_back)
        .map(|person| person.phone.device())
        .collect();
    for name in names {
        let is_copied = copied.contains(&world.album.photos[&name].device);
        if !is_copied && !held.contains(&name) && !world.is_on_server(&name)? {
            return Err(format!("nobody has the photo {}", name.id));
        }
    }
    Ok(())
}
