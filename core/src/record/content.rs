//! The content document of a record, made of the changes that count.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Record;
use super::graph::{ContentChange, Node, NodeBody, OwnJudgement};
use crate::crdt::{ActorId, Candidate, GateError};
use crate::id::{EnvelopeId, Hash};
use crate::wire::verdict::{Status, VoidReason};

impl Record {
    /// Puts the changes that count into the document and judges those that the gate refuses.
    ///
    /// The document grows where it can. If a change in it no longer counts, it is made again. Returns whether
    /// an envelope that was valid is void now.
    pub(super) fn judge_content(&mut self) -> bool {
        let before: Vec<OwnJudgement> = self.graph.nodes().iter().map(|node| node.judged).collect();
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
        let blind = self.without_their_deps(fresh);
        let mut taken = Vec::with_capacity(fresh.len());
        let mut candidates = Vec::with_capacity(fresh.len());
        let mut refused = Vec::new();
        for &index in fresh {
            let raw = nodes[index]
                .change()
                .and_then(|change| change.raw.as_deref());
            match (raw, !blind.contains(&index)) {
                (Some(raw), true) => {
                    taken.push(index);
                    candidates.push(Candidate {
                        raw,
                        author: nodes[index].author,
                    });
                }
                (Some(_), false) => refused.push((index, VoidReason::BadParents)),
                // The change came in a pack. The pack's document is the base and holds it, or the pack was
                // not whole.
                (None, _) => refused.push((index, VoidReason::BadContent)),
            }
        }
        let results = match &mut self.document {
            Some(document) => Arc::make_mut(document).admit(&candidates),
            None if candidates.is_empty() => Vec::new(),
            None => {
                let (document, results) = self.rebuilds.rebuild(&candidates);
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
            self.graph.node_mut(index).judged = OwnJudgement::Void(reason);
        }
    }

    /// Turns the changes that came inside a pack into changes with bytes of their own, before the document is
    /// made again.
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
                    && node.judged != OwnJudgement::Void(VoidReason::Clone)
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

    /// Judges two changes under one number by one installation. The content holds the change accepted first.
    /// Without a verdict it holds the one with the smaller id, so that replicas agree before the server has
    /// judged.
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
                self.graph.node_mut(index).judged = OwnJudgement::Void(VoidReason::Clone);
            }
        }
    }

    /// Accepted changes that the content cannot hold, parents first. Servers that did not know of each other
    /// may accept two changes under one number. The list holds the later one and the changes that build on
    /// it.
    #[must_use]
    pub(super) fn clashing(&self) -> Vec<(EnvelopeId, VoidReason)> {
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
            let is_void = |dep: &Hash| out.contains(dep) || self.all_carriers(dep, Node::is_void);
            let reason = if in_document.contains(&info.hash) {
                continue;
            } else if node.judged == OwnJudgement::Void(VoidReason::Clone) {
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

    /// The fresh envelopes that depend on a change without having any envelope of it in their past.
    fn without_their_deps(&self, fresh: &[usize]) -> HashSet<usize> {
        let Some(&last) = fresh.iter().max() else {
            return HashSet::new();
        };
        let mut askers: HashMap<Hash, Vec<usize>> = HashMap::new();
        for &index in fresh {
            let info = self.graph.nodes()[index]
                .change()
                .and_then(|change| change.info.as_ref());
            for dep in info.iter().flat_map(|info| &info.deps) {
                askers.entry(*dep).or_default().push(index);
            }
        }
        let mut asked: HashMap<usize, Hash> = HashMap::new();
        for dep in askers.keys() {
            let carriers = self.graph.carriers(dep).iter();
            asked.extend(carriers.map(|&carrier| (carrier, *dep)));
        }
        let known: HashSet<Hash> = asked.values().copied().collect();
        let targets: Vec<usize> = asked.keys().copied().collect();
        self.graph
            .with_descendants(&targets, last, |target, has_seen| {
                if let Some(left) = askers.get_mut(&asked[&target]) {
                    left.retain(|&asker| !has_seen(asker));
                }
            });
        // The gate refuses a change that depends on an unknown one.
        askers
            .into_iter()
            .filter(|(dep, _)| known.contains(dep))
            .flat_map(|(_, left)| left)
            .collect()
    }

    /// Whether a change is known here and every envelope that carries it is so.
    fn all_carriers(&self, change: &Hash, is_so: impl Fn(&Node) -> bool) -> bool {
        let carriers = self.graph.carriers(change);
        let mut nodes = carriers.iter().map(|&index| &self.graph.nodes()[index]);
        !carriers.is_empty() && nodes.all(is_so)
    }

    fn reason(&self, index: usize, error: &GateError) -> VoidReason {
        let on_void = |dep: &Hash| {
            self.all_carriers(dep, |carrier| {
                !carrier.counts() || matches!(carrier.judged, OwnJudgement::Void(_))
            })
        };
        match error {
            GateError::RefusedParent(_) => VoidReason::VoidParent,
            GateError::UnknownDeps(dep) if on_void(dep) => VoidReason::VoidParent,
            GateError::Sequence if self.own_previous_is_void(index) => VoidReason::VoidParent,
            rule => broken_rule(rule),
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

    fn is_void(&self) -> bool {
        self.verdict
            .is_some_and(|verdict| matches!(verdict.status, Status::Void(_)))
    }

    fn is_accepted(&self) -> bool {
        self.verdict
            .is_some_and(|verdict| verdict.status.is_accepted())
    }
}

fn change_hash(node: &Node) -> Option<Hash> {
    node.change()?.info.as_ref().map(|info| info.hash)
}

/// Maps an error of the gate to the reason of a void verdict.
pub(super) fn broken_rule(error: &GateError) -> VoidReason {
    match error {
        GateError::Clone => VoidReason::Clone,
        GateError::TooLarge(_) => VoidReason::Limit,
        rule => VoidReason::of_code(rule.code()).unwrap_or(VoidReason::BadContent),
    }
}
