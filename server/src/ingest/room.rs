//! The room of a record. One phone must not take the room that others need for their words.
//!
//! ```text
//!  0 ────────────────────────── three quarters ───────── full
//!    everybody, without a share  │  an author within the share, dangers, the server
//! ```
//!
//! Held, void and refused envelopes take room too. An envelope without room is refused with the
//! envelopes that build on it. No replica stores it, so it makes no past longer, and a verdict that
//! is given back outranks the refusal. An envelope with a verdict of this deployment always has
//! room.

use std::collections::{HashMap, HashSet};

use onegrid_core::dag::descendants;
use onegrid_core::domain::case::Event;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash};
use onegrid_core::limits::{RECORD_SHARE_BYTES, RECORD_SHARE_DANGERS, RECORD_SHARE_ENTRIES};
use onegrid_core::record::{NodeBody, Record};
use onegrid_core::wire::body::Body;
use onegrid_core::wire::envelope::{Envelope, VerifiedEnvelope};
use onegrid_core::wire::verdict::Verdict;

use super::ration::{add, fits};
use super::{Group, Intake};
use crate::error::Result;
use crate::limits::RECORD_RESERVE_PARTS;
use crate::store::Amount;

/// The amount that one author has stored in the record.
#[derive(Default)]
struct Share {
    stored: Amount,
    dangers: u64,
}

/// The envelopes of a group that the record has no room for, with their descendants. The holder
/// of the record's lock asks, so two uploads never take the same room.
pub(super) fn beyond_room(
    intake: &Intake,
    record: &Record,
    group: &Group,
    attested: &HashMap<Hash, Verdict>,
) -> Result<HashSet<EnvelopeId>> {
    let ceiling = intake.ceilings.record;
    let free = Amount {
        envelopes: ceiling.envelopes - ceiling.envelopes / RECORD_RESERVE_PARTS,
        bytes: ceiling.bytes - ceiling.bytes / RECORD_RESERVE_PARTS,
    };
    let new = || {
        let envelopes = group.iter().map(VerifiedEnvelope::envelope);
        envelopes.filter(|envelope| !attested.contains_key(&envelope.hash()))
    };
    let mut total = intake.shared.store.read(|tx| tx.stored(record.id()))?;
    let mut after = total;
    for envelope in new() {
        add(&mut after, envelope.raw().len());
    }
    if fits(after, free) {
        return Ok(HashSet::new());
    }
    let mut shares = shares_of(intake, record)?;
    let server = intake.shared.keys.author().public().device();
    let mut beyond = Vec::new();
    for envelope in new() {
        let (author, bytes) = (envelope.header().author, envelope.raw().len());
        let share = shares.entry(author).or_default();
        let (mut all, mut own) = (total, share.stored);
        add(&mut all, bytes);
        add(&mut own, bytes);
        let danger = is_danger(envelope);
        let reserved =
            fits(own, SHARE) || danger && share.dangers < RECORD_SHARE_DANGERS || author == server;
        if fits(all, free) || reserved && fits(all, ceiling) {
            total = all;
            share.stored = own;
            share.dangers += u64::from(danger);
        } else {
            beyond.push(envelope.id());
        }
    }
    Ok(with_descendants(group, beyond))
}

fn shares_of(intake: &Intake, record: &Record) -> Result<HashMap<DeviceId, Share>> {
    let mut shares: HashMap<DeviceId, Share> = HashMap::new();
    for (author, stored) in intake
        .shared
        .store
        .read(|tx| tx.stored_by_author(record.id()))?
    {
        shares.entry(author).or_default().stored = stored;
    }
    for node in record.nodes() {
        let danger = matches!(&node.body, NodeBody::Event { event, .. } if event.is_danger());
        shares.entry(node.author).or_default().dangers += u64::from(danger);
    }
    Ok(shares)
}

const SHARE: Amount = Amount {
    envelopes: RECORD_SHARE_ENTRIES,
    bytes: RECORD_SHARE_BYTES,
};

fn is_danger(envelope: &Envelope) -> bool {
    match envelope.body() {
        Body::Event(body) => Event::decode(body.code, body.fold_version, &body.data)
            .is_ok_and(|event| event.is_danger()),
        Body::Genesis(_) | Body::Change(_) | Body::Unknown(..) => false,
    }
}

/// These envelopes and those of the group that build on them.
fn with_descendants(group: &Group, of: Vec<EnvelopeId>) -> HashSet<EnvelopeId> {
    let envelopes = group.iter().map(VerifiedEnvelope::envelope);
    let links = envelopes.flat_map(|envelope| {
        let parents = envelope.header().parents.iter();
        parents.map(|parent| (*parent, envelope.id()))
    });
    descendants(of, links)
}
