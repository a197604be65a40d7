//! Automatic moves: triage, dispatch, escalation, the server's word for a danger under review, and
//! the undoing of a merge that does not hold. Each move is a function of (record, rule, cause)
//! alone. Its parents are its cause and, where a case goes up further, the escalation before. So
//! making it twice makes the same envelope.

use onegrid_core::domain::area::{Area, AreaLevel};
use onegrid_core::domain::case::payload::{Dispatch, Escalate, Triage};
use onegrid_core::domain::case::{
    Assignment, Deadlines, Event, FOLD_VERSION, Move as CaseMove, Part, Party, RecordState, Stage,
    deadline,
};
use onegrid_core::domain::category::CategoryCode;
use onegrid_core::domain::{AreaPath, Code, Text};
use onegrid_core::id::{EnvelopeId, Hash};
use onegrid_core::record::{Node, NodeBody, Record};
use onegrid_core::wire::body::{Body, EventBody};
use onegrid_core::wire::envelope::{
    Envelope, FORMAT_VERSION, Header, SUITE_ED25519_SHA256, VerifiedEnvelope,
};
use onegrid_core::wire::verdict::{Status, Verdict};

use super::plan::{Fresh, own_status};
use super::policy::Ground;
use super::{Intake, stand_in};
use crate::error::{Problem, Result};
use crate::keys::Keys;
use crate::limits::{AUTOMATIC_MOVES_MAX, RECORD_STORED_MAX};
use crate::rules::{Rule, Rules, level_above};

/// A move that the server makes.
pub(super) struct Move {
    /// The name of its rule.
    pub(super) rule: String,
    pub(super) cause: EnvelopeId,
    pub(super) parents: Vec<EnvelopeId>,
    pub(super) clock_ms: i64,
    pub(super) event: Event,
}

/// Makes every move that is due, and those that follow from them.
pub(super) fn moves(
    intake: &Intake,
    record: &mut Record,
    ground: &Ground,
    now_ms: i64,
) -> Result<Vec<Fresh>> {
    let (rules, mut made) = (intake.rules(), Vec::new());
    for _ in 0..AUTOMATIC_MOVES_MAX {
        if record.nodes().len() >= RECORD_STORED_MAX {
            break;
        }
        let Some(next) = next_move(&rules, record, ground, now_ms) else {
            break;
        };
        made.push(make(&intake.shared.keys, record, ground, &next, now_ms)?);
    }
    Ok(made)
}

fn next_move(rules: &Rules, record: &Record, ground: &Ground, now_ms: i64) -> Option<Move> {
    let state = record.state()?;
    if state.case().is_none() {
        let open = state.steps().filter(|_| !state.frozen);
        return open.and_then(|_| escalation(rules, record, state, ground, now_ms));
    }
    let warning = stand_in::next(record);
    if warning.is_some() || state.frozen {
        return warning;
    }
    triage(rules, record, state, ground)
        .or_else(|| dispatch(rules, record, state, ground, now_ms))
        .or_else(|| escalation(rules, record, state, ground, now_ms))
}

/// Classifies a new case with the category that its reporter chose and the grid of its position.
/// Only the Genesis counts, because later edits are for people.
fn triage(rules: &Rules, record: &Record, state: &RecordState, ground: &Ground) -> Option<Move> {
    let genesis = record.nodes().first()?;
    if state.stage() != Stage::Reported
        || state.category().is_some()
        || has_made(record, CaseMove::Triage)
    {
        return None;
    }
    let NodeBody::Genesis { change, .. } = &genesis.body else {
        return None;
    };
    let head = change.info.as_ref()?.hash;
    let kind = state.facts.kind.spec()?;
    let content = record.document()?.content_at(kind, &[head])?;
    let details = content.details();
    let category: CategoryCode = details.category.as_deref()?.parse().ok()?;
    let directory = &ground.view.directory;
    directory.categories.get(category.as_str())?;
    let rule = rules.find(category.as_str(), directory)?;
    let at_ms = genesis.verdict?.at_ms;
    let grid = details
        .position
        .and_then(|position| directory.areas.grid_at(position.position().wgs84(), at_ms));
    // The grid refines the home; another village is for a person to decide.
    let grid = grid.filter(|grid| {
        let area = directory.areas.get(*grid);
        area.and_then(Area::parent) == state.facts.home.village()
    });
    Some(Move {
        rule: rule.code.as_str().to_owned(),
        cause: genesis.id,
        parents: vec![genesis.id],
        clock_ms: at_ms,
        event: Event::Triage(Triage {
            category,
            severity: rule.severity,
            grid,
            rule: Some(rule.code.clone()),
            note: None,
        }),
    })
}

/// Dispatches a case that a rule triaged to the unit that the rule names.
fn dispatch(
    rules: &Rules,
    record: &Record,
    state: &RecordState,
    ground: &Ground,
    now_ms: i64,
) -> Option<Move> {
    if state.stage() != Stage::Triaged
        || !state.assignments().is_empty()
        || has_made(record, CaseMove::Dispatch)
    {
        return None;
    }
    let (cause, rule) = own_moves(record)
        .filter(|(node, _)| node.counts())
        .find_map(|(node, event)| match event {
            Event::Triage(triage) => Some((node, rules.named(triage.rule.as_ref()?.as_str())?)),
            _ => None,
        })?;
    let place: AreaPath = state.place();
    let unit = rule.unit(&place, &ground.view.directory, now_ms)?;
    let from_ms = cause.verdict?.at_ms;
    Some(Move {
        rule: rule.code.as_str().to_owned(),
        cause: cause.id,
        parents: vec![cause.id],
        clock_ms: from_ms,
        event: Event::Dispatch(Dispatch {
            to: Party::Unit(unit),
            part: Part::Lead,
            deadlines: deadlines(rule, from_ms),
            rule: Some(rule.code.clone()),
            note: None,
        }),
    })
}

fn deadlines(rule: &Rule, from_ms: i64) -> Deadlines {
    let by = |time: Option<i64>| time.map(|time| from_ms.saturating_add(time));
    Deadlines {
        accept_by_ms: by(rule.accept_ms),
        arrive_by_ms: by(rule.arrive_ms),
        resolve_by_ms: by(rule.resolve_ms),
    }
}

/// An assignment that is overdue goes one level up, once for each of its deadlines.
fn escalation(
    rules: &Rules,
    record: &Record,
    state: &RecordState,
    ground: &Ground,
    now_ms: i64,
) -> Option<Move> {
    let (assignment, overdue_ms, name) = next_overdue(rules, record, state, ground)?;
    if overdue_ms > now_ms {
        return None;
    }
    let level = state.handling()?.level;
    let to = level_above(level)?;
    let rule = Code::new(name).ok()?;
    let raised = raised_to(record, level);
    Some(Move {
        rule: name.to_owned(),
        cause: assignment.id,
        parents: raised.into_iter().chain([assignment.id]).collect(),
        clock_ms: overdue_ms,
        event: Event::Escalate(Escalate {
            to,
            reason: Text::new(OVERDUE_REASON).ok()?,
            rule: Some(rule),
        }),
    })
}

/// The escalation that raised the case to this level. Each further escalation has seen it.
fn raised_to(record: &Record, level: AreaLevel) -> Option<EnvelopeId> {
    let raised = record.nodes().iter().filter(|node| match &node.body {
        NodeBody::Event { event, .. } => {
            node.counts() && matches!(&**event, Event::Escalate(up) if up.to == level)
        }
        _ => false,
    });
    raised.map(|node| node.id).min()
}

/// People read it unchanged, so it has the deployment's first language with the second beside it.
const OVERDUE_REASON: &str = "超过时限，自动升级 / overdue, escalated automatically";

/// When the rules have to look at the record again, ms UTC.
pub(super) fn due_ms(
    rules: &Rules,
    record: &Record,
    state: &RecordState,
    ground: &Ground,
) -> Option<i64> {
    if state.frozen {
        return None;
    }
    next_overdue(rules, record, state, ground).map(|(_, overdue_ms, _)| overdue_ms)
}

/// Whether overdue assignments raise the record: a case of the categories that the rules name, and a record with
/// steps whose table allows it.
fn escalates(rules: &Rules, state: &RecordState, ground: &Ground) -> bool {
    match (state.steps(), state.category()) {
        (Some(steps), _) => steps.allows(CaseMove::Escalate),
        (None, Some(code)) => rules.escalates(code.as_str(), &ground.view.directory),
        (None, None) => false,
    }
}

/// The next deadline that makes a record go up, if there is a level above. Returns the assignment, the time (ms
/// UTC) and the rule's name.
fn next_overdue<'a>(
    rules: &Rules,
    record: &Record,
    state: &'a RecordState,
    ground: &Ground,
) -> Option<(&'a Assignment, i64, &'static str)> {
    let handling = state.handling()?;
    level_above(handling.level)?;
    if !state.deadlines_run() || !escalates(rules, state, ground) {
        return None;
    }
    handling
        .assignments
        .iter()
        .filter(|assignment| assignment.part == Part::Lead)
        .flat_map(|assignment| {
            still_to_meet(assignment).map(move |(by_ms, name)| (assignment, by_ms, name))
        })
        .filter(|(assignment, _, name)| {
            !own_moves(record).any(|(node, event)| {
                let about = record
                    .parents_of(node)
                    .any(|parent| parent == assignment.id);
                about
                    && matches!(event, Event::Escalate(up)
                        if up.rule.as_ref().is_some_and(|rule| rule.as_str() == *name))
            })
        })
        .min_by_key(|(assignment, by_ms, _)| (*by_ms, assignment.id))
}

/// The deadlines whose step is still to be taken, each with the name of the rule that minds it.
fn still_to_meet(assignment: &Assignment) -> impl Iterator<Item = (i64, &'static str)> {
    deadline::still_to_meet(assignment).map(|(step, by_ms)| {
        let name = match step {
            CaseMove::Accept => "overdue_accept",
            CaseMove::Arrive => "overdue_arrive",
            _ => "overdue_resolve",
        };
        (by_ms, name)
    })
}

/// The server's own moves of the record, void ones too.
pub(super) fn own_moves(record: &Record) -> impl Iterator<Item = (&Node, &Event)> {
    record.nodes().iter().filter_map(|node| match &node.body {
        NodeBody::Event { event, .. }
            if node.role() == Some(onegrid_core::domain::Role::System) =>
        {
            Some((node, &**event))
        }
        _ => None,
    })
}

/// Whether a rule has made such a move already, with any verdict.
fn has_made(record: &Record, movement: CaseMove) -> bool {
    own_moves(record).any(|(_, event)| event.movement() == Some(movement))
}

/// Makes one move, with its verdict.
pub(super) fn make(
    keys: &Keys,
    record: &mut Record,
    ground: &Ground,
    next: &Move,
    now_ms: i64,
) -> Result<Fresh> {
    let failed = |error: &dyn std::error::Error| Problem::new("server.internal").because(error);
    let (code, data) = next.event.encode();
    let salt = Hash::of(&[b"auto", &record.id().0, next.rule.as_bytes(), &next.cause.0]).first16();
    let seen = next
        .parents
        .last()
        .and_then(|parent| record.node(*parent))
        .map(|node| node.directory_seen)
        .unwrap_or_default();
    let header = Header {
        version: FORMAT_VERSION,
        suite: SUITE_ED25519_SHA256,
        body_kind: 0,
        record: Some(record.id()),
        author: keys.author().public().device(),
        certificate: keys.author_certificate().hash(),
        grant: 0,
        parents: next.parents.clone(),
        directory_seen: seen,
        clock_ms: next.clock_ms,
    };
    let body = Body::Event(EventBody {
        salt: Some(salt),
        code,
        fold_version: FOLD_VERSION,
        data,
        on_behalf_of: None,
        replaces: None,
    });
    let envelope = Envelope::seal(header, &body, keys.author(), keys.authority())
        .map_err(|error| failed(&error))?;
    let id = envelope.id();
    let known = record.node(id).and_then(|node| node.verdict);
    let verified = VerifiedEnvelope::stored(envelope, keys.author_certificate().clone());
    record.admit(std::slice::from_ref(&verified));
    if let Some(verdict) = known {
        // It was made before the server was restored, and a pack that was given back lists it as
        // void.
        return Ok(Fresh::of(&verified, verdict));
    }
    // A rule that asks for an impossible move is the administrator's mistake. Its move is void and
    // kept, so that it is not made again.
    let status = record.node(id).map_or(Status::Accepted, own_status);
    if status != Status::Accepted {
        tracing::warn!(
            rule = next.rule,
            code = status.code(),
            "rule without effect"
        );
    }
    let verdict = Verdict {
        status,
        at_ms: now_ms,
        generation: ground.mark.generation,
    };
    record.set_verdicts([(id, verdict)]);
    Ok(Fresh::of(&verified, verdict))
}
