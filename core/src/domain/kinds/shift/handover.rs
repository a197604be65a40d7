//! The handover of a shift, and the work that is open then.

use super::{HAND_OVER, TAKE_OVER};
use crate::domain::AreaPath;
use crate::domain::case::RecordState;
use crate::id::{EnvelopeId, MemberId, RecordId};

/// A handover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The step of the outgoing person. Its words list the open work.
    pub step: EnvelopeId,
    /// The outgoing person; `None` when the name is withheld from this replica.
    pub from: Option<MemberId>,
    /// Effective time of the step, ms UTC.
    pub at_ms: i64,
    /// The person who took over, with the effective time, ms UTC; `None` before that.
    pub taken: Option<(Option<MemberId>, i64)>,
}

/// The handover in force; `None` before the outgoing person has handed over.
#[must_use]
pub fn handover(state: &RecordState) -> Option<Handover> {
    let entries = &state.steps()?.entries;
    let newest = |code: u8| {
        let mut newest_first = entries.iter().rev();
        newest_first.find(|entry| entry.step.code == code)
    };
    let given = newest(HAND_OVER.code)?;
    Some(Handover {
        step: given.id,
        from: given.by,
        at_ms: given.at_ms,
        taken: newest(TAKE_OVER.code).map(|taken| (taken.by, taken.at_ms)),
    })
}

/// Open work that a shift hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWork {
    /// The record.
    pub record: RecordId,
    /// The next deadline, ms UTC.
    pub due_ms: Option<i64>,
    /// The deadline has passed.
    pub is_overdue: bool,
}

/// The open records of an area, the most urgent first: by deadline, those without one last, then by id. A shift is
/// no work, so it hands over no shift.
pub fn open_work<'a>(
    records: impl IntoIterator<Item = (RecordId, &'a RecordState)>,
    area: &AreaPath,
    now_ms: i64,
) -> Vec<OpenWork> {
    let concerned = |state: &RecordState| state.areas().any(|place| place.is_within(area));
    let open = records.into_iter().filter(|(_, state)| {
        state.is_open() && state.facts.kind != super::KIND && concerned(state)
    });
    let mut found: Vec<OpenWork> = open
        .map(|(record, state)| {
            let due_ms = state.next_due_ms();
            OpenWork {
                record,
                due_ms,
                is_overdue: due_ms.is_some_and(|due_ms| due_ms <= now_ms),
            }
        })
        .collect();
    found.sort_by_key(|one| (one.due_ms.unwrap_or(i64::MAX), one.record));
    found
}
