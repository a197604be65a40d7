//! Parcels: work of other phones that a courier brings and cannot read.
//!
//! ```text
//!  sealed bytes ─▶ known? ─▶ ceiling of the courier ─▶ opened ─▶ ingested like any upload ─▶ outcome
//! ```
//!
//! The envelopes inside are judged by their own signatures and counted to their own authors, so a
//! courier gives no weight to them and an author gains none. A parcel counts to its courier. Nothing is
//! answered to the author: its phone sends the same envelopes itself later and gets their verdicts.

use std::collections::HashMap;

use minicbor::bytes::ByteVec;
use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::limits::{PARCEL_AGE_MS_MAX, PARCEL_ENVELOPES_MAX};
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::parcel::ParcelOutcome;
use onegrid_core::wire::verdict::{RefusedReason, Status};

use super::ration::day_of;
use super::{Bringer, Intake, ingest_from};
use crate::error::{Problem, Result};
use crate::limits::{DEVICE_DAY_PARCEL_BYTES_MAX, DEVICE_DAY_PARCELS_MAX};
use crate::store::{ParcelAmount, ParcelRow, Writer};

/// Takes the parcels that a device brings. Returns their outcomes, in their order. A parcel that fails by a
/// fault of this server holds up no other one, and the courier brings it again; its own sync continues.
pub(crate) fn take_parcels(
    intake: &Intake,
    courier: DeviceId,
    parcels: &[ByteVec],
    now_ms: i64,
) -> Vec<ParcelOutcome> {
    let mut seen: HashMap<Hash, ParcelOutcome> = HashMap::new();
    let mut outcomes = Vec::with_capacity(parcels.len());
    for parcel in parcels {
        let hash = Hash::of(&[parcel]);
        let outcome = match seen.get(&hash) {
            // Equal bytes are looked at once in a request.
            Some(ParcelOutcome::Taken) => ParcelOutcome::Known,
            Some(outcome) => *outcome,
            None => {
                take_parcel(intake, courier, (hash, parcel), now_ms).unwrap_or_else(|problem| {
                    tracing::warn!(code = problem.code(), "a parcel was left for later");
                    ParcelOutcome::Later
                })
            }
        };
        seen.insert(hash, outcome);
        outcomes.push(outcome);
    }
    outcomes
}

fn take_parcel(
    intake: &Intake,
    courier: DeviceId,
    (hash, bytes): (Hash, &[u8]),
    now_ms: i64,
) -> Result<ParcelOutcome> {
    let shared = &*intake.shared;
    let day = day_of(now_ms);
    let (before, brought) = shared.store.read::<_, Problem>(|tx| {
        Ok((tx.parcel_outcome(hash)?, tx.parcels_brought(day, courier)?))
    })?;
    match before {
        Some(ParcelOutcome::Taken) => return Ok(ParcelOutcome::Known),
        Some(outcome) if outcome.is_final() => return Ok(outcome),
        _ => {}
    }
    let size = bytes.len() as u64;
    if brought.parcels >= DEVICE_DAY_PARCELS_MAX
        || brought.bytes.saturating_add(size) > DEVICE_DAY_PARCEL_BYTES_MAX
    {
        return Ok(ParcelOutcome::TooMany);
    }
    let more = ParcelAmount {
        parcels: 1,
        bytes: size,
    };
    // Before the content, so that each look counts, whatever comes of it.
    shared
        .store
        .write::<_, Problem>(move |tx| Ok(tx.add_parcels_brought(day, courier, more)?))?;
    let outcome = match shared.keys.open_parcel(bytes, now_ms) {
        Ok(bundle) if bundle.envelopes.len() > PARCEL_ENVELOPES_MAX => ParcelOutcome::TooLarge,
        Ok(bundle) => ingest_content(intake, bundle, now_ms)?,
        Err(refusal) => refusal,
    };
    if !outcome.is_final() {
        return Ok(outcome);
    }
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
/// cannot be verified yet; their author brings them. So all of those that wait are verified, and each waits for
/// its own author.
fn ingest_content(intake: &Intake, mut bundle: Bundle, now_ms: i64) -> Result<ParcelOutcome> {
    bundle.envelopes.retain(|raw| !raw.is_newer());
    let ingested = ingest_from(intake, Bringer::Authors, bundle, &HashMap::new(), now_ms)?;
    if !ingested.damaged.is_empty() {
        tracing::warn!(
            code = "store.damaged",
            "a parcel is about records that cannot be read"
        );
    }
    let mut lines = ingested.lines.iter();
    Ok(if !ingested.missing.is_empty() {
        ParcelOutcome::MissingParents
    } else if lines.any(|line| is_put_off(line.verdict.status)) {
        ParcelOutcome::Later
    } else {
        ParcelOutcome::Taken
    })
}

/// Whether the server may take the envelope another time: the record is mended, the day is over, or the
/// certificate has come.
fn is_put_off(status: Status) -> bool {
    matches!(
        status,
        Status::Refused(
            RefusedReason::RecordDamaged | RefusedReason::TooMany | RefusedReason::BadCertificate
        )
    )
}

/// Forgets the parcels of old days. A later copy is ingested once more, which changes nothing.
pub(crate) fn sweep_parcels(tx: &mut dyn Writer, now_ms: i64) -> Result<usize> {
    // Twice the age at which couriers drop a parcel, because clocks differ.
    let before_day = day_of(now_ms.saturating_sub(2 * PARCEL_AGE_MS_MAX));
    Ok(tx.sweep_parcels(before_day)?)
}
