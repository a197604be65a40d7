//! Ceilings against a flood by a stolen or faulty phone. They limit the envelopes of one device in
//! a day and the content operations of one upload. The room of each record is in `room`.
//!
//! The ceilings lose no envelope. Beyond the first ceiling, envelopes are held for a person. Beyond
//! the second one, the server takes no more that day, and the phone keeps them in its outbox. An
//! envelope with a verdict of this deployment was counted before, so it always passes.

use std::collections::{BTreeMap, HashMap};

use onegrid_core::crdt::inspect;
use onegrid_core::id::{DeviceId, Hash};
use onegrid_core::limits::RECORD_ENTRIES_MAX;
use onegrid_core::wire::body::Body;
use onegrid_core::wire::envelope::Envelope;
use onegrid_core::wire::verdict::{RefusedReason, Verdict};

use super::Intake;
use super::bundle::CheckedBundle;
use super::plan::Plan;
use crate::error::{Problem, Result};
use crate::limits::{
    DEVICE_DAY_BYTES_MAX, DEVICE_DAY_ENVELOPES_HELD, DEVICE_DAY_ENVELOPES_MAX,
    RECORD_STORED_BYTES_MAX, UPLOAD_OPERATIONS_MAX,
};
use crate::store::{Amount, Reader};

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Of one device in a day. Envelopes beyond it wait for a person.
    pub held: Amount,
    /// Of one device in a day. The server takes no envelope beyond it.
    pub refused: Amount,
    /// Of one record, whatever the verdicts. Its last quarter is a reserve.
    pub record: Amount,
    /// Content operations of one upload, because a hundred bytes can claim thousands.
    pub operations: u64,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self {
            held: Amount {
                envelopes: DEVICE_DAY_ENVELOPES_HELD,
                bytes: DEVICE_DAY_BYTES_MAX,
            },
            refused: Amount {
                envelopes: DEVICE_DAY_ENVELOPES_MAX,
                bytes: DEVICE_DAY_BYTES_MAX,
            },
            record: Amount {
                envelopes: RECORD_ENTRIES_MAX as u64,
                bytes: RECORD_STORED_BYTES_MAX as u64,
            },
            operations: UPLOAD_OPERATIONS_MAX,
        }
    }
}

/// The day of an instant (ms UTC), counted from 1970-01-01.
pub(crate) fn day_of(now_ms: i64) -> i64 {
    now_ms.div_euclid(24 * 3_600_000)
}

/// Refuses the envelopes beyond a ceiling, and marks the devices with work that a person has to
/// look at.
pub(super) fn ration(
    intake: &Intake,
    checked: &mut CheckedBundle,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<()> {
    let mut counted: BTreeMap<DeviceId, Amount> = BTreeMap::new();
    let mut claimed = 0;
    for verified in &checked.verified {
        let envelope = verified.envelope();
        claimed += operations(envelope);
        add(
            counted.entry(envelope.header().author).or_default(),
            envelope.raw().len(),
        );
    }
    let Ceilings {
        held,
        refused,
        operations: most,
        ..
    } = intake.ceilings;
    let over = intake.shared.store.read::<_, Problem>(|tx| {
        for (device, coming) in &mut counted {
            let before = tx.written(day_of(now_ms), *device)?;
            coming.envelopes += before.envelopes;
            coming.bytes += before.bytes;
        }
        let floods = counted.values().any(|coming| !fits(*coming, refused));
        if floods || claimed > most {
            beyond(tx, checked, attested, (day_of(now_ms), intake.ceilings))
        } else {
            Ok(Vec::new())
        }
    })?;
    let busy = counted.iter().filter(|(_, coming)| !fits(**coming, held));
    checked.busy = busy.map(|(device, _)| *device).collect();
    if !over.is_empty() {
        checked.refused.extend(over);
        checked.drop_refused();
    }
    Ok(())
}

/// The envelopes beyond a ceiling, in the order of the bundle. A known envelope costs nothing.
fn beyond(
    tx: &dyn Reader,
    checked: &CheckedBundle,
    attested: &HashMap<Hash, Verdict>,
    (day, ceilings): (i64, Ceilings),
) -> Result<Vec<(onegrid_core::id::EnvelopeId, RefusedReason)>> {
    let mut written: HashMap<DeviceId, Amount> = HashMap::new();
    let mut claimed = 0;
    let mut over = Vec::new();
    for verified in &checked.verified {
        let envelope = verified.envelope();
        let id = envelope.id();
        if attested.contains_key(&envelope.hash())
            || checked.known(tx, id, envelope.raw())?.is_some()
        {
            continue;
        }
        let author = envelope.header().author;
        let so_far = match written.get(&author) {
            Some(so_far) => *so_far,
            None => tx.written(day, author)?,
        };
        let mut now = so_far;
        add(&mut now, envelope.raw().len());
        let claims = operations(envelope);
        if fits(now, ceilings.refused) && claimed + claims <= ceilings.operations {
            claimed += claims;
            written.insert(author, now);
        } else {
            over.push((id, RefusedReason::TooMany));
        }
    }
    Ok(over)
}

/// The amount that the plans will add to the count of each device.
pub(super) fn fresh(plans: &[Plan]) -> Vec<(DeviceId, Amount)> {
    let mut written: BTreeMap<DeviceId, Amount> = BTreeMap::new();
    for fresh in plans.iter().flat_map(|plan| &plan.fresh) {
        add(written.entry(fresh.author).or_default(), fresh.raw.len());
    }
    written.into_iter().collect()
}

/// Content operations that an envelope claims. Unreadable content counts as 0, because the gate
/// refuses it.
fn operations(envelope: &Envelope) -> u64 {
    let raw = match envelope.body() {
        Body::Genesis(genesis) => &genesis.content,
        Body::Change(change) => &change.change,
        Body::Event(_) | Body::Unknown(..) => return 0,
    };
    inspect(raw).map_or(0, |info| info.operations())
}

pub(super) fn add(amount: &mut Amount, bytes: usize) {
    amount.envelopes += 1;
    amount.bytes += bytes as u64;
}

pub(super) fn fits(amount: Amount, ceiling: Amount) -> bool {
    amount.envelopes <= ceiling.envelopes && amount.bytes <= ceiling.bytes
}
