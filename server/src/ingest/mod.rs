//! The way of an envelope from bytes to a verdict with positions.
//!
//! ```text
//!  bundle ─▶ parse, dedupe ─▶ signatures (many threads) ─▶ records locked
//!         ─▶ Record::admit ─▶ policy ─▶ automatic moves ─▶ one transaction ─▶ receipt
//! ```
//!
//! Everything up to the transaction is prepared without holding the writer. The transaction checks
//! that the grounds of the decision (policy, the record's digest, a replaced verdict) are
//! unchanged. Otherwise all of it is done again. So accepting and revoking exclude each other.

mod automatic;
mod bulletin;
mod bundle;
mod commit;
mod described;
mod give_back;
mod given_packs;
pub(crate) mod listed;
mod merges;
mod parcels;
mod placed;
mod plan;
mod policy;
pub mod ration;
pub mod records;
mod reroute;
mod review;
mod room;
mod stand_in;
mod tick;
mod unread;
mod untenable;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use onegrid_core::domain::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::wire::envelope::VerifiedEnvelope;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::verdict::{
    AttestedEnvelope, RefusedReason, Status, StreamPosition, Verdict,
};

use crate::error::{Problem, Result};
use crate::limits::INGEST_ROUNDS_MAX;
use crate::rules::Rules;
use crate::shared::Shared;
use bundle::CheckedBundle;
pub(crate) use give_back::{release_given_back, take_back};
pub(crate) use given_packs::{TakenPacks, take_packs};
pub use listed::{ListRow, Listed, RowResult};
pub(crate) use parcels::{sweep_parcels, take_parcels};
pub(crate) use plan::row_of;
use plan::{Plan, PlanResult};
use ration::Ceilings;
use records::Records;
pub use reroute::RoutingState;
use reroute::Seen;
pub(crate) use reroute::{reroute, state as routing_state};
pub use review::Waiting;
pub(crate) use review::{decide, waiting};
use tick::PutOff;
pub(crate) use tick::tick;
pub(crate) use unread::release_newer;

/// The state of ingest, beside the state of the node.
pub(crate) struct Intake {
    pub(crate) shared: Arc<Shared>,
    /// Records in memory, and the locks under which they are judged.
    pub(crate) records: Records,
    /// The rules of automatic moves.
    rules: RwLock<Arc<Rules>>,
    /// The amounts that are taken.
    pub(crate) ceilings: Ceilings,
    /// Cases whose work has failed.
    put_off: PutOff,
    /// The directory and the rules that open cases were routed by.
    routed: Seen,
}

impl Intake {
    pub(crate) fn new(shared: Arc<Shared>, rules: Rules) -> Self {
        Self {
            shared,
            records: Records::default(),
            rules: RwLock::new(Arc::new(rules)),
            ceilings: Ceilings::default(),
            put_off: PutOff::default(),
            routed: Seen::default(),
        }
    }

    /// The rules as they are now.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&rules)
    }

    /// Replaces the rules. Open cases follow with the next slices of [`reroute`].
    pub(crate) fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}

/// The devices that are charged with the envelopes of a bundle that have to wait unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bringer {
    /// The device that brings them.
    Device(DeviceId),
    /// The author of each. All of them are verified.
    Authors,
}

/// The result of a bundle.
#[derive(Debug, Default)]
pub struct IngestResult {
    /// One line for each envelope of the bundle, in its order; empty when something is missing.
    pub lines: Vec<AttestedEnvelope>,
    /// Parents that are neither stored nor in the bundle. Then nothing was stored.
    pub missing: Vec<EnvelopeId>,
    /// Streams with something new.
    pub touched: BTreeSet<StreamId>,
    /// Records that the store cannot read. Envelopes about them are put off.
    pub damaged: BTreeSet<RecordId>,
}

/// Ingests a bundle. `attested` are verdicts that this deployment signed before, by hash. Their
/// envelopes are not judged again.
pub(crate) fn ingest(
    intake: &Intake,
    bundle: Bundle,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<IngestResult> {
    let server = intake.shared.keys.receipts().public().device();
    ingest_from(intake, Bringer::Device(server), bundle, attested, now_ms)
}

/// Ingests a bundle that a device brings. The unreadable envelopes of each device are bounded.
pub(crate) fn ingest_from(
    intake: &Intake,
    bringer: Bringer,
    bundle: Bundle,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<IngestResult> {
    if bundle.envelopes.is_empty() {
        return Ok(IngestResult::default());
    }
    let mut checked = bundle::check(&intake.shared, bundle)?;
    ration::ration(intake, &mut checked, attested, now_ms)?;
    for _ in 0..INGEST_ROUNDS_MAX {
        if let Some(ingested) = try_ingest(intake, &checked, bringer, attested, now_ms)? {
            let missing = &ingested.missing;
            if !missing.is_empty()
                && unread::wait_for_unread(&intake.shared.store, &mut checked, missing)?
            {
                continue;
            }
            intake.shared.wakeups.notify(&ingested.touched);
            return Ok(ingested);
        }
    }
    // The ground shifted under every attempt, so the phone sends the bundle again.
    Err(Problem::new("http.busy"))
}

fn try_ingest(
    intake: &Intake,
    checked: &CheckedBundle,
    bringer: Bringer,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<Option<IngestResult>> {
    let by_record = group(&checked.verified);
    let locked = intake.records.lock(by_record.keys().copied().collect());
    let ground = policy::ground(&intake.shared, checked, attested)?;
    let fresh = without_known(by_record, &ground.known);
    let (plans, put_off) =
        PlanResult::split(plan::judge(intake, fresh, &ground, attested, now_ms)?);
    let refused = &checked.refused;
    let (plans, missing) = match close(plans, refused) {
        Ok(plans) => (plans, Vec::new()),
        Err(missing) => (Vec::new(), missing),
    };
    if !missing.is_empty() {
        return Ok(Some(IngestResult {
            missing,
            ..IngestResult::default()
        }));
    }
    let generation = ground.mark.generation;
    let full: Vec<EnvelopeId> = plans.iter().flat_map(|plan| plan.full.clone()).collect();
    let (released, written) = (checked.released(), ration::fresh(&plans));
    let committed = commit::commit_with(intake, plans, &ground, now_ms, move |tx, touched| {
        for (device, more) in &written {
            tx.add_written(ration::day_of(now_ms), *device, *more)?;
        }
        for (copy, member) in &released {
            tx.drop_unread(copy)?;
            if let Some(member) = member {
                touched.insert(unread::tell(tx, *member, copy.hash().envelope_id())?);
            }
        }
        Ok(())
    })?;
    let Some(mut committed) = committed else {
        return Ok(None);
    };
    drop(locked);
    let damaged: Vec<EnvelopeId> = put_off.iter().flat_map(|(_, ids)| ids.clone()).collect();
    for (ids, reason) in [
        (damaged, RefusedReason::RecordDamaged),
        (full, RefusedReason::RecordFull),
    ] {
        let verdict = Verdict {
            status: Status::Refused(reason),
            at_ms: now_ms,
            generation,
        };
        let refused = ids.into_iter().map(|id| (id, verdict));
        committed.verdicts.extend(refused);
    }
    if !checked.unread.is_empty() {
        let kept = unread::keep_unread(&intake.shared.store, checked, &ground, bringer, now_ms)?;
        committed.verdicts.extend(kept);
    }
    let lines = checked.lines(&ground.known, &committed, generation, now_ms);
    Ok(Some(IngestResult {
        lines,
        missing: Vec::new(),
        touched: committed.touched,
        damaged: put_off.into_iter().map(|(record, _)| record).collect(),
    }))
}

/// Envelopes of one record that are to be admitted.
pub(crate) type Group = Vec<VerifiedEnvelope>;

fn group(verified: &[VerifiedEnvelope]) -> BTreeMap<RecordId, Group> {
    let mut groups: BTreeMap<RecordId, Group> = BTreeMap::new();
    for envelope in verified {
        groups
            .entry(envelope.envelope().record())
            .or_default()
            .push(envelope.clone());
    }
    groups
}

fn without_known(
    groups: BTreeMap<RecordId, Group>,
    known: &HashMap<EnvelopeId, Verdict>,
) -> Vec<(RecordId, Group)> {
    groups
        .into_iter()
        .filter_map(|(record, mut group)| {
            group.retain(|envelope| !known.contains_key(&envelope.envelope().id()));
            (!group.is_empty()).then_some((record, group))
        })
        .collect()
}

/// Returns the plans when no parent is missing, else the missing parents. A parent that was refused
/// in the same bundle does not count as missing, because its descendants are refused with it.
fn close(
    plans: Vec<Plan>,
    refused: &HashMap<EnvelopeId, onegrid_core::wire::verdict::RefusedReason>,
) -> std::result::Result<Vec<Plan>, Vec<EnvelopeId>> {
    let mut absent: BTreeSet<EnvelopeId> = BTreeSet::new();
    for plan in &plans {
        absent.extend(plan.missing.iter().filter(|id| !refused.contains_key(id)));
    }
    if absent.is_empty() {
        Ok(plans)
    } else {
        Err(absent.into_iter().collect())
    }
}

/// Positions by envelope.
pub(crate) type Positions = HashMap<EnvelopeId, Vec<StreamPosition>>;
