//! Rules for branches that meet, for the steps of a kind's own table.
//!
//! Each step continues the step that was in force for its author. So the steps form a tree, and one way from
//! its root is in force: the way to the step of the highest rank among those that no later step has seen. Of
//! two equal ranks the step that the server accepted first is in force, because an author can choose the place
//! of a step in the order of the fold. A step that came long after an end which its author had not seen changes
//! nothing. A step beside this way agrees with it, if the way reaches the same stage, or is overtaken.

use std::cmp::Reverse;

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
    /// The steps in force, by their places, the last one first.
    in_force: Vec<usize>,
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
        let mut next = met.last_in_force(graph, None);
        while let Some(place) = next {
            met.in_force.push(place);
            next = met.steps[place].before;
        }
        met
    }

    pub(super) fn standing_of(&self, at: usize) -> Standing {
        let Ok(place) = self.steps.binary_search_by_key(&at, |met| met.at) else {
            return Standing::Overtaken;
        };
        let stage = self.steps[place].step.to;
        if self.in_force.contains(&place) {
            Standing::InForce
        } else if self
            .in_force
            .iter()
            .any(|other| self.steps[*other].step.to == stage)
        {
            Standing::Agrees
        } else {
            Standing::Overtaken
        }
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
        let is_seen = |place: &usize| {
            let at = self.steps[*place].at;
            author.is_none_or(|author| graph.ancestry.has_seen(author, at))
        };
        let seen: Vec<usize> = (0..self.steps.len()).filter(is_seen).collect();
        let mut last: Vec<usize> = Vec::new();
        for &place in seen.iter().rev() {
            let at = self.steps[place].at;
            let is_followed = |later: &usize| graph.ancestry.has_seen(self.steps[*later].at, at);
            if !last.iter().any(is_followed) {
                last.push(place);
            }
        }
        let weight = |place: &usize| {
            let LegalStep { at, step, .. } = self.steps[*place];
            let accepted_ms = graph.entries[at].verdict_at_ms.unwrap_or(i64::MAX);
            let in_time = !self.came_late(graph, &seen, at);
            // The places are in the order of the fold.
            (in_time, step.rank, Reverse((accepted_ms, *place)))
        };
        last.into_iter().max_by_key(weight)
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
