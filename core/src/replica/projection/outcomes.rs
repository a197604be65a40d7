//! The outcome of each envelope of the person who reads this phone.

use super::super::table::own_work::{Standing, Work};
use crate::domain::case::{Event, Outcome};
use crate::id::MemberId;
use crate::record::{Node, NodeBody, Record};
use crate::wire::verdict::Status;

/// Returns the outcome of each envelope of a person in a record, in the order of ids.
pub(super) fn of_record(record: &Record, me: Option<MemberId>) -> Vec<Work> {
    let Some(me) = me else {
        return Vec::new();
    };
    let mut work: Vec<Work> = record
        .nodes()
        .iter()
        .filter(|node| {
            let facts = node.certificate.as_ref().map(|known| known.facts());
            facts.is_some_and(|facts| facts.member == Some(me))
        })
        .filter(|node| !is_opening(node))
        .filter_map(|node| of_node(record, node))
        .collect();
    work.sort_unstable_by_key(|one| one.id);
    work
}

fn is_opening(node: &Node) -> bool {
    matches!(&node.body, NodeBody::Event { event, .. } if matches!(**event, Event::Seen(_)))
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
