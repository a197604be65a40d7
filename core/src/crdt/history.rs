//! The changes of a document with their authors and their dependencies, as far as the structural checks need
//! them.

use std::collections::HashMap;

use super::actor::{ActorId, DevicePrefix};
use super::change::{ChangeInfo, ParsedChange};
use super::shape::{Container, Run, Shape, find};
use crate::id::Hash;

/// For each actor (by its index) how many of its changes are seen.
///
/// Because the changes of one actor build on each other, this names a causal past exactly.
pub(super) type Clock = Vec<u64>;

#[derive(Debug, Clone)]
pub(super) struct HistoryEntry {
    pub(super) info: ChangeInfo,
    /// Index of the actor.
    actor: usize,
    /// The causal past, the change itself included.
    pub(super) clock: Clock,
    /// Its operations, to answer references of later changes.
    runs: Vec<Run>,
}

/// Changes, each after its dependencies.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) actors: Vec<ActorId>,
    /// Per actor the indices of its changes; the position is the sequence number less one.
    pub(super) by_actor: Vec<Vec<usize>>,
    pub(super) by_hash: HashMap<Hash, usize>,
    pub(super) entries: Vec<HistoryEntry>,
    pub(super) shape: Shape,
}

impl History {
    /// Number of changes.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> &[HistoryEntry] {
        &self.entries
    }

    pub(super) fn find(&self, hash: &Hash) -> Option<&ChangeInfo> {
        self.by_hash
            .get(hash)
            .map(|&index| &self.entries[index].info)
    }

    /// The changes that no other change depends on, sorted.
    pub(super) fn heads(&self) -> Vec<Hash> {
        let mut covered = vec![false; self.entries.len()];
        for dep in self.entries.iter().flat_map(|entry| &entry.info.deps) {
            if let Some(&index) = self.by_hash.get(dep) {
                covered[index] = true;
            }
        }
        let mut heads: Vec<Hash> = self
            .entries
            .iter()
            .zip(covered)
            .filter(|(_, covered)| !covered)
            .map(|(entry, _)| entry.info.hash)
            .collect();
        heads.sort_unstable();
        heads
    }

    /// The newest change of each actor of a device.
    pub(super) fn newest_of(&self, device: DevicePrefix) -> impl Iterator<Item = Hash> + '_ {
        self.actors
            .iter()
            .zip(&self.by_actor)
            .filter(move |(actor, _)| actor.device() == device)
            .filter_map(|(_, changes)| Some(self.entries[*changes.last()?].info.hash))
    }

    /// Whether `earlier` lies in the causal past of `later` (or is it).
    pub(super) fn covers(&self, later: &Hash, earlier: &Hash) -> bool {
        match (self.by_hash.get(later), self.by_hash.get(earlier)) {
            (Some(&later), Some(&earlier)) => {
                let earlier = &self.entries[earlier];
                seen(&self.entries[later].clock, earlier.actor) >= earlier.info.seq
            }
            _ => false,
        }
    }

    /// Adds a change that is checked. `known_actor` is the index of its actor, if the actor has written before.
    pub(super) fn insert(
        &mut self,
        change: &ParsedChange<'_>,
        known_actor: Option<usize>,
        mut clock: Clock,
        runs: Vec<Run>,
    ) {
        let info = &change.info;
        let actor = known_actor.unwrap_or_else(|| {
            self.actors.push(info.actor);
            self.by_actor.push(Vec::new());
            self.actors.len() - 1
        });
        clock.resize(self.actors.len(), 0);
        let index = self.entries.len();
        clock[actor] = info.seq;
        self.by_actor[actor].push(index);
        self.by_hash.insert(info.hash, index);
        self.shape.made(index, actor, info.start_op, &runs);
        self.entries.push(HistoryEntry {
            info: info.clone(),
            actor,
            clock,
            runs,
        });
    }

    /// Adds a change without any check, for tests of the layer below.
    #[cfg(test)]
    pub(super) fn push_blindly(&mut self, change: &ParsedChange<'_>) {
        self.by_hash.insert(change.info.hash, self.entries.len());
        let clock = vec![0; self.actors.len()];
        self.by_actor.push(vec![self.entries.len()]);
        self.actors.push(change.info.actor);
        self.entries.push(HistoryEntry {
            info: change.info.clone(),
            actor: self.actors.len() - 1,
            clock,
            runs: Vec::new(),
        });
    }

    /// Forgets the changes after the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.entries.len() > len {
            let Some(entry) = self.entries.pop() else {
                return;
            };
            self.by_hash.remove(&entry.info.hash);
            self.by_actor[entry.actor].pop();
        }
        self.shape.truncate(len);
    }

    /// The operation (`actor`, `counter`), if it lies in the past that `clock` names.
    pub(super) fn operation(&self, actor: usize, counter: u64, clock: &Clock) -> Option<Run> {
        let changes = self.by_actor.get(actor)?;
        let seen = usize::try_from(seen(clock, actor)).ok()?;
        let changes = changes.get(..seen)?;
        let at = changes.partition_point(|&index| self.entries[index].info.start_op <= counter);
        let entry = &self.entries[*changes.get(at.checked_sub(1)?)?];
        find(&entry.runs, entry.info.start_op, counter)
    }

    pub(super) fn container(&self, actor: usize, counter: u64) -> Option<(u16, Container)> {
        self.shape.find(actor, counter)
    }
}

pub(super) fn seen(clock: &Clock, actor: usize) -> u64 {
    clock.get(actor).copied().unwrap_or(0)
}
