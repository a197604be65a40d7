//! The outbox: envelopes that this phone wrote, or carries for others, and that have no verdict.

use std::collections::{BTreeSet, HashSet};

use super::super::engine::{Replica, rewrite};
use super::super::error::ReplicaError;
use super::super::salvage;
use super::super::table::envelope::{Origin, Stored};
use super::super::table::{certificate, envelope, notice};
use super::apply;
use crate::id::{EnvelopeId, Hash};
use crate::sync::port::OutboxAsk;
use crate::wire::envelope::{Envelope, Header};
use crate::wire::message::Bundle;

/// Rows that are read from the outbox at a time.
const ROWS: usize = 256;

impl Replica {
    /// Returns the next part of the outbox, in the order of writing, so parents come first.
    pub(super) fn outbox_part(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, ReplicaError> {
        let mut bundle = Bundle::default();
        let mut certificates: HashSet<Hash> = HashSet::new();
        let left_out: HashSet<EnvelopeId> = self.with_what_builds_on(ask.without)?;
        let (mut bytes, mut after) = (0, 0);
        'parts: loop {
            let rows = envelope::unjudged(self.conn()?, after, ROWS)?;
            let Some(last) = rows.last() else { break };
            after = last.no;
            for row in rows {
                let parsed = Envelope::parse(row.raw).map_err(|_| ReplicaError::Inconsistent)?;
                if left_out.contains(&parsed.id()) {
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
        let generation = apply::generation(self.conn()?)?;
        for hash in certificates {
            let known_in = certificate::known_in(self.conn()?, hash)?;
            if known_in == 0 || known_in < generation {
                bundle
                    .certificates
                    .extend(certificate::get(self.conn()?, hash)?);
            }
        }
        bundle.certificates.sort_by(|a, b| a.facts.cmp(&b.facts));
        Ok(bundle)
    }

    /// Whether the outbox holds an envelope outside `without`. With an empty `without`, a count is enough.
    pub(super) fn outbox_holds_more(
        &self,
        without: &BTreeSet<EnvelopeId>,
    ) -> Result<bool, ReplicaError> {
        let queued = envelope::count_unjudged(self.conn()?)?;
        if queued == 0 || without.is_empty() {
            return Ok(queued > 0);
        }
        let mut waiting = 0;
        for id in self.with_what_builds_on(without)? {
            waiting += u64::from(envelope::number_unjudged(self.conn()?, id)?.is_some());
        }
        Ok(queued > waiting)
    }

    /// Returns the envelopes that are not here, alone or in a pack.
    pub(super) fn not_here(&self, ids: &[EnvelopeId]) -> Result<Vec<EnvelopeId>, ReplicaError> {
        let mut absent = Vec::new();
        for id in ids {
            if !salvage::is_known(self.conn()?, *id)? {
                absent.push(*id);
            }
        }
        Ok(absent)
    }

    /// Tells the person once about each own envelope that builds on a missing one, with its words.
    pub(super) fn tell_orphans(
        &mut self,
        parents: &BTreeSet<EnvelopeId>,
        now_ms: i64,
    ) -> Result<(), ReplicaError> {
        const CODE: &str = "incident.missing_parents";
        let mut orphans = Vec::new();
        for id in self.with_what_builds_on(parents)? {
            let stored = envelope::get(self.conn()?, id)?;
            let is_own = |stored: &Stored| stored.origin == Origin::Own && stored.verdict.is_none();
            if let Some(stored) = stored.filter(is_own)
                && !notice::is_told(self.conn()?, CODE, id)?
            {
                orphans.push(stored);
            }
        }
        if orphans.is_empty() {
            return Ok(());
        }
        orphans.sort_unstable_by_key(|stored| stored.no);
        self.write(now_ms, |writing| {
            for stored in orphans {
                let words = rewrite::words_alone(writing, stored.record, stored.raw)?;
                writing.tell(CODE, (stored.record, Some(stored.id)), &words)?;
            }
            Ok(())
        })
    }

    /// Returns the envelopes, and all of the outbox that builds on them, in any order of arrival.
    fn with_what_builds_on(
        &self,
        of: &BTreeSet<EnvelopeId>,
    ) -> Result<HashSet<EnvelopeId>, ReplicaError> {
        let mut found: HashSet<EnvelopeId> = of.iter().copied().collect();
        loop {
            let before = found.len();
            let mut after = 0;
            while !of.is_empty() {
                let rows = envelope::unjudged_headers(self.conn()?, after, ROWS)?;
                let Some(last) = rows.last() else { break };
                after = last.0;
                for (_, id, header) in rows {
                    let header: Header =
                        minicbor::decode(&header).map_err(|_| ReplicaError::Inconsistent)?;
                    if header.parents.iter().any(|parent| found.contains(parent)) {
                        found.insert(id);
                    }
                }
            }
            // Children mostly come after their parents, so the second look finds no more of them.
            if found.len() == before {
                return Ok(found);
            }
        }
    }
}
