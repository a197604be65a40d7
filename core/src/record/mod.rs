//! One record: its envelopes, the verdicts on them, and the state and content that follow from both.
//!
//! ```text
//!  verified envelopes ─▶ admit ─▶ graph (parents, ancestry)
//!                                  ├─▶ fold ──────▶ RecordState   permissions and results
//!                                  └─▶ gate (crdt) ▶ Document    the content that people wrote together
//!  verdicts ───────────▶ set_verdict ─▶ both are made again from what counts
//! ```
//!
//! **Contract.** [`Record::admit`] is the only way in for an envelope, whatever path brought it: sync, peer,
//! API or import. So every check applies on every path.
//!
//! State is a function of the set of envelopes and their latest verdicts, never of the order of their
//! arrival. An envelope without a verdict counts when it is legal alone (provisional). Void and held
//! envelopes never count, and envelopes that build on held ones wait with them.
//!
//! **Not here:** signatures (checked before), policy that needs a clock, a directory or revocations (the
//! server's), storage.

mod accepted;
mod admit;
mod budget;
mod content;
mod graph;
mod judge;
mod line;
mod packed;
mod past;
mod seen;
mod witnesses;

#[cfg(test)]
mod tests;

pub use accepted::Accepted;
pub use admit::{Admission, Judgement};
pub use graph::{ContentChange, Node, NodeBody, OwnJudgement};
pub use past::{LoadError, StoredEnvelope, StoredRecord};

use std::sync::Arc;

use crate::crdt::{Document, Rebuilds};
use crate::domain::case::{GenesisFacts, RecordState};
use crate::id::{DeviceId, EnvelopeId, RecordId};
use crate::wire::digest::Digest;
use crate::wire::verdict::{Status, Verdict};

use graph::Graph;

/// One record in memory. It is loaded for a write or a view, never kept for all records.
#[derive(Debug, Clone)]
pub struct Record {
    id: RecordId,
    graph: Graph,
    state: Option<RecordState>,
    document: Option<Arc<Document>>,
    rebuilds: Rebuilds,
}

impl Record {
    /// Returns an empty record.
    #[must_use]
    pub fn new(id: RecordId) -> Self {
        Self::with(id, Rebuilds::default())
    }

    /// Returns an empty record with a memory of documents that were made before.
    #[must_use]
    pub fn with(id: RecordId, rebuilds: Rebuilds) -> Self {
        Self {
            id,
            graph: Graph::default(),
            state: None,
            document: None,
            rebuilds,
        }
    }

    /// Imports a verdict on an envelope; the latest one counts. Returns whether anything changed.
    ///
    /// Envelopes that build on it are judged again. Content that depends on a void change no longer counts
    /// either, and envelopes that waited for a held envelope wait no longer.
    pub fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> bool {
        self.set_verdicts([(id, verdict)])
    }

    /// Imports many verdicts at once and makes the state again once. Returns whether anything changed.
    pub fn set_verdicts(
        &mut self,
        verdicts: impl IntoIterator<Item = (EnvelopeId, Verdict)>,
    ) -> bool {
        let (mut changed, mut as_expected) = (false, true);
        for (id, verdict) in verdicts {
            let Some(index) = self.graph.find(id) else {
                continue;
            };
            let counted = self.graph.nodes()[index].counts();
            if self.graph.set_verdict(index, verdict) {
                changed = true;
                as_expected &= counted && verdict.status == Status::Accepted;
            }
        }
        if changed && as_expected {
            // All of these counted before, so only the times of the server are new.
            self.fold_and_judge();
        } else if changed {
            self.rejudge();
        }
        changed
    }

    /// The record's id.
    #[must_use]
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// The state of the workflow; `None` while the Genesis is missing, void or held.
    #[must_use]
    pub fn state(&self) -> Option<&RecordState> {
        self.state.as_ref()
    }

    /// The content; `None` while the Genesis is missing, void or held.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        self.document.as_deref()
    }

    /// The header of the record, from its Genesis, even if the Genesis does not count.
    #[must_use]
    pub fn genesis(&self) -> Option<&GenesisFacts> {
        self.graph.nodes().iter().find_map(|node| match &node.body {
            NodeBody::Genesis { facts, .. } => Some(facts.as_ref()),
            _ => None,
        })
    }

    /// Every envelope, parents before children.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        self.graph.nodes()
    }

    /// An envelope.
    #[must_use]
    pub fn node(&self, id: EnvelopeId) -> Option<&Node> {
        self.graph.find(id).map(|index| &self.graph.nodes()[index])
    }

    /// Ids of a node's parents.
    pub fn parents_of<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = EnvelopeId> + 'a {
        node.parents
            .iter()
            .map(|&parent| self.graph.nodes()[parent].id)
    }

    /// The heads to build on: the envelopes without a child, except held ones and those that build on held
    /// ones. Sorted.
    ///
    /// A new envelope names them as its parents, at most [`crate::limits::PARENTS_MAX`] of them. If there are
    /// more, the newest come first, and the next envelope names the rest.
    #[must_use]
    pub fn heads(&self) -> Vec<EnvelopeId> {
        self.graph.heads(None).0
    }

    /// Returns the heads for a new envelope of this author. They cover the last envelope that the author
    /// wrote.
    #[must_use]
    pub fn heads_for(&self, author: DeviceId) -> Vec<EnvelopeId> {
        self.graph.heads(Some(author)).0
    }

    /// Whether there are more heads than an envelope may name.
    #[must_use]
    pub fn has_too_many_heads(&self) -> bool {
        self.graph.heads(None).1 > crate::limits::PARENTS_MAX
    }

    /// The envelopes that are settled (accepted or void), each with the latest verdict on it.
    pub fn settled(&self) -> impl Iterator<Item = (EnvelopeId, Verdict)> + '_ {
        self.graph.nodes().iter().filter_map(|node| {
            let verdict = node.verdict.filter(|verdict| verdict.status.is_settled());
            Some((node.id, verdict?))
        })
    }

    /// Sum over the settled envelopes, ids and verdicts: equal on equal replicas.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.settled().collect()
    }

    /// Whether an envelope counts: accepted, or provisional and legal.
    #[must_use]
    pub fn counts(&self, id: EnvelopeId) -> bool {
        self.node(id).is_some_and(Node::counts)
    }

    /// Whether `earlier` lies in the past of `later`.
    #[must_use]
    pub fn is_ancestor(&self, earlier: EnvelopeId, later: EnvelopeId) -> bool {
        match (self.graph.find(earlier), self.graph.find(later)) {
            (Some(earlier), Some(later)) => self.graph.is_ancestor(earlier, later),
            _ => false,
        }
    }
}

impl Node {
    /// Whether other replicas do not get the envelope, because it is held or refused.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        let refused = matches!(
            self.verdict.map(|verdict| verdict.status),
            Some(Status::Refused(_))
        );
        refused || self.is_held()
    }

    /// Whether the latest verdict on the envelope is “held”, or the envelope builds on a held one.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.waits
            || matches!(
                self.verdict.map(|verdict| verdict.status),
                Some(Status::Held(_))
            )
    }
}
