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
use crate::wire::message::Bundle;

/// Rows that are read from the outbox at a time.
const ROWS: usize = 256;

/// A part of the outbox in the making.
struct Part<'a> {
    ask: &'a OutboxAsk<'a>,
    left_out: HashSet<EnvelopeId>,
    bundle: Bundle,
    certificates: HashSet<Hash>,
    bytes: usize,
}

impl Part<'_> {
    /// Adds an envelope. Returns `false` when the part is full.
    fn push(&mut self, row: Stored) -> bool {
        if self.left_out.contains(&row.id) {
            return true;
        }
        self.bytes += row.raw.len();
        let full = self.bytes > self.ask.bytes_max && !self.bundle.envelopes.is_empty();
        if full || self.bundle.envelopes.len() >= self.ask.envelopes_max {
            return false;
        }
        self.certificates.insert(row.certificate);
        self.bundle.envelopes.push(row.raw);
        true
    }
}

impl Replica {
    /// Returns the next part of the outbox: own work in the order of writing, then the work that this phone
    /// carries for others. Parents come first.
    pub(super) fn outbox_part(&self, ask: &OutboxAsk<'_>) -> Result<Bundle, ReplicaError> {
        let mut part = Part {
            ask,
            left_out: self.with_what_builds_on(ask.without)?,
            bundle: Bundle::default(),
            certificates: HashSet::new(),
            bytes: 0,
        };
        if envelope::has_unjudged_of_others(self.conn()?)? {
            let queue = self.queue()?;
            for place in queue.own_first() {
                let id = queue.items[place].id;
                let row = envelope::get(self.conn()?, id)?.ok_or(ReplicaError::Inconsistent)?;
                if !part.push(row) {
                    break;
                }
            }
        } else {
            let mut after = 0;
            'parts: loop {
                let rows = envelope::unjudged(self.conn()?, after, ROWS)?;
                let Some(last) = rows.last() else { break };
                after = last.no;
                for row in rows {
                    if !part.push(row) {
                        break 'parts;
                    }
                }
            }
        }
        let mut bundle = part.bundle;
        let generation = apply::generation(self.conn()?)?;
        for hash in part.certificates {
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
        if of.is_empty() {
            return Ok(HashSet::new());
        }
        Ok(self.queue()?.with_descendants(of.iter().copied()))
    }
}
