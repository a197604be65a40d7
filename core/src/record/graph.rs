//! The envelopes of one record as a graph. Each is there once, after its parents.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::crdt::ChangeInfo;
use crate::dag::{Dag, Walk, places, with_descendants};
use crate::domain::case::{Event, GenesisFacts, OnBehalfOf};
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, EnvelopeId, Hash};
use crate::limits::PARENTS_MAX;
use crate::trust::certificate::Certificate;
use crate::wire::envelope::Envelope;
use crate::wire::verdict::{Status, Verdict, VoidReason};

/// The judgement of a replica about an envelope, without the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnJudgement {
    /// The author was allowed to write it.
    Valid,
    /// The envelope has no effect.
    Void(VoidReason),
    /// A newer version has to judge it.
    Newer,
}

/// The content of an envelope, as far as its record needs it.
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
        /// The person or unit that the author acts for; `None` when it acts for itself.
        on_behalf_of: Option<OnBehalfOf>,
        /// Version of the fold that its author ran.
        fold_version: u8,
        /// Its code and data as received; a pack carries them on.
        data: (u16, Vec<u8>),
    },
    /// Written by a newer app.
    Unknown,
    /// An event whose data do not match its code.
    Malformed,
}

/// A change of the content, inside a node.
#[derive(Debug, Clone)]
pub struct ContentChange {
    /// The raw Automerge change; `None` in a node out of a pack, because the pack's document holds it.
    pub raw: Option<Vec<u8>>,
    /// Its header, known in packs too; `None` where the header cannot be read, or names another device than
    /// the author of the envelope.
    pub info: Option<ChangeInfo>,
    /// The rule that the bytes break, where there is no header.
    pub broken: Option<VoidReason>,
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
    /// Its content.
    pub body: NodeBody,
    /// The void envelope that it writes again.
    pub replaces: Option<EnvelopeId>,
    /// The latest verdict.
    pub verdict: Option<Verdict>,
    /// The judgement of this replica.
    pub judged: OwnJudgement,
    /// It builds on something held, so it waits.
    pub waits: bool,
    /// It came in a pack: its content is in the pack's document.
    pub packed: bool,
}

impl Node {
    /// Whether the envelope counts: it is accepted, or it has no verdict, is legal alone and does not wait.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.verdict.map(|verdict| verdict.status) {
            Some(status) => status.is_accepted(),
            None => !self.waits && self.judged == OwnJudgement::Valid,
        }
    }

    /// Whether a pack named the envelope without its content, because the envelope was void then.
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
    /// The envelopes that carry a change. There are several where its author sent it twice.
    by_change: HashMap<Hash, Vec<usize>>,
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
            self.by_change.entry(info.hash).or_default().push(index);
        }
        self.nodes.push(node);
        index
    }

    /// Puts an envelope in the place of the stub that a pack brought.
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
            self.note_change(hash, index);
        }
    }

    /// Notes that an envelope carries a change. A pack names a void change without its bytes, and a change
    /// that builds on it builds on a void one.
    pub(super) fn note_change(&mut self, hash: Hash, index: usize) {
        let carriers = self.by_change.entry(hash).or_default();
        if !carriers.contains(&index) {
            carriers.push(index);
        }
    }

    /// Orders envelopes so that they can be pushed, parents first and otherwise as given. Returns their
    /// places in `batch`. An envelope with a parent that is neither here nor in `batch` is left out, with its
    /// descendants.
    pub(super) fn order_of<'a>(&self, batch: impl Iterator<Item = &'a Envelope>) -> Vec<usize> {
        let batch: Vec<&Envelope> = batch.collect();
        let place_of = places(batch.iter().map(|envelope| envelope.id()));
        let mut dag = Dag::with_capacity(batch.len());
        for envelope in &batch {
            let parents = envelope.header().parents.iter();
            let absent = parents.filter(|parent| self.find(**parent).is_none());
            dag.push(absent.map(|parent| place_of.get(parent).copied()));
        }
        dag.by_place()
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

    /// The nodes that carry a change; empty when it is unknown.
    pub(super) fn carriers(&self, hash: &Hash) -> &[usize] {
        self.by_change.get(hash).map_or(&[], Vec::as_slice)
    }

    /// Calls `visit` for each of `targets` with a test that says whether a node has it in its past. The test
    /// answers for nodes up to `last`.
    pub(super) fn with_descendants(
        &self,
        targets: &[usize],
        last: usize,
        visit: impl FnMut(usize, &dyn Fn(usize) -> bool),
    ) {
        with_descendants(|index| &self.nodes[index].parents, targets, last, visit);
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

    /// Marks the nodes that build on held nodes. A settled node never waits, because the server has judged it
    /// with its past.
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
        let mut walk = Walk::from_places(later + 1, [later]);
        while let Some(index) = walk.next() {
            for &parent in &self.nodes[index].parents {
                if parent == earlier {
                    return true;
                }
                if self.nodes[parent].depth > floor {
                    walk.add(parent);
                }
            }
        }
        false
    }

    /// Ids of the newest heads, as many as an envelope may name, and the number of all heads. The head above
    /// the last envelope of this author is always among them, because an author's envelopes lie on one line.
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
        heads.sort_by_cached_key(|&index| {
            let is_own = own.is_some_and(|own| own == index || self.is_ancestor(own, index));
            (
                !is_own,
                Reverse(self.nodes[index].depth),
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
