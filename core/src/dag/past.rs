//! Tells which nodes of an ordered graph another node has seen.
//!
//! The past of a node is every position below a base and single positions above it. It is small where branches
//! are short, and a graph without branches needs one number for each node.

use std::ops::Range;

use super::order::Dag;

/// The past of each node of a graph whose nodes are in order, parents first.
#[derive(Debug, Clone)]
pub struct Ancestry {
    pasts: Vec<Past>,
    /// By position, the end of the nodes that may not have seen it.
    seen_from: Vec<usize>,
}

/// The past of one node: every position below `base`, and single positions above it.
#[derive(Debug, Clone, Default)]
struct Past {
    base: usize,
    /// Positions from `base / 64 * 64` on.
    bits: Vec<u64>,
}

impl Ancestry {
    /// Computes the past of each node. The parents of a node have lower positions than the node, as
    /// [`Dag::arranged`] gives them.
    #[must_use]
    pub fn of(dag: &Dag) -> Self {
        let mut ancestry = Self {
            pasts: Vec::with_capacity(dag.len()),
            seen_from: vec![0; dag.len()],
        };
        for at in 0..dag.len() {
            let past = ancestry.union(dag.parents(at));
            debug_assert!(past.base <= at, "a node sees only nodes before it");
            ancestry.pasts.push(past);
        }
        ancestry.note_horizons();
        ancestry
    }

    /// Whether `later` has seen `earlier`. A node has not seen itself.
    #[must_use]
    pub fn has_seen(&self, later: usize, earlier: usize) -> bool {
        self.pasts[later].contains(earlier)
    }

    /// Whether a node has seen every node before it.
    #[must_use]
    pub fn has_seen_all_before(&self, at: usize) -> bool {
        self.pasts[at].base == at
    }

    /// Whether neither node has seen the other.
    #[must_use]
    pub fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.has_seen(a, b) && !self.has_seen(b, a)
    }

    /// A range that holds every node that is concurrent with `at`. It is small where branches are short.
    #[must_use]
    pub fn around(&self, at: usize) -> Range<usize> {
        self.pasts[at].base..self.seen_from[at].max(at)
    }

    /// The positions that a node has seen, in order.
    #[must_use]
    pub fn past_of(&self, at: usize) -> Vec<usize> {
        (0..at)
            .filter(|earlier| self.pasts[at].contains(*earlier))
            .collect()
    }

    /// The one of these nodes that has seen all others, if there is one.
    #[must_use]
    pub fn last_of(&self, nodes: &[usize]) -> Option<usize> {
        let last = nodes.iter().copied().max()?;
        let has_seen = |node: &usize| *node == last || self.has_seen(last, *node);
        nodes.iter().all(has_seen).then_some(last)
    }

    fn union(&self, parents: &[usize]) -> Past {
        let closed_base = |p: usize| {
            let base = self.pasts[p].base;
            if base == p { p + 1 } else { base }
        };
        let base = parents.iter().map(|p| closed_base(*p)).max().unwrap_or(0);
        let mut past = Past {
            base,
            bits: Vec::new(),
        };
        for parent in parents {
            past.add(&self.pasts[*parent]);
            past.set(*parent);
        }
        past.raise();
        past
    }

    /// A node has seen everything below the base of its past, so every node with a higher base has seen it.
    fn note_horizons(&mut self) {
        for (at, past) in self.pasts.iter().enumerate() {
            if let Some(end) = self.seen_from.get_mut(past.base) {
                *end = at + 1;
            }
        }
        let mut end = 0;
        for seen_from in &mut self.seen_from {
            end = end.max(*seen_from);
            *seen_from = end;
        }
    }
}

impl Past {
    fn contains(&self, position: usize) -> bool {
        if position < self.base {
            return true;
        }
        let word = (position / 64).wrapping_sub(self.base / 64);
        self.bits
            .get(word)
            .is_some_and(|bits| bits >> (position % 64) & 1 == 1)
    }

    fn set(&mut self, position: usize) {
        if position < self.base {
            return;
        }
        let word = position / 64 - self.base / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (position % 64);
    }

    fn add(&mut self, other: &Self) {
        let (mine, theirs) = (self.base / 64, other.base / 64);
        for (index, bits) in other.bits.iter().enumerate() {
            // A word below this base is covered by it.
            let Some(word) = (theirs + index).checked_sub(mine) else {
                continue;
            };
            if self.bits.len() <= word {
                self.bits.resize(word + 1, 0);
            }
            self.bits[word] |= bits;
        }
    }

    /// Adds to the base the single positions that continue it.
    fn raise(&mut self) {
        let first = self.base / 64;
        while self
            .bits
            .get(self.base / 64 - first)
            .is_some_and(|b| b >> (self.base % 64) & 1 == 1)
        {
            self.base += 1;
        }
        let done = (self.base / 64 - first).min(self.bits.len());
        self.bits.drain(..done);
        // The base alone is enough, so a linear history carries no bits at all.
        if self.bits.len() == 1 && self.bits[0] >> (self.base % 64) == 0 {
            self.bits.clear();
        }
    }
}
