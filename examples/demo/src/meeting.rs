//! A meeting of two phones: each end runs the machine of core, and the bytes pass from hand to hand without
//! any network.

use std::collections::BTreeSet;

use onegrid_core::id::RecordId;
use onegrid_core::net::{OsRandom, now_ms};
use onegrid_core::replica::ReplicaError;
use onegrid_core::sync::peer::{Peer, PeerError};

use crate::phone::Phone;

/// A meeting that came to its end.
#[derive(Debug, Clone)]
pub(crate) struct Meeting {
    pub(crate) at_ms: i64,
    /// The phone that called, and the other one.
    pub(crate) ends: [End; 2],
}

/// The news that a meeting brought to one phone.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// Short name of the phone.
    pub(crate) phone: &'static str,
    /// Records that it had not before.
    pub(crate) records: Vec<RecordId>,
    /// Envelopes that it had not before.
    pub(crate) envelopes: u32,
}

/// Lets two phones meet. The code gives the reason why a meeting ended early.
pub(crate) fn meet(caller: &Phone, listener: &Phone) -> Result<Meeting, String> {
    let before = [known(caller)?, known(listener)?];
    let reports = exchange(caller, listener).map_err(|error| error.code().to_owned())?;
    let reports = reports.ok_or_else(|| PeerError::OutOfTurn.code().to_owned())?;
    let mut ends = Vec::with_capacity(2);
    for ((phone, before), envelopes) in [caller, listener].into_iter().zip(before).zip(reports) {
        ends.push(End {
            phone: phone.name(),
            records: known(phone)?.difference(&before).copied().collect(),
            envelopes,
        });
    }
    Ok(Meeting {
        at_ms: now_ms(),
        ends: ends.try_into().expect("two phones have two ends"),
    })
}

/// Runs both machines; returns the new envelopes of each end, or `None` if they parted early.
fn exchange(caller: &Phone, listener: &Phone) -> Result<Option<[u32; 2]>, PeerError> {
    let mut calling = Peer::call(&*caller.replica(), &mut OsRandom)?;
    let mut listening = Peer::listen(&*listener.replica())?;
    loop {
        let (there, back) = (calling.output(), listening.output());
        if there.is_empty() && back.is_empty() {
            break;
        }
        if !there.is_empty() {
            let mut replica = listener.replica();
            listening.received(&mut *replica, &there, now_ms(), &mut OsRandom)?;
        }
        if !back.is_empty() {
            let mut replica = caller.replica();
            calling.received(&mut *replica, &back, now_ms(), &mut OsRandom)?;
        }
    }
    let is_whole = calling.is_done() && listening.is_done();
    Ok(is_whole.then(|| [calling.report().taken, listening.report().taken]))
}

fn known(phone: &Phone) -> Result<BTreeSet<RecordId>, String> {
    let coded = |error: ReplicaError| error.code().to_owned();
    let rows = phone.replica().rows().map_err(coded)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}
