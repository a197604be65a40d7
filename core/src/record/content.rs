//! The content document of a record: made of the changes that count.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Record;
use super::admit::Judged;
use super::graph::{ContentChange, Node, NodeBody};
use crate::crdt::{ActorId, Candidate, Document, GateError};
use crate::id::{EnvelopeId, Hash};
use crate::wire::verdict::{Status, VoidReason};

impl Record {
    /// Takes changes that count into the document and judges those that the gate refuses.
    ///
    /// The document grows where it can; where a change in it no longer counts, it is made again. Returns
    /// whether something that was valid is void now.
    pub(super) fn judge_content(&mut self) -> bool {
        let before: Vec<Judged> = self.graph.nodes().iter().map(|node| node.judged).collect();
        self.judge_clones();
        let wanted = self.content_order();
        let in_document: HashSet<Hash> = self
            .document
            .iter()
            .flat_map(|document| document.changes().map(|change| change.hash))
            .collect();
        let counted: HashSet<Hash> = wanted
            .iter()
            .filter_map(|&index| change_hash(&self.graph.nodes()[index]))
            .collect();
        if !in_document.is_subset(&counted) {
            self.keep_raw_changes();
            self.document = None;
        }
        let fresh: Vec<usize> = wanted
            .into_iter()
            .filter(|&index| {
                let node = &self.graph.nodes()[index];
                self.document.is_none()
                    || change_hash(node).is_none_or(|hash| !in_document.contains(&hash))
            })
            .collect();
        self.take_in(&fresh);
        self.graph
            .nodes()
            .iter()
            .zip(before)
            .any(|(node, before)| node.judged != before)
    }

    fn take_in(&mut self, fresh: &[usize]) {
        let nodes = self.graph.nodes();
        let mut taken = Vec::with_capacity(fresh.len());
        let mut candidates = Vec::with_capacity(fresh.len());
        let mut refused = Vec::new();
        for &index in fresh {
            let raw = nodes[index]
                .change()
                .and_then(|change| change.raw.as_deref());
            match (raw, self.deps_seen(index)) {
                (Some(raw), true) => {
                    taken.push(index);
                    candidates.push(Candidate {
                        raw,
                        author: nodes[index].author,
                    });
                }
                (Some(_), false) => refused.push((index, VoidReason::BadParents)),
                // Came in a pack; its document is the base and holds it, or it was not whole.
                (None, _) => refused.push((index, VoidReason::BadContent)),
            }
        }
        let results = match &mut self.document {
            Some(document) => Arc::make_mut(document).admit(&candidates),
            None if candidates.is_empty() => Vec::new(),
            None => {
                let (document, results) = Document::rebuild(&candidates);
                self.document = document;
                results
            }
        };
        for (index, result) in taken.into_iter().zip(results) {
            if let Err(error) = result {
                refused.push((index, self.reason(index, &error)));
            }
        }
        for (index, reason) in refused {
            self.graph.node_mut(index).judged = Judged::Void(reason);
        }
    }

    /// Before a document is made again: the changes that came inside a pack become changes of their own.
    pub(super) fn keep_raw_changes(&mut self) {
        let Some(document) = &self.document else {
            return;
        };
        if self.graph.nodes().iter().all(|node| !node.packed) {
            return;
        }
        let raw: HashMap<Hash, Vec<u8>> = document
            .changes()
            .map(|change| change.hash)
            .zip(document.raw_changes())
            .collect();
        for index in 0..self.graph.nodes().len() {
            let Some(hash) = change_hash(&self.graph.nodes()[index]) else {
                continue;
            };
            if let Some(change) = self.graph.node_mut(index).change_mut() {
                change.raw = change.raw.take().or_else(|| raw.get(&hash).cloned());
            }
        }
    }

    /// Nodes with content that count so far, parents first; equal on every replica.
    fn content_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.graph.nodes().len())
            .filter(|&index| {
                let node = &self.graph.nodes()[index];
                node.change().is_some()
                    && node.counts()
                    && node.judged != Judged::Void(VoidReason::Clone)
            })
            .collect();
        order.sort_by_key(|&index| {
            (
                self.graph.nodes()[index].depth,
                self.graph.nodes()[index].id,
            )
        });
        order
    }

    /// Two changes under one number by one installation: the one accepted first is in the content, else the
    /// one with the smaller id, so that replicas agree before the server has spoken.
    fn judge_clones(&mut self) {
        let mut order = self.content_order();
        order.sort_by_key(|&index| {
            let node = &self.graph.nodes()[index];
            let accepted = node
                .verdict
                .map(|verdict| (verdict.generation, verdict.at_ms));
            (!node.is_accepted(), accepted, node.depth, node.id)
        });
        let mut numbers: HashMap<(ActorId, u64), Hash> = HashMap::new();
        for index in order {
            let node = &self.graph.nodes()[index];
            let Some(info) = node.change().and_then(|change| change.info.as_ref()) else {
                continue;
            };
            let first = *numbers.entry((info.actor, info.seq)).or_insert(info.hash);
            if first != info.hash {
                self.graph.node_mut(index).judged = Judged::Void(VoidReason::Clone);
            }
        }
    }

    /// Accepted changes that can not be in the content: of two under one number, let in by servers that did not
    /// know of each other, the one accepted later, and what builds on it. Parents first.
    #[must_use]
    pub fn clashing(&self) -> Vec<(EnvelopeId, VoidReason)> {
        let in_document: HashSet<Hash> = self
            .document
            .iter()
            .flat_map(|document| document.changes().map(|change| change.hash))
            .collect();
        let mut out: HashSet<Hash> = HashSet::new();
        let mut clashing = Vec::new();
        for node in self.graph.nodes().iter().filter(|node| node.is_accepted()) {
            let Some(info) = node.change().and_then(|change| change.info.as_ref()) else {
                continue;
            };
            let is_void = |dep: &Hash| {
                let verdict = self
                    .graph
                    .find_change(dep)
                    .and_then(|index| self.graph.nodes()[index].verdict);
                out.contains(dep)
                    || verdict.is_some_and(|verdict| matches!(verdict.status, Status::Void(_)))
            };
            let reason = if in_document.contains(&info.hash) {
                continue;
            } else if node.judged == Judged::Void(VoidReason::Clone) {
                VoidReason::Clone
            } else if info.deps.iter().any(is_void) {
                VoidReason::VoidParent
            } else {
                continue;
            };
            out.insert(info.hash);
            clashing.push((node.id, reason));
        }
        clashing
    }

    /// Whether the changes that a change depends on lie in the past of its envelope.
    fn deps_seen(&self, index: usize) -> bool {
        let Some(info) = self.graph.nodes()[index]
            .change()
            .and_then(|change| change.info.as_ref())
        else {
            return true;
        };
        info.deps.iter().all(|dep| {
            self.graph
                .find_change(dep)
                .is_none_or(|earlier| self.graph.is_ancestor(earlier, index))
        })
    }

    fn reason(&self, index: usize, error: &GateError) -> VoidReason {
        let on_void = |dep: &Hash| {
            self.graph.find_change(dep).is_some_and(|earlier| {
                let earlier = &self.graph.nodes()[earlier];
                !earlier.counts() || matches!(earlier.judged, Judged::Void(_))
            })
        };
        match error {
            GateError::RefusedParent(_) => VoidReason::VoidParent,
            GateError::UnknownDeps(dep) if on_void(dep) => VoidReason::VoidParent,
            GateError::Sequence if self.own_previous_is_void(index) => VoidReason::VoidParent,
            GateError::Clone => VoidReason::Clone,
            GateError::TooLarge(_) => VoidReason::Limit,
            _ => VoidReason::BadContent,
        }
    }

    fn own_previous_is_void(&self, index: usize) -> bool {
        let info = |node: &Node| {
            node.change()
                .and_then(|change| change.info.as_ref())
                .map(|info| (info.actor, info.seq))
        };
        let Some((actor, seq)) = info(&self.graph.nodes()[index]) else {
            return false;
        };
        self.graph
            .nodes()
            .iter()
            .any(|node| info(node) == Some((actor, seq.wrapping_sub(1))) && !node.counts())
    }
}

impl Node {
    fn change_mut(&mut self) -> Option<&mut ContentChange> {
        match &mut self.body {
            NodeBody::Genesis { change, .. } | NodeBody::Change(change) => Some(change),
            NodeBody::Event { .. } | NodeBody::Unknown | NodeBody::Malformed => None,
        }
    }

    fn is_accepted(&self) -> bool {
        self.verdict
            .is_some_and(|verdict| verdict.status == Status::Accepted)
    }
}

fn change_hash(node: &Node) -> Option<Hash> {
    node.change()?.info.as_ref().map(|info| info.hash)
}
