//! Work that the passing of time brings: overdue cases, and mergers that do not hold.

use std::collections::BTreeMap;

use onegrid_core::id::RecordId;

use super::merges::{self, Opened};
use super::plan::{self, Plan};
use super::{Intake, automatic, commit, policy};
use crate::error::{Problem, Result};
use crate::limits::{DUE_AGAIN_MS, DUE_PER_TICK_MAX};
use crate::store::RecordRow;

/// Looks at cases whose deadline has passed or whose mergers have changed, at most
/// [`DUE_PER_TICK_MAX`]. Returns the number of moves that were made. To be called again and
/// again with the time.
pub(crate) fn tick(intake: &Intake, now_ms: i64) -> Result<usize> {
    let due = intake
        .shared
        .store
        .read(|tx| tx.records_due(now_ms, DUE_PER_TICK_MAX))?;
    let mut made = 0;
    for id in due {
        made += look_again(intake, id, now_ms)
            .or_else(|problem| put_off_damaged(intake, id, problem, now_ms))?;
    }
    Ok(made)
}

/// Gives a damaged record a later deadline, so that it does not hold up the others. Returns zero moves.
fn put_off_damaged(intake: &Intake, id: RecordId, problem: Problem, now_ms: i64) -> Result<usize> {
    if problem.code() != "store.damaged" {
        return Err(problem);
    }
    tracing::error!(code = problem.code(), record = %id, "the deadline of a damaged record is put off");
    let due_ms = Some(now_ms.saturating_add(DUE_AGAIN_MS));
    intake.shared.store.write::<_, Problem>(move |tx| {
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
        let mut view = plan::project(&intake.rules, &record, &ground, now_ms);
        // The next tick looks at a merger that arrived between the reading and the lock.
        if let (Some(view), Some(state)) = (&mut view, record.state())
            && other == id
            && all
            && state
                .merged_into()
                .is_none_or(|into| linked.contains(&into))
        {
            view.row.due_ms = automatic::due_ms(&intake.rules, &record, state, &ground);
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
    if let Some(committed) = committed {
        intake.shared.wakeups.notify(&committed.touched);
    }
    Ok(made)
}
