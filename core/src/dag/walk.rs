//! Visits the nodes that can be reached from some nodes, each once.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A set of nodes that a walk has met.
pub trait Seen {
    /// The name of a node.
    type Node: Copy;

    /// Puts a node into the set. Returns whether it was not there before.
    fn put(&mut self, node: Self::Node) -> bool;
}

/// A walk through a graph, the nearest nodes first. The caller asks for the next node and adds the neighbours
/// that the walk visits next: the parents of the node for its past, or its children for its descendants.
///
/// ```
/// use onegrid_core::dag::Walk;
///
/// let parents = [vec![], vec![0], vec![0], vec![1, 2]];
/// let mut walk = Walk::from_ids([3]);
/// let mut met = Vec::new();
/// while let Some(node) = walk.next() {
///     met.push(node);
///     walk.extend(parents[node].iter().copied());
/// }
/// assert_eq!(met, [3, 1, 2, 0]);
/// ```
#[derive(Debug)]
pub struct Walk<S: Seen> {
    seen: S,
    open: VecDeque<S::Node>,
}

/// A set of places that is emptied in one step, for many walks through the same graph.
#[derive(Debug)]
pub struct Marks {
    marks: Vec<u32>,
    present: u32,
}

#[allow(clippy::implicit_hasher, reason = "a walk makes its own set")]
impl<I: Copy + Eq + Hash> Walk<HashSet<I>> {
    /// Begins a walk at nodes that are named by ids.
    #[must_use]
    pub fn from_ids(from: impl IntoIterator<Item = I>) -> Self {
        Self::with(HashSet::new(), from)
    }
}

impl Walk<Vec<bool>> {
    /// Begins a walk at nodes that are named by places below `count`.
    #[must_use]
    pub fn from_places(count: usize, from: impl IntoIterator<Item = usize>) -> Self {
        Self::with(vec![false; count], from)
    }
}

impl<S: Seen> Walk<S> {
    /// Begins a walk with a set of nodes that count as met.
    #[must_use]
    pub fn with(seen: S, from: impl IntoIterator<Item = S::Node>) -> Self {
        let mut walk = Self {
            seen,
            open: VecDeque::new(),
        };
        walk.extend(from);
        walk
    }

    /// Adds a node to visit. A node that the walk has met is not visited again.
    pub fn add(&mut self, node: S::Node) {
        if self.seen.put(node) {
            self.open.push_back(node);
        }
    }

    /// Adds nodes to visit. A node that the walk has met is not visited again.
    pub fn extend(&mut self, nodes: impl IntoIterator<Item = S::Node>) {
        for node in nodes {
            self.add(node);
        }
    }

    /// The next node; `None` at the end of the walk.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would borrow the walk while nodes are added"
    )]
    pub fn next(&mut self) -> Option<S::Node> {
        self.open.pop_front()
    }

    /// The nodes that the walk has met: those that it began with, and those that were added.
    #[must_use]
    pub fn into_seen(self) -> S {
        self.seen
    }
}

#[allow(clippy::implicit_hasher, reason = "a walk makes its own set")]
impl<I: Copy + Eq + Hash> Seen for HashSet<I> {
    type Node = I;

    fn put(&mut self, node: I) -> bool {
        self.insert(node)
    }
}

impl Seen for Vec<bool> {
    type Node = usize;

    fn put(&mut self, place: usize) -> bool {
        !std::mem::replace(&mut self[place], true)
    }
}

impl Seen for &mut Marks {
    type Node = usize;

    fn put(&mut self, place: usize) -> bool {
        Marks::put(self, place)
    }
}

impl Marks {
    /// Makes an empty set for places below `count`.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self {
            marks: vec![0; count],
            present: 1,
        }
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        self.present += 1;
    }

    /// Whether a place is in the set.
    #[must_use]
    pub fn has(&self, place: usize) -> bool {
        self.marks[place] == self.present
    }

    /// Puts a place into the set. Returns whether it was not there before.
    pub fn put(&mut self, place: usize) -> bool {
        std::mem::replace(&mut self.marks[place], self.present) != self.present
    }
}
