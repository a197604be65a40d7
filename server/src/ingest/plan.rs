//! Judges the envelopes of one record and plans the rows to store.

use std::collections::{BTreeSet, HashMap, HashSet};

use onegrid_core::domain::bulletin::Summary;
use onegrid_core::domain::case::RecordState;
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::domain::stream;
use onegrid_core::domain::{Audience, StreamId};
use onegrid_core::id::{DeviceId, EnvelopeId, Hash, RecordId};
use onegrid_core::record::{Admission, Judgement, Node, OwnJudgement, Record};
use onegrid_core::wire::envelope::{RawEnvelope, VerifiedEnvelope};
use onegrid_core::wire::verdict::{HeldReason, Status, Verdict, VoidReason};

use super::given_packs::Base;
use super::policy::Ground;
use super::records::Before;
use super::untenable::{void_answered, void_beyond_budget, void_what_can_not_stay};
use super::{Group, Intake, automatic, bulletin, merges, room};
use crate::directory::routing::At;
use crate::error::{Problem, Result};
use crate::limits::{PLAN_ALONE_MAX, VERIFY_THREADS_MAX};
use crate::records::load;
use crate::rules::Rules;
use crate::store::{RecordRow, StoreResult};

/// One record with everything that is to be stored about it.
pub(crate) struct Plan {
    pub(super) record: Record,
    /// The stored state that the plan builds on.
    pub(super) before: Before,
    /// New envelopes, parents first.
    pub(super) fresh: Vec<Fresh>,
    /// Envelopes that were stored before and have another verdict now.
    pub(super) changed: Vec<(EnvelopeId, Verdict)>,
    /// Parents that are nowhere.
    pub(super) missing: Vec<EnvelopeId>,
    /// Envelopes that the record has no room for. They are not stored.
    pub(super) full: Vec<EnvelopeId>,
    /// A pack that was given back and becomes a base of the record.
    pub(super) base: Option<Base>,
    /// The projection and the routing; `None` while the Genesis does not count.
    pub(super) view: Option<Projection>,
}

impl Plan {
    /// A plan without changes.
    pub(super) fn of(record: Record, before: Before) -> Self {
        Self {
            record,
            before,
            fresh: Vec::new(),
            changed: Vec::new(),
            missing: Vec::new(),
            full: Vec::new(),
            base: None,
            view: None,
        }
    }
}

/// The decision about the envelopes of one record.
pub(crate) enum PlanResult {
    /// They are judged.
    Plan(Box<Plan>),
    /// The store cannot read the record, so the envelopes stay undecided and their phones keep
    /// them.
    PutOff(RecordId, Vec<EnvelopeId>),
}

/// Records with envelopes that are put off.
pub(super) type PutOff = Vec<(RecordId, Vec<EnvelopeId>)>;

impl PlanResult {
    /// Separates the plans from the envelopes that are put off.
    pub(super) fn split(all: Vec<Self>) -> (Vec<Plan>, PutOff) {
        let (mut plans, mut put_off) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Self::Plan(plan) => plans.push(*plan),
                Self::PutOff(record, ids) => put_off.push((record, ids)),
            }
        }
        (plans, put_off)
    }
}

/// A new envelope.
pub(crate) struct Fresh {
    pub(super) raw: RawEnvelope,
    pub(super) hash: Hash,
    pub(super) author: DeviceId,
    pub(super) certificate: Hash,
    pub(super) verdict: Verdict,
}

/// The facts about a record that lists and feeds need.
pub(crate) struct Projection {
    pub(super) row: RecordRow,
    pub(super) streams: BTreeSet<StreamId>,
    /// Streams whose readers do not learn the witnesses.
    pub(super) discreet: BTreeSet<StreamId>,
    /// Certificates of authors with evidence as their only part in the record.
    pub(super) witnesses: HashSet<Hash>,
    pub(super) summary: Option<(StreamId, Summary)>,
}

/// Judges each record; many records in parallel.
pub(super) fn judge(
    intake: &Intake,
    groups: Vec<(RecordId, Group)>,
    ground: &Ground,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<Vec<PlanResult>> {
    let one = |(id, group): (RecordId, Group)| plan(intake, id, &group, ground, attested, now_ms);
    if groups.len() <= PLAN_ALONE_MAX {
        return groups.into_iter().map(one).collect();
    }
    let threads = std::thread::available_parallelism()
        .map_or(2, std::num::NonZeroUsize::get)
        .clamp(2, VERIFY_THREADS_MAX);
    let mut shares: Vec<Vec<_>> = (0..threads).map(|_| Vec::new()).collect();
    for (place, group) in groups.into_iter().enumerate() {
        shares[place % threads].push(group);
    }
    let one = &one;
    std::thread::scope(|scope| {
        let running: Vec<_> = shares
            .into_iter()
            .map(|share| {
                scope.spawn(move || {
                    share
                        .into_iter()
                        .map(one)
                        .collect::<Result<Vec<PlanResult>>>()
                })
            })
            .collect();
        let mut plans = Vec::new();
        for thread in running {
            let share = thread.join().map_err(|_| Problem::new("server.internal"))?;
            plans.extend(share?);
        }
        Ok(plans)
    })
}

fn plan(
    intake: &Intake,
    id: RecordId,
    group: &Group,
    ground: &Ground,
    attested: &HashMap<Hash, Verdict>,
    now_ms: i64,
) -> Result<PlanResult> {
    let (mut record, before) = match open_record(intake, id) {
        Ok(opened) => opened,
        Err(error) if error.is_local() => {
            tracing::error!(code = error.code(), record = %id, "envelopes of a damaged record are put off");
            let ids = group.iter().map(|envelope| envelope.envelope().id());
            return Ok(PlanResult::PutOff(id, ids.collect()));
        }
        Err(error) => return Err(error.into()),
    };
    let full = room::beyond_room(intake, &record, group, attested)?;
    let has_room = |envelope: &&VerifiedEnvelope| !full.contains(&envelope.envelope().id());
    let taken: Group = group.iter().filter(has_room).cloned().collect();
    let given: HashMap<EnvelopeId, &VerifiedEnvelope> = taken
        .iter()
        .map(|envelope| (envelope.envelope().id(), envelope))
        .collect();
    let judgements = record.admit(&taken);
    let missing = nowhere(&judgements, &given);
    if !missing.is_empty() {
        return Ok(PlanResult::Plan(Box::new(Plan {
            missing,
            ..Plan::of(record, before)
        })));
    }
    let generation = ground.mark.generation;
    let mut joined = take_attested(&mut record, &given, attested);
    let fresh: HashMap<EnvelopeId, &VerifiedEnvelope> = given
        .iter()
        .filter(|(_, envelope)| !attested.contains_key(&envelope.envelope().hash()))
        .map(|(id, envelope)| (*id, *envelope))
        .collect();
    judge_fresh(&mut record, &fresh, ground, now_ms);
    if fresh.len() < given.len() {
        // Some parents are settled only now. Upon any other parent the envelope waits like a new one.
        joined |= take_attested(&mut record, &given, attested);
        judge_fresh(&mut record, &given, ground, now_ms);
    }
    let mut changed = void_beyond_budget(&mut record, Vec::new(), now_ms, generation);
    if joined || !changed.is_empty() {
        changed = void_what_can_not_stay(&mut record, changed, now_ms, generation);
    }
    changed.extend(void_answered(&mut record, now_ms, generation));
    changed.retain(|(id, _)| !given.contains_key(id));
    let mut fresh: Vec<Fresh> = Vec::with_capacity(given.len());
    for node in record.nodes() {
        if let (Some(envelope), Some(verdict)) = (given.get(&node.id), node.verdict) {
            fresh.push(Fresh::of(envelope, verdict));
        }
    }
    fresh.extend(automatic::moves(intake, &mut record, ground, now_ms)?);
    let view = project(&intake.rules(), &record, ground, now_ms);
    Ok(PlanResult::Plan(Box::new(Plan {
        fresh,
        changed,
        full: full.into_iter().collect(),
        view,
        ..Plan::of(record, before)
    })))
}

/// The record, and how the store holds it.
pub(super) fn open_record(intake: &Intake, id: RecordId) -> StoreResult<(Record, Before)> {
    intake.shared.store.read(|tx| {
        let digest = tx.record(id)?.map(|row| row.digest).unwrap_or_default();
        let record = match intake.records.take(id, digest) {
            Some(record) => record,
            None => load(tx, &intake.shared.certificates, id)?,
        };
        let before = Before::of(&record, digest);
        Ok((record, before))
    })
}

pub(super) fn project(
    rules: &Rules,
    record: &Record,
    ground: &Ground,
    now_ms: i64,
) -> Option<Projection> {
    let state = record.state()?;
    let genesis = record.nodes().first()?;
    genesis
        .verdict
        .filter(|verdict| verdict.status.is_accepted())?;
    let due_ms = merges::ask_for_a_look(state)
        .then_some(now_ms)
        .or_else(|| automatic::due_ms(rules, record, state, ground));
    let point = content_details(record).and_then(|details| details.position);
    let wgs84 = point.map(|position| position.position().wgs84());
    let row = row_at(record, wgs84, due_ms, now_ms)?;
    let rounded: Option<GeoPoint> =
        point.map(|position| position.position().rounded_for_bulletin());
    Some(Projection {
        row,
        streams: stream::streams_of(
            state,
            &At {
                directory: &ground.view.directory,
                now_ms,
            },
        ),
        discreet: discreet_streams(state),
        witnesses: record.witnesses(),
        summary: bulletin::summary(record.id(), state, rounded),
    })
}

/// The row of a record as its entries say; `None` without a state.
pub(crate) fn row_of(record: &Record, due_ms: Option<i64>, changed_ms: i64) -> Option<RecordRow> {
    let point = content_details(record).and_then(|details| details.position);
    let wgs84 = point.map(|position| position.position().wgs84());
    row_at(record, wgs84, due_ms, changed_ms)
}

fn row_at(
    record: &Record,
    point: Option<GeoPoint>,
    due_ms: Option<i64>,
    changed_ms: i64,
) -> Option<RecordRow> {
    let state = record.state()?;
    let genesis = record.nodes().first()?;
    Some(RecordRow {
        id: record.id(),
        kind: state.facts.kind.code(),
        audience: state.facts.audience.code(),
        home: state.facts.home,
        created_ms: genesis.clock_ms,
        open: (state.case().is_some() || state.steps().is_some()) && state.is_open(),
        state: state.stage_code(),
        category: state.category().map(|code| code.as_str().to_owned()),
        position: point.map(|point| (point.lat_e7(), point.lon_e7())),
        due_ms,
        digest: record.digest(),
        changed_ms,
        merged_into: state.merged_into(),
    })
}

impl Fresh {
    pub(super) fn of(verified: &VerifiedEnvelope, verdict: Verdict) -> Self {
        let envelope = verified.envelope();
        Self {
            raw: envelope.raw().clone(),
            hash: envelope.hash(),
            author: envelope.header().author,
            certificate: envelope.header().certificate,
            verdict,
        }
    }
}

/// Parents that are neither here nor in the bundle.
fn nowhere(
    judgements: &[Judgement],
    given: &HashMap<EnvelopeId, &VerifiedEnvelope>,
) -> Vec<EnvelopeId> {
    let parents = judgements
        .iter()
        .flat_map(|judgement| match &judgement.outcome {
            Admission::Missing(parents) => parents.as_slice(),
            _ => &[],
        });
    parents
        .copied()
        .filter(|id| !given.contains_key(id))
        .collect()
}

/// Takes verdicts that this deployment signed before, each upon settled parents only, because
/// readers get nothing of the others. Returns whether there are any.
fn take_attested(
    record: &mut Record,
    given: &HashMap<EnvelopeId, &VerifiedEnvelope>,
    attested: &HashMap<Hash, Verdict>,
) -> bool {
    if attested.is_empty() {
        return false;
    }
    let mut settled: Vec<bool> = Vec::with_capacity(record.nodes().len());
    let mut taken = Vec::new();
    for node in record.nodes() {
        let verdict = given
            .get(&node.id)
            .and_then(|envelope| attested.get(&envelope.envelope().hash()))
            .filter(|_| node.parents.iter().all(|parent| settled[*parent]));
        taken.extend(verdict.map(|verdict| (node.id, *verdict)));
        let known = node.verdict.is_some_and(|known| known.status.is_settled());
        settled.push(known || verdict.is_some());
    }
    record.set_verdicts(taken.iter().copied());
    !taken.is_empty()
}

/// Judges envelopes without a verdict: they wait for a person, or the rules decide.
fn judge_fresh(
    record: &mut Record,
    given: &HashMap<EnvelopeId, &VerifiedEnvelope>,
    ground: &Ground,
    now_ms: i64,
) {
    let at = |status| Verdict {
        status,
        at_ms: now_ms,
        generation: ground.mark.generation,
    };
    let held = held_by_policy(record, given, ground, now_ms);
    let held = held.into_iter();
    record.set_verdicts(held.map(|(id, reason)| (id, at(Status::Held(reason)))));
    settle(record, given, at);
}

/// The envelopes that wait for a person, each with the reason.
fn held_by_policy(
    record: &Record,
    given: &HashMap<EnvelopeId, &VerifiedEnvelope>,
    ground: &Ground,
    now_ms: i64,
) -> Vec<(EnvelopeId, HeldReason)> {
    let mut newest: HashMap<DeviceId, DirectoryMark> = HashMap::new();
    let mut held = Vec::new();
    for node in record.nodes() {
        // An author's envelopes lie on one line, so earlier nodes of the author were written
        // earlier.
        let seen = newest.entry(node.author).or_default();
        *seen = node.directory_seen.max(*seen);
        if node.verdict.is_some() || !given.contains_key(&node.id) {
            continue;
        }
        let newer = || (node.judged == OwnJudgement::Newer).then_some(HeldReason::Newer);
        if let Some(reason) = ground.holds(record, node, *seen, now_ms).or_else(newer) {
            held.push((node.id, reason));
        }
    }
    held
}

fn unsettled<'a>(
    record: &'a Record,
    given: &'a HashMap<EnvelopeId, &VerifiedEnvelope>,
) -> impl Iterator<Item = &'a Node> {
    record
        .nodes()
        .iter()
        .filter(|node| node.verdict.is_none() && given.contains_key(&node.id))
}

/// Gives a verdict to every envelope without one, once the held envelopes are known.
fn settle(
    record: &mut Record,
    given: &HashMap<EnvelopeId, &VerifiedEnvelope>,
    at: impl Fn(Status) -> Verdict,
) {
    let verdicts: Vec<_> = unsettled(record, given)
        .map(|node| (node.id, at(own_status(node))))
        .collect();
    record.set_verdicts(verdicts);
}

/// The record's own status for an envelope without verdict.
pub(super) fn own_status(node: &Node) -> Status {
    match node.judged {
        OwnJudgement::Newer => Status::Held(HeldReason::Newer),
        // A held parent takes precedence. Other readers do not get the parent, so they may not get
        // this envelope either, not even as void.
        _ if node.waits => Status::Held(HeldReason::ParentHeld),
        OwnJudgement::Void(reason) => Status::Void(reason),
        OwnJudgement::Valid => Status::Accepted,
    }
}

/// Whether the verdict shows a copy of a phone.
pub(super) fn is_clone(verdict: &Verdict) -> bool {
    verdict.status == Status::Void(VoidReason::Clone)
}

pub(super) fn content_details(record: &Record) -> Option<onegrid_core::domain::content::Details> {
    let kind = record.genesis()?.kind.spec()?;
    Some(record.document()?.content(kind).details().clone())
}

/// Streams of the responsible parties that have no other part in the record.
fn discreet_streams(state: &RecordState) -> BTreeSet<StreamId> {
    use onegrid_core::domain::case::Party;
    let mut parties: BTreeSet<StreamId> = state
        .assignments()
        .iter()
        .map(|assignment| match assignment.to {
            Party::Unit(unit) => StreamId::Unit(unit),
            Party::Member(member) => StreamId::Member(member),
        })
        .collect();
    // The team of a restricted report is no reader of it, so a dispatch is all that it has to do with it.
    let restricted = state.facts.audience == Audience::Restricted;
    if let Some(team) = state.facts.team.filter(|_| !restricted) {
        parties.remove(&StreamId::Unit(team));
    }
    for member in state.reporter.iter().chain(&state.facts.named) {
        parties.remove(&StreamId::Member(*member));
    }
    parties
}
