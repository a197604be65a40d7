//! The review queue: held envelopes, and a person's decisions about them.

use std::collections::{BTreeSet, HashSet};

use onegrid_core::dag::Walk;
use onegrid_core::domain::StreamId;
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, MemberId, RecordId};
use onegrid_core::record::{Node, Record};
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::verdict::{HeldReason, RefusedReason, Status, Verdict, VoidReason};

use super::plan::{self, Plan, own_status};
use super::unread::tell;
use super::untenable::{later, void_answered, void_what_can_not_stay};
use super::{Intake, automatic, commit, policy, tick};
use crate::directory;
use crate::error::{Problem, Result};
use crate::limits::INGEST_ROUNDS_MAX;
use crate::records::load;
use crate::registry::audit;
use crate::shared::Shared;
use crate::store::{ReviewRow, StoreError, StoreResult, Writer};

/// One envelope that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The envelope.
    pub envelope: EnvelopeId,
    /// Its record.
    pub record: RecordId,
    /// Its author.
    pub author: DeviceId,
    /// Why it waits.
    pub reason: HeldReason,
    /// Since when, server time, ms UTC.
    pub since_ms: i64,
}

/// The envelopes that wait for a decision, the oldest first.
pub(crate) fn waiting(shared: &Shared, count_max: usize) -> Result<Vec<Waiting>> {
    let found = shared.store.read::<_, StoreError>(|tx| {
        let mut found = Vec::new();
        for review in tx.reviews_open(count_max)? {
            let Some(stored) = tx.envelope(review.envelope)? else {
                continue;
            };
            let Status::Held(reason) = stored.verdict.status else {
                continue;
            };
            let certificate = shared.certificates.get(tx, stored.certificate)?;
            let Some(certificate) = certificate else {
                continue;
            };
            found.push(Waiting {
                envelope: review.envelope,
                record: stored.record,
                author: certificate.facts().device,
                reason,
                since_ms: review.since_ms,
            });
        }
        Ok(found)
    })?;
    Ok(found)
}

/// Carries out a person's decision about a held envelope. An accepted envelope is judged as if
/// it had just arrived, and so are the envelopes that wait for it. It stays held and in the
/// queue while it builds on a held envelope, or on a refused one of its own author. A refusal also
/// refuses the envelopes of the same author that build on it. The envelopes of others upon it are
/// judged without it, and it is then void instead of refused. The author is told.
pub(crate) fn decide(
    intake: &Intake,
    envelope: EnvelopeId,
    accept: bool,
    by: &str,
    now_ms: i64,
) -> Result<Vec<(EnvelopeId, Verdict)>> {
    for _ in 0..INGEST_ROUNDS_MAX {
        if let Some(changed) = try_decide(intake, envelope, accept, None, by, now_ms)? {
            return Ok(changed);
        }
    }
    Err(Problem::new("http.busy"))
}

/// Repeats a decision that the server made and lost, with the very verdict that phones hold, or
/// with one that all replicas take as later. It also overrules a refusal by a reviewer without
/// knowledge of that decision.
pub(super) fn decide_as_given(
    intake: &Intake,
    envelope: EnvelopeId,
    given: Verdict,
    now_ms: i64,
) -> Result<()> {
    for _ in 0..INGEST_ROUNDS_MAX {
        let decided = try_decide(intake, envelope, true, Some(given), "server", now_ms)?;
        if decided.is_some() {
            return Ok(());
        }
    }
    Err(Problem::new("http.busy"))
}

/// Judges an envelope that could not be judged before, as of its arrival. It may have to wait
/// for a person. Returns `false` when there is nothing to decide, because this version may not
/// know its role or its kind of record either.
pub(super) fn decide_as_arrived(
    intake: &Intake,
    envelope: EnvelopeId,
    since_ms: i64,
    now_ms: i64,
) -> Result<bool> {
    for _ in 0..INGEST_ROUNDS_MAX {
        let Some((record, held)) = as_of(&intake.shared, envelope, since_ms)? else {
            return Ok(false);
        };
        if let Some(reason) = held {
            hold_on(&intake.shared, envelope, reason, now_ms)?;
            // A danger that waits keeps its case open.
            tick::look_again(intake, record, now_ms)?;
            return Ok(true);
        }
        let decided = try_decide(intake, envelope, true, None, "server", now_ms)?;
        if decided.is_some() {
            return Ok(true);
        }
    }
    Err(Problem::new("http.busy"))
}

/// The record of an envelope that this version can judge, and why the envelope has to wait all the same.
fn as_of(
    shared: &Shared,
    envelope: EnvelopeId,
    since_ms: i64,
) -> Result<Option<(RecordId, Option<HeldReason>)>> {
    shared.store.read::<_, Problem>(|tx| {
        let Some(id) = tx.record_of(envelope)? else {
            return Ok(None);
        };
        let record = load(tx, &shared.certificates, id)?;
        let node = record.node(envelope);
        let Some(node) = node.filter(|_| !record.needs_newer(envelope)) else {
            return Ok(None);
        };
        let mut ground = policy::bare_ground(&shared.views, tx)?;
        ground.arrived_ms = Some(since_ms);
        let device = tx.device(node.author)?;
        let member = device.as_ref().and_then(|device| device.member);
        ground.devices.extend(device.map(|row| (row.id, row)));
        if let Some(member) = member {
            ground
                .members
                .extend(tx.member(member)?.map(|row| (row.id, row)));
        }
        Ok(Some((
            id,
            ground.holds(&record, node, node.directory_seen, since_ms),
        )))
    })
}

/// Keeps an envelope that could not be judged held, for another reason, and tells its author.
/// Does nothing when a person has decided meanwhile.
fn hold_on(shared: &Shared, envelope: EnvelopeId, reason: HeldReason, now_ms: i64) -> Result<()> {
    let touched = shared.store.write::<_, Problem>(move |tx| {
        let generation = directory::generation(tx)?;
        let stored = tx.envelope(envelope)?;
        let stored = stored.ok_or(StoreError::Missing("envelope"))?;
        if stored.verdict.status != Status::Held(HeldReason::Newer) {
            return Ok(BTreeSet::new());
        }
        let status = Status::Held(reason);
        let verdict = later(Some(stored.verdict), status, now_ms, generation);
        tx.set_verdict(envelope, verdict)?;
        let mut touched = BTreeSet::new();
        if let Some(member) = member_of(tx, stored.certificate)? {
            touched.insert(tell(tx, member, envelope)?);
        }
        Ok(touched)
    })?;
    shared.wakeups.notify(&touched);
    Ok(())
}

fn try_decide(
    intake: &Intake,
    envelope: EnvelopeId,
    accept: bool,
    given: Option<Verdict>,
    by: &str,
    now_ms: i64,
) -> Result<Option<Vec<(EnvelopeId, Verdict)>>> {
    let not_waiting = || Problem::new("review.not_waiting").with("envelope", envelope);
    let id = intake.shared.store.read(|tx| tx.record_of(envelope))?;
    let id = id.ok_or_else(not_waiting)?;
    let locked = intake.records.lock(BTreeSet::from([id]));
    let ground = intake
        .shared
        .store
        .read(|tx| policy::bare_ground(&intake.shared.views, tx))?;
    // The record is read from the store, under the lock, because the digest does not cover held
    // envelopes and another person may just have decided.
    intake.records.forget(id);
    let (mut record, before) = plan::open_record(intake, id)?;
    let known = record.node(envelope).and_then(|node| node.verdict);
    // A settled verdict counts upon settled parents only, because readers get nothing of others.
    let can_settle = given.is_none() || is_upon_settled(&record, envelope);
    let known = known
        .filter(|known| match known.status {
            Status::Held(_) => can_settle,
            Status::Refused(_) => given.is_some() && can_settle,
            Status::Accepted | Status::Admitted | Status::Void(_) => false,
        })
        .ok_or_else(not_waiting)?;
    let mut decision = Decision {
        record: &mut record,
        now_ms,
        generation: ground.mark.generation,
        changed: Vec::new(),
    };
    if !accept {
        decision.refuse(envelope);
    } else if let Some(given) = given.filter(|given| given.is_later_than(&known)) {
        decision.put(envelope, given);
        decision.let_in_what_is_free();
    } else if let Some(Status::Void(reason)) = given.map(|given| given.status) {
        decision.give(envelope, Status::Void(reason));
    } else {
        decision.let_in(envelope);
        decision.let_in_what_is_free();
    }
    let (changed, generation) = (decision.changed, ground.mark.generation);
    let mut changed = void_what_can_not_stay(&mut record, changed, now_ms, generation);
    let decided = changed.clone();
    changed.extend(void_answered(&mut record, now_ms, generation));
    let fresh = automatic::moves(intake, &mut record, &ground, now_ms)?;
    let view = plan::project(&intake.rules(), &record, &ground, now_ms);
    let plan = Plan {
        fresh,
        changed: changed.clone(),
        view,
        ..Plan::of(record, before)
    };
    let decider = by.to_owned();
    let committed =
        commit::commit_with(intake, vec![plan], &ground, now_ms, move |tx, touched| {
            record_decision(tx, &decided, accept, &decider, now_ms, touched)
        })?;
    intake.records.forget(id);
    drop(locked);
    let Some(committed) = committed else {
        return Ok(None);
    };
    intake.shared.wakeups.notify(&committed.touched);
    Ok(Some(changed))
}

/// Notes the decision, and tells each author in the stream of the member. Both happen in the
/// transaction of the verdicts, so there is never one without the other.
fn record_decision(
    tx: &mut dyn Writer,
    changed: &[(EnvelopeId, Verdict)],
    accept: bool,
    by: &str,
    now_ms: i64,
    touched: &mut BTreeSet<StreamId>,
) -> StoreResult<()> {
    for (id, verdict) in changed {
        // A decision about one envelope can settle another one the other way: the words of others upon a
        // refused envelope count.
        let accept = match verdict.status {
            Status::Accepted | Status::Admitted => true,
            Status::Refused(_) | Status::Void(VoidReason::Rejected) => false,
            Status::Void(_) | Status::Held(_) => accept,
        };
        let action = if accept {
            "review.accepted"
        } else {
            "review.refused"
        };
        let since_ms = tx.review(*id)?.map_or(now_ms, |review| review.since_ms);
        // An envelope that still waits for another one stays in the queue, because else no reviewer
        // would see it again.
        let waits = matches!(verdict.status, Status::Held(_));
        let decided = (!waits).then(|| (now_ms, accept, by.to_owned()));
        tx.put_review(&ReviewRow {
            envelope: *id,
            since_ms,
            decided,
        })?;
        audit::note(tx, now_ms, by, action, &id.to_string())?;
        let Some(author) = tx.envelope(*id)?.map(|stored| stored.certificate) else {
            continue;
        };
        if let Some(member) = member_of(tx, author)? {
            touched.insert(tell(tx, member, *id)?);
        }
    }
    Ok(())
}

fn member_of(tx: &dyn Writer, certificate: Hash) -> StoreResult<Option<MemberId>> {
    let certificate = tx.certificate(certificate)?;
    Ok(certificate
        .and_then(|raw| Certificate::from_store(raw).ok())
        .and_then(|certificate| certificate.facts().member))
}

/// A decision about a record under way. The latest verdict counts, so each is later than what it replaces.
struct Decision<'a> {
    record: &'a mut Record,
    now_ms: i64,
    generation: u32,
    changed: Vec<(EnvelopeId, Verdict)>,
}

impl Decision<'_> {
    fn give(&mut self, id: EnvelopeId, status: Status) {
        let known = self.record.node(id).and_then(|node| node.verdict);
        let verdict = later(known, status, self.now_ms, self.generation);
        self.put(id, verdict);
    }

    /// Gives many verdicts, and judges the record once.
    fn give_all(&mut self, statuses: impl Iterator<Item = (EnvelopeId, Status)>) {
        let verdicts: Vec<_> = statuses
            .map(|(id, status)| {
                let known = self.record.node(id).and_then(|node| node.verdict);
                (id, later(known, status, self.now_ms, self.generation))
            })
            .collect();
        self.record.set_verdicts(verdicts.iter().copied());
        let given: HashSet<EnvelopeId> = verdicts.iter().map(|(id, _)| *id).collect();
        self.changed.retain(|(known, _)| !given.contains(known));
        self.changed.extend(verdicts);
    }

    fn put(&mut self, id: EnvelopeId, verdict: Verdict) {
        let taken = self.record.set_verdicts([(id, verdict)]);
        debug_assert!(taken, "a verdict that is not later changes nothing");
        self.changed.retain(|(known, _)| *known != id);
        self.changed.push((id, verdict));
    }

    /// Refuses an envelope, and the envelopes of the same author that build on it. The words of others
    /// upon it were free of any other reason to wait, so they are let in.
    fn refuse(&mut self, id: EnvelopeId) {
        let author = self.record.node(id).map(|node| node.author);
        let is_genesis = self
            .record
            .node(id)
            .is_some_and(|node| node.parents.is_empty());
        let upon = with_dependants(self.record, id);
        let of_author = |id: &EnvelopeId| self.record.node(*id).map(|node| node.author) == author;
        let (own, others): (Vec<_>, Vec<_>) =
            upon.into_iter().partition(|id| is_genesis || of_author(id));
        let refused = Status::Refused(RefusedReason::Rejected);
        self.give_all(own.into_iter().map(|id| (id, refused)));
        let only_waits = |id: &EnvelopeId| {
            let verdict = self.record.node(*id).and_then(|node| node.verdict);
            verdict.map(|verdict| verdict.status) == Some(Status::Held(HeldReason::ParentHeld))
        };
        let waiting = others.into_iter().filter(only_waits);
        let below: BTreeSet<EnvelopeId> = waiting.flat_map(|id| self.refused_below(id)).collect();
        // Every reader gets a void envelope, so every reader can know the past of those upon it.
        let void = Status::Void(VoidReason::Rejected);
        self.give_all(below.into_iter().map(|id| (id, void)));
        self.let_in_what_is_free();
    }

    /// The refused envelopes of others that keep an envelope from its readers, parents first. The list is empty
    /// if something else keeps it too: an envelope that waits, a refused Genesis, or a refused
    /// envelope of its own author.
    fn refused_below(&self, id: EnvelopeId) -> Vec<EnvelopeId> {
        let Some(node) = self.record.node(id) else {
            return Vec::new();
        };
        let mut walk = Walk::from_ids(self.record.parents_of(node));
        let mut found = BTreeSet::new();
        while let Some(below) = walk.next().and_then(|id| self.record.node(id)) {
            if !below.is_out_of_reach() {
                continue;
            }
            let status = below.verdict.map(|verdict| verdict.status);
            let rejected = status == Some(Status::Refused(RefusedReason::Rejected));
            if !rejected || below.author == node.author || below.parents.is_empty() {
                return Vec::new();
            }
            found.insert(below.id);
            walk.extend(self.record.parents_of(below));
        }
        let nodes = self.record.nodes().iter().map(|node| node.id);
        nodes.filter(|id| found.contains(id)).collect()
    }

    /// Accepts an envelope. An invalid one becomes void, because a reviewer lifts the policy, not
    /// the rules.
    fn let_in(&mut self, id: EnvelopeId) {
        // Every reader gets a void envelope, so every reader can know the past of this one.
        for refused in self.refused_below(id) {
            self.give(refused, Status::Void(VoidReason::Rejected));
        }
        let Some(node) = self.record.node(id) else {
            return;
        };
        let parents = self.record.parents_of(node);
        let mut parents = parents.filter_map(|id| self.record.node(id));
        // The reasons to wait come first, because a settled verdict never yields to one that waits.
        let status = if parents.any(Node::is_out_of_reach) {
            // Other readers do not get the parent, so they may not get this envelope.
            Status::Held(HeldReason::ParentHeld)
        } else if self.record.needs_newer(id) {
            Status::Held(HeldReason::Newer)
        } else {
            Status::Admitted
        };
        drop(parents);
        self.give(id, status);
        let judged = self.record.node(id).map(own_status);
        if let Some(void @ Status::Void(_)) = judged.filter(|_| status == Status::Admitted) {
            self.give(id, void);
        }
    }

    /// Accepts the envelopes whose only reason to wait has ended. All of them are tried together, because
    /// a chain of them would be judged anew for each.
    fn let_in_what_is_free(&mut self) {
        loop {
            let free = free(self.record);
            if free.is_empty() {
                return;
            }
            let statuses = self.tried(&free);
            self.give_all(statuses.into_iter());
            // An envelope may have been fine only because of one that is void now.
            loop {
                let void: Vec<_> = free.iter().filter_map(|id| self.fails(*id)).collect();
                if void.is_empty() {
                    break;
                }
                self.give_all(void.into_iter());
            }
        }
    }

    /// The verdicts on these envelopes, parents first, as they would be if all were accepted. An envelope
    /// that builds on one with an unknown rule keeps waiting.
    fn tried(&self, ids: &[EnvelopeId]) -> Vec<(EnvelopeId, Status)> {
        let mut tried = self.record.clone();
        tried.set_verdicts(ids.iter().map(|id| {
            let known = self.record.node(*id).and_then(|node| node.verdict);
            let verdict = later(known, Status::Admitted, self.now_ms, self.generation);
            (*id, verdict)
        }));
        let mut waiting: HashSet<EnvelopeId> = HashSet::new();
        let mut statuses = Vec::with_capacity(ids.len());
        for node in ids.iter().filter_map(|id| tried.node(*id)) {
            if tried
                .parents_of(node)
                .any(|parent| waiting.contains(&parent))
            {
                waiting.insert(node.id);
                continue;
            }
            let status = match own_status(node) {
                Status::Accepted => Status::Admitted,
                other => other,
            };
            if matches!(status, Status::Held(_)) {
                waiting.insert(node.id);
            }
            statuses.push((node.id, status));
        }
        statuses
    }

    /// The void verdict on an admitted envelope that breaks a rule.
    fn fails(&self, id: EnvelopeId) -> Option<(EnvelopeId, Status)> {
        let node = self.record.node(id)?;
        node.verdict
            .filter(|verdict| verdict.status == Status::Admitted)?;
        match own_status(node) {
            void @ Status::Void(_) => Some((id, void)),
            _ => None,
        }
    }
}

fn is_upon_settled(record: &Record, id: EnvelopeId) -> bool {
    let settled = |id: EnvelopeId| {
        let verdict = record.node(id).and_then(|node| node.verdict);
        verdict.is_some_and(|verdict| verdict.status.is_settled())
    };
    let node = record.node(id);
    node.is_some_and(|node| record.parents_of(node).all(settled))
}

/// The envelopes that waited only for something that waits no longer, or for one another, parents first.
fn free(record: &Record) -> Vec<EnvelopeId> {
    let nodes = record.nodes();
    let mut free = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let waited = node
            .verdict
            .is_some_and(|verdict| verdict.status == Status::Held(HeldReason::ParentHeld));
        let reaches = |parent: &usize| free[*parent] || !nodes[*parent].is_out_of_reach();
        free[index] = waited && node.parents.iter().all(reaches);
    }
    let free = nodes.iter().zip(free).filter(|(_, free)| *free);
    free.map(|(node, _)| node.id).collect()
}

/// An envelope and its waiting descendants, parents first.
fn with_dependants(record: &Record, id: EnvelopeId) -> Vec<EnvelopeId> {
    let mut found = vec![id];
    let mut seen = HashSet::from([id]);
    for node in record.nodes() {
        let waits = matches!(
            node.verdict.map(|verdict| verdict.status),
            Some(Status::Held(_))
        );
        if waits && record.parents_of(node).any(|parent| seen.contains(&parent)) {
            seen.insert(node.id);
            found.push(node.id);
        }
    }
    found
}
