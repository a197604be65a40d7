//! The references of operations: containers of the Genesis, keys, characters, and values that they replace.
//!
//! Automerge applies an operation whose target is absent or of another kind. Then it writes a document that
//! never loads again, or panics, and the result may depend on other changes that have arrived. Here every
//! reference is looked up in the causal past of the change, so that the answer is the same on every replica.

use std::collections::HashSet;

use super::change::ParsedChange;
use super::error::{GateError, Limit};
use super::history::{Clock, History};
use super::operations::{Action, Key, Op, OpRef};
use super::shape::{Container, Run, What, find, push_run};
use crate::domain::content::owner_of_key;
use crate::limits::CONTENT_CONTAINERS_MAX;

const ROOT: u16 = 0;

const TWICE: GateError = GateError::Unsupported("one thing is written twice in one change");

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
        let owner = owner_of_key(key).filter(|_| container == ROOT);
        if owner.is_some_and(|device| device != check.change.info.actor.device().0) {
            return Err(GateError::ForeignActor);
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
