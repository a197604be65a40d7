//! Invariant 3: every phone and the server agree, stream by stream and field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::Record;
use onegrid_core::sync::port::StarPort;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::verdict::Status;
use onegrid_server::store::StoreError;

use super::super::act::{broken, short};
use super::super::world::World;
use super::harm;

pub(super) fn judge(world: &mut World, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    let pictures: BTreeMap<RecordId, String> = truth
        .iter()
        .map(|(id, record)| (*id, picture(record)))
        .collect();
    for who in 0..world.people.len() {
        if !world.people[who].revoked {
            streams(world, who)?;
            records(world, who, truth, &pictures)?;
        }
    }
    // Projections follow only from envelopes and verdicts.
    let who = world.chance.below(world.people.len());
    let replica = world.people[who].phone.replica();
    let before = replica.rows().map_err(|error| broken("rows", &error))?;
    replica
        .rebuild()
        .map_err(|error| broken("rebuild", &error))?;
    let after = replica.rows().map_err(|error| broken("rows", &error))?;
    if before != after {
        let name = &world.people[who].phone.name;
        let differ = before.iter().zip(&after).find(|(a, b)| a != b);
        return Err(format!("{name}: rebuilt projections differ: {differ:?}"));
    }
    Ok(())
}

/// Compares the member records of each stream and their digests.
fn streams(world: &mut World, who: usize) -> Result<(), String> {
    let differences = differences(world, who)?;
    if differences.is_empty() {
        return Ok(());
    }
    let name = &world.people[who].phone.name;
    Err(format!("{name} and the server differ: {differences}"))
}

/// Describes the differences between a phone and the server.
pub(in crate::sim) fn differences(world: &mut World, who: usize) -> Result<String, String> {
    let mut text = String::new();
    let replica = world.people[who].phone.replica();
    let cursors = replica.cursors().map_err(|error| error.code.to_owned())?;
    for cursor in cursors {
        let replica = world.people[who].phone.replica();
        let items = replica.stream_items(&cursor.stream);
        let items = items.map_err(|error| error.code.to_owned())?;
        let here: BTreeMap<_, _> = items
            .into_iter()
            .map(|item| (item.record, item.digest))
            .collect();
        let store = world.town.store();
        let items = store.read::<_, StoreError>(|tx| tx.stream_items(cursor.stream));
        let there: BTreeMap<_, _> = items
            .map_err(|error| error.to_string())?
            .into_iter()
            .map(|item| (item.record, item.digest))
            .collect();
        let records: BTreeSet<RecordId> = here.keys().chain(there.keys()).copied().collect();
        let head = world.town.store().read(|tx| tx.head(cursor.stream));
        let head = head.map_err(|error: StoreError| error.to_string())?;
        let sum: Digest = there.values().copied().sum();
        if sum != head.digest {
            let _ = write!(
                text,
                "\n  {} is not the sum of its records there",
                cursor.stream
            );
        }
        for record in records {
            if here.get(&record) == there.get(&record) {
                continue;
            }
            let _ = write!(
                text,
                "\n  {} {} here {} there {}",
                cursor.stream,
                short(&record),
                here.contains_key(&record),
                there.contains_key(&record)
            );
            let ids = world.people[who].phone.replica().record_ids(&record);
            let here: BTreeSet<_> = ids.map_err(|e| e.code.to_owned())?.into_iter().collect();
            let ids = world.town.store().read(|tx| tx.settled_ids(record));
            let ids = ids.map_err(|error: StoreError| error.to_string())?;
            let there: BTreeSet<_> = ids.into_iter().collect();
            let loaded = world.people[who].phone.replica().load(record);
            let loaded = loaded.map_err(|error| broken("load", &error))?;
            for id in here.union(&there) {
                let known = world.town.store().read(|tx| tx.verdict(*id));
                let known: Option<_> = known.map_err(|error: StoreError| error.to_string())?;
                let verdict = loaded.as_ref().and_then(|loaded| loaded.node(*id)?.verdict);
                let alike = here.contains(id)
                    && there.contains(id)
                    && verdict == known.map(|(_, verdict)| verdict);
                if !alike {
                    let _ = write!(text, "\n    {id} here {verdict:?} there {known:?}");
                }
            }
        }
    }
    Ok(text)
}

fn records(
    world: &mut World,
    who: usize,
    truth: &BTreeMap<RecordId, Record>,
    pictures: &BTreeMap<RecordId, String>,
) -> Result<(), String> {
    let held = held_by_streams(world, who)?;
    for id in world.records_of(who)? {
        // A record that another phone brought is not kept up to date if no stream of this phone
        // holds it.
        if !held.contains(&id) {
            continue;
        }
        let name = world.people[who].phone.name.clone();
        let loaded = world.people[who].phone.replica().load(id);
        let loaded = loaded.map_err(|error| broken("load", &error))?;
        let (Some(mine), Some(theirs)) = (loaded, truth.get(&id)) else {
            return Err(format!("{name} shows {} that the server lacks", short(&id)));
        };
        let unjudged = mine.nodes().iter().find(|node| node.verdict.is_none());
        if let Some(node) = unjudged {
            return Err(format!("{name}: {} is stuck in the outbox", node.id));
        }
        let here = settled(&mine);
        if here != settled(theirs) {
            let there = settled(theirs);
            let differ: Vec<_> = here.symmetric_difference(&there).collect();
            return Err(format!(
                "{name}: verdicts of {} differ: {differ:?}",
                short(&id)
            ));
        }
        harm::whole(&mine, &name)?;
        let (here, there) = (picture(&mine), &pictures[&id]);
        if here != *there {
            return Err(format!(
                "{name} sees {} otherwise than the server:{}",
                short(&id),
                other_lines(&here, there)
            ));
        }
    }
    Ok(())
}

/// Returns the lines of two pictures that only one of them has.
fn other_lines(here: &str, there: &str) -> String {
    let [ours, theirs] = [here, there].map(|picture| picture.lines().collect::<BTreeSet<_>>());
    let mut text = String::new();
    for line in here.lines().filter(|line| !theirs.contains(line)) {
        let _ = write!(text, "\n  here  {line}");
    }
    for line in there.lines().filter(|line| !ours.contains(line)) {
        let _ = write!(text, "\n  there {line}");
    }
    text
}

/// Returns the records that the streams of a phone hold.
pub(super) fn held_by_streams(world: &mut World, who: usize) -> Result<BTreeSet<RecordId>, String> {
    let replica = world.people[who].phone.replica();
    let mut held = BTreeSet::new();
    for cursor in replica.cursors().map_err(|error| error.code.to_owned())? {
        let items = replica.stream_items(&cursor.stream);
        let items = items.map_err(|error| error.code.to_owned())?;
        held.extend(items.iter().map(|item| item.record));
    }
    Ok(held)
}

fn settled(record: &Record) -> BTreeSet<(EnvelopeId, &'static str)> {
    let settled = |status: Status| status.is_settled().then_some(status.code());
    record
        .nodes()
        .iter()
        .filter_map(|node| Some((node.id, settled(node.verdict?.status)?)))
        .collect()
}

/// Describes everything that a person could see of a record, without names, because names may be
/// withheld.
fn picture(record: &Record) -> String {
    let mut text = String::new();
    if let Some(state) = record.state() {
        if let Some(case) = state.case() {
            let handling = &case.handling;
            let _ = writeln!(
                text,
                "{:?} below {:?} {:?} {:?} grid {:?} lead {:?} support {:?} level {:?} returns {} \
                 danger {} spot {} urged {} supervised {} merged {:?} suspended {:?} seen {:?} handled {:?}",
                case.stage,
                case.stage_below,
                case.category,
                case.severity,
                case.grid,
                handling.lead_area,
                handling.support_areas,
                handling.level,
                handling.returns,
                case.danger,
                case.handled_on_spot,
                handling.urged,
                handling.supervised,
                case.merged_into,
                case.suspended,
                state.seen_ms,
                case.handled_ms,
            );
            let _ = writeln!(
                text,
                "{:?}\n{:?}",
                handling.assignments, handling.extensions
            );
        }
        if let Some(steps) = state.steps() {
            let _ = writeln!(text, "{}", steps.stage.name);
            for entry in &steps.entries {
                let (name, reason) = (entry.step.name, entry.reason);
                let _ = writeln!(text, "{} {name} {reason:?} {}", entry.id, entry.at_ms);
            }
            let _ = writeln!(text, "{:?}", steps.handling);
        }
        let _ = writeln!(text, "{} {:?}", state.conflicts.len(), state.needs_review);
        for item in &state.timeline {
            let counted = record.node(item.id).and_then(|node| node.verdict);
            if counted.is_some_and(|verdict| verdict.status.is_accepted()) {
                let _ = writeln!(
                    text,
                    "{} {:?} {:?} {:?} {}",
                    item.id, item.movement, item.outcome, item.why, item.effective_ms
                );
            }
        }
    }
    let kind = record.genesis().and_then(|facts| facts.kind.spec());
    if let (Some(document), Some(kind)) = (record.document(), kind) {
        let _ = writeln!(text, "{:?}", document.content(kind));
    }
    text
}
