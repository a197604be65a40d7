//! The receipt of an upload: the outbox empties, and what was provisional stands.

use std::collections::{BTreeMap, BTreeSet};

use super::super::engine::load;
use super::super::error::ReplicaError;
use super::super::table::envelope::{self, Origin};
use super::super::table::{attestation, certificate, notice, pack};
use super::intake::Intake;
use crate::id::{EnvelopeId, RecordId};
use crate::record::{Accepted, StoredEnvelope};
use crate::sync::answer::Answer;
use crate::wire::verdict::{RefusedReason, Status, Verdict};

/// What a receipt says about one record.
#[derive(Default)]
struct Lines {
    verdicts: Vec<(EnvelopeId, Verdict, Option<i64>)>,
    /// Something that was only carried is now part of it.
    reload: bool,
}

pub(super) fn apply(intake: &mut Intake<'_, '_>, answer: &Answer) -> Result<(), ReplicaError> {
    let Some(receipt) = answer.receipt() else {
        return Ok(());
    };
    let conn = intake.writing.conn;
    let no = attestation::insert(conn, receipt)?;
    // Record by record, each written and let go: a receipt of a week names thousands.
    let mut by_record: BTreeMap<RecordId, Lines> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut put_off = 0_u32;
    for line in &receipt.envelopes {
        let id = line.hash.envelope_id();
        if line.verdict.status == Status::Refused(RefusedReason::TooMany) {
            // It stays in the outbox as it is, and is sent again another time.
            put_off += 1;
            continue;
        }
        let Some(filed) = envelope::filed(conn, id)? else {
            continue;
        };
        if known.insert(filed.certificate) {
            certificate::set_known_in(conn, filed.certificate, receipt.generation)?;
        }
        let lines = by_record.entry(filed.record).or_default();
        if filed.carried {
            // It has a verdict now, so it belongs to its record.
            envelope::set_verdict(conn, id, &line.verdict, Some(no))?;
            lines.reload = true;
        } else {
            lines.verdicts.push((id, line.verdict, Some(no)));
        }
    }
    if put_off > 0 && !notice::is_unseen(conn, RefusedReason::TooMany.code())? {
        let code = RefusedReason::TooMany.code();
        let at_ms = receipt.time_ms;
        notice::insert(conn, at_ms, code, (None, None), &put_off.to_string())?;
    }
    for (id, lines) in by_record {
        if lines.reload || !accepted(intake, id, &lines.verdicts)? {
            if lines.reload {
                intake.writing.reload(id)?;
            }
            let mut record = intake.writing.take(id)?;
            intake.verdicts(&mut record, lines.verdicts)?;
            intake.writing.settle(&record)?;
        }
    }
    Ok(())
}

/// The usual case: everything of the record is accepted now, and counted before. Its content stays what it
/// was, so the document is not made. `false`, and nothing is written, where it is another case.
fn accepted(
    intake: &mut Intake<'_, '_>,
    id: RecordId,
    lines: &[(EnvelopeId, Verdict, Option<i64>)],
) -> Result<bool, ReplicaError> {
    let conn = intake.writing.conn;
    let usual = lines
        .iter()
        .all(|(_, verdict, _)| verdict.status == Status::Accepted);
    if !usual || intake.writing.is_touched(id) || !pack::of_record(conn, id)?.is_empty() {
        return Ok(false);
    }
    let said: BTreeMap<EnvelopeId, (Verdict, Option<i64>)> = lines
        .iter()
        .map(|(id, verdict, no)| (*id, (*verdict, *no)))
        .collect();
    let mut fresh = Vec::with_capacity(lines.len());
    let mut settled = 0;
    let mut envelopes = Vec::with_capacity(lines.len());
    for stored in envelope::of_record(conn, id)? {
        if stored.carried {
            return Ok(false);
        }
        let said = said.get(&stored.id).filter(|(verdict, _)| {
            let known = stored.verdict;
            known.is_none_or(|known| verdict.is_later_than(&known))
        });
        if let Some((verdict, no)) = said {
            fresh.push((stored.id, *verdict, *no));
            settled += u32::from(stored.origin == Origin::Own && stored.verdict.is_none());
        }
        envelopes.push(StoredEnvelope {
            verified: load::from_store(conn, intake.writing.certificates, stored.raw)?,
            verdict: said.map(|(verdict, _)| *verdict).or(stored.verdict),
        });
    }
    let Some(record) = Accepted::of(id, envelopes) else {
        return Ok(false);
    };
    if !intake.writing.settle_accepted(&record)? {
        return Ok(false);
    }
    for (id, verdict, no) in fresh {
        envelope::set_verdict(conn, id, &verdict, no)?;
    }
    intake.applied.settled += settled;
    Ok(true)
}
