//! The envelopes of one record as a graph: each after its parents, each once.

use std::collections::HashMap;
use std::sync::Arc;

use super::admit::Judged;
use crate::crdt::ChangeInfo;
use crate::domain::case::{Event, GenesisFacts, OnBehalfOf};
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::PARENTS_MAX;
use crate::trust::certificate::Certificate;
use crate::wire::envelope::DirectoryMark;
use crate::wire::verdict::{Status, Verdict};

/// What an envelope says, as far as its record needs it.
#[derive(Debug, Clone)]
pub enum NodeBody {
    /// The beginning.
    Genesis {
        /// The record's header.
        facts: Box<GenesisFacts>,
        /// The first change of the content.
        change: ContentChange,
    },
    /// A change of the content.
    Change(ContentChange),
    /// An event.
    Event {
        /// The event.
        event: Box<Event>,
        /// For whom, when not for oneself.
        on_behalf_of: Option<OnBehalfOf>,
        /// Version of the fold that its author ran.
        fold_version: u8,
        /// Its code and data as received: what a pack carries on.
        data: (u16, Vec<u8>),
    },
    /// Written by a newer app.
    Unknown,
    /// An event whose data are not what its code says.
    Malformed,
}

/// A change of the content, inside a node.
#[derive(Debug, Clone)]
pub struct ContentChange {
    /// The raw Automerge change; `None` in a node that came in a pack, whose document holds it.
    pub raw: Option<Vec<u8>>,
    /// Its header, where it could be read; known in packs too.
    pub info: Option<ChangeInfo>,
}

/// One envelope of the record.
#[derive(Debug, Clone)]
pub struct Node {
    /// The envelope.
    pub id: EnvelopeId,
    /// Its full hash; `None` in a node that came in a pack.
    pub hash: Option<Hash>,
    /// Indices of its parents.
    pub parents: Vec<usize>,
    /// One more than the greatest of its parents; the Genesis has 0.
    pub depth: u32,
    /// The device that wrote it.
    pub author: DeviceId,
    /// Hash of the author's certificate.
    pub certificate_hash: Hash,
    /// The author's certificate; `None` where the server withholds it.
    pub certificate: Option<Arc<Certificate>>,
    /// Which grant of the certificate.
    pub grant: u8,
    /// Newest directory position that the author had seen.
    pub directory_seen: DirectoryMark,
    /// The device's clock, milliseconds UTC.
    pub clock_ms: i64,
    /// What it says.
    pub body: NodeBody,
    /// The void envelope that it writes again.
    pub replaces: Option<EnvelopeId>,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
    /// What this replica found by itself.
    pub judged: Judged,
    /// It builds on something held, so it waits.
    pub waits: bool,
    /// It came in a pack: its content is in the pack's document.
    pub packed: bool,
}

impl Node {
    /// Whether it counts: accepted; or without a verdict, legal by itself, and not waiting.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.verdict.map(|verdict| verdict.status) {
            Some(Status::Accepted) => true,
            Some(_) => false,
            None => !self.waits && self.judged == Judged::Valid,
        }
    }

    /// Whether a pack told of it without its content: it was void then.
    #[must_use]
    pub fn is_stub(&self) -> bool {
        self.packed && matches!(self.body, NodeBody::Unknown)
    }

    /// The change of the content that it carries.
    #[must_use]
    pub fn change(&self) -> Option<&ContentChange> {
        match &self.body {
            NodeBody::Genesis { change, .. } | NodeBody::Change(change) => Some(change),
            NodeBody::Event { .. } | NodeBody::Unknown | NodeBody::Malformed => None,
        }
    }
}

/// The nodes, parents first.
#[derive(Debug, Clone, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    by_id: HashMap<EnvelopeId, usize>,
    by_change: HashMap<Hash, usize>,
}

impl Graph {
    /// Adds a node whose parents are all here and which is not here itself.
    pub(super) fn push(&mut self, mut node: Node) -> usize {
        let index = self.nodes.len();
        debug_assert!(node.parents.iter().all(|parent| *parent < index));
        let depth = node
            .parents
            .iter()
            .map(|parent| self.nodes[*parent].depth + 1)
            .max();
        node.depth = depth.unwrap_or(0);
        self.by_id.insert(node.id, index);
        if let Some(info) = node.change().and_then(|change| change.info.as_ref()) {
            // Two envelopes may carry the same change; the first one answers for it.
            self.by_change.entry(info.hash).or_insert(index);
        }
        self.nodes.push(node);
        index
    }

    /// Puts an envelope in the place of what a pack told of it without its content.
    pub(super) fn fill(&mut self, index: usize, node: Node) {
        let known = &mut self.nodes[index];
        let earlier = known.verdict;
        *known = Node {
            parents: std::mem::take(&mut known.parents),
            depth: known.depth,
            verdict: earlier,
            ..node
        };
        if let Some(verdict) = node.verdict {
            self.set_verdict(index, verdict);
        }
        let info = self.nodes[index]
            .change()
            .and_then(|change| change.info.as_ref());
        if let Some(hash) = info.map(|info| info.hash) {
            self.by_change.entry(hash).or_insert(index);
        }
    }

    /// A void change that came in a pack without its bytes: what builds on it builds on something void.
    pub(super) fn note_change(&mut self, hash: Hash, index: usize) {
        self.by_change.entry(hash).or_insert(index);
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn node_mut(&mut self, index: usize) -> &mut Node {
        &mut self.nodes[index]
    }

    pub(super) fn find(&self, id: EnvelopeId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn find_change(&self, hash: &Hash) -> Option<usize> {
        self.by_change.get(hash).copied()
    }

    /// Sets the verdict when it is later than the one here.
    pub(super) fn set_verdict(&mut self, index: usize, verdict: Verdict) -> bool {
        let node = &mut self.nodes[index];
        let later = node
            .verdict
            .is_none_or(|known| verdict.is_later_than(&known));
        if later {
            node.verdict = Some(verdict);
        }
        later
    }

    /// Marks what builds on held nodes. A settled node never waits: the server has judged it with its past.
    pub(super) fn mark_waiting(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let settled = node
                .verdict
                .is_some_and(|verdict| verdict.status.is_settled());
            let waits = !settled
                && node
                    .parents
                    .iter()
                    .any(|parent| self.nodes[*parent].is_out_of_reach());
            self.nodes[index].waits = waits;
        }
    }

    pub(super) fn is_ancestor(&self, earlier: usize, later: usize) -> bool {
        let floor = self.nodes[earlier].depth;
        let mut seen = vec![false; later + 1];
        let mut stack = vec![later];
        while let Some(index) = stack.pop() {
            for &parent in &self.nodes[index].parents {
                if parent == earlier {
                    return true;
                }
                if self.nodes[parent].depth > floor && !seen[parent] {
                    seen[parent] = true;
                    stack.push(parent);
                }
            }
        }
        false
    }

    /// Ids of the newest heads, as many as an envelope may name, and how many heads there are. Among them is
    /// always the one that builds on what this author wrote last: an author's envelopes lie on one line.
    pub(super) fn heads(&self, author: Option<DeviceId>) -> (Vec<EnvelopeId>, usize) {
        let mut covered = vec![false; self.nodes.len()];
        let usable = |node: &Node| {
            !node.is_held() && !matches!(node.verdict.map(|v| v.status), Some(Status::Refused(_)))
        };
        for node in self.nodes.iter().filter(|node| usable(node)) {
            for &parent in &node.parents {
                covered[parent] = true;
            }
        }
        let mut heads: Vec<usize> = (0..self.nodes.len())
            .filter(|&index| !covered[index] && usable(&self.nodes[index]))
            .collect();
        let all = heads.len();
        let own = author.filter(|_| all > PARENTS_MAX).and_then(|author| {
            let own = |index: &usize| {
                let node = &self.nodes[*index];
                let binds = |verdict: Verdict| verdict.status == Status::Accepted;
                node.author == author && node.verdict.is_none_or(binds)
            };
            (0..self.nodes.len())
                .filter(own)
                .max_by_key(|&index| self.nodes[index].depth)
        });
        heads.sort_by_key(|&index| {
            let is_own = own.is_some_and(|own| own == index || self.is_ancestor(own, index));
            (
                !is_own,
                std::cmp::Reverse(self.nodes[index].depth),
                self.nodes[index].id,
            )
        });
        heads.truncate(PARENTS_MAX);
        let mut ids: Vec<_> = heads
            .into_iter()
            .map(|index| self.nodes[index].id)
            .collect();
        ids.sort_unstable();
        (ids, all)
    }
}
