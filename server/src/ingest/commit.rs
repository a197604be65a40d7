//! The transaction that stores: envelopes with verdicts, projections, positions in every stream, reviews.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use onegrid_core::domain::StreamId;
use onegrid_core::id::{EnvelopeId, Hash, RecordId};
use onegrid_core::record::Record;
use onegrid_core::trust::certificate::Certificate;
use onegrid_core::wire::digest::Digest;
use onegrid_core::wire::verdict::{Status, StreamPosition, Verdict};

use super::described::descriptions;
use super::given_packs::Base;
use super::placed::{Placement, decided, sum};
use super::plan::{self, Fresh, Plan, Projection};
use super::policy::Ground;
use super::records::Before;
use super::{Intake, Positions, bulletin};
use crate::directory;
use crate::error::{Problem, Result};
use crate::registry::audit;
use crate::store::{
    Ahead, Description, Entry, Head, NewEntry, NewEnvelope, ReviewRow, Store, StoreError,
    StoreResult, Writer,
};

/// The result of a commit.
#[derive(Debug, Default)]
pub(crate) struct CommitResult {
    pub(super) verdicts: HashMap<EnvelopeId, Verdict>,
    pub(super) positions: Positions,
    pub(super) touched: BTreeSet<StreamId>,
    /// Heads of the touched streams.
    heads: Vec<(StreamId, u64)>,
}

/// The part of a plan that goes to the writer.
struct Order {
    id: RecordId,
    before: Before,
    fresh: Vec<Fresh>,
    changed: Vec<(EnvelopeId, Verdict)>,
    base: Option<Base>,
    described: Vec<Description>,
    view: Option<Projection>,
}

enum Refusal {
    /// The state that the plans build on has changed.
    Stale,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Stores the plans in one transaction; `None` when the ground has shifted.
pub(super) fn commit(
    intake: &Intake,
    plans: Vec<Plan>,
    ground: &Ground,
    now_ms: i64,
) -> Result<Option<CommitResult>> {
    commit_with(intake, plans, ground, now_ms, |_, _| Ok(()))
}

/// Stores the plans and further rows in one transaction. `also` may add to the streams with
/// something new.
pub(super) fn commit_with(
    intake: &Intake,
    plans: Vec<Plan>,
    ground: &Ground,
    now_ms: i64,
    also: impl Fn(&mut dyn Writer, &mut BTreeSet<StreamId>) -> StoreResult<()> + Send + 'static,
) -> Result<Option<CommitResult>> {
    let certificates = needed_certificates(&intake.shared.store, &plans)?;
    let mut kept: Vec<Record> = Vec::with_capacity(plans.len());
    let mut orders = Vec::with_capacity(plans.len());
    for plan in plans {
        let described = descriptions(&plan);
        let Plan {
            record,
            before,
            fresh,
            mut changed,
            base,
            view,
            ..
        } = plan;
        let listed = fresh
            .iter()
            .map(|fresh| (fresh.hash.envelope_id(), fresh.verdict));
        changed.extend(listed.filter(|(id, _)| before.lists(*id)));
        orders.push(Order {
            id: record.id(),
            before,
            fresh,
            changed,
            base,
            described,
            view,
        });
        kept.push(record);
    }
    if orders.is_empty() {
        return Ok(Some(CommitResult::default()));
    }
    let policy = ground.view.policy;
    let ahead = ahead_of(&orders);
    let own = intake.shared.keys.author_certificate().hash();
    let outcome = intake.shared.store.write::<_, Refusal>(move |tx| {
        tx.foresee(&ahead)?;
        if directory::policy(tx)? != policy {
            return Err(Refusal::Stale);
        }
        for certificate in &certificates {
            let device = certificate.facts().device;
            tx.put_certificate(certificate.hash(), device, certificate.raw())?;
        }
        let mut committed = CommitResult::default();
        for order in &orders {
            store(tx, order, own, now_ms, &mut committed)?;
        }
        also(tx, &mut committed.touched)?;
        for stream in &committed.touched {
            committed.heads.push((*stream, tx.head(*stream)?.position));
        }
        Ok(committed)
    });
    match outcome {
        Ok(committed) => {
            // The caller wakes their readers.
            intake.shared.wakeups.know(&committed.heads);
            for record in kept {
                intake.records.put(record);
            }
            Ok(Some(committed))
        }
        Err(Refusal::Stale) => Ok(None),
        Err(Refusal::Store(error)) => Err(Problem::from(error)),
    }
}

/// The rows that the orders will ask for.
fn ahead_of(orders: &[Order]) -> Ahead {
    let mut ahead = Ahead {
        notes: vec![directory::POLICY],
        ..Ahead::default()
    };
    for order in orders {
        ahead.records.push(order.id);
        ahead
            .envelopes
            .extend(order.changed.iter().map(|(id, _)| *id));
        let fresh = order.fresh.iter();
        ahead
            .certificates
            .extend(fresh.map(|fresh| fresh.certificate));
        if let Some(view) = &order.view {
            ahead.streams.extend(&view.streams);
            let summary = view.summary.as_ref();
            let entry = summary.map(|(stream, one)| (*stream, one.record.0.to_vec()));
            ahead.entries.extend(entry);
        }
    }
    ahead
}

fn needed_certificates(store: &Arc<dyn Store>, plans: &[Plan]) -> Result<Vec<Arc<Certificate>>> {
    let mut needed: HashMap<Hash, Arc<Certificate>> = HashMap::new();
    for plan in plans {
        for node in plan.record.nodes() {
            if let Some(certificate) = &node.certificate {
                needed
                    .entry(certificate.hash())
                    .or_insert_with(|| certificate.clone());
            }
        }
    }
    let mut new = Vec::new();
    store.read::<_, StoreError>(|tx| {
        for (hash, certificate) in needed {
            // Damaged facts are replaced.
            let is_whole = match tx.certificate(hash) {
                Err(error) if error.is_local() => false,
                found => found?.is_some_and(|raw| raw.facts == certificate.raw().facts),
            };
            if !is_whole {
                new.push(certificate);
            }
        }
        Ok(())
    })?;
    Ok(new)
}

/// Whether the stored state that the plan builds on is unchanged.
fn stands(tx: &dyn Writer, order: &Order, digest: Digest) -> StoreResult<bool> {
    let brought: HashSet<EnvelopeId> = order
        .base
        .iter()
        .flat_map(|base| base.envelopes.iter().map(|envelope| envelope.id))
        .collect();
    for (id, _) in &order.changed {
        let known = match tx.verdict(*id)? {
            Some((_, known)) => known,
            // It arrives with the base and cannot stay as it was there.
            None if brought.contains(id) => continue,
            None => return Err(StoreError::Missing("envelope")),
        };
        if !order.before.still(*id, &known) {
            return Ok(false);
        }
    }
    Ok(digest == order.before.digest)
}

fn store(
    tx: &mut dyn Writer,
    order: &Order,
    own: Hash,
    now_ms: i64,
    committed: &mut CommitResult,
) -> std::result::Result<(), Refusal> {
    let digest = tx.record(order.id)?.map(|row| row.digest);
    let was_there = digest.is_some();
    if !stands(tx, order, digest.unwrap_or_default())? {
        return Err(Refusal::Stale);
    }
    for fresh in &order.fresh {
        tx.put_envelope(&NewEnvelope {
            raw: &fresh.raw,
            hash: fresh.hash,
            record: order.id,
            author: fresh.author,
            certificate: fresh.certificate,
            verdict: fresh.verdict,
        })?;
        let id = fresh.hash.envelope_id();
        committed.verdicts.insert(id, fresh.verdict);
        if let Status::Held(_) = fresh.verdict.status {
            tx.put_review(&ReviewRow {
                envelope: id,
                since_ms: now_ms,
                decided: None,
            })?;
        }
        if plan::is_clone(&fresh.verdict) {
            let device = fresh.author.to_string();
            audit::note(tx, now_ms, "server", "device.cloned", &device)?;
        }
    }
    if let Some(base) = &order.base {
        tx.put_base(order.id, &base.pack, &base.in_place_of)?;
        for envelope in &base.envelopes {
            tx.put_packed(envelope)?;
        }
    }
    for description in &order.described {
        tx.put_description(description)?;
    }
    let mut placed = order.base.is_none().then(Vec::new);
    for (id, verdict) in &order.changed {
        let known = tx.verdict(*id)?.ok_or(StoreError::Missing("envelope"))?;
        tx.set_verdict(*id, *verdict)?;
        committed.verdicts.insert(*id, *verdict);
        placed = match placed {
            Some(placed) => decided(tx, placed, *id, known, verdict)?,
            None => None,
        };
    }
    if let Some(placed) = &mut placed {
        let changed = |placed: &Placement| order.changed.iter().any(|(id, _)| *id == placed.id);
        let fresh = order.fresh.iter().filter_map(Placement::fresh);
        placed.extend(fresh.filter(|placed| !changed(placed)));
    }
    if let Some(view) = &order.view {
        tx.put_record(&view.row)?;
        // Envelopes that were settled while the record was hidden (its Genesis was held) have no
        // place yet.
        let told =
            |placed: &Vec<Placement>| sum(placed).plus(order.before.digest) == view.row.digest;
        debug_assert!(!was_there || placed.as_ref().is_none_or(told));
        placed = placed.filter(told);
        let place = (was_there, placed.as_deref());
        route(tx, order, view, own, place, committed)?;
        if let Some((stream, summary)) = &view.summary {
            committed
                .touched
                .extend(bulletin::publish(tx, *stream, summary)?);
        }
    }
    Ok(())
}

/// Puts new entries into the streams of the record, and the record into and out of streams.
fn route(
    tx: &mut dyn Writer,
    order: &Order,
    view: &Projection,
    own: Hash,
    (was_there, placed): (bool, Option<&[Placement]>),
    committed: &mut CommitResult,
) -> StoreResult<()> {
    let old: BTreeSet<StreamId> = if was_there {
        tx.record_streams(order.id)?.into_iter().collect()
    } else {
        BTreeSet::new()
    };
    for stream in &view.streams {
        let Some(placed) = placed else {
            add_again(tx, order, view, *stream, old.contains(stream))?;
            committed.touched.insert(*stream);
            continue;
        };
        if old.contains(stream) || !was_there {
            let head = append_placed(tx, *stream, placed, committed)?;
            let mut named = HashSet::new();
            for (place, Placement { certificate, .. }) in placed.iter().enumerate() {
                if named.insert(*certificate) {
                    let position = head.position - (placed.len() - 1 - place) as u64;
                    need(tx, view, *stream, *certificate, position)?;
                }
            }
        } else {
            let add = NewEntry {
                entry: Entry::Add(order.id),
                adds: view.row.digest,
            };
            let head = tx.append(*stream, &[add])?;
            for certificate in tx.certificates_of(order.id)? {
                need(tx, view, *stream, certificate, head.position)?;
            }
        }
        if !old.contains(stream) {
            tx.hold(*stream, order.id)?;
        }
        committed.touched.insert(*stream);
    }
    for stream in old.difference(&view.streams) {
        let adds = Digest::EMPTY.minus(order.before.digest);
        tx.append(
            *stream,
            &[NewEntry {
                entry: Entry::Withdraw(order.id),
                adds,
            }],
        )?;
        tx.release(*stream, order.id)?;
        let mut certificates = tx.certificates_of(order.id)?;
        // The server's own certificate names no person, and nearly every record needs it. A search for
        // another record with it would walk through all moves of the server.
        certificates.retain(|hash| *hash != own);
        tx.forget_certificates(*stream, &certificates)?;
        committed.touched.insert(*stream);
    }
    Ok(())
}

/// Sends the record as a whole to every reader. The envelopes of a base pack have no bytes to send
/// alone, and no hash that another verdict could name.
///
/// The stream holds the record from here on, so no reader counts as having it already.
fn add_again(
    tx: &mut dyn Writer,
    order: &Order,
    view: &Projection,
    stream: StreamId,
    held: bool,
) -> StoreResult<()> {
    let adds = if held {
        view.row.digest.minus(order.before.digest)
    } else {
        view.row.digest
    };
    let entry = Entry::Add(order.id);
    let head = tx.append(stream, &[NewEntry { entry, adds }])?;
    tx.hold(stream, order.id)?;
    for certificate in tx.certificates_of(order.id)? {
        need(tx, view, stream, certificate, head.position)?;
    }
    Ok(())
}

fn append_placed(
    tx: &mut dyn Writer,
    stream: StreamId,
    placed: &[Placement],
    committed: &mut CommitResult,
) -> StoreResult<Head> {
    let entries: Vec<NewEntry> = placed
        .iter()
        .map(|placed| NewEntry {
            entry: placed.entry.clone(),
            adds: placed.adds,
        })
        .collect();
    if entries.is_empty() {
        return tx.head(stream);
    }
    let head = tx.append(stream, &entries)?;
    let first = head.position - (entries.len() - 1) as u64;
    for (placed, position) in placed.iter().zip(first..) {
        committed
            .positions
            .entry(placed.id)
            .or_default()
            .push(StreamPosition { stream, position });
    }
    Ok(head)
}

/// Notes a certificate that a stream needs. Parties who are only dispatched to a case do not learn
/// its witnesses.
fn need(
    tx: &mut dyn Writer,
    view: &Projection,
    stream: StreamId,
    certificate: Hash,
    position: u64,
) -> StoreResult<()> {
    if view.discreet.contains(&stream) && view.witnesses.contains(&certificate) {
        return Ok(());
    }
    tx.need_certificate(stream, certificate, position)
}
