//! The phones of a walk that count: they joined by the code of the lead, at the time of the code.
//!
//! The proof alone says little, because everybody who reads the record can copy it. So a phone also needs a step that
//! joins, in the minutes of the code, which the server heard of within days; and a code brings in a number of phones.

use std::collections::{BTreeMap, BTreeSet};

use super::join::{JoinProof, Joining, Validity};
use super::spec::{Seals, WalkSpec, WalkerReason, device_prefix};
use crate::domain::case::{Outcome, RecordState};
use crate::domain::steps::{AuthoredStep, StepSpec};
use crate::id::RecordId;
use crate::limits::{JOIN_DEVICES_MAX, JOIN_HEARD_MS_MAX};

/// The proof of a phone, or the reason why it proves nothing.
pub(super) type Proof = Result<JoinProof, WalkerReason>;

/// The legal steps of one sort that no other step has overtaken, in the order of the fold.
pub(super) fn effective<'a>(
    state: &'a RecordState,
    step: &StepSpec,
) -> impl Iterator<Item = &'a AuthoredStep> {
    let items = state.timeline.iter();
    let items = items.filter(|item| item.outcome == Outcome::Effective);
    let effective: BTreeSet<_> = items.map(|item| item.id).collect();
    let authored = state.steps().map_or(&[][..], |steps| &steps.authored);
    let code = step.code;
    authored
        .iter()
        .filter(move |made| made.code == code && effective.contains(&made.id))
}

/// Reads the proof of a log entry. The phone claims the time of the scan itself.
pub(super) fn proof_of(entry: &str, record: RecordId, seals: &dyn Seals) -> Proof {
    let joining = Joining::of_text(entry).ok_or(WalkerReason::NotOfLead)?;
    if !seals.is_of_lead(record, &joining.proof) {
        return Err(WalkerReason::NotOfLead);
    }
    match joining.proof.validity(joining.at_ms) {
        Validity::Valid => Ok(joining.proof),
        Validity::Expired | Validity::Early => Err(WalkerReason::CodeExpired),
    }
}

/// The standing of each phone that keeps a proof: `None` where it counts.
pub(super) fn standings(
    state: &RecordState,
    spec: &WalkSpec,
    proofs: &BTreeMap<[u8; 8], Proof>,
) -> BTreeMap<[u8; 8], Option<WalkerReason>> {
    // A phone joins once.
    let joins: BTreeMap<[u8; 8], &AuthoredStep> = effective(state, spec.join)
        .map(|step| (device_prefix(step.device), step))
        .collect();
    let mut standings = BTreeMap::new();
    let mut by_code: BTreeMap<[u8; 64], Vec<Joiner>> = BTreeMap::new();
    for (device, proof) in proofs {
        match judged(*proof, joins.get(device).copied()) {
            Ok(joiner) => by_code
                .entry(joiner.0)
                .or_default()
                .push((joiner.1, *device)),
            Err(why) => {
                standings.insert(*device, Some(why));
            }
        }
    }
    for mut joiners in by_code.into_values() {
        // An author can choose an early time, and not an early verdict.
        joiners.sort_unstable();
        for (place, (_, device)) in joiners.into_iter().enumerate() {
            let crowded = (place >= JOIN_DEVICES_MAX).then_some(WalkerReason::CodeCrowded);
            standings.insert(device, crowded);
        }
    }
    standings
}

/// The time of the verdict, or the largest one, with the device.
type Joiner = (i64, [u8; 8]);

/// The signature of the code, and when the server heard of the joining.
fn judged(proof: Proof, step: Option<&AuthoredStep>) -> Result<([u8; 64], i64), WalkerReason> {
    let proof = proof?;
    let step = step.ok_or(WalkerReason::NotJoined)?;
    if proof.validity(step.at_ms) != Validity::Valid {
        return Err(WalkerReason::CodeExpired);
    }
    let heard_ms = step.verdict_at_ms.unwrap_or(i64::MAX);
    let late_ms = step
        .verdict_at_ms
        .map_or(0, |heard| heard.saturating_sub(step.at_ms));
    if late_ms > JOIN_HEARD_MS_MAX {
        return Err(WalkerReason::JoinedLate);
    }
    Ok((proof.signature, heard_ms))
}
