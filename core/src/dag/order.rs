//! Orders the nodes of a graph, parents first.
//!
//! All orders are Kahn's algorithm: a node is ready when its last parent is placed. They differ in the choice
//! among the ready nodes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::Hash;

/// Nodes with their parents. A node is named by its place, in the order of [`Dag::push`].
#[derive(Debug, Clone)]
pub struct Dag {
    /// By node, where its parents begin in `parents`. The last number is the end of all.
    starts: Vec<usize>,
    parents: Vec<usize>,
    /// By node, how many of its parents are missing.
    missing: Vec<usize>,
}

/// The children of each node, by place.
struct Children {
    starts: Vec<usize>,
    places: Vec<usize>,
}

/// The nodes that are ready to be placed.
trait Ready {
    fn put(&mut self, place: usize);
    fn take(&mut self) -> Option<usize>;
}

/// Returns the place of each id in a list. Where an id is there twice, the first one counts.
#[must_use]
pub fn places<I: Eq + Hash>(ids: impl ExactSizeIterator<Item = I>) -> HashMap<I, usize> {
    let mut places = HashMap::with_capacity(ids.len());
    for (place, id) in ids.enumerate() {
        places.entry(id).or_insert(place);
    }
    places
}

impl Dag {
    /// Makes a graph without nodes, with room for this many.
    #[must_use]
    pub fn with_capacity(count: usize) -> Self {
        let mut starts = Vec::with_capacity(count + 1);
        starts.push(0);
        Self {
            starts,
            parents: Vec::with_capacity(count),
            missing: Vec::with_capacity(count),
        }
    }

    /// Adds the next node. A parent may be a node that is added after it. `None` stands for a parent that is
    /// missing: the node is never placed, and its descendants are not either.
    ///
    /// # Panics
    ///
    /// The other functions panic if a parent is no node of the graph by then.
    pub fn push(&mut self, parents: impl IntoIterator<Item = Option<usize>>) {
        let mut missing = 0;
        for parent in parents {
            match parent {
                Some(place) => self.parents.push(place),
                None => missing += 1,
            }
        }
        self.starts.push(self.parents.len());
        self.missing.push(missing);
    }

    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether the graph has no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// The parents of a node, as they were given.
    #[must_use]
    pub fn parents(&self, place: usize) -> &[usize] {
        &self.parents[self.starts[place]..self.starts[place + 1]]
    }

    /// Orders the nodes, parents first. Of the nodes that are ready, the one with the lowest place comes next.
    /// A list that is in order already stays as it is. Nodes of a circle are left out, with their descendants.
    #[must_use]
    pub fn by_place(&self) -> Vec<usize> {
        self.kahn(BinaryHeap::with_capacity(self.len()))
    }

    /// Orders the nodes, parents first. The node that was ready first comes next. Nodes of a circle are left
    /// out, with their descendants.
    #[must_use]
    pub fn by_wave(&self) -> Vec<usize> {
        self.kahn(VecDeque::with_capacity(self.len()))
    }

    /// Orders the nodes that descend from `root` by depth, then by id. The depth is the length of the longest way
    /// from `root`. The order is the same in whatever order the nodes were added, if no two of them have the same
    /// id.
    ///
    /// A parent that does not descend from `root` is ignored. Nodes of a circle are left out, with their
    /// descendants; a root on a circle leaves out all.
    #[must_use]
    pub fn by_depth<I: Ord>(&self, root: usize, id: impl Fn(usize) -> I) -> Vec<usize> {
        let children = self.children();
        let mut reached = vec![false; self.len()];
        let mut waits_for = self.missing.clone();
        let mut open = vec![root];
        reached[root] = true;
        while let Some(place) = open.pop() {
            for &child in children.of(place) {
                waits_for[child] += 1;
                if !reached[child] {
                    reached[child] = true;
                    open.push(child);
                }
            }
        }
        if waits_for[root] > 0 {
            return Vec::new();
        }
        let mut order = children.kahn(waits_for, VecDeque::from([root]));
        let mut depth = vec![0_u32; self.len()];
        for place in &order {
            for &child in children.of(*place) {
                depth[child] = depth[child].max(depth[*place] + 1);
            }
        }
        order.sort_unstable_by_key(|place| (depth[*place], id(*place)));
        order
    }

    /// Returns the graph of the nodes in `order` alone, where each is named by its position there. Parents that are
    /// not in `order` are left out.
    #[must_use]
    pub fn arranged(&self, order: &[usize]) -> Self {
        let mut position = vec![None; self.len()];
        for (at, place) in order.iter().enumerate() {
            position[*place] = Some(at);
        }
        let mut arranged = Self::with_capacity(order.len());
        for place in order {
            let parents = self.parents(*place).iter().map(|parent| position[*parent]);
            arranged.push(parents.flatten().map(Some));
        }
        arranged
    }

    fn kahn(&self, mut ready: impl Ready) -> Vec<usize> {
        let parents = (0..self.len()).map(|place| self.parents(place).len());
        let waits_for: Vec<usize> = parents
            .zip(&self.missing)
            .map(|(n, none)| n + none)
            .collect();
        for (place, waits_for) in waits_for.iter().enumerate() {
            if *waits_for == 0 {
                ready.put(place);
            }
        }
        self.children().kahn(waits_for, ready)
    }

    fn children(&self) -> Children {
        let mut starts = vec![0; self.len() + 1];
        for parent in &self.parents {
            starts[parent + 1] += 1;
        }
        for place in 0..self.len() {
            starts[place + 1] += starts[place];
        }
        let mut next = starts.clone();
        let mut places = vec![0; self.parents.len()];
        for child in 0..self.len() {
            for parent in self.parents(child) {
                places[next[*parent]] = child;
                next[*parent] += 1;
            }
        }
        Children { starts, places }
    }
}

impl Children {
    fn of(&self, place: usize) -> &[usize] {
        &self.places[self.starts[place]..self.starts[place + 1]]
    }

    /// Places the nodes that are ready, and each other node as soon as it waits for no parent.
    fn kahn(&self, mut waits_for: Vec<usize>, mut ready: impl Ready) -> Vec<usize> {
        let mut order = Vec::with_capacity(waits_for.len());
        while let Some(place) = ready.take() {
            order.push(place);
            for &child in self.of(place) {
                waits_for[child] -= 1;
                if waits_for[child] == 0 {
                    ready.put(child);
                }
            }
        }
        order
    }
}

impl Ready for BinaryHeap<Reverse<usize>> {
    fn put(&mut self, place: usize) {
        self.push(Reverse(place));
    }

    fn take(&mut self) -> Option<usize> {
        self.pop().map(|Reverse(place)| place)
    }
}

impl Ready for VecDeque<usize> {
    fn put(&mut self, place: usize) {
        self.push_back(place);
    }

    fn take(&mut self) -> Option<usize> {
        self.pop_front()
    }
}
