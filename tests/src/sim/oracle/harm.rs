//! The hostile member harms no work of others: no honest envelope is void because of it, and every accepted
//! change is in every document.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::Role;
use onegrid_core::domain::case::Event;
use onegrid_core::id::{DeviceId, EnvelopeId, RecordId};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::wire::verdict::{Status, VoidReason};

use super::super::world::World;

pub(super) fn judge(world: &World, truth: &BTreeMap<RecordId, Record>) -> Result<(), String> {
    // A copied phone may use a number twice, or deny what it saw before.
    let copied: BTreeSet<DeviceId> = world
        .people
        .iter()
        .filter(|person| person.went_back)
        .map(|person| person.phone.device())
        .collect();
    for record in truth.values() {
        whole(record, "the server")?;
        for node in record.nodes() {
            let honest = !world.is_hostile(node.author) && node.role() != Some(Role::System);
            if honest && !copied.contains(&node.author) {
                unharmed(world, record, node)?;
            }
        }
    }
    Ok(())
}

/// Checks that every accepted change of a record is in its document.
pub(super) fn whole(record: &Record, place: &str) -> Result<(), String> {
    for node in record.nodes() {
        let Some(change) = node.change().filter(|_| is_accepted(node)) else {
            continue;
        };
        let info = change.info.as_ref();
        let shown = info
            .zip(record.document())
            .is_some_and(|(info, document)| document.change(&info.hash).is_some());
        if !shown {
            return Err(format!(
                "{} counts, and {place} does not show its content",
                node.id
            ));
        }
    }
    Ok(())
}

/// Checks that an honest envelope is void only for an honest reason.
fn unharmed(world: &World, record: &Record, node: &Node) -> Result<(), String> {
    let Some(Status::Void(reason)) = node.verdict.map(|verdict| verdict.status) else {
        return Ok(());
    };
    let code = reason.code();
    // Rules of the domain judge the state that the author had seen, and only what counts makes that state.
    let fine = match reason {
        _ if code.starts_with("may.") || code.starts_with("case.") => true,
        // A reviewer turned it down. Only then is it void for this reason.
        VoidReason::Rejected => true,
        // The person is told of it and writes the words again, alone or on top of other content.
        VoidReason::VoidParent => {
            honest_cause(world, record, node) || is_written_again(record, node.id)
        }
        // A person who fills a record takes its room for further words. Moves have another room.
        VoidReason::Limit => is_word(node) && world.hostility.heavy_on.contains(&record.id()),
        _ => false,
    };
    if fine {
        Ok(())
    } else {
        Err(format!("{} is honest and void: {code}", node.id))
    }
}

fn is_word(node: &Node) -> bool {
    match &node.body {
        NodeBody::Event { event, .. } => {
            matches!(**event, Event::Comment(_) | Event::Attach(_))
        }
        _ => node.change().is_some(),
    }
}

/// Whether something void that an honest author wrote is in the envelope's past.
fn honest_cause(world: &World, record: &Record, node: &Node) -> bool {
    record.nodes().iter().any(|other| {
        let void = matches!(
            other.verdict.map(|verdict| verdict.status),
            Some(Status::Void(_))
        );
        void && other.change().is_some()
            && !world.is_hostile(other.author)
            && record.is_ancestor(other.id, node.id)
    })
}

fn is_written_again(record: &Record, id: EnvelopeId) -> bool {
    let mut nodes = record.nodes().iter();
    nodes.any(|node| node.replaces == Some(id) && node.verdict.is_some())
}

fn is_accepted(node: &Node) -> bool {
    node.verdict
        .is_some_and(|verdict| verdict.status.is_accepted())
}
