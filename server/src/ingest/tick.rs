//! Work that the passing of time brings: overdue cases, and mergers that do not hold.

use std::collections::BTreeMap;

use onegrid_core::id::RecordId;

use super::automatic;
use super::merges::{self, Opened};
use super::plan::Plan;
use crate::error::{Problem, Result};
use crate::limits::{DUE_AGAIN_MS, DUE_PER_TICK_MAX};
use crate::server::Server;
use crate::store::RecordRow;

impl Server {
    /// Looks at cases whose deadline has passed or whose mergers have changed, at most
    /// [`DUE_PER_TICK_MAX`]. Returns the number of moves that were made. To be called again and
    /// again with the time.
    pub fn tick(&self, now_ms: i64) -> Result<usize> {
        self.cut_revoked()?;
        let due = self
            .store
            .read(|tx| tx.records_due(now_ms, DUE_PER_TICK_MAX))?;
        let mut made = 0;
        for id in due {
            made += self
                .look_again(id, now_ms)
                .or_else(|problem| self.put_off_damaged(id, problem, now_ms))?;
        }
        Ok(made)
    }

    /// Gives a damaged record a later deadline, so that it does not hold up the others. Returns zero moves.
    fn put_off_damaged(&self, id: RecordId, problem: Problem, now_ms: i64) -> Result<usize> {
        if problem.code() != "store.damaged" {
            return Err(problem);
        }
        tracing::error!(code = problem.code(), record = %id, "the deadline of a damaged record is put off");
        let due_ms = Some(now_ms.saturating_add(DUE_AGAIN_MS));
        self.store.write::<_, Problem>(move |tx| {
            match tx.record(id) {
                Err(error) if error.is_local() => {}
                row => {
                    if let Some(row) = row? {
                        tx.put_record(&RecordRow { due_ms, ..row })?;
                    }
                }
            }
            Ok(0)
        })
    }

    /// Makes the moves that the rules ask for in a record, and undoes the mergers around it that do
    /// not hold. All of it happens together, so two cases that were merged into each other are both
    /// open again. Returns the number of moves.
    pub(super) fn look_again(&self, id: RecordId, now_ms: i64) -> Result<usize> {
        let (linked, all) = self.store.read(|tx| merges::linked(tx, id))?;
        let locked = self.records.lock(linked.clone());
        let ground = self.store.read(|tx| self.bare_ground(tx))?;
        let mut opened = Opened::new();
        for id in &linked {
            opened.insert(*id, self.open_record(*id)?);
        }
        let generation = ground.mark.generation;
        let mut undoing: BTreeMap<RecordId, automatic::Move> = opened
            .keys()
            .filter_map(|id| Some((*id, merges::undoing(&opened, *id, generation)?)))
            .collect();
        let (mut plans, mut made) = (Vec::new(), 0);
        for (other, (mut record, before)) in opened {
            let undoing = undoing.remove(&other);
            if other != id && undoing.is_none() {
                // An empty record is not cached, because the store lacks it and may get it at any
                // time.
                if !record.nodes().is_empty() {
                    self.records.put(record);
                }
                continue;
            }
            let mut fresh = Vec::new();
            if let Some(next) = undoing {
                fresh.push(automatic::make(self, &mut record, &ground, &next, now_ms)?);
            }
            fresh.extend(automatic::moves(self, &mut record, &ground, now_ms)?);
            made += fresh.len();
            let mut view = self.project(&record, &ground, now_ms);
            // The next tick looks at a merger that arrived between the reading and the lock.
            if let (Some(view), Some(state)) = (&mut view, record.state())
                && other == id
                && all
                && state
                    .merged_into()
                    .is_none_or(|into| linked.contains(&into))
            {
                view.row.due_ms = automatic::due_ms(self, &record, state, &ground);
                // A record that allows no move, because it is full, would be due at every tick.
                if fresh.is_empty()
                    && let Some(due_ms) = &mut view.row.due_ms
                    && *due_ms <= now_ms
                {
                    *due_ms = now_ms.saturating_add(DUE_AGAIN_MS);
                }
            }
            plans.push(Plan {
                fresh,
                view,
                ..Plan::of(record, before)
            });
        }
        // Should the ground have shifted, the next tick finds the record due again.
        let committed = self.commit(plans, &ground, now_ms)?;
        drop(locked);
        if let Some(committed) = committed {
            self.wakeups.notify(&committed.touched);
        }
        Ok(made)
    }
}
