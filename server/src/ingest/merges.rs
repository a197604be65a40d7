//! Mergers that do not hold. A record sees only itself, so two cases that were merged into each
//! other, or one that was merged into an absent, dismissed or ended case, would end unnoticed. The
//! server sees both records, so it undoes the merge, and everybody concerned sees a conflict.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::domain::case::payload::{MergeFault, MergeUndone};
use onegrid_core::domain::case::{Event, Move as CaseMove, Outcome, RecordState, Stage};
use onegrid_core::id::RecordId;
use onegrid_core::record::Record;

use super::automatic::{Move, own_moves};
use super::records::Before;
use crate::limits::MERGED_PER_LOOK_MAX;
use crate::store::{Reader, StoreResult};

/// Records that are looked at together.
pub(super) type Opened = BTreeMap<RecordId, (Record, Before)>;

/// Whether the mergers of a record in this state must be checked: its own, or mergers of others
/// into it.
pub(super) fn ask_for_a_look(state: &RecordState) -> bool {
    matches!(state.stage(), Stage::Merged | Stage::Dismissed)
}

/// A record, the one that it was merged into, and those that were merged into it; and whether these are all.
pub(super) fn linked(tx: &dyn Reader, id: RecordId) -> StoreResult<(BTreeSet<RecordId>, bool)> {
    let row = tx.record(id)?;
    let stage = row.as_ref().and_then(|row| Stage::from_code(row.state));
    let mut linked = BTreeSet::from([id]);
    if !matches!(stage, Some(Stage::Merged | Stage::Dismissed)) {
        return Ok((linked, true));
    }
    let others = tx.records_merged_into(id, MERGED_PER_LOOK_MAX)?;
    let all = others.len() < MERGED_PER_LOOK_MAX;
    linked.extend(others);
    linked.extend(row.and_then(|row| row.merged_into));
    Ok((linked, all))
}

/// The time when the server accepted the verification of a case, or its handing to the police, ms
/// UTC; `None` where the case is still open. A resolved case waits for a person. This person
/// sees the reports that were merged into it.
fn ended_at_ms(record: &Record, state: &RecordState) -> Option<i64> {
    let over = matches!(
        state.stage(),
        Stage::Verified | Stage::Closed | Stage::FollowedUp | Stage::HandedToPolice
    );
    let mut items = state.timeline.iter().rev().filter(|_| over);
    let ended = items.find(|item| {
        let ends = [CaseMove::VerifyPass, CaseMove::HandToPolice].map(Some);
        item.outcome == Outcome::Effective && ends.contains(&item.movement)
    })?;
    Some(record.node(ended.id)?.verdict?.at_ms)
}

/// The move that undoes the merger of a record, where it does not hold.
pub(super) fn undoing(opened: &Opened, id: RecordId, generation: u32) -> Option<Move> {
    let (record, _) = opened.get(&id)?;
    let case = record.state()?.case()?;
    let (merge, into) = (case.merge?.id, case.merged_into?);
    let spoken = own_moves(record)
        .any(|(_, event)| matches!(event, Event::MergeUndone(undone) if undone.merge == merge));
    if spoken {
        return None;
    }
    let verdict = record.node(merge)?.verdict?;
    // A record that is not opened may still exist, so only a look at both records decides.
    let (other, _) = opened.get(&into)?;
    let fault = match other.state() {
        // Phones bring back the records that a restored server lacks.
        None if verdict.generation < generation => return None,
        None => MergeFault::Absent,
        Some(theirs) if theirs.case().is_none() && theirs.facts.kind.is_known() => {
            MergeFault::NoCase
        }
        Some(theirs) if theirs.stage() == Stage::Dismissed => MergeFault::Dismissed,
        Some(theirs) if ended_at_ms(other, theirs).is_some_and(|ms| ms <= verdict.at_ms) => {
            MergeFault::Ended
        }
        Some(theirs) if theirs.merged_into() == Some(id) => MergeFault::Mutual,
        Some(theirs) => {
            // A case that was later merged into a third one still takes care of earlier mergers
            // into it.
            let further = other.node(theirs.case()?.merge?.id)?.verdict?;
            if further.at_ms > verdict.at_ms {
                return None;
            }
            MergeFault::Merged
        }
    };
    Some(Move {
        rule: "merge_undone".to_owned(),
        cause: merge,
        parents: vec![merge],
        clock_ms: verdict.at_ms,
        event: Event::MergeUndone(MergeUndone { merge, fault }),
    })
}
