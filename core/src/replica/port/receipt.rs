//! The receipt of an upload: it empties the outbox and makes provisional work definite.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::load;
use super::super::table::envelope::{self, Origin};
use super::super::table::{attestation, certificate, notice, pack};
use super::intake::Intake;
use crate::id::{EnvelopeId, Hash, RecordId};
use crate::record::{Accepted, StoredEnvelope};
use crate::wire::verdict::{Attestation, Status, Verdict};

/// The lines of a receipt about one record.
#[derive(Default)]
pub(super) struct Lines {
    verdicts: Vec<(EnvelopeId, Verdict, Option<i64>)>,
    /// Envelopes that were only carried. With a verdict they belong to their record.
    carried: Vec<(EnvelopeId, Verdict, Option<i64>)>,
    /// Certificates that the server has, each with its first known generation.
    certificates: BTreeSet<Hash>,
    generation: u32,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.verdicts.len() + self.carried.len()
    }
}

/// Keeps the receipt, and divides it by record, because a receipt of a week names thousands.
pub(super) fn by_record(
    conn: &Connection,
    receipt: &Attestation,
) -> Result<BTreeMap<RecordId, Lines>, ReplicaError> {
    let no = attestation::insert(conn, receipt)?;
    let mut by_record: BTreeMap<RecordId, Lines> = BTreeMap::new();
    let mut put_off: BTreeMap<&'static str, u32> = BTreeMap::new();
    for line in &receipt.envelopes {
        let id = line.hash.envelope_id();
        if let Status::Refused(reason) = line.verdict.status
            && reason.is_put_off()
        {
            // It stays in the outbox unchanged, and is sent again later.
            *put_off.entry(reason.code()).or_default() += 1;
            continue;
        }
        let Some(filed) = envelope::filed(conn, id)? else {
            continue;
        };
        let lines = by_record.entry(filed.record).or_default();
        lines.generation = receipt.generation;
        lines.certificates.insert(filed.certificate);
        let kind = if filed.carried {
            &mut lines.carried
        } else {
            &mut lines.verdicts
        };
        kind.push((id, line.verdict, Some(no)));
    }
    for (code, count) in put_off {
        if !notice::is_unseen(conn, code)? {
            let at_ms = receipt.time_ms;
            notice::insert(conn, at_ms, code, (None, None), &count.to_string())?;
        }
    }
    Ok(by_record)
}

/// Applies a receipt to one record.
pub(super) fn apply(
    intake: &mut Intake<'_, '_>,
    id: RecordId,
    lines: &Lines,
) -> Result<(), ReplicaError> {
    let conn = intake.writing.conn;
    for hash in &lines.certificates {
        certificate::set_known_in(conn, *hash, lines.generation)?;
    }
    for (id, verdict, no) in &lines.carried {
        envelope::set_verdict(conn, *id, verdict, *no)?;
    }
    if lines.carried.is_empty() && accepted(intake, id, &lines.verdicts)? {
        return Ok(());
    }
    if !lines.carried.is_empty() {
        intake.writing.reload(id)?;
    }
    let mut record = intake.writing.take(id)?;
    intake.verdicts(&mut record, lines.verdicts.iter().copied())?;
    intake.writing.settle(&record)
}

/// Handles the usual case: the whole record is accepted now, and counted before. Its content stays the
/// same, so the document is not made. Returns `false` and writes nothing in any other case.
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
    let Some(record) = Accepted::of(id, &envelopes) else {
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
