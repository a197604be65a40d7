//! The way of a change into the history: author, sequence, counters and references are checked against its
//! causal past.

use super::change::{ChangeInfo, ParsedChange};
use super::error::GateError;
use super::history::{Clock, History, seen};
use crate::id::Hash;

impl History {
    /// Checks a change against its causal past and adds it. The caller has checked that the actor belongs to
    /// the author.
    ///
    /// # Errors The first check that fails; the history is as before.
    pub(super) fn push(&mut self, change: &ParsedChange<'_>) -> Result<(), GateError> {
        let info = &change.info;
        if info.deps.is_empty() != self.entries.is_empty() {
            return Err(GateError::NotGenesis);
        }
        let (clock, max_op) = self.past_of(&info.deps)?;
        let known_actor = self.actors.iter().position(|actor| *actor == info.actor);
        self.check_sequence(info, known_actor, &clock)?;
        if info.start_op != max_op + 1 {
            return Err(GateError::StartOp);
        }
        let actors = self.resolve_actors(change, known_actor, &clock)?;
        let runs = self.references(change, &actors, &clock)?;

        self.insert(change, known_actor, clock, runs);
        Ok(())
    }

    fn past_of(&self, deps: &[Hash]) -> Result<(Clock, u64), GateError> {
        let mut clock = vec![0; self.actors.len()];
        let mut max_op = 0;
        for dep in deps {
            let &index = self.by_hash.get(dep).ok_or(GateError::UnknownDeps(*dep))?;
            let entry = &self.entries[index];
            for (seen, theirs) in clock.iter_mut().zip(&entry.clock) {
                *seen = (*seen).max(*theirs);
            }
            max_op = max_op.max(entry.info.max_op);
        }
        Ok((clock, max_op))
    }

    fn check_sequence(
        &self,
        info: &ChangeInfo,
        actor: Option<usize>,
        clock: &Clock,
    ) -> Result<(), GateError> {
        let (known, in_past) = match actor {
            Some(actor) => (self.by_actor[actor].len() as u64, seen(clock, actor)),
            None => (0, 0),
        };
        if info.seq <= known {
            // The hash is new, so a copy of the installation continued this sequence.
            return Err(GateError::Clone);
        }
        if info.seq != in_past + 1 {
            return Err(GateError::Sequence);
        }
        Ok(())
    }

    /// Indices of the actors that the change names: its author (if known already), then the others.
    fn resolve_actors(
        &self,
        change: &ParsedChange<'_>,
        author: Option<usize>,
        clock: &Clock,
    ) -> Result<Vec<Option<usize>>, GateError> {
        let mut actors = Vec::with_capacity(change.others.len() + 1);
        actors.push(author);
        for other in &change.others {
            let index = self.actors.iter().position(|actor| actor == other);
            match index {
                Some(index) if seen(clock, index) > 0 => actors.push(Some(index)),
                _ => return Err(GateError::Reference),
            }
        }
        Ok(actors)
    }
}
