//! Descriptions of photos and recordings among the events of a record.

use onegrid_core::domain::case::Event;
use onegrid_core::id::{EnvelopeId, RecordId};
use onegrid_core::record::{Node, NodeBody, Record};

use super::plan::Plan;
use crate::store::{AttachmentKey, Description};

/// Returns the descriptions among the envelopes that a plan stores or changes. A changed one may be an event that
/// this version reads for the first time.
pub(super) fn descriptions(plan: &Plan) -> Vec<Description> {
    let record = &plan.record;
    if plan.base.is_some() {
        // A pack brings envelopes without bytes of their own.
        return record
            .nodes()
            .iter()
            .filter_map(|node| description(record.id(), node))
            .collect();
    }
    let fresh = plan.fresh.iter().map(|fresh| fresh.hash.envelope_id());
    let changed = plan.changed.iter().map(|(id, _)| *id);
    fresh
        .chain(changed)
        .filter_map(|id| described_by(record, id))
        .collect()
}

fn described_by(record: &Record, id: EnvelopeId) -> Option<Description> {
    description(record.id(), record.node(id)?)
}

fn description(record: RecordId, node: &Node) -> Option<Description> {
    let NodeBody::Event { event, .. } = &node.body else {
        return None;
    };
    let Event::Attach(attach) = &**event else {
        return None;
    };
    Some(Description {
        key: AttachmentKey {
            record,
            id: attach.id,
        },
        envelope: node.id,
        author: node.author,
        media: attach.media,
        bytes: u64::from(attach.bytes),
        salt: attach.salt,
    })
}
