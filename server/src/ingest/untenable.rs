//! Envelopes that lose their place: the server judges a record anew and makes void the accepted ones
//! that could not be accepted, in its present generation.

use onegrid_core::id::EnvelopeId;
use onegrid_core::record::Record;
use onegrid_core::wire::verdict::{Status, Verdict, VoidReason};

use super::stand_in;

/// A verdict that replaces another one. It is later in any case, because the latest counts and the
/// clock of the server may be behind.
pub(super) fn later(
    known: Option<Verdict>,
    status: Status,
    now_ms: i64,
    generation: u32,
) -> Verdict {
    let (after_ms, known_generation) = known.map_or((i64::MIN, 0), |known| {
        (known.at_ms.saturating_add(1), known.generation)
    });
    Verdict {
        status,
        at_ms: now_ms.max(after_ms),
        generation: generation.max(known_generation),
    }
}

/// Judges the record anew after pasts have met in it, and makes void the accepted envelopes that
/// cannot stay: those beyond the budget of the record, the later one of two that clash, and those
/// that are not legal in their own past. This ends when none is left, because each step leaves
/// fewer accepted envelopes. The author is told. Returns the earlier changes together with the new
/// ones.
pub(super) fn void_what_can_not_stay(
    record: &mut Record,
    changed: Vec<(EnvelopeId, Verdict)>,
    now_ms: i64,
    generation: u32,
) -> Vec<(EnvelopeId, Verdict)> {
    let mut changed = void_beyond_budget(record, changed, now_ms, generation);
    loop {
        let untenable = record.untenable();
        if untenable.is_empty() {
            return changed;
        }
        changed = make_void(record, changed, untenable, now_ms, generation);
    }
}

/// Makes void the accepted envelopes that take the record beyond the budget of its pack.
pub(super) fn void_beyond_budget(
    record: &mut Record,
    changed: Vec<(EnvelopeId, Verdict)>,
    now_ms: i64,
    generation: u32,
) -> Vec<(EnvelopeId, Verdict)> {
    let beyond = record.beyond_budget().into_iter();
    let beyond = beyond.map(|id| (id, VoidReason::Limit)).collect();
    make_void(record, changed, beyond, now_ms, generation)
}

fn make_void(
    record: &mut Record,
    mut changed: Vec<(EnvelopeId, Verdict)>,
    ids: Vec<(EnvelopeId, VoidReason)>,
    now_ms: i64,
    generation: u32,
) -> Vec<(EnvelopeId, Verdict)> {
    if ids.is_empty() {
        return changed;
    }
    let void: Vec<_> = ids
        .into_iter()
        .map(|(id, reason)| {
            let known = record.node(id).and_then(|node| node.verdict);
            let status = Status::Void(reason);
            (id, later(known, status, now_ms, generation))
        })
        .collect();
    record.set_verdicts(void.iter().copied());
    changed.retain(|(id, _)| void.iter().all(|(other, _)| other != id));
    changed.extend(void);
    changed
}

/// Makes void the server's word for each danger that a review has decided. Returns the changes.
pub(super) fn void_answered(
    record: &mut Record,
    now_ms: i64,
    generation: u32,
) -> Vec<(EnvelopeId, Verdict)> {
    let answered: Vec<_> = stand_in::answered(record)
        .into_iter()
        .map(|id| {
            let known = record.node(id).and_then(|node| node.verdict);
            let status = Status::Void(VoidReason::Answered);
            (id, later(known, status, now_ms, generation))
        })
        .collect();
    record.set_verdicts(answered.iter().copied());
    answered
}
