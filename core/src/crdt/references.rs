//! The references of operations: containers of the Genesis, keys, characters, and values that they replace.
//!
//! Automerge applies an operation whose target is absent or of another kind. Then it writes a document that
//! never loads again, or panics, and the result may depend on other changes that have arrived. Here every
//! reference is looked up in the causal past of the change, so that the answer is the same on every replica.

use std::collections::{HashMap, HashSet};

use super::change::ParsedChange;
use super::error::{GateError, Limit};
use super::history::{Clock, History};
use super::operations::{Action, Key, Op, OpRef};
use crate::limits::CONTENT_CONTAINERS_MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Map,
    Text,
}

const ROOT: u16 = 0;

const TWICE: GateError = GateError::Unsupported("one thing is written twice in one change");

/// Operations in a row that are of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Position of the first one in its change.
    first: u32,
    len: u32,
    container: u16,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
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
    taken: Vec<(u16, u32)>,
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

    fn key(&mut self, key: &str) -> u32 {
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

/// The change being checked, with the results so far.
struct Check<'a> {
    change: &'a ParsedChange<'a>,
    actors: &'a [Option<usize>],
    clock: &'a Clock,
    runs: Vec<Run>,
    /// Containers that this change makes (a Genesis): counter and kind, in order.
    made: Vec<(u64, Container)>,
    taken: Vec<(u16, u32)>,
    /// Keys that this change writes or deletes.
    written: HashSet<(u16, u32)>,
    /// Characters that this change deletes.
    deleted: Vec<(u64, usize)>,
}

impl History {
    /// Checks every reference of a change; gives its operations as runs.
    pub(super) fn references(
        &mut self,
        change: &ParsedChange<'_>,
        actors: &[Option<usize>],
        clock: &Clock,
    ) -> Result<Vec<Run>, GateError> {
        let mut check = Check {
            change,
            actors,
            clock,
            runs: Vec::new(),
            made: Vec::new(),
            taken: Vec::new(),
            written: HashSet::new(),
            deleted: Vec::new(),
        };
        for (position, op) in change.ops.iter().enumerate() {
            let (container, kind) = self.target(&check, op.container)?;
            let what = match kind {
                Container::Map => self.map_operation(&mut check, position, container, op)?,
                Container::Text => self.text_operation(&mut check, position, container, op)?,
            };
            push_run(&mut check.runs, position, container, what);
        }
        check.deleted.sort_unstable();
        if check.deleted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(TWICE);
        }
        Ok(check.runs)
    }

    fn target(&self, check: &Check<'_>, id: Option<OpRef>) -> Result<(u16, Container), GateError> {
        let Some(id) = id else {
            return Ok((ROOT, Container::Map));
        };
        if id.actor == 0 {
            let own = check
                .made
                .iter()
                .position(|(counter, _)| *counter == id.counter);
            if let Some(at) = own {
                let index = u16::try_from(at + 1).map_err(|_| GateError::Reference)?;
                return Ok((index, check.made[at].1));
            }
        }
        check.actors[id.actor]
            .and_then(|actor| self.container(actor, id.counter))
            .ok_or(GateError::Reference)
    }

    fn map_operation(
        &mut self,
        check: &mut Check<'_>,
        position: usize,
        container: u16,
        op: &Op<'_>,
    ) -> Result<What, GateError> {
        let Key::Map(key) = op.key else {
            return Err(GateError::Reference);
        };
        if op.insert {
            return Err(GateError::Malformed("an insertion into a map"));
        }
        let key = self.shape.key(key);
        let place = (container, key);
        if self.shape.taken.contains(&place) || check.taken.contains(&place) {
            return Err(GateError::Unsupported("a container is replaced"));
        }
        // Only the last write would count, and a few bytes would hold thousands of the others.
        if !check.written.insert(place) {
            return Err(TWICE);
        }
        let preds = &check.change.preds[op.preds.clone()];
        check.in_order(preds)?;
        for pred in preds {
            let run = self
                .past(check, position, *pred)
                .ok_or(GateError::Reference)?;
            if run.container != container || run.what != What::Set(key) {
                return Err(GateError::Reference);
            }
        }
        match op.action {
            Action::Set => Ok(What::Set(key)),
            Action::Delete if preds.is_empty() => {
                Err(GateError::Malformed("a deletion of nothing"))
            }
            Action::Delete => Ok(What::Delete),
            Action::MakeMap | Action::MakeText => {
                if !check.change.info.deps.is_empty() {
                    return Err(GateError::Unsupported("a container after the first change"));
                }
                if !preds.is_empty() {
                    return Err(GateError::Unsupported(
                        "a container in the place of a value",
                    ));
                }
                if check.made.len() == CONTENT_CONTAINERS_MAX {
                    return Err(GateError::TooLarge(Limit::Operations));
                }
                let kind = match op.action {
                    Action::MakeText => Container::Text,
                    _ => Container::Map,
                };
                check
                    .made
                    .push((check.change.info.start_op + position as u64, kind));
                check.taken.push(place);
                Ok(What::Make(key, kind))
            }
        }
    }

    fn text_operation(
        &self,
        check: &mut Check<'_>,
        position: usize,
        container: u16,
        op: &Op<'_>,
    ) -> Result<What, GateError> {
        let preds = &check.change.preds[op.preds.clone()];
        let element = match op.key {
            Key::Map(_) => return Err(GateError::Reference),
            Key::Head => None,
            Key::Element(element) => {
                let run = self
                    .past(check, position, element)
                    .ok_or(GateError::Reference)?;
                if run.container != container || run.what != What::Insert {
                    return Err(GateError::Reference);
                }
                Some(element)
            }
        };
        match (op.action, op.insert, element) {
            (Action::Set, true, _) => {
                if !preds.is_empty() {
                    return Err(GateError::Reference);
                }
                // Automerge splits no element: an edit inside a longer one would take other words with it.
                if !op.value_is_character {
                    return Err(GateError::Unsupported("a text holds single characters"));
                }
                Ok(What::Insert)
            }
            (Action::Delete, false, Some(element)) if *preds == [element] => {
                check.deleted.push((element.counter, element.actor));
                Ok(What::Delete)
            }
            (Action::Delete, false, _) => Err(GateError::Reference),
            _ => Err(GateError::Unsupported(
                "texts are changed by insertion and deletion only",
            )),
        }
    }

    /// The operation that `id` names, if it comes before `position` of the change.
    fn past(&self, check: &Check<'_>, position: usize, id: OpRef) -> Option<Run> {
        let start_op = check.change.info.start_op;
        if id.actor == 0 && id.counter >= start_op {
            let before = start_op + position as u64;
            return (id.counter < before).then(|| find(&check.runs, start_op, id.counter))?;
        }
        self.operation(check.actors[id.actor]?, id.counter, check.clock)
    }
}

impl Check<'_> {
    /// Replaced values are named in the order of their ids, each once.
    fn in_order(&self, preds: &[OpRef]) -> Result<(), GateError> {
        let id = |pred: &OpRef| {
            let actor = match pred.actor {
                0 => self.change.info.actor,
                other => self.change.others[other - 1],
            };
            (pred.counter, actor)
        };
        let ordered = preds.windows(2).all(|pair| id(&pair[0]) < id(&pair[1]));
        if ordered {
            Ok(())
        } else {
            Err(GateError::Malformed("replaced values are not in order"))
        }
    }
}

fn push_run(runs: &mut Vec<Run>, position: usize, container: u16, what: What) {
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
