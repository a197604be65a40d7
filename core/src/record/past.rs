//! Loads a record from a store.

use std::collections::HashMap;
use std::sync::Arc;

use super::Record;
use super::admit::node_of;
use crate::crdt::{GateError, Rebuilds};
use crate::id::{Hash, RecordId};
use crate::trust::certificate::Certificate;
use crate::wire::envelope::VerifiedEnvelope;
use crate::wire::pack::Pack;
use crate::wire::verdict::Verdict;

/// An envelope as a store holds it: admitted before, with the latest verdict.
#[derive(Debug, Clone)]
pub struct StoredEnvelope {
    /// The envelope.
    pub verified: VerifiedEnvelope,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
}

/// The rows of a store that make a record.
#[derive(Debug, Default)]
pub struct StoredRecord {
    /// The compacted past, where the record came in a pack. There are several packs where several readers
    /// gave back the record after a restored server had lost it.
    pub packs: Vec<Pack>,
    /// Certificates that the packs' entries name, as far as they are known here.
    pub certificates: HashMap<Hash, Arc<Certificate>>,
    /// The single envelopes, in any order.
    pub envelopes: Vec<StoredEnvelope>,
    /// Content documents that were made before.
    pub rebuilds: Rebuilds,
}

coded_error! {
    /// The reasons why a record does not load.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum LoadError {
        /// A pack belongs to another record, or its parts do not fit each other.
        #[error("record.bad_pack")]
        BadPack,
        /// The content in a pack does not pass the gate.
        #[error(transparent)]
        Content(#[from] GateError),
        /// A stored envelope lacks a parent.
        #[error("record.incomplete")]
        Incomplete,
    }
}

impl Record {
    /// Loads a record. Its envelopes were admitted before they were stored; they are judged again, because a
    /// judgement is a function of the past and costs little.
    pub fn load(id: RecordId, past: StoredRecord) -> Result<Self, LoadError> {
        let mut record = Self::with(id, past.rebuilds);
        let mut packs = past.packs.iter();
        if let Some(first) = packs.next() {
            record.open_pack(first, &past.certificates)?;
        }
        for further in packs {
            record.absorb(further, &past.certificates)?;
        }
        record.push_stored(&past.envelopes)?;
        record.rejudge();
        Ok(record)
    }

    /// Puts stored envelopes into the graph, parents first, and judges nothing.
    pub(super) fn push_stored(&mut self, envelopes: &[StoredEnvelope]) -> Result<(), LoadError> {
        let order = self
            .graph
            .order_of(envelopes.iter().map(|stored| stored.verified.envelope()));
        if order.len() < envelopes.len() {
            return Err(LoadError::Incomplete);
        }
        for place in order {
            let stored = &envelopes[place];
            let envelope = stored.verified.envelope();
            let parents: Option<Vec<usize>> = envelope
                .header()
                .parents
                .iter()
                .map(|id| self.graph.find(*id))
                .collect();
            let parents = parents.ok_or(LoadError::Incomplete)?;
            if let Some(known) = self.graph.find(envelope.id()) {
                if self.graph.nodes()[known].is_stub() {
                    self.graph.fill(known, node_of(&stored.verified, parents));
                }
                if let Some(verdict) = stored.verdict {
                    self.graph.set_verdict(known, verdict);
                }
            } else {
                let mut node = node_of(&stored.verified, parents);
                node.verdict = stored.verdict;
                self.graph.push(node);
            }
        }
        Ok(())
    }
}
