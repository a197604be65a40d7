//! Rules for branches that meet, for the steps of a kind's own table.
//!
//! Each step continues the step that was in force for its author. So the steps form a tree, and one way from
//! its root is in force: the way to the step of the highest rank among those that no later step has seen. Of
//! two equal ranks the step that the server accepted first is in force, because an author can choose the place
//! of a step in the order of the fold. A step that came long after an end which its author had not seen changes
//! nothing. A step beside this way agrees with it, if a step of the way that had not seen it reaches
//! the same stage, or if it keeps the stage that the way had there; or it is overtaken.
//!
//! A person does not approve a proposal of their own. So a step, and the steps that continue it, are out where
//! another branch holds a step of the same person that excludes it ([`StepSpec::not_by`]).

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::graph::Graph;
use super::payload::KindStep;
use super::refusal::Legality;
use super::{EntryBody, Event};
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

/// A legal step, by its position in the graph.
#[derive(Debug, Clone, Copy)]
struct LegalStep {
    at: usize,
    step: &'static StepSpec,
    /// The step that was in force for the author, by its place among the steps.
    before: Option<usize>,
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
        let all: Vec<usize> = (0..self.steps.len()).collect();
        let excluded = self.excluded(graph, &all);
        let mut in_force = Vec::new();
        let mut next = self.last_in_force(graph, None);
        while let Some(place) = next {
            in_force.push(place);
            next = self.steps[place].before;
        }
        let all: Vec<usize> = (0..self.steps.len()).collect();
        let agrees = |beside: &LegalStep| {
            if Self::brings_in(beside, &in_force) && !self.came_late(graph, &all, beside.at) {
                return true;
            }
            in_force.iter().map(|place| self.steps[*place]).any(|step| {
                step.step.to == beside.step.to && !graph.ancestry.has_seen(step.at, beside.at)
            })
        };
        let standing = |(place, step): (usize, &LegalStep)| match in_force.contains(&place) {
            true => Standing::InForce,
            false if excluded.own.contains(&place) => Standing::OwnWork,
            false if excluded.all.contains(&place) => Standing::Overtaken,
            false if agrees(step) => Standing::Agrees,
            false => Standing::Overtaken,
        };
        self.steps.iter().enumerate().map(standing).collect()
    }

    /// Whether a step keeps the stage that the way in force had there. People who come in beside each other, or
    /// beside the end, disagree with nothing.
    fn brings_in(beside: &LegalStep, in_force: &[usize]) -> bool {
        let is_on_the_way = beside.before.is_none_or(|place| in_force.contains(&place));
        beside.step.keeps_stage() && is_on_the_way
    }

    pub(super) fn standing_of(&self, at: usize) -> Standing {
        let place = self.steps.binary_search_by_key(&at, |met| met.at);
        place.map_or(Standing::Overtaken, |place| self.standings[place])
    }

    fn add(&mut self, graph: &Graph<'_>, at: usize, table: &StepTable) {
        let Some(step) = step_at(graph, at).and_then(|made| table.step(made.step)) else {
            return;
        };
        let before = self.last_in_force(graph, Some(at));
        self.steps.push(LegalStep { at, step, before });
    }

    /// The last step in force among those that the author of an entry had seen, or among all.
    fn last_in_force(&self, graph: &Graph<'_>, author: Option<usize>) -> Option<usize> {
        let has_seen =
            |later: usize, earlier: usize| graph.ancestry.has_seen(later, self.steps[earlier].at);
        let mut seen: Vec<usize> = (0..self.steps.len())
            .filter(|place| author.is_none_or(|author| has_seen(author, *place)))
            .collect();
        let excluded = self.excluded(graph, &seen).all;
        seen.retain(|place| !excluded.contains(place));
        // The best step comes first, so the search mostly ends at once, even if a flood of steps that have not seen
        // each other arrives.
        seen.sort_by_key(|place| {
            let LegalStep { at, step, .. } = self.steps[*place];
            let accepted_ms = graph.entries[at].verdict_at_ms.unwrap_or(i64::MAX);
            (Reverse(step.rank), accepted_ms, *place)
        });
        let is_last = |place: &usize| {
            let mut others = seen.iter();
            !others.any(|other| has_seen(self.steps[*other].at, *place))
        };
        let mut last = seen.iter().copied().filter(is_last).peekable();
        let first = last.peek().copied();
        let in_time = last.find(|place| !self.came_late(graph, &seen, self.steps[*place].at));
        in_time.or(first)
    }

    /// The steps that a step of the same person in another branch excludes, among steps in their order that
    /// hold their pasts.
    fn excluded(&self, graph: &Graph<'_>, seen: &[usize]) -> Excluded {
        let mut excluded = Excluded::default();
        if seen
            .iter()
            .all(|place| self.steps[*place].step.not_by.is_empty())
        {
            return excluded;
        }
        for &place in seen {
            let LegalStep { at, step, before } = self.steps[place];
            let excludes = |other: &LegalStep| {
                step.not_by.contains(&other.step.code)
                    && graph.ancestry.concurrent(other.at, at)
                    && same_author(graph, other.at, at)
                    && !graph.came_late(other.at, at)
            };
            let own = seen.iter().any(|other| excludes(&self.steps[*other]));
            if own {
                excluded.own.insert(place);
            }
            if own || before.is_some_and(|before| excluded.all.contains(&before)) {
                excluded.all.insert(place);
            }
        }
        excluded
    }

    /// Whether a step reached the server long after the server had accepted an end that the author of the step
    /// had not seen.
    fn came_late(&self, graph: &Graph<'_>, seen: &[usize], at: usize) -> bool {
        seen.iter().any(|place| {
            let end = self.steps[*place];
            end.step.to.is_ended
                && graph.ancestry.concurrent(end.at, at)
                && graph.came_late(at, end.at)
        })
    }
}

/// Steps that are out, by their places.
#[derive(Debug, Default)]
struct Excluded {
    /// Those whose author made the other step.
    own: BTreeSet<usize>,
    /// These, and the steps that continue them.
    all: BTreeSet<usize>,
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
