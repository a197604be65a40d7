//! One record: its envelopes, the verdicts on them, and what they amount to.
//!
//! ```text
//!  verified envelopes ─▶ admit ─▶ graph (parents, ancestry)
//!                                  ├─▶ fold ──────▶ CaseState   who may do what, what came of it
//!                                  └─▶ gate (crdt) ▶ Document    what people wrote together
//!  verdicts ───────────▶ set_verdict ─▶ both are made again from what counts
//! ```
//!
//! **Contract.** [`Record::admit`] is the only way in for an envelope, whatever path it came by: sync, peer,
//! API or import. So a check can not be missing on one of them.
//!
//! State is a function of the set of envelopes and their latest verdicts, never of the order in which they
//! came. An envelope without a verdict counts when it is legal by itself (provisional); void and held ones
//! never count, and what builds on held ones waits with them.
//!
//! **Not here:** signatures (checked before), policy that needs a clock, a directory or revocations (the
//! server's), storage.

mod accepted;
mod admit;
mod content;
mod graph;
mod judge;
mod packed;
mod past;
mod witnesses;

#[cfg(test)]
mod tests;

pub use accepted::Accepted;
pub use admit::{Judged, Judgement, Outcome};
pub use graph::{ContentChange, Node, NodeBody};
pub use past::{LoadError, Past, StoredEnvelope};

use std::sync::Arc;

use crate::crdt::Document;
use crate::domain::case::{CaseState, GenesisFacts};
use crate::id::{DeviceId, EnvelopeId, RecordId};
use crate::wire::digest::Digest;
use crate::wire::verdict::{Status, Verdict};

use graph::Graph;

/// One record in memory. It is loaded for a write or a view, never kept for all records.
#[derive(Debug, Clone)]
pub struct Record {
    id: RecordId,
    graph: Graph,
    state: Option<CaseState>,
    document: Option<Arc<Document>>,
}

impl Record {
    /// A record of which nothing is known yet.
    #[must_use]
    pub fn new(id: RecordId) -> Self {
        Self {
            id,
            graph: Graph::default(),
            state: None,
            document: None,
        }
    }

    /// Takes a verdict on an envelope; the latest one counts. Returns whether anything changed.
    ///
    /// What builds on it is judged again: content that depends on a void change goes with it, and what
    /// waited for a held envelope waits no longer.
    pub fn set_verdict(&mut self, id: EnvelopeId, verdict: Verdict) -> bool {
        self.set_verdicts([(id, verdict)])
    }

    /// Takes many verdicts at once and makes the state again once. Returns whether anything changed.
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
            // All of it counted before: only the times of the server are new.
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
    pub fn state(&self) -> Option<&CaseState> {
        self.state.as_ref()
    }

    /// The content; `None` while the Genesis is missing, void or held.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        self.document.as_deref()
    }

    /// The header of the record, from its Genesis, whether or not that counts.
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

    /// The heads to build on: what has no child, without what is held and what builds on that. Sorted.
    ///
    /// A new envelope names them as its parents, at most [`crate::limits::PARENTS_MAX`] of them; should
    /// there be more, the newest come first and the rest is picked up by the next envelope.
    #[must_use]
    pub fn heads(&self) -> Vec<EnvelopeId> {
        self.graph.heads(None).0
    }

    /// The same for a new envelope of this author: what it wrote last is among what they cover.
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

    /// Sum over what is settled, ids and verdicts: equal on equal replicas.
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
    /// Whether other replicas do not get it: held, or refused.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        let refused = matches!(
            self.verdict.map(|verdict| verdict.status),
            Some(Status::Refused(_))
        );
        refused || self.is_held()
    }

    /// Whether the latest verdict is “held”, or it builds on something that is.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.waits
            || matches!(
                self.verdict.map(|verdict| verdict.status),
                Some(Status::Held(_))
            )
    }
}
