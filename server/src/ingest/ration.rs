//! Ceilings against a flood, by a phone that was stolen or went mad: how much of one device is taken in a day,
//! and how much about one record.
//!
//! Nothing is lost by them. Beyond a first measure a person looks (held); beyond a second one nothing more is
//! taken that day, and the phone keeps it in its outbox; a record that is full stays as it is, and the phone
//! says so. What carries a verdict of this deployment was counted before, and always comes in.

use std::collections::{BTreeMap, HashMap};

use onegrid_core::id::{DeviceId, Hash, RecordId};
use onegrid_core::wire::verdict::{RefusedReason, Verdict};

use super::bundle::Checked;
use super::plan::Plan;
use crate::error::{Problem, Result};
use crate::limits::{
    DEVICE_DAY_BYTES_MAX, DEVICE_DAY_ENVELOPES_HELD, DEVICE_DAY_ENVELOPES_MAX, RECORD_STORED_MAX,
};
use crate::server::Server;
use crate::store::{Amount, Reader};

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Of one device in a day: beyond it, what comes waits for a person.
    pub held: Amount,
    /// Of one device in a day: beyond it, nothing is taken.
    pub refused: Amount,
    /// Envelopes of one record, whatever their verdicts.
    pub record: usize,
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
            record: RECORD_STORED_MAX,
        }
    }
}

/// The day of an instant (ms UTC), counted from 1970-01-01.
pub(crate) fn day_of(now_ms: i64) -> i64 {
    now_ms.div_euclid(24 * 3_600_000)
}

impl Server {
    /// Other ceilings than those of the limits: for tests, and for whoever knows a deployment.
    #[must_use]
    pub fn with_ceilings(mut self, ceilings: Ceilings) -> Self {
        self.ceilings = ceilings;
        self
    }

    /// Refuses what is beyond a ceiling, and marks the devices whose work a person has to look at.
    pub(super) fn ration(
        &self,
        checked: &mut Checked,
        attested: &HashMap<Hash, Verdict>,
        now_ms: i64,
    ) -> Result<()> {
        let mut counted: BTreeMap<DeviceId, Amount> = BTreeMap::new();
        let mut records: BTreeMap<RecordId, usize> = BTreeMap::new();
        for verified in &checked.verified {
            let envelope = verified.envelope();
            add(
                counted.entry(envelope.header().author).or_default(),
                envelope.raw().len(),
            );
            *records.entry(envelope.record()).or_default() += 1;
        }
        let Ceilings {
            held,
            refused,
            record,
        } = self.ceilings;
        let over = self.store.read::<_, Problem>(|tx| {
            for (device, coming) in &mut counted {
                let before = tx.written(day_of(now_ms), *device)?;
                coming.envelopes += before.envelopes;
                coming.bytes += before.bytes;
            }
            for (id, coming) in &mut records {
                *coming += tx.entries(*id)?;
            }
            let floods = counted.values().any(|coming| !fits(*coming, refused));
            if floods || records.values().any(|coming| *coming > record) {
                beyond(tx, checked, attested, (day_of(now_ms), refused, record))
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
}

/// Envelope by envelope, in the order of the bundle: what is known already costs nothing.
fn beyond(
    tx: &dyn Reader,
    checked: &Checked,
    attested: &HashMap<Hash, Verdict>,
    (day, refused, record): (i64, Amount, usize),
) -> Result<Vec<(onegrid_core::id::EnvelopeId, RefusedReason)>> {
    let mut written: HashMap<DeviceId, Amount> = HashMap::new();
    let mut entries: HashMap<RecordId, usize> = HashMap::new();
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
        let about = match entries.get(&envelope.record()) {
            Some(about) => *about,
            None => tx.entries(envelope.record())?,
        };
        if about >= record {
            over.push((id, RefusedReason::RecordFull));
        } else if fits(now, refused) {
            written.insert(author, now);
            entries.insert(envelope.record(), about + 1);
        } else {
            over.push((id, RefusedReason::TooMany));
        }
    }
    Ok(over)
}

/// What plans will add to the count of each device.
pub(super) fn fresh(plans: &[Plan]) -> Vec<(DeviceId, Amount)> {
    let mut written: BTreeMap<DeviceId, Amount> = BTreeMap::new();
    for fresh in plans.iter().flat_map(|plan| &plan.fresh) {
        add(written.entry(fresh.author).or_default(), fresh.raw.len());
    }
    written.into_iter().collect()
}

fn add(amount: &mut Amount, bytes: usize) {
    amount.envelopes += 1;
    amount.bytes += bytes as u64;
}

fn fits(amount: Amount, ceiling: Amount) -> bool {
    amount.envelopes <= ceiling.envelopes && amount.bytes <= ceiling.bytes
}
