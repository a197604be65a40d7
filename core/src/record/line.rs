//! The envelopes of one author. They lie on one line, because each new one has seen all earlier ones. Only an
//! admitted envelope lies beside it, because its author may have written on before the admission. The quotas
//! of the author count along the line.

use std::collections::{BTreeMap, HashSet};

use super::graph::Node;
use crate::crdt::{ActorId, ChangeInfo};
use crate::dag::{Marks, Walk};
use crate::limits::{CHANGES_PER_AUTHOR_MAX, EPOCHS_PER_AUTHOR_MAX, OPS_PER_AUTHOR_MAX};

/// Tests envelopes against the line of one author after the other.
///
/// Envelopes are tested in the order of their depth, so every part of the graph is walked once for each author.
pub(super) struct Line<'g> {
    nodes: &'g [Node],
    /// The envelopes that bind the author, by depth.
    own: BTreeMap<u32, usize>,
    /// Nodes with a known answer to whether they have seen `earlier`: the nodes that bear the present mark.
    seen: Marks,
    unseen: Marks,
    earlier: Option<usize>,
    /// Nodes in the past of `later`.
    past: Marks,
    later: Option<usize>,
}

impl<'g> Line<'g> {
    pub(super) fn new(nodes: &'g [Node]) -> Self {
        let marks = || Marks::new(nodes.len());
        Self {
            nodes,
            own: BTreeMap::new(),
            seen: marks(),
            unseen: marks(),
            earlier: None,
            past: marks(),
            later: None,
        }
    }

    /// Begins with the next author.
    pub(super) fn clear(&mut self) {
        self.own.clear();
    }

    /// From now on the author's envelopes must have seen this one, or this one must have seen them.
    pub(super) fn put(&mut self, index: usize) {
        self.own.insert(self.nodes[index].depth, index);
    }

    /// Whether an envelope has seen the one before it on the line, and is seen by the one after it.
    pub(super) fn takes(&mut self, index: usize) -> bool {
        let depth = self.nodes[index].depth;
        let before = self.own.range(..depth).next_back().map(|(_, own)| *own);
        let after = self.own.range(depth..).next().map(|(_, own)| *own);
        let floor = before.map_or(0, |before| self.nodes[before].depth);
        after.is_none_or(|after| self.is_in_past(index, after, floor))
            && before.is_none_or(|before| self.has_seen(index, before))
    }

    fn is_in_past(&mut self, earlier: usize, later: usize, floor: u32) -> bool {
        if self.later != Some(later) {
            self.later = Some(later);
            self.past.clear();
            let mut walk = Walk::with(&mut self.past, [later]);
            while let Some(index) = walk.next() {
                let parents = self.nodes[index].parents.iter().copied();
                walk.extend(parents.filter(|parent| self.nodes[*parent].depth > floor));
            }
        }
        self.past.has(earlier) || self.nodes[earlier].parents.is_empty()
    }

    fn has_seen(&mut self, later: usize, earlier: usize) -> bool {
        if self.earlier != Some(earlier) {
            self.earlier = Some(earlier);
            self.seen.clear();
            self.unseen.clear();
        }
        let floor = self.nodes[earlier].depth;
        // The way up so far, each node with the number of its parents that were looked at.
        let mut way: Vec<(usize, usize)> = vec![(later, 0)];
        while let Some((index, looked_at)) = way.last_mut() {
            let Some(&parent) = self.nodes[*index].parents.get(*looked_at) else {
                self.unseen.put(*index);
                way.pop();
                continue;
            };
            *looked_at += 1;
            if parent == earlier || self.seen.has(parent) {
                for (index, _) in way {
                    self.seen.put(index);
                }
                return true;
            }
            if self.nodes[parent].depth > floor && !self.unseen.has(parent) {
                way.push((parent, 0));
            }
        }
        false
    }
}

/// The changes that an author has written into the content of a record.
#[derive(Debug, Default)]
pub(super) struct AuthorUsage {
    changes: u64,
    operations: u64,
    epochs: HashSet<ActorId>,
}

impl AuthorUsage {
    pub(super) fn add(&mut self, change: &ChangeInfo) {
        self.changes += 1;
        self.operations += change.operations();
        self.epochs.insert(change.actor);
    }

    /// Whether one more change stays within the author's quotas.
    pub(super) fn has_room(&self, change: &ChangeInfo) -> bool {
        let epochs = self.epochs.len() + usize::from(!self.epochs.contains(&change.actor));
        self.changes < CHANGES_PER_AUTHOR_MAX
            && self.operations + change.operations() <= OPS_PER_AUTHOR_MAX
            && epochs <= EPOCHS_PER_AUTHOR_MAX
    }
}
