//! The server's own word for a danger that awaits review. Only the author has a held envelope, so
//! without this word everybody else would see an ended case. It says that a warning exists, and
//! names neither its author nor its content.
//!
//! It is void once a reviewer has decided, because then the danger itself counts, or there is none. It
//! stays in force when an envelope that counts builds on it, because that work was done in a case that
//! was open then, and the work of others is not undone by a decision about a warning.

use std::collections::{BTreeMap, BTreeSet};

use onegrid_core::dag::Walk;
use onegrid_core::domain::case::payload::DangerHeld;
use onegrid_core::domain::case::{Event, Move as CaseMove};
use onegrid_core::id::{DeviceId, EnvelopeId};
use onegrid_core::limits::PARENTS_MAX;
use onegrid_core::record::{Node, NodeBody, OwnJudgement, Record};
use onegrid_core::wire::verdict::{HeldReason, Status};

use super::automatic::{Move, own_moves};

/// The stand-in for the next held danger that has none.
pub(super) fn next(record: &Record) -> Option<Move> {
    let danger = record.node(record.first_that_would_count(&candidates(record))?)?;
    let parents = reachable(record, danger);
    (!parents.is_empty()).then(|| Move {
        rule: "danger_held".to_owned(),
        cause: danger.id,
        parents,
        clock_ms: danger.clock_ms,
        event: Event::DangerHeld(DangerHeld { danger: danger.id }),
    })
}

/// Two held dangers of each author, where they have no stand-in. The newest well-formed one comes first, a plain
/// warning before other dangers, because everybody may warn. Then comes the oldest one: an escalation that repeats an
/// earlier one is not legal, and the earlier one is. So a flood of dangers costs no more than two of them.
pub(super) fn candidates(record: &Record) -> Vec<EnvelopeId> {
    let mut newest: BTreeMap<DeviceId, (bool, Option<i64>, usize)> = BTreeMap::new();
    let mut oldest: BTreeMap<DeviceId, (Option<i64>, usize)> = BTreeMap::new();
    for (index, node) in record.nodes().iter().enumerate() {
        if is_held_danger(node) && node.judged == OwnJudgement::Valid {
            let arrived_ms = node.verdict.map(|verdict| verdict.at_ms);
            let found = (is_warning(node), arrived_ms, index);
            let known = newest.entry(node.author).or_insert(found);
            *known = found.max(*known);
            let found = (arrived_ms, index);
            let known = oldest.entry(node.author).or_insert(found);
            *known = found.min(*known);
        }
    }
    // Both maps have the same authors.
    let pairs = newest.into_values().zip(oldest.into_values());
    let indices = pairs.flat_map(|((_, _, newest), (_, oldest))| {
        [Some(newest), (oldest != newest).then_some(oldest)]
    });
    let dangers = indices.flatten().map(|index| &record.nodes()[index]);
    dangers
        .filter(|danger| !has_stand_in(record, danger))
        .map(|danger| danger.id)
        .collect()
}

fn is_warning(node: &Node) -> bool {
    matches!(&node.body, NodeBody::Event { event, .. } if matches!(**event, Event::DangerRemains(_)))
}

/// The stand-ins in force with a decided danger and without a counting envelope that builds on them.
pub(super) fn answered(record: &Record) -> Vec<EnvelopeId> {
    let decided = |danger: EnvelopeId| {
        let verdict = record.node(danger).and_then(|node| node.verdict);
        verdict.is_some_and(|verdict| !matches!(verdict.status, Status::Held(_)))
    };
    stand_ins(record)
        .filter(|(node, danger)| node.counts() && decided(*danger))
        .map(|(node, _)| node.id)
        .filter(|stand_in| !is_built_on(record, *stand_in))
        .collect()
}

/// Whether an envelope that counts has this one in its past.
fn is_built_on(record: &Record, id: EnvelopeId) -> bool {
    let mut above = vec![false; record.nodes().len()];
    record.nodes().iter().enumerate().any(|(index, node)| {
        let builds_on_it = node.parents.iter().any(|parent| above[*parent]);
        above[index] = builds_on_it || node.id == id;
        builds_on_it && node.counts()
    })
}

/// A danger that waits for its clock, for a flood, or for its parents. A revoked phone, or one with
/// a changed role, keeps no case open.
fn is_held_danger(node: &Node) -> bool {
    let waits = matches!(
        node.verdict.map(|verdict| verdict.status),
        Some(Status::Held(
            HeldReason::Clock | HeldReason::TooMany | HeldReason::ParentHeld
        ))
    );
    waits && matches!(&node.body, NodeBody::Event { event, .. } if event.is_danger())
}

/// Whether the danger has a stand-in: its own, or another one of the same author. So a flood of
/// warnings holds the case open once. An ending that has seen the stand-in answers all warnings
/// that had arrived by then.
fn has_stand_in(record: &Record, danger: &Node) -> bool {
    stand_ins(record).any(|(node, held)| {
        let same_author = record
            .node(held)
            .is_some_and(|held| held.author == danger.author);
        held == danger.id || same_author && node.counts() && !is_later(record, danger, node.id)
    })
}

/// Whether the danger arrived after an ending had answered the stand-in.
fn is_later(record: &Record, danger: &Node, stand_in: EnvelopeId) -> bool {
    let arrived_ms = danger.verdict.map(|verdict| verdict.at_ms);
    record.nodes().iter().any(|node| {
        let ends = match &node.body {
            NodeBody::Event { event, .. } => event.movement().is_some_and(CaseMove::is_ending),
            _ => false,
        };
        let is_before = node.verdict.map(|verdict| verdict.at_ms) < arrived_ms;
        ends && is_before && node.counts() && record.is_ancestor(stand_in, node.id)
    })
}

fn stand_ins(record: &Record) -> impl Iterator<Item = (&Node, EnvelopeId)> {
    own_moves(record).filter_map(|(node, event)| match event {
        Event::DangerHeld(held) => Some((node, held.danger)),
        _ => None,
    })
}

/// The newest envelopes that both the danger's author and other readers have. The stand-in has seen
/// no more.
fn reachable(record: &Record, danger: &Node) -> Vec<EnvelopeId> {
    let nodes = record.nodes();
    let mut walk = Walk::from_places(nodes.len(), danger.parents.iter().copied());
    let mut found = BTreeSet::new();
    while let Some(index) = walk.next() {
        if nodes[index].is_out_of_reach() {
            walk.extend(nodes[index].parents.iter().copied());
        } else {
            found.insert(index);
        }
    }
    // One pass from the last of them marks the past of all.
    let mut past = vec![false; found.last().map_or(0, |last| last + 1)];
    for index in (0..past.len()).rev() {
        if past[index] || found.contains(&index) {
            for parent in &nodes[index].parents {
                past[*parent] = true;
            }
        }
    }
    let heads = found.into_iter().filter(|index| !past[*index]);
    let mut heads: Vec<&Node> = heads.map(|index| &nodes[index]).collect();
    heads.sort_by_key(|node| (std::cmp::Reverse(node.depth), node.id));
    heads.truncate(PARENTS_MAX);
    heads.into_iter().map(|node| node.id).collect()
}
