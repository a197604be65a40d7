//! The budget of a record: its pack has to fit every message that carries packs.
//!
//! Only the server measures the budget. A verdict `void.limit` is data like any other, so replicas agree
//! although they never measure.

use super::Record;
use super::graph::{Node, NodeBody};
use crate::crdt::Document;
use crate::id::EnvelopeId;
use crate::limits::RECORD_BYTES_MAX;
use crate::wire::verdict::{Status, Verdict, VoidReason};

/// Bytes that an entry of a pack costs at most, beside its own data.
const ENTRY_BYTES: usize = 256;
/// Bytes that an operation costs at most in a saved document: a key of 128 bytes and 14 columns.
const OPERATION_BYTES: usize = 256;

impl Record {
    /// Whether the record fits one pack, so that every reader can get it.
    #[must_use]
    pub fn fits_pack(&self) -> bool {
        self.is_light() || self.measured_pack_fits()
    }

    /// The accepted envelopes that have to become void so that the rest fits a pack. The last accepted ones
    /// are chosen, changes of the content before events.
    #[must_use]
    pub fn beyond_budget(&self) -> Vec<EnvelopeId> {
        if self.fits_pack() {
            return Vec::new();
        }
        let mut accepted: Vec<(usize, &Node, Verdict)> = Vec::new();
        for (index, node) in self.nodes().iter().enumerate() {
            if let Some(verdict) = node.verdict.filter(|v| v.status.is_accepted()) {
                accepted.push((index, node, verdict));
            }
        }
        accepted.sort_by_key(|(index, node, verdict)| {
            let is_content = node.change().is_some() && *index > 0;
            (is_content, verdict.generation, verdict.at_ms, *index)
        });
        let ids: Vec<EnvelopeId> = accepted.iter().map(|(_, node, _)| node.id).collect();
        // The pack grows with every envelope that stays. Mostly there is just one envelope too many, so the
        // search begins at the end with steps that double, and then halves the remaining range.
        let (mut fit, mut too_many) = (0, ids.len());
        let mut out = 1;
        while out < ids.len() {
            let tried = ids.len() - out;
            if self.without(&ids[tried..]).fits_pack() {
                fit = tried;
                break;
            }
            too_many = tried;
            out *= 2;
        }
        while too_many - fit > 1 {
            let tried = usize::midpoint(fit, too_many);
            if self.without(&ids[tried..]).fits_pack() {
                fit = tried;
            } else {
                too_many = tried;
            }
        }
        ids[fit..].to_vec()
    }

    /// The record as it would be with these envelopes void.
    fn without(&self, ids: &[EnvelopeId]) -> Self {
        let mut other = self.clone();
        let void = ids.iter().filter_map(|id| {
            let known = other.node(*id)?.verdict?;
            let status = Status::Void(VoidReason::Limit);
            let at_ms = known.at_ms.saturating_add(1);
            Some((
                *id,
                Verdict {
                    status,
                    at_ms,
                    ..known
                },
            ))
        });
        let void: Vec<_> = void.collect();
        other.set_verdicts(void);
        other
    }

    /// Whether the record is so small that its pack fits without being measured. A change that came in a pack
    /// has no bytes of its own, so such a record is measured.
    fn is_light(&self) -> bool {
        let mut bytes = 0_usize;
        for node in self.nodes() {
            let own = match &node.body {
                NodeBody::Event { data, .. } => Some(data.1.len()),
                NodeBody::Genesis { change, .. } | NodeBody::Change(change) => {
                    let operations = change.info.as_ref().map_or(0, |info| {
                        info.max_op.saturating_sub(info.start_op).saturating_add(1)
                    });
                    let operations = usize::try_from(operations).unwrap_or(usize::MAX);
                    let written_out = operations.saturating_mul(OPERATION_BYTES);
                    change
                        .raw
                        .as_ref()
                        .map(|raw| raw.len().saturating_add(written_out))
                }
                NodeBody::Unknown | NodeBody::Malformed => Some(0),
            };
            let Some(own) = own else { return false };
            bytes = bytes.saturating_add(own).saturating_add(ENTRY_BYTES);
        }
        bytes.saturating_add(self.certificate_bytes()) <= RECORD_BYTES_MAX
    }

    fn measured_pack_fits(&self) -> bool {
        let Some(pack) = self.to_pack() else {
            return true;
        };
        let document = &pack.document;
        let loads = document.is_empty() || Document::from_save(document).is_ok();
        loads
            && pack.to_bytes().is_ok_and(|bytes| {
                bytes.len().saturating_add(self.certificate_bytes()) <= RECORD_BYTES_MAX
            })
    }

    /// Bytes of the certificates that travel with a pack.
    fn certificate_bytes(&self) -> usize {
        let mut certificates: Vec<_> = self
            .nodes()
            .iter()
            .filter_map(|node| node.certificate.as_ref())
            .map(|certificate| (certificate.hash(), certificate.raw().facts.len()))
            .collect();
        certificates.sort_unstable();
        certificates.dedup();
        certificates.iter().map(|(_, bytes)| bytes + 64).sum()
    }
}
