//! The shape of a document that the references of later changes are checked against: the containers that the
//! Genesis made, and the operations of each change as runs.

use std::collections::HashMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Map,
    Text,
}

/// Operations in a row that are of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Position of the first one in its change.
    pub(super) first: u32,
    pub(super) len: u32,
    pub(super) container: u16,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Characters of a text.
    Insert,
    /// A value of this key of a map.
    Set(u32),
    /// A container under this key of a map.
    Make(u32, Container),
    /// Deletions: nothing can refer to one.
    Delete,
}

/// The containers that the Genesis made, and the names of keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    /// Actor index and counter of the operation that made it; the root map is not in here.
    containers: Vec<(usize, u64, Container)>,
    /// Keys of the containers: a change may not write under them again.
    pub(super) taken: Vec<(u16, u32)>,
    keys: HashMap<Box<str>, u32>,
}

impl Shape {
    pub(super) fn find(&self, actor: usize, counter: u64) -> Option<(u16, Container)> {
        let at = self
            .containers
            .iter()
            .position(|(a, c, _)| *a == actor && *c == counter)?;
        Some((u16::try_from(at + 1).ok()?, self.containers[at].2))
    }

    /// Notes the containers that a change made.
    pub(super) fn made(&mut self, change: usize, actor: usize, start_op: u64, runs: &[Run]) {
        if change != 0 {
            return;
        }
        for run in runs {
            if let What::Make(key, container) = run.what {
                self.containers
                    .push((actor, start_op + u64::from(run.first), container));
                self.taken.push((run.container, key));
            }
        }
    }

    /// Forgets the containers that changes after the first `len` made.
    pub(super) fn truncate(&mut self, len: usize) {
        if len == 0 {
            *self = Self::default();
        }
    }

    pub(super) fn key(&mut self, key: &str) -> u32 {
        if let Some(&index) = self.keys.get(key) {
            return index;
        }
        let index = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.insert(key.into(), index);
        index
    }
}

/// Finds an operation by its counter among the runs of a change.
pub(super) fn find(runs: &[Run], start_op: u64, counter: u64) -> Option<Run> {
    let position = u32::try_from(counter.checked_sub(start_op)?).ok()?;
    let at = runs.partition_point(|run| run.first <= position);
    let run = runs.get(at.checked_sub(1)?)?;
    (position < run.first + run.len).then_some(*run)
}

pub(super) fn push_run(runs: &mut Vec<Run>, position: usize, container: u16, what: What) {
    if let Some(last) = runs.last_mut()
        && last.container == container
        && last.what == what
        && matches!(what, What::Insert | What::Delete)
    {
        last.len += 1;
        return;
    }
    // Operations of a change are limited, so positions fit.
    let first = u32::try_from(position).unwrap_or(u32::MAX);
    runs.push(Run {
        first,
        len: 1,
        container,
        what,
    });
}
