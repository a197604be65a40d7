//! Open cases follow the directory and the rules. A commit routes a case by the directory of its time. After a
//! change of areas, zones, units or rules this task looks at every open case again: it makes the moves that
//! the rules ask for now, and puts the case into the streams of today.
//!
//! **Invariant:** the task is done only when every open case was looked at under the present directory and
//! rules. Its state is a note in the store, so a restart continues it. A case that fails holds up no other
//! one; it becomes due, and [`super::tick`] looks at it later.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use minicbor::{Decode, Encode};
use onegrid_core::domain::directory::Directory;
use onegrid_core::id::{Hash, RecordId};

use super::plan::{self, Plan, Projection};
use super::{Intake, automatic, bulletin, commit, policy};
use crate::error::{Problem, Result};
use crate::limits::{DUE_FAILURES_MAX, DUE_RETRY_MS, INGEST_ROUNDS_MAX, ROUTED_PER_SLICE_MAX};
use crate::rules::Rules;
use crate::store::{Reader, RecordRow, StoreError, StoreResult};

/// Key of a note in the store: the state of the task.
const ROUTING: &str = "routing";
/// Time between two looks at an unchanged directory, milliseconds. A version of an area or zone may have
/// begun or ended.
const LOOK_AGAIN_MS: i64 = 60_000;

/// State of the task, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RoutingState {
    /// Hash of the directory and the rules that cases are routed by.
    #[n(0)]
    ground: Hash,
    /// The last case that was looked at.
    #[n(1)]
    after: Option<RecordId>,
    /// Cases that were looked at.
    #[n(2)]
    pub done: u64,
    /// Open cases at the beginning.
    #[n(3)]
    pub all: u64,
    /// Cases that got other streams or moves.
    #[n(4)]
    pub changed: u64,
    /// Cases that failed and are looked at later.
    #[n(5)]
    pub failed: u64,
    /// Server time of the beginning, ms UTC.
    #[n(6)]
    pub begun_ms: i64,
    /// Server time of the end, ms UTC; `None` while cases remain.
    #[n(7)]
    pub ended_ms: Option<i64>,
}

impl RoutingState {
    fn begin(ground: Hash, all: u64, now_ms: i64) -> Self {
        Self {
            ground,
            after: None,
            done: 0,
            all,
            changed: 0,
            failed: 0,
            begun_ms: now_ms,
            ended_ms: None,
        }
    }

    /// Open cases that remain, by the count of the beginning.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        match self.ended_ms {
            Some(_) => 0,
            None => self.all.saturating_sub(self.done).max(1),
        }
    }
}

/// The last ground that was seen, so that a look without a change costs one read.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Option<SeenGround>>);

#[derive(Debug, Clone, Copy)]
struct SeenGround {
    policy: u64,
    rules: Hash,
    at_ms: i64,
    hash: Hash,
}

impl Seen {
    /// Returns the hash of the directory and the rules as they are now.
    fn ground(&self, intake: &Intake, tx: &dyn Reader, now_ms: i64) -> StoreResult<Hash> {
        let (view, rules) = (intake.shared.views.at(tx)?, intake.rules());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |seen: &SeenGround| {
            seen.policy == view.policy
                && seen.rules == rules.source()
                && (0..LOOK_AGAIN_MS).contains(&(now_ms - seen.at_ms))
        };
        if let Some(seen) = seen.filter(recent) {
            return Ok(seen.hash);
        }
        let hash = ground(&view.directory, &rules, now_ms);
        *seen = Some(SeenGround {
            policy: view.policy,
            rules: rules.source(),
            at_ms: now_ms,
            hash,
        });
        Ok(hash)
    }
}

/// Hash of everything in the directory and the rules that the way of a case depends on. Boundaries are left
/// out, because only the triage of a new case asks for its grid.
fn ground(directory: &Directory, rules: &Rules, now_ms: i64) -> Hash {
    let mut bytes = Vec::new();
    for area in directory.areas.iter() {
        let is_in_force = area.version_at(now_ms).is_some();
        let heirs = if is_in_force { &[] } else { area.successors() };
        add(&mut bytes, (area.id(), area.parent(), is_in_force, heirs));
    }
    for zone in directory.zones.iter() {
        add(&mut bytes, (zone.id, zone.areas_at(now_ms)));
    }
    for unit in directory.units.values() {
        add(&mut bytes, unit);
    }
    for category in directory.categories.iter() {
        add(&mut bytes, category);
    }
    Hash::of(&[b"onegrid.routing", rules.source().as_bytes(), &bytes])
}

fn add(bytes: &mut Vec<u8>, part: impl Encode<()>) {
    minicbor::encode(part, bytes).expect("writing CBOR to memory does not fail");
}

/// Returns the state of the task; `None` before its first slice.
pub(crate) fn state(tx: &dyn Reader) -> StoreResult<Option<RoutingState>> {
    let bytes = tx.meta(ROUTING)?;
    // A note that cannot be read counts as absent, so the task begins again.
    Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

/// Looks at the next [`ROUTED_PER_SLICE_MAX`] open cases, if the directory or the rules have changed. Returns the
/// number of cases that remain.
pub(crate) fn reroute(intake: &Intake, now_ms: i64) -> Result<u64> {
    reroute_with(intake, now_ms, ROUTED_PER_SLICE_MAX, |id| {
        reroute_one(intake, id, now_ms)
    })
}

/// Looks at the next `count_max` open cases.
pub(super) fn reroute_with(
    intake: &Intake,
    now_ms: i64,
    count_max: usize,
    look: impl Fn(RecordId) -> Result<bool>,
) -> Result<u64> {
    let found = intake.shared.store.read::<_, StoreError>(|tx| {
        let ground = intake.routed.ground(intake, tx, now_ms)?;
        let noted = tx.meta(ROUTING)?;
        let known = state(tx)?.filter(|known| known.ground == ground);
        let state = match known {
            Some(known) if known.ended_ms.is_some() => return Ok(None),
            Some(known) => known,
            None => RoutingState::begin(ground, tx.counts()?.open, now_ms),
        };
        let page = tx.records_open(state.after, count_max)?;
        Ok(Some((noted, state, page)))
    })?;
    let Some((noted, mut state, page)) = found else {
        return Ok(0);
    };
    let mut failures = 0;
    for id in &page {
        // The log has the place of a panic.
        let looked = catch_unwind(AssertUnwindSafe(|| look(*id)));
        match looked.unwrap_or_else(|_| Err(Problem::new("server.internal"))) {
            Ok(changed) => {
                state.changed += u64::from(changed);
                failures = 0;
            }
            Err(problem) => {
                failures += 1;
                // One case after the other fails, so the store fails and not a case.
                if failures >= DUE_FAILURES_MAX {
                    return Err(problem);
                }
                state.failed += 1;
                look_later(intake, *id, &problem, now_ms)?;
            }
        }
        state.done += 1;
        state.after = Some(*id);
    }
    if page.len() < count_max {
        state.ended_ms = Some(now_ms);
        tracing::info!(
            cases = state.done,
            changed = state.changed,
            failed = state.failed,
            "open cases follow the directory and the rules"
        );
    }
    let bytes = minicbor::to_vec(&state).expect("writing CBOR to memory does not fail");
    intake.shared.store.write::<_, StoreError>(move |tx| {
        // Another node has looked at the same cases and may be further.
        if tx.meta(ROUTING)? == noted {
            tx.set_meta(ROUTING, &bytes)?;
        }
        Ok(())
    })?;
    Ok(state.remaining())
}

/// Lets the tick look at a case that failed. A damaged case stays as it is, because `onegrid verify` names it.
fn look_later(intake: &Intake, id: RecordId, problem: &Problem, now_ms: i64) -> Result<()> {
    let code = problem.code();
    tracing::error!(code, record = %id, "a case that failed is routed later");
    if code == "store.damaged" {
        return Ok(());
    }
    let later_ms = now_ms.saturating_add(DUE_RETRY_MS);
    intake.shared.store.write::<_, Problem>(move |tx| {
        let Some(row) = tx.record(id)? else {
            return Ok(());
        };
        let due_ms = Some(row.due_ms.map_or(later_ms, |due_ms| due_ms.min(later_ms)));
        Ok(tx.put_record(&RecordRow { due_ms, ..row })?)
    })
}

/// Makes the moves that the rules ask for, and routes the case. Returns whether anything changed.
fn reroute_one(intake: &Intake, id: RecordId, now_ms: i64) -> Result<bool> {
    for _ in 0..INGEST_ROUNDS_MAX {
        let locked = intake.records.lock([id].into());
        let ground = intake
            .shared
            .store
            .read(|tx| policy::bare_ground(&intake.shared.views, tx))?;
        let (mut record, before) = plan::open_record(intake, id)?;
        let fresh = automatic::moves(intake, &mut record, &ground, now_ms)?;
        let view = plan::project(&intake.rules(), &record, &ground, now_ms);
        let Some(view) = view else {
            // The Genesis does not count, so no stream holds the case.
            return Ok(false);
        };
        let same = |tx: &dyn Reader| is_same(tx, &view);
        if fresh.is_empty() && intake.shared.store.read(same)? {
            intake.records.put(record);
            return Ok(false);
        }
        let plan = Plan {
            fresh,
            view: Some(view),
            ..Plan::of(record, before)
        };
        let committed = commit::commit(intake, vec![plan], &ground, now_ms)?;
        drop(locked);
        if let Some(committed) = committed {
            intake.shared.wakeups.notify(&committed.touched);
            return Ok(true);
        }
    }
    // The ground shifted under every attempt.
    Err(Problem::new("http.busy"))
}

/// Whether the store has this row, these streams and this summary.
fn is_same(tx: &dyn Reader, view: &Projection) -> StoreResult<bool> {
    let Some(row) = tx.record(view.row.id)? else {
        return Ok(false);
    };
    let row = RecordRow {
        changed_ms: view.row.changed_ms,
        ..row
    };
    let streams = tx.record_streams(view.row.id)?;
    let published = match &view.summary {
        Some((stream, summary)) => bulletin::is_published(tx, *stream, summary)?,
        None => true,
    };
    Ok(row == view.row && view.streams.iter().eq(&streams) && published)
}
