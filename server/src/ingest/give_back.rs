//! Data that phones give back to a server that has lost them: revocations first, then signed
//! verdicts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::record::Node;
use onegrid_core::wire::message::GiveBack;
use onegrid_core::wire::signed_entry::SignedEntry;
use onegrid_core::wire::verdict::Verdict;

use super::plan::{self, Plan};
use super::untenable::void_what_can_not_stay;
use super::{Intake, commit, policy, review};
use crate::directory;
use crate::error::{Problem, Result};
use crate::limits::INGEST_ROUNDS_MAX;
use crate::registry::audit;
use crate::shared::Shared;
use crate::store::DeviceRow;

/// Restores decisions that this deployment signed. An envelope that the store still holds is
/// decided again as before. For an envelope that is settled here and was decided anew after the
/// backup, the latest verdict counts.
pub(crate) fn release_given_back(
    intake: &Intake,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<()> {
    let signed = attested
        .iter()
        .map(|(hash, verdict)| (hash.envelope_id(), Some(*hash), *verdict));
    release(intake, signed, now_ms)
}

/// Restores verdicts that this deployment signed on envelopes with these ids, or with these
/// hashes.
pub(super) fn release(
    intake: &Intake,
    signed: impl IntoIterator<Item = (EnvelopeId, Option<Hash>, Verdict)>,
    now_ms: i64,
) -> Result<()> {
    let (mut out, changed) = intake.shared.store.read::<_, Problem>(|tx| {
        let mut out = Vec::new();
        let mut changed: BTreeMap<RecordId, Vec<(EnvelopeId, Verdict)>> = BTreeMap::new();
        for (id, hash, verdict) in signed {
            let Some((known_hash, known)) = tx.verdict(id)? else {
                continue;
            };
            if known_hash
                .zip(hash)
                .is_some_and(|(known, hash)| known != hash)
            {
                continue;
            }
            if !known.status.is_settled() {
                out.push((verdict.at_ms, id, verdict));
            } else if verdict.is_later_than(&known)
                && let Some(record) = tx.record_of(id)?
            {
                changed.entry(record).or_default().push((id, verdict));
            }
        }
        Ok((out, changed))
    })?;
    out.sort_unstable_by_key(|(at_ms, id, _)| (*at_ms, *id));
    // Parents are decided before their children, so some have to be tried again.
    loop {
        let mut left = Vec::new();
        let count = out.len();
        for (at_ms, id, verdict) in out {
            // It was accepted before it was held or refused, and a delivered envelope stays.
            match review::decide_as_given(intake, id, verdict, now_ms) {
                Ok(()) => {}
                // Either the decision on its parent released it too, or its parent waits, or
                // its record cannot be read and it has to wait.
                Err(problem)
                    if matches!(problem.code(), "review.not_waiting" | "store.damaged") =>
                {
                    left.push((at_ms, id, verdict));
                }
                Err(problem) => return Err(problem),
            }
        }
        if left.is_empty() || left.len() == count {
            break;
        }
        out = left;
    }
    for (record, verdicts) in changed {
        restate(intake, record, &verdicts, now_ms)?;
    }
    Ok(())
}

/// Replaces stored verdicts by later ones and sends them to every reader.
fn restate(
    intake: &Intake,
    id: RecordId,
    verdicts: &[(EnvelopeId, Verdict)],
    now_ms: i64,
) -> Result<()> {
    for _ in 0..INGEST_ROUNDS_MAX {
        let locked = intake.records.lock(BTreeSet::from([id]));
        let ground = intake
            .shared
            .store
            .read(|tx| policy::bare_ground(&intake.shared.views, tx))?;
        let (mut record, before) = match plan::open_record(intake, id) {
            Err(error) if error.is_local() => return Ok(()),
            opened => opened?,
        };
        let later = |(id, verdict): &&(EnvelopeId, Verdict)| {
            // An envelope that a pack left out as void is accepted when its content arrives.
            let lacks_content = |node: &&Node| node.is_stub() && verdict.status.is_accepted();
            let node = record.node(*id).filter(|node| !lacks_content(node));
            let known = node.and_then(|node| node.verdict);
            known.is_some_and(|known| verdict.is_later_than(&known))
        };
        let changed: Vec<_> = verdicts.iter().filter(later).copied().collect();
        if changed.is_empty() {
            intake.records.put(record);
            return Ok(());
        }
        record.set_verdicts(changed.iter().copied());
        let generation = ground.mark.generation;
        let changed = void_what_can_not_stay(&mut record, changed, now_ms, generation);
        let view = plan::project(&intake.rules(), &record, &ground, now_ms);
        let plan = Plan {
            changed,
            view,
            ..Plan::of(record, before)
        };
        let committed = commit::commit(intake, vec![plan], &ground, now_ms)?;
        drop(locked);
        if let Some(committed) = committed {
            intake.shared.wakeups.notify(&committed.touched);
            return Ok(());
        }
    }
    Err(Problem::new("http.busy"))
}

/// Takes back the entries that verify under the keys of this deployment and leaves out the
/// others. Returns the verdicts under which envelopes of the same request are stored again.
pub(crate) fn take_back(
    shared: &Shared,
    given: &GiveBack,
    now_ms: i64,
) -> Result<HashMap<Hash, Verdict>> {
    let anchors = shared.keys.anchors();
    let mut revocations = Vec::new();
    for bytes in &given.directory {
        let entry = SignedEntry::from_bytes(bytes).and_then(|signed| signed.verify(anchors));
        if let Ok(DirectoryEntry::Revocation(revocation)) = entry {
            revocations.push(revocation);
        }
    }
    if !revocations.is_empty() {
        let keys = Arc::clone(&shared.keys);
        shared.store.write::<_, Problem>(move |tx| {
            for revocation in &revocations {
                if let Some(row) = tx.device(revocation.device)?
                    && row.revoked_ms.is_none()
                {
                    let revoked_ms = Some(revocation.revoked_at_ms);
                    tx.put_device(&DeviceRow { revoked_ms, ..row })?;
                    tx.end_sessions(revocation.device)?;
                }
                let entry = DirectoryEntry::Revocation(*revocation);
                if directory::publish(tx, &keys, &[entry])? > 0 {
                    let device = revocation.device.to_string();
                    audit::note(
                        tx,
                        now_ms,
                        "server",
                        "device.revocation_given_back",
                        &device,
                    )?;
                }
            }
            Ok(())
        })?;
    }
    let mut verdicts: HashMap<Hash, Verdict> = HashMap::new();
    let generation = shared.generation()?;
    for attestation in &given.attestations {
        // A server never signs in a generation that it has not reached, so another person has
        // its key.
        if attestation.verify(anchors).is_err() || attestation.generation > generation {
            continue;
        }
        for line in &attestation.envelopes {
            if !line.verdict.status.is_settled() {
                continue;
            }
            verdicts
                .entry(line.hash)
                .and_modify(|known| {
                    if line.verdict.is_later_than(known) {
                        *known = line.verdict;
                    }
                })
                .or_insert(line.verdict);
        }
    }
    Ok(verdicts)
}
