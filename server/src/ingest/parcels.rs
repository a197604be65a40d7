//! Parcels: work of other phones that a courier brings and cannot read.
//!
//! ```text
//!  sealed bytes ─▶ known? ─▶ ceiling of the courier ─▶ opened ─▶ ingested like any upload ─▶ outcome
//! ```
//!
//! The envelopes inside are judged by their own signatures and counted to their own authors, so a
//! courier gives no weight to them and an author gains none. A parcel counts to its courier. Nothing is
//! answered to the author: its phone sends the same envelopes itself later and gets their verdicts.

use std::collections::{BTreeSet, HashMap};

use minicbor::bytes::ByteVec;
use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::limits::PARCEL_AGE_MS_MAX;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::parcel::ParcelOutcome;

use super::ration::day_of;
use super::{Intake, ingest_from};
use crate::error::{Problem, Result};
use crate::limits::{DEVICE_DAY_PARCEL_BYTES_MAX, DEVICE_DAY_PARCELS_MAX};
use crate::store::{ParcelRow, Writer};

/// Takes the parcels that a device brings. Returns the outcomes of the first ones, in their order. A
/// parcel that fails by a fault of this server is left out with those after it, and the courier brings
/// them again; its own sync continues.
pub(crate) fn take_parcels(
    intake: &Intake,
    courier: DeviceId,
    parcels: &[ByteVec],
    now_ms: i64,
) -> Vec<ParcelOutcome> {
    let mut outcomes = Vec::new();
    for parcel in parcels {
        match take_parcel(intake, courier, parcel, now_ms) {
            Ok(outcome) => outcomes.push(outcome),
            Err(problem) => {
                tracing::warn!(code = problem.code(), "a parcel was left for later");
                break;
            }
        }
    }
    outcomes
}

fn take_parcel(
    intake: &Intake,
    courier: DeviceId,
    bytes: &[u8],
    now_ms: i64,
) -> Result<ParcelOutcome> {
    let shared = &*intake.shared;
    let (hash, day) = (Hash::of(&[bytes]), day_of(now_ms));
    let (before, brought) = shared.store.read::<_, Problem>(|tx| {
        Ok((tx.parcel_outcome(hash)?, tx.parcels_brought(day, courier)?))
    })?;
    match before {
        Some(ParcelOutcome::Taken) => return Ok(ParcelOutcome::Known),
        // The parents may have come since.
        Some(ParcelOutcome::MissingParents) | None => {}
        Some(refusal) => return Ok(refusal),
    }
    let size = bytes.len() as u64;
    if brought.parcels >= DEVICE_DAY_PARCELS_MAX
        || brought.bytes.saturating_add(size) > DEVICE_DAY_PARCEL_BYTES_MAX
    {
        return Ok(ParcelOutcome::TooMany);
    }
    let outcome = match shared.keys.open_parcel(bytes, now_ms) {
        Ok(bundle) => ingest_content(intake, courier, bundle, now_ms)?,
        Err(refusal) => refusal,
    };
    let row = ParcelRow {
        hash,
        day,
        courier,
        bytes: size,
        outcome,
    };
    // After the content, so that a crash in between only means that it is looked at again.
    shared
        .store
        .write::<_, Problem>(move |tx| Ok(tx.put_parcel(&row)?))?;
    Ok(outcome)
}

/// Ingests the content. Envelopes that only a newer server can read stay out, because their signatures
/// cannot be verified yet; their author brings them.
fn ingest_content(
    intake: &Intake,
    courier: DeviceId,
    mut bundle: Bundle,
    now_ms: i64,
) -> Result<ParcelOutcome> {
    bundle.envelopes.retain(|raw| !raw.is_newer());
    let device = bringer(&bundle, courier);
    let ingested = ingest_from(intake, device, bundle, &HashMap::new(), now_ms)?;
    if !ingested.damaged.is_empty() {
        tracing::warn!(
            code = "store.damaged",
            "a parcel is about records that cannot be read"
        );
    }
    if ingested.missing.is_empty() {
        Ok(ParcelOutcome::Taken)
    } else {
        Ok(ParcelOutcome::MissingParents)
    }
}

/// The device to which the waiting envelopes of a parcel count: the only author, else the courier. Of
/// a parcel only verified envelopes wait, so no other device can be charged.
fn bringer(bundle: &Bundle, courier: DeviceId) -> DeviceId {
    let parsed = bundle.envelopes.iter().cloned().map(Envelope::parse);
    let authors: BTreeSet<DeviceId> = parsed
        .filter_map(|parsed| Some(parsed.ok()?.header().author))
        .collect();
    match authors.first() {
        Some(author) if authors.len() == 1 => *author,
        _ => courier,
    }
}

/// Forgets the parcels of old days. A later copy is ingested once more, which changes nothing.
pub(crate) fn sweep_parcels(tx: &mut dyn Writer, now_ms: i64) -> Result<usize> {
    // Twice the age at which couriers drop a parcel, because clocks differ.
    let before_day = day_of(now_ms.saturating_sub(2 * PARCEL_AGE_MS_MAX));
    Ok(tx.sweep_parcels(before_day)?)
}
