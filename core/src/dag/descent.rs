//! Finds the nodes that build on others.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::walk::Walk;

/// Groups links from a parent to a child by parent.
#[must_use]
pub fn children<I: Eq + Hash, C>(links: impl IntoIterator<Item = (I, C)>) -> HashMap<I, Vec<C>> {
    let mut children: HashMap<I, Vec<C>> = HashMap::new();
    for (parent, child) in links {
        children.entry(parent).or_default().push(child);
    }
    children
}

/// Returns the nodes of `of`, and all nodes that build on them, by links from a parent to a child.
#[must_use]
pub fn descendants<I: Copy + Eq + Hash>(
    of: impl IntoIterator<Item = I>,
    links: impl IntoIterator<Item = (I, I)>,
) -> HashSet<I> {
    let of: HashSet<I> = of.into_iter().collect();
    if of.is_empty() {
        return of;
    }
    let children = children(links);
    let mut walk = Walk::from_ids(of);
    while let Some(parent) = walk.next() {
        walk.extend(children.get(&parent).into_iter().flatten().copied());
    }
    walk.into_seen()
}

/// Calls `visit` for each of `targets` with a test that says whether a node has it in its past. Nodes are named by
/// places, and `parents` of a node lie before it. 64 targets share one pass over the nodes between the first of
/// them and `last`.
pub fn with_descendants<'a>(
    parents: impl Fn(usize) -> &'a [usize],
    targets: &[usize],
    last: usize,
    mut visit: impl FnMut(usize, &dyn Fn(usize) -> bool),
) {
    let mut targets = targets.to_vec();
    targets.sort_unstable();
    targets.dedup();
    let mut seen: Vec<u64> = Vec::new();
    for block in targets.chunks(64) {
        let first = block[0];
        seen.clear();
        seen.resize((last + 1).saturating_sub(first), 0);
        let mut next = block.iter().enumerate().peekable();
        for place in first..=last {
            let mut bits = 0;
            for parent in parents(place) {
                bits |= parent.checked_sub(first).map_or(0, |at| seen[at]);
            }
            if let Some((bit, _)) = next.next_if(|(_, target)| **target == place) {
                bits |= 1 << bit;
            }
            seen[place - first] = bits;
        }
        for (bit, &target) in block.iter().enumerate() {
            visit(target, &|later| {
                later > target && later <= last && seen[later - first] >> bit & 1 == 1
            });
        }
    }
}
