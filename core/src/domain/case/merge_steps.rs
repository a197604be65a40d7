//! Rules for branches that meet, for the steps of a kind's own table.
//!
//! Each step continues the step that was in force for its author. So the steps form a tree, and one way from
//! its root is in force. Where ways part, the way goes where the step of the highest rank lies, wherever it lies
//! there: a failed mediation is not hidden by a weaker step that follows it. A step that another author had seen
//! and passed by counts nothing in this. Of two equal ways the one with the higher last step is in force, then the one
//! whose last step the server accepted first: an author can choose the place of a step in the order of the fold.
//! A step that came long after an end which its author had not seen changes nothing. A step beside this way agrees
//! with it, if a step of the way that had not seen it reaches the same stage, or if it keeps the stage that the way
//! had there; or it is overtaken.
//!
//! A person does not approve a proposal of their own. So a step, and the steps that continue it, are out where
//! another branch holds a step of the same person that excludes it ([`StepSpec::not_by`]).
//!
//! A move of handling counts in the stage that its author had seen, unless the way in force holds a step that
//! the author had not seen and after which the move is not possible. So two people who blow one call keep both
//! their units.

use std::cmp::Reverse;

use super::graph::Graph;
use super::payload::KindStep;
use super::refusal::Legality;
use super::{EntryBody, Event, Move};
use crate::domain::steps::{StepSpec, StepTable};

/// The part of a step when all branches have met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It changes the stage.
    InForce,
    /// Another person made the same step, which is in force.
    Agrees,
    /// A step that its author had not seen is in force instead.
    Overtaken,
    /// Its author made a step in another branch that excludes this one.
    OwnWork,
}

/// A set of steps, by their places.
#[derive(Debug, Clone, Default)]
struct Places(Vec<u64>);

impl Places {
    fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    fn contains(&self, place: usize) -> bool {
        let word = self.0.get(place / 64);
        word.is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    fn meets(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .any(|(one, other)| one & other != 0)
    }

    fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (one, other) in self.0.iter_mut().zip(&other.0) {
            *one |= other;
        }
    }
}

/// A legal step, by its position in the graph.
#[derive(Debug, Clone)]
struct LegalStep {
    at: usize,
    step: &'static StepSpec,
    /// The step that was in force for the author, by its place among the steps.
    before: Option<usize>,
    /// Steps that its author had seen and passed by.
    passed: Places,
    /// Steps of the same person in other branches that exclude it.
    excluded_by: Places,
    /// Ends that its author had not seen and that the server had accepted long before it.
    later_than: Places,
}

/// The steps of a set of entries that is folded together.
#[derive(Debug, Default)]
pub(super) struct StepMerge {
    steps: Vec<LegalStep>,
    /// The standing of each step, by its place.
    standings: Vec<Standing>,
}

impl StepMerge {
    pub(super) fn new(graph: &Graph<'_>, set: &[usize], legal: &[Legality]) -> Self {
        let mut met = Self::default();
        let Some(table) = table_of(graph) else {
            return met;
        };
        for &at in set {
            match legal[at] {
                // No later step changes the stage, because only a newer version knows it.
                Legality::Unjudged(_) => break,
                Legality::Legal => met.add(graph, at, table),
                Legality::Illegal(_) | Legality::Ignored => {}
            }
        }
        met.standings = met.standings(graph);
        met
    }

    fn standings(&self, graph: &Graph<'_>) -> Vec<Standing> {
        let all = self.seen_by(graph, None);
        let excluded = self.excluded(&all);
        let mut in_force = Places::default();
        let mut way = Vec::new();
        let mut next = self.last_in_force(graph, None);
        while let Some(place) = next {
            in_force.insert(place);
            way.push(place);
            next = self.steps[place].before;
        }
        let agrees = |beside: &LegalStep| {
            if brings_in(beside, &in_force) && !beside.later_than.meets(&all) {
                return true;
            }
            way.iter().map(|place| &self.steps[*place]).any(|step| {
                step.step.to == beside.step.to && !graph.ancestry.has_seen(step.at, beside.at)
            })
        };
        let standing = |(place, step): (usize, &LegalStep)| match in_force.contains(place) {
            true => Standing::InForce,
            false if step.excluded_by.meets(&all) => Standing::OwnWork,
            false if excluded.contains(place) => Standing::Overtaken,
            false if agrees(step) => Standing::Agrees,
            false => Standing::Overtaken,
        };
        self.steps.iter().enumerate().map(standing).collect()
    }

    pub(super) fn standing_of(&self, at: usize) -> Standing {
        let place = self.steps.binary_search_by_key(&at, |met| met.at);
        place.map_or(Standing::Overtaken, |place| self.standings[place])
    }

    /// Whether a legal move of handling is possible when all branches have met. `None` where the stage at its place
    /// decides, because the step that it builds on is out.
    pub(super) fn handles(&self, graph: &Graph<'_>, at: usize, movement: Move) -> Option<bool> {
        let table = table_of(graph)?;
        let base = self.last_in_force(graph, Some(at));
        let stands = |place| matches!(self.standings[place], Standing::InForce | Standing::Agrees);
        if !base.is_none_or(stands) {
            return None;
        }
        let mut all = self.steps.iter().zip(&self.standings);
        Some(!all.any(|(step, standing)| {
            *standing == Standing::InForce
                && graph.ancestry.concurrent(at, step.at)
                && !table.allows(movement, step.step.to)
        }))
    }

    fn add(&mut self, graph: &Graph<'_>, at: usize, table: &StepTable) {
        let Some(step) = step_at(graph, at).and_then(|made| table.step(made.step)) else {
            return;
        };
        let before = self.last_in_force(graph, Some(at));
        let mut on_way = Places::default();
        let mut next = before;
        while let Some(place) = next {
            on_way.insert(place);
            next = self.steps[place].before;
        }
        let place = self.steps.len();
        let mut new = LegalStep {
            at,
            step,
            before,
            passed: Places::default(),
            excluded_by: Places::default(),
            later_than: Places::default(),
        };
        for (known, other) in self.steps.iter_mut().enumerate() {
            if graph.ancestry.has_seen(at, other.at) {
                if !on_way.contains(known) {
                    new.passed.insert(known);
                }
                continue;
            }
            if is_excluded(graph, &new, other) {
                new.excluded_by.insert(known);
            }
            if is_excluded(graph, other, &new) {
                other.excluded_by.insert(place);
            }
            if other.step.to.is_ended && graph.came_late(at, other.at) {
                new.later_than.insert(known);
            }
            if step.to.is_ended && graph.came_late(other.at, at) {
                other.later_than.insert(place);
            }
        }
        self.steps.push(new);
    }

    /// The steps that the author of an entry had seen, or all of them.
    fn seen_by(&self, graph: &Graph<'_>, author: Option<usize>) -> Places {
        let mut seen = Places::default();
        for (place, step) in self.steps.iter().enumerate() {
            if author.is_none_or(|author| graph.ancestry.has_seen(author, step.at)) {
                seen.insert(place);
            }
        }
        seen
    }

    /// The last step in force among those that the author of an entry had seen, or among all.
    fn last_in_force(&self, graph: &Graph<'_>, author: Option<usize>) -> Option<usize> {
        let seen = self.seen_by(graph, author);
        let excluded = self.excluded(&seen);
        let held = self.without(&seen, |place| excluded.contains(place));
        let in_time = self.without(&held, |place| self.steps[place].later_than.meets(&held));
        self.best_way(graph, &in_time)
            .or_else(|| self.best_way(graph, &held))
    }

    /// The steps that are out, because a step of the same person in another branch excludes them or a step that they
    /// continue.
    fn excluded(&self, seen: &Places) -> Places {
        let kept = self.without(seen, |place| self.steps[place].excluded_by.meets(seen));
        let mut excluded = Places::default();
        for place in 0..self.steps.len() {
            if seen.contains(place) && !kept.contains(place) {
                excluded.insert(place);
            }
        }
        excluded
    }

    /// The steps of a set without those that are out, and without the steps that continue them.
    fn without(&self, set: &Places, is_out: impl Fn(usize) -> bool) -> Places {
        let mut kept = Places::default();
        for (place, step) in self.steps.iter().enumerate() {
            let continues = step.before.is_none_or(|before| kept.contains(before));
            if set.contains(place) && continues && !is_out(place) {
                kept.insert(place);
            }
        }
        kept
    }

    /// The last step of the best way through a set that holds the step before each of its steps.
    fn best_way(&self, graph: &Graph<'_>, set: &Places) -> Option<usize> {
        let mut passed = Places::default();
        for (place, step) in self.steps.iter().enumerate() {
            if set.contains(place) {
                passed.extend(&step.passed);
            }
        }
        // The best way from each step, and from the start. A step continues one that lies before it in the order.
        let mut best: Vec<Option<Way>> = vec![None; self.steps.len()];
        let mut from_start: Option<Way> = None;
        for (place, step) in self.steps.iter().enumerate().rev() {
            if !set.contains(place) {
                continue;
            }
            let own = (!passed.contains(place)).then_some(step.step.rank);
            let accepted_ms = graph.entries[step.at].verdict_at_ms.unwrap_or(i64::MAX);
            let here = Way {
                best: own,
                last: step.step.rank,
                accepted_ms: Reverse(accepted_ms),
                end: Reverse(place),
            };
            let way = best[place].map_or(here, |way| Way {
                best: way.best.max(own),
                ..way
            });
            let from = match step.before {
                Some(before) => &mut best[before],
                None => &mut from_start,
            };
            *from = (*from).max(Some(way));
        }
        from_start.map(|way| way.end.0)
    }
}

/// A way through the tree of steps. The greatest is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// The highest rank of a step on it, or beside it, that no author has passed by.
    best: Option<u8>,
    /// The rank of its last step.
    last: u8,
    /// When the server accepted the last step.
    accepted_ms: Reverse<i64>,
    /// The place of the last step.
    end: Reverse<usize>,
}

/// Whether a step of the same person in another branch excludes this one.
fn is_excluded(graph: &Graph<'_>, step: &LegalStep, other: &LegalStep) -> bool {
    step.step.not_by.contains(&other.step.code)
        && same_author(graph, other.at, step.at)
        && !graph.came_late(other.at, step.at)
}

/// Whether a step keeps the stage that the way in force had there. People who come in beside each other, or
/// beside the end, disagree with nothing.
fn brings_in(beside: &LegalStep, in_force: &Places) -> bool {
    let is_on_the_way = beside.before.is_none_or(|place| in_force.contains(place));
    beside.step.keeps_stage() && is_on_the_way
}

/// Whether two entries have one author. A name may be withheld, and every reader knows the device.
fn same_author(graph: &Graph<'_>, one: usize, other: usize) -> bool {
    let (one, other) = (&graph.entries[one].author, &graph.entries[other].author);
    match (one.member, other.member) {
        (Some(one), Some(other)) => one == other,
        _ => one.device == other.device,
    }
}

fn table_of(graph: &Graph<'_>) -> Option<&'static StepTable> {
    match &graph.entries.first()?.body {
        EntryBody::Genesis(facts) => facts.kind.steps(),
        _ => None,
    }
}

fn step_at<'a>(graph: &Graph<'a>, at: usize) -> Option<&'a KindStep> {
    match &graph.entries[at].body {
        EntryBody::Event {
            event: Event::Step(made),
            ..
        } => Some(made),
        _ => None,
    }
}
