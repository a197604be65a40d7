//! The outcome of each piece of work of the person who reads this phone.
//!
//! A photo that was written together with other work is a part of that work and counts with it: a report with three
//! photos is one piece. All envelopes of one call have the same clock, so the clock tells them. A photo that was
//! added alone is a piece of its own, and so is one that is held or void beside work that counts, because the person
//! must see it.

use std::collections::HashMap;

use super::super::table::own_work::{Standing, Work};
use crate::domain::case::{Event, Outcome};
use crate::id::{DeviceId, MemberId};
use crate::record::{Node, NodeBody, Record};
use crate::wire::verdict::Status;

/// Returns the outcome of each piece of work of a person in a record, in the order of ids.
pub(super) fn of_record(record: &Record, me: Option<MemberId>) -> Vec<Work> {
    let Some(me) = me else {
        return Vec::new();
    };
    let own = record.nodes().iter().filter(|node| {
        let facts = node.certificate.as_ref().map(|known| known.facts());
        facts.is_some_and(|facts| facts.member == Some(me))
    });
    let own = own.filter(|node| !matches!(event(node), Some(Event::Seen(_))));
    let (photos, others): (Vec<&Node>, Vec<&Node>) =
        own.partition(|node| matches!(event(node), Some(Event::Attach(_))));
    let mut work = Vec::new();
    // Whether the person sees the work of an instant as work that does not count.
    let mut shown: HashMap<(DeviceId, i64), bool> = HashMap::new();
    for node in others {
        let one = of_node(record, node);
        let is_shown = one.as_ref().is_some_and(is_uncounted);
        *shown.entry((node.author, node.clock_ms)).or_default() |= is_shown;
        work.extend(one);
    }
    for node in photos {
        let beside = shown.get(&(node.author, node.clock_ms)).copied();
        let is_part = |one: &Work| beside.is_some_and(|is_shown| is_shown || !is_uncounted(one));
        work.extend(of_node(record, node).filter(|one| !is_part(one)));
    }
    work.sort_unstable_by_key(|one| one.id);
    work
}

fn event(node: &Node) -> Option<&Event> {
    match &node.body {
        NodeBody::Event { event, .. } => Some(event),
        _ => None,
    }
}

/// Whether the work is among those that the tally names, with a reason.
fn is_uncounted(work: &Work) -> bool {
    work.standing >= Standing::Held
}

/// `None` for an envelope that the person has written again, because the new envelope is counted in its
/// place.
fn of_node(record: &Record, node: &Node) -> Option<Work> {
    let (standing, code) = match node.verdict.map(|verdict| verdict.status) {
        None => (Standing::Waiting, ""),
        Some(Status::Accepted | Status::Admitted) => {
            let item = record.state().and_then(|state| state.outcome(node.id));
            match item.filter(|item| item.outcome == Outcome::Illegal) {
                Some(item) => (
                    Standing::NotCounted,
                    item.why.unwrap_or("void.not_permitted"),
                ),
                None => (Standing::Counted, ""),
            }
        }
        Some(status @ Status::Held(_)) => (Standing::Held, status.code()),
        Some(status @ (Status::Void(_) | Status::Refused(_))) => {
            let mut others = record.nodes().iter();
            if others.any(|other| other.replaces == Some(node.id)) {
                return None;
            }
            (Standing::NotCounted, status.code())
        }
    };
    Some(Work {
        id: node.id,
        record: record.id(),
        is_birth: matches!(node.body, NodeBody::Genesis { .. }),
        clock_ms: node.clock_ms,
        standing,
        code: code.to_owned(),
    })
}
