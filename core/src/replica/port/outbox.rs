//! What this phone wrote, or carries for others, and has no verdict for.

use std::collections::HashSet;

use super::super::engine::Replica;
use super::super::error::ReplicaError;
use super::super::table::{certificate, envelope};
use super::apply;
use crate::id::{EnvelopeId, Hash};
use crate::sync::port::OutboxAsk;
use crate::wire::envelope::Envelope;
use crate::wire::message::Bundle;

/// Rows that are read from the outbox at a time.
const ROWS: usize = 256;

impl Replica {
    /// The next part of the outbox, in the order in which it was written: so parents come first.
    pub(super) fn outbox_part(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, ReplicaError> {
        let mut bundle = Bundle::default();
        let mut certificates: HashSet<Hash> = HashSet::new();
        let mut left_out: HashSet<EnvelopeId> = ask.without.iter().copied().collect();
        let (mut bytes, mut after) = (0, 0);
        'parts: loop {
            let rows = envelope::unjudged(&self.conn, after, ROWS)?;
            let Some(last) = rows.last() else { break };
            after = last.no;
            for row in rows {
                let parsed = Envelope::parse(row.raw).map_err(|_| ReplicaError::Inconsistent)?;
                let waits = left_out.contains(&parsed.id())
                    || parsed
                        .header()
                        .parents
                        .iter()
                        .any(|parent| left_out.contains(parent));
                if waits {
                    left_out.insert(parsed.id());
                    continue;
                }
                bytes += parsed.raw().len();
                let full = bytes > ask.bytes_max && !bundle.envelopes.is_empty();
                if full || bundle.envelopes.len() >= ask.envelopes_max {
                    break 'parts;
                }
                certificates.insert(row.certificate);
                bundle.envelopes.push(parsed.raw().clone());
            }
        }
        let generation = apply::generation(&self.conn)?;
        for hash in certificates {
            let known_in = certificate::known_in(&self.conn, hash)?;
            if known_in == 0 || known_in < generation {
                bundle
                    .certificates
                    .extend(certificate::get(&self.conn, hash)?);
            }
        }
        bundle.certificates.sort_by(|a, b| a.facts.cmp(&b.facts));
        Ok(bundle)
    }
}
