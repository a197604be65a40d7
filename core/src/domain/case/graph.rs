//! The DAG of a record gives a deterministic order, and tells which entries an author had seen.
//!
//! The order is by Lamport time (longest way from the Genesis), then by id. It is a topological order that
//! depends on the entries alone.

use super::{Entry, EntryBody};
use crate::dag::{Ancestry, Dag, places};
use crate::limits::DANGER_LATE_MS;

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
    /// The entries that the author of each entry had seen.
    pub ancestry: Ancestry,
}

impl<'a> Graph<'a> {
    /// Orders the entries. Duplicates, cycles, and entries that do not descend from the Genesis are left out.
    /// Returns `None` without a Genesis.
    pub(super) fn new(entries: &[&'a Entry]) -> Option<Self> {
        let (dag, order) = order(entries)?;
        let mut graph = Self {
            entries: order.iter().map(|place| entries[*place]).collect(),
            effective_ms: Vec::with_capacity(order.len()),
            main_parent: Vec::with_capacity(order.len()),
            main_children: vec![0; order.len()],
            ancestry: Ancestry::of(&dag),
        };
        for at in 0..order.len() {
            graph.push(at, dag.parents(at));
        }
        Some(graph)
    }

    fn push(&mut self, at: usize, parents: &[usize]) {
        let main = self.ancestry.last_of(parents);
        if let Some(main) = main {
            self.main_children[main] += 1;
        }
        self.main_parent.push(main);
        let floor_ms = parents
            .iter()
            .map(|p| self.effective_ms[*p])
            .max()
            .unwrap_or(i64::MIN);
        let entry = self.entries[at];
        let ceiling_ms = entry.verdict_at_ms.unwrap_or(i64::MAX);
        self.effective_ms
            .push(entry.clock_ms.max(floor_ms).min(ceiling_ms));
    }

    /// Whether an entry reached the server long after the server had accepted an ending that the author of the
    /// entry had not seen. The phone was away for months, or its past is forged. The signed times of the server
    /// decide. Before its verdict, an entry is as old as its author says.
    pub(super) fn came_late(&self, at: usize, ending: usize) -> bool {
        let (entry, ending) = (self.entries[at], self.entries[ending]);
        let came_ms = entry.verdict_at_ms.unwrap_or(entry.clock_ms);
        ending
            .verdict_at_ms
            .is_some_and(|ended_ms| came_ms.saturating_sub(ended_ms) > DANGER_LATE_MS)
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Returns the places of the entries in the order of the fold, and the graph of their positions.
fn order(entries: &[&Entry]) -> Option<(Dag, Vec<usize>)> {
    let is_genesis = |e: &Entry| matches!(e.body, EntryBody::Genesis(_)) && e.parents.is_empty();
    let genesis = entries
        .iter()
        .filter(|entry| is_genesis(entry))
        .map(|entry| entry.id)
        .min()?;
    let place_of = places(entries.iter().map(|entry| entry.id));
    let mut dag = Dag::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        // A copy of an entry gets no parents, so it does not descend from the Genesis.
        let is_copy = place_of[&entry.id] != place;
        let parents: &[_] = if is_copy { &[] } else { &entry.parents };
        let known = parents.iter().filter_map(|parent| place_of.get(parent));
        dag.push(known.copied().map(Some));
    }
    let order = dag.by_depth(place_of[&genesis], |place| entries[place].id);
    Some((dag.arranged(&order), order))
}
