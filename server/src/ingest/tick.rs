//! Work that the passing of time brings: overdue cases, and mergers that do not hold.
//!
//! **Invariant:** no case holds up another one. A case whose work fails, or even panics, is put
//! off.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use onegrid_core::id::RecordId;

use super::merges::{self, Opened};
use super::plan::{self, Plan};
use super::{Intake, automatic, commit, policy};
use crate::error::{Problem, Result};
use crate::limits::{
    DUE_AGAIN_MS, DUE_FAILURES_MAX, DUE_PER_TICK_MAX, DUE_PUT_OFF_MAX, DUE_RETRY_MS,
};
use crate::store::RecordRow;

/// Cases that are put off in memory, because their rows cannot be written, each with the time of
/// the next look.
#[derive(Debug, Default)]
pub(crate) struct PutOff(Mutex<HashMap<RecordId, i64>>);

impl PutOff {
    /// Returns the cases whose time has not come.
    fn at(&self, now_ms: i64) -> HashMap<RecordId, i64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was ahead must not put a case off for long.
        all.retain(|_, until_ms| (now_ms + 1..=now_ms + DUE_AGAIN_MS).contains(until_ms));
        all.clone()
    }

    fn put(&self, id: RecordId, until_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < DUE_PUT_OFF_MAX {
            all.insert(id, until_ms);
        }
    }
}

/// Looks at cases whose deadline has passed or whose mergers have changed, at most
/// [`DUE_PER_TICK_MAX`]. Returns the number of moves that were made. To be called again and
/// again with the time.
pub(crate) fn tick(intake: &Intake, now_ms: i64) -> Result<usize> {
    each_due(intake, now_ms, |id| look_again(intake, id, now_ms))
}

/// Looks at each due case. The tick ends early only when one case after the other fails, because
/// then the store fails and not a case.
pub(super) fn each_due(
    intake: &Intake,
    now_ms: i64,
    look: impl Fn(RecordId) -> Result<usize>,
) -> Result<usize> {
    let waiting = intake.put_off.at(now_ms);
    let count_max = DUE_PER_TICK_MAX + waiting.len();
    let due = intake
        .shared
        .store
        .read(|tx| tx.records_due(now_ms, count_max))?;
    let due = due.into_iter().filter(|id| !waiting.contains_key(id));
    let (mut made, mut failures) = (0, 0);
    for id in due.take(DUE_PER_TICK_MAX) {
        // The log has the place of a panic.
        let looked = catch_unwind(AssertUnwindSafe(|| look(id)));
        match looked.unwrap_or_else(|_| Err(Problem::new("server.internal"))) {
            Ok(moves) => {
                made += moves;
                failures = 0;
            }
            Err(problem) => {
                failures += 1;
                put_off(intake, id, &problem, now_ms);
                if failures >= DUE_FAILURES_MAX {
                    return Err(problem);
                }
            }
        }
    }
    Ok(made)
}

/// Gives a case that failed a later deadline: in its row if the row is sound, else in memory. A
/// damaged case waits longer than one whose failure may have passed.
fn put_off(intake: &Intake, id: RecordId, problem: &Problem, now_ms: i64) {
    let code = problem.code();
    tracing::error!(code, record = %id, "the deadline of a case that failed is put off");
    if code != "store.damaged" {
        intake.put_off.put(id, now_ms.saturating_add(DUE_RETRY_MS));
        return;
    }
    let again_ms = now_ms.saturating_add(DUE_AGAIN_MS);
    let written = intake.shared.store.write::<_, Problem>(move |tx| {
        let Some(row) = tx.record(id)? else {
            return Ok(());
        };
        let due_ms = Some(again_ms);
        Ok(tx.put_record(&RecordRow { due_ms, ..row })?)
    });
    if written.is_err() {
        intake.put_off.put(id, again_ms);
    }
}

/// Makes the moves that the rules ask for in a record, and undoes the mergers around it that do
/// not hold. All of it happens together, so two cases that were merged into each other are both
/// open again. Returns the number of moves.
pub(super) fn look_again(intake: &Intake, id: RecordId, now_ms: i64) -> Result<usize> {
    let (linked, all) = intake.shared.store.read(|tx| merges::linked(tx, id))?;
    let locked = intake.records.lock(linked.clone());
    let ground = intake
        .shared
        .store
        .read(|tx| policy::bare_ground(&intake.shared.views, tx))?;
    let mut opened = Opened::new();
    for id in &linked {
        opened.insert(*id, plan::open_record(intake, *id)?);
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
                intake.records.put(record);
            }
            continue;
        }
        let mut fresh = Vec::new();
        if let Some(next) = undoing {
            fresh.push(automatic::make(
                &intake.shared.keys,
                &mut record,
                &ground,
                &next,
                now_ms,
            )?);
        }
        fresh.extend(automatic::moves(intake, &mut record, &ground, now_ms)?);
        made += fresh.len();
        let mut view = plan::project(&intake.rules(), &record, &ground, now_ms);
        // The next tick looks at a merger that arrived between the reading and the lock.
        if let (Some(view), Some(state)) = (&mut view, record.state())
            && other == id
            && all
            && state
                .merged_into()
                .is_none_or(|into| linked.contains(&into))
        {
            view.row.due_ms = automatic::due_ms(&intake.rules(), &record, state, &ground);
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
    let committed = commit::commit(intake, plans, &ground, now_ms)?;
    drop(locked);
    let Some(committed) = committed else {
        // Another node has made the moves, or the next tick makes them.
        return Ok(0);
    };
    intake.shared.wakeups.notify(&committed.touched);
    Ok(made)
}
