//! Envelopes that this version cannot read. They are held unchanged, and judged as if they had just
//! arrived once the server has been upgraded. An old server loses no envelope of a newer phone.
//!
//! The server cannot verify the signature of an unknown suite, so it bounds the envelopes that one
//! device may bring.

use std::collections::{BTreeSet, HashMap};

use onegrid_core::dag::{self, Walk};
use onegrid_core::domain::StreamId;
use onegrid_core::domain::case::Event;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId};
use onegrid_core::wire::body::Body;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::envelope::{Envelope, RawEnvelope};
use onegrid_core::wire::message::Bundle;
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, Status, Verdict};

use super::bundle::{self, CheckedBundle};
use super::policy::Ground;
use super::{Bringer, Intake, review};
use crate::error::{Problem, Result};
use crate::limits::{
    INGEST_ROUNDS_MAX, RELEASE_REVIEWS_MAX, UNREAD_BYTES_MAX, UNREAD_ENVELOPES_MAX,
    UNREAD_ROWS_A_STEP,
};
use crate::registry::audit;
use crate::shared::Shared;
use crate::store::{
    Amount, Entry, NewEntry, Reader, Store, StoreResult, StoredEnvelope, UnreadRow, Writer,
};
use std::sync::Arc;

/// An envelope of a bundle that has to wait for a newer server.
pub(super) struct Unread {
    pub(super) raw: RawEnvelope,
    pub(super) id: EnvelopeId,
    /// Its author, if its signature is verified.
    pub(super) author: Option<DeviceId>,
    pub(super) reason: HeldReason,
}

impl Unread {
    pub(super) fn newer(raw: RawEnvelope) -> Self {
        let id = raw.hash().envelope_id();
        let reason = HeldReason::Newer;
        Self {
            raw,
            id,
            author: None,
            reason,
        }
    }
}

impl CheckedBundle {
    /// The verdict on an envelope that was read before, or on this very copy while it is kept
    /// unread. Another unread copy has no verdict here, because its signature is not verified. A
    /// refusal does not count either, because it may have been the parent's.
    pub(super) fn known(
        &self,
        tx: &dyn Reader,
        id: EnvelopeId,
        copy: &RawEnvelope,
    ) -> StoreResult<Option<(Option<Hash>, Verdict)>> {
        let known = tx.verdict(id)?;
        if known.is_none() || tx.record_of(id)?.is_some() {
            return Ok(known);
        }
        // Released envelopes are read now.
        if self.arrived_ms.is_some() {
            return Ok(None);
        }
        let held = tx.unread(copy)?.filter(|row| is_held(&row.verdict));
        Ok(held.map(|row| (Some(row.raw.hash()), row.verdict)))
    }

    /// Sets aside the envelopes that build on an unread one, from this bundle or from `stored`.
    pub(super) fn set_aside(&mut self, stored: &BTreeSet<EnvelopeId>) {
        if self.unread.is_empty() && stored.is_empty() {
            return;
        }
        let links = self
            .verified
            .iter()
            .enumerate()
            .flat_map(|(place, verified)| {
                let parents = verified.envelope().header().parents.iter();
                parents.map(move |parent| (*parent, place))
            });
        let children = dag::children(links);
        let mut aside = vec![false; self.verified.len()];
        let unread = self.unread.iter().map(|unread| unread.id);
        let mut walk = Walk::from_ids(stored.iter().copied().chain(unread));
        while let Some(parent) = walk.next() {
            for &place in children.get(&parent).into_iter().flatten() {
                if !std::mem::replace(&mut aside[place], true) {
                    let envelope = self.verified[place].envelope();
                    walk.add(envelope.id());
                    self.unread.push(Unread {
                        raw: envelope.raw().clone(),
                        id: envelope.id(),
                        author: Some(envelope.header().author),
                        reason: HeldReason::ParentHeld,
                    });
                }
            }
        }
        let mut aside = aside.into_iter();
        self.verified.retain(|_| aside.next() == Some(false));
    }
}

/// Sets aside the envelopes that build on a stored unread one. Returns whether there was such a
/// parent.
pub(super) fn wait_for_unread(
    store: &Arc<dyn Store>,
    checked: &mut CheckedBundle,
    missing: &[EnvelopeId],
) -> Result<bool> {
    let stored = store.read::<_, Problem>(|tx| {
        let mut stored = BTreeSet::new();
        for id in missing {
            stored.extend(of_unread(tx, *id)?.filter(is_held).map(|_| *id));
        }
        Ok(stored)
    })?;
    checked.set_aside(&stored);
    Ok(!stored.is_empty())
}

/// Keeps the unreadable envelopes, with the certificates that came along. Beyond the bound of
/// the device that is charged with them, the server takes none, and the phone keeps them.
pub(super) fn keep_unread(
    store: &Arc<dyn Store>,
    checked: &CheckedBundle,
    ground: &Ground,
    bringer: Bringer,
    now_ms: i64,
) -> Result<HashMap<EnvelopeId, Verdict>> {
    let generation = ground.mark.generation;
    let at = move |status| Verdict {
        status,
        at_ms: now_ms,
        generation,
    };
    let rows: Vec<(EnvelopeId, UnreadRow)> = checked
        .unread
        .iter()
        .filter(|unread| !ground.known.contains_key(&unread.id))
        .filter_map(|unread| {
            let device = match bringer {
                Bringer::Device(device) => device,
                Bringer::Authors => unread.author?,
            };
            let row = UnreadRow {
                raw: unread.raw.clone(),
                device,
                since_ms: now_ms,
                verdict: at(Status::Held(unread.reason)),
            };
            Some((unread.id, row))
        })
        .collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let certificates: Vec<_> = checked.certificates.values().cloned().collect();
    store.write::<_, Problem>(move |tx| {
        for certificate in &certificates {
            let device = certificate.facts().device;
            tx.put_certificate(certificate.hash(), device, certificate.raw())?;
        }
        let mut kept: HashMap<DeviceId, Amount> = HashMap::new();
        let mut verdicts = HashMap::new();
        let mut has_room = true;
        for (id, row) in &rows {
            let so_far = match kept.get(&row.device) {
                Some(so_far) => *so_far,
                None => tx.unread_of(row.device)?,
            };
            let now = Amount {
                envelopes: so_far.envelopes + 1,
                bytes: so_far.bytes + row.raw.len() as u64,
            };
            kept.insert(row.device, now);
            // Beyond the bound all further envelopes are refused, so no child is stored without
            // its parent.
            has_room &= fits(now);
            let verdict = if has_room {
                tx.put_unread(row)?;
                row.verdict
            } else {
                at(Status::Refused(RefusedReason::TooMany))
            };
            verdicts.insert(*id, verdict);
        }
        Ok(verdicts)
    })
}

/// Releases the envelopes that an older version of this server could not read and this one can.
/// They are judged as of their arrival. To be called at the start. Returns the number of
/// released envelopes.
pub(crate) fn release_newer(intake: &Intake, now_ms: i64) -> Result<usize> {
    let released = release_unread(intake, now_ms)? + release_held(intake, now_ms)?;
    if released > 0 {
        intake.shared.store.write::<_, Problem>(move |tx| {
            let subject = released.to_string();
            Ok(audit::note(
                tx,
                now_ms,
                "server",
                "review.released",
                &subject,
            )?)
        })?;
    }
    Ok(released)
}

/// Repeats the release until no envelope changes, because a child may be stored before its
/// parent.
fn release_unread(intake: &Intake, now_ms: i64) -> Result<usize> {
    let mut released = 0;
    loop {
        let (before, mut after) = (released, 0);
        loop {
            let rows = intake
                .shared
                .store
                .read(|tx| tx.unread_held(after, UNREAD_ROWS_A_STEP))?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            for (_, row) in &rows {
                match read_again(intake, row, now_ms) {
                    Ok(is_read) => released += usize::from(is_read),
                    // It waits for the next start, and the others do not wait for it.
                    Err(problem) if problem.code() == "store.damaged" => problem.log(),
                    Err(problem) => return Err(problem),
                }
            }
        }
        if released == before {
            return Ok(released);
        }
    }
}

fn read_again(intake: &Intake, row: &UnreadRow, now_ms: i64) -> Result<bool> {
    if row.raw.is_newer() {
        return Ok(false);
    }
    let mut checked = bundle::check(
        &intake.shared,
        Bundle {
            certificates: Vec::new(),
            envelopes: vec![row.raw.clone()],
        },
    )?;
    checked.arrived_ms = Some(row.since_ms);
    let id = row.raw.hash().envelope_id();
    let bringer = Bringer::Device(row.device);
    for _ in 0..INGEST_ROUNDS_MAX {
        let tried = super::try_ingest(intake, &checked, bringer, &HashMap::new(), now_ms)?;
        let Some(ingested) = tried else { continue };
        intake.shared.wakeups.notify(&ingested.touched);
        let verdict = match ingested.lines.first() {
            Some(line) => line.verdict,
            None => match refusal_of(&intake.shared.store, &ingested.missing)? {
                Some(refusal) => refusal,
                // It still waits for its parent.
                None => return Ok(false),
            },
        };
        read_at_last(&intake.shared, row, id, verdict)?;
        return Ok(true);
    }
    Err(Problem::new("http.busy"))
}

/// The refusal of a parent, which is then the child's too.
fn refusal_of(store: &Arc<dyn Store>, missing: &[EnvelopeId]) -> Result<Option<Verdict>> {
    store.read::<_, Problem>(|tx| {
        for id in missing {
            let refusal = of_unread(tx, *id)?.filter(|verdict| !is_held(verdict));
            if refusal.is_some() {
                return Ok(refusal);
            }
        }
        Ok(None)
    })
}

/// Removes an envelope that is now stored among the others. A refused one was no envelope of
/// its author, so its bearer is told.
fn read_at_last(shared: &Shared, row: &UnreadRow, id: EnvelopeId, verdict: Verdict) -> Result<()> {
    let (copy, device) = (row.raw.clone(), row.device);
    let told = shared.store.write::<_, Problem>(move |tx| {
        if !matches!(verdict.status, Status::Refused(_)) {
            tx.drop_unread(&copy)?;
            return Ok(None);
        }
        tx.set_unread_verdict(&copy, verdict)?;
        let member = tx.device(device)?.and_then(|row| row.member);
        member.map(|member| Ok(tell(tx, member, id)?)).transpose()
    })?;
    shared.wakeups.notify(&told.into_iter().collect());
    Ok(())
}

/// Releases envelopes that could be read before, with a body, an event, a role or a kind of
/// record that could not be judged.
fn release_held(intake: &Intake, now_ms: i64) -> Result<usize> {
    let understood = intake.shared.store.read::<_, Problem>(|tx| {
        let mut understood = Vec::new();
        for review in tx.reviews_open(RELEASE_REVIEWS_MAX)? {
            let stored = match tx.envelope(review.envelope) {
                Err(error) if error.is_local() => continue,
                stored => stored?,
            };
            if stored.as_ref().is_some_and(is_understood_now) {
                understood.push((review.envelope, review.since_ms));
            }
        }
        Ok(understood)
    })?;
    let mut released = 0;
    for (id, since_ms) in &understood {
        match review::decide_as_arrived(intake, *id, *since_ms, now_ms) {
            Ok(decided) => released += usize::from(decided),
            // The decision on its parent released it too.
            Err(problem) if problem.code() == "review.not_waiting" => released += 1,
            Err(problem) if problem.code() == "store.damaged" => problem.log(),
            Err(problem) => return Err(problem),
        }
    }
    Ok(released)
}

/// Tells the member about an envelope in the member's stream. Returns the stream.
pub(super) fn tell(tx: &mut dyn Writer, member: MemberId, id: EnvelopeId) -> StoreResult<StreamId> {
    let stream = StreamId::Member(member);
    let (entry, adds) = (Entry::Verdict(id), Digest::EMPTY);
    tx.append(stream, &[NewEntry { entry, adds }])?;
    Ok(stream)
}

fn fits(kept: Amount) -> bool {
    kept.envelopes <= UNREAD_ENVELOPES_MAX && kept.bytes <= UNREAD_BYTES_MAX
}

/// The verdict on an envelope that is only kept unread. It is held as long as one of its copies is
/// held.
fn of_unread(tx: &dyn Reader, id: EnvelopeId) -> StoreResult<Option<Verdict>> {
    if tx.record_of(id)?.is_some() {
        return Ok(None);
    }
    Ok(tx.verdict(id)?.map(|(_, verdict)| verdict))
}

fn is_held(verdict: &Verdict) -> bool {
    matches!(verdict.status, Status::Held(_))
}

fn is_understood_now(stored: &StoredEnvelope) -> bool {
    if stored.verdict.status != Status::Held(HeldReason::Newer) {
        return false;
    }
    let Ok(envelope) = Envelope::parse(stored.raw.clone()) else {
        return false;
    };
    match envelope.body() {
        Body::Unknown(..) => false,
        Body::Event(event) => !matches!(
            Event::decode(event.code, event.fold_version, &event.data),
            Ok(Event::Unknown { .. })
        ),
        Body::Genesis(_) | Body::Change(_) => true,
    }
}
