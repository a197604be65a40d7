//! The DAG of a record gives a deterministic order, and tells which entries an author had seen.
//!
//! The order is by Lamport time (longest way from the Genesis), then by id. It is a topological order that
//! depends on the entries alone.

use std::collections::HashMap;

use super::{Entry, EntryBody};
use crate::id::EnvelopeId;

/// The past of one entry: every position below `base`, and single positions above it.
#[derive(Debug, Clone, Default)]
struct Past {
    base: usize,
    /// Positions from `base / 64 * 64` on.
    bits: Vec<u64>,
}

/// The entries that descend from the Genesis, in the order of the fold.
pub(super) struct Graph<'a> {
    /// The entries, by position.
    pub entries: Vec<&'a Entry>,
    /// Effective time by position, ms UTC.
    pub effective_ms: Vec<i64>,
    /// The one parent that had seen all other parents, if there is one.
    pub main_parent: Vec<Option<usize>>,
    /// How many entries have this one as their main parent.
    pub main_children: Vec<u32>,
    pasts: Vec<Past>,
    /// By position, the end of the entries that may not have seen it.
    seen_from: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// Orders the entries. Duplicates, cycles, and entries that do not descend from the Genesis are left out.
    /// Returns `None` without a Genesis.
    pub(super) fn new(entries: &[&'a Entry]) -> Option<Self> {
        let order = order(entries)?;
        let mut graph = Self {
            entries: order.iter().map(|(_, entry, _)| *entry).collect(),
            effective_ms: Vec::with_capacity(order.len()),
            main_parent: Vec::with_capacity(order.len()),
            main_children: vec![0; order.len()],
            pasts: Vec::with_capacity(order.len()),
            seen_from: Vec::new(),
        };
        let mut position = HashMap::with_capacity(order.len());
        for (at, (_, _, index)) in order.iter().enumerate() {
            position.insert(*index, at);
        }
        for (at, (node, entry, _)) in order.iter().enumerate() {
            let parents: Vec<usize> = node
                .parents
                .iter()
                .filter_map(|index| position.get(index).copied())
                .collect();
            graph.push(at, entry, &parents);
        }
        graph.note_horizons();
        Some(graph)
    }

    fn push(&mut self, at: usize, entry: &Entry, parents: &[usize]) {
        let past = self.union(parents);
        let last = parents.iter().copied().max();
        let main = last.filter(|main| {
            parents
                .iter()
                .all(|p| p == main || self.pasts[*main].contains(*p))
        });
        if let Some(main) = main {
            self.main_children[main] += 1;
        }
        self.main_parent.push(main);
        let floor_ms = parents
            .iter()
            .map(|p| self.effective_ms[*p])
            .max()
            .unwrap_or(i64::MIN);
        let ceiling_ms = entry.verdict_at_ms.unwrap_or(i64::MAX);
        self.effective_ms
            .push(entry.clock_ms.max(floor_ms).min(ceiling_ms));
        debug_assert!(past.base <= at, "nobody has seen what comes later");
        self.pasts.push(past);
    }

    /// An entry has seen everything below the base of its past, so every entry with a higher base has seen
    /// it.
    fn note_horizons(&mut self) {
        self.seen_from = vec![0; self.len()];
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

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the author of `at` had seen everything before it in the order.
    pub(super) fn has_seen_all_before(&self, at: usize) -> bool {
        self.pasts[at].base == at
    }

    /// Whether the author of `later` had seen `earlier`.
    pub(super) fn has_seen(&self, later: usize, earlier: usize) -> bool {
        self.pasts[later].contains(earlier)
    }

    /// A range that holds every entry that is concurrent with `at`. It is small where branches are short.
    pub(super) fn around(&self, at: usize) -> std::ops::Range<usize> {
        self.pasts[at].base..self.seen_from[at].max(at)
    }

    /// Whether neither author had seen the other's entry.
    pub(super) fn concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.has_seen(a, b) && !self.has_seen(b, a)
    }

    /// The positions that the author of `at` had seen, in order.
    pub(super) fn past_of(&self, at: usize) -> Vec<usize> {
        (0..at)
            .filter(|earlier| self.pasts[at].contains(*earlier))
            .collect()
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

struct Node {
    lamport: u32,
    /// Indices into the input entries.
    parents: Vec<usize>,
}

/// Entries with Lamport time and index, sorted.
fn order<'a>(entries: &[&'a Entry]) -> Option<Vec<(Node, &'a Entry, usize)>> {
    let mut index_of: HashMap<EnvelopeId, usize> = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        index_of.entry(entry.id).or_insert(index);
    }
    let is_genesis = |e: &Entry| matches!(e.body, EntryBody::Genesis(_)) && e.parents.is_empty();
    let genesis = entries
        .iter()
        .filter(|entry| is_genesis(entry))
        .map(|entry| entry.id)
        .min()?;
    let first = index_of[&genesis];

    // Only entries that descend from the Genesis count. Any other parent is treated as absent.
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); entries.len()];
    for (id, index) in &index_of {
        debug_assert_eq!(entries[*index].id, *id);
        for parent in &entries[*index].parents {
            if let Some(parent) = index_of.get(parent) {
                children[*parent].push(*index);
            }
        }
    }
    let mut reached = vec![false; entries.len()];
    let mut waiting = vec![0_u32; entries.len()];
    let mut stack = vec![first];
    reached[first] = true;
    while let Some(index) = stack.pop() {
        for child in &children[index] {
            waiting[*child] += 1;
            if !reached[*child] {
                reached[*child] = true;
                stack.push(*child);
            }
        }
    }

    let mut lamport = vec![0_u32; entries.len()];
    let mut ready = vec![first];
    let mut sorted = Vec::with_capacity(entries.len());
    while let Some(index) = ready.pop() {
        let mut parents: Vec<usize> = entries[index]
            .parents
            .iter()
            .filter_map(|id| index_of.get(id).copied())
            .collect();
        parents.retain(|parent| reached[*parent]);
        parents.sort_unstable();
        parents.dedup();
        sorted.push((
            Node {
                lamport: lamport[index],
                parents,
            },
            entries[index],
            index,
        ));
        for child in &children[index] {
            lamport[*child] = lamport[*child].max(lamport[index] + 1);
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.push(*child);
            }
        }
    }
    sorted.sort_unstable_by_key(|(node, entry, _)| (node.lamport, entry.id));
    Some(sorted)
}
