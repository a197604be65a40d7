//! The fold: the envelopes of one record → its state. The same code on phone and server.
//!
//! 1. Order by Lamport time and id (`graph`).
//! 2. Each entry is judged in the state that its author had seen: `may`, then what is possible there.
//! 3. The legal ones are applied in order; what a concurrent entry overtook is superseded (`merge`).
//!
//! An entry whose author had seen everything before it meets nobody, so its state is that of its parent plus
//! itself: a history without forks is folded in one pass. An entry that joins branches folds its past anew.
//! At most [`crate::limits::RECORD_ENTRIES_MAX`] entries make a record; whoever admits them counts.

use super::graph::Graph;
use super::guard::possible;
use super::merge::Meeting;
use super::state::TimelineItem;
use super::{CaseState, Entry, EntryBody, EntryStatus, Event, Move, Outcome, Refusal};
use crate::domain::may::{Action, Actor, may};

/// What the author of an entry might do in the state that it had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    Legal,
    Illegal(Refusal),
    /// Void or held.
    Ignored,
    /// It needs a newer app, or something in its past does.
    Unjudged,
}

/// The state of a record. Entries in any order; duplicates and whatever does not descend from the Genesis
/// are left out. `None` without a Genesis.
#[must_use]
pub fn fold(entries: &[Entry]) -> Option<CaseState> {
    let entries: Vec<&Entry> = entries.iter().collect();
    Folder::new(Graph::new(&entries)?).run()
}

/// Whether an entry is legal in its own past, which is looked up among the given entries of its record.
pub fn judge(entries: &[Entry], candidate: &Entry) -> Result<(), Refusal> {
    if let EntryBody::Genesis(facts) = &candidate.body {
        return may_report(candidate, facts);
    }
    let past = past_of(entries, candidate);
    let state = Graph::new(&past).and_then(|graph| Folder::new(graph).run());
    match judge_in(state.as_ref(), candidate) {
        Judged::Legal => Ok(()),
        Judged::Illegal(why) => Err(why),
        Judged::Ignored | Judged::Unjudged => Err(Refusal::Newer),
    }
}

fn past_of<'a>(entries: &'a [Entry], candidate: &Entry) -> Vec<&'a Entry> {
    let by_id: std::collections::HashMap<_, _> = entries.iter().map(|e| (e.id, e)).collect();
    let mut seen = std::collections::HashSet::new();
    let mut stack = candidate.parents.clone();
    let mut past = Vec::new();
    while let Some(id) = stack.pop() {
        if let Some(entry) = by_id.get(&id).filter(|_| seen.insert(id)) {
            past.push(*entry);
            stack.extend_from_slice(&entry.parents);
        }
    }
    past
}

fn may_report(entry: &Entry, facts: &super::GenesisFacts) -> Result<(), Refusal> {
    match actor_of(entry) {
        Some(actor) => Ok(may(&actor, &Action::Report(facts))?),
        None => Ok(()),
    }
}

/// Whom `may` is asked about. Nobody where the server, which knows all certificates, has accepted the entry and
/// who created the record is withheld from this replica: what is somebody's own can not be told here.
fn asked_in<'a>(state: &CaseState, entry: &'a Entry) -> Option<Actor<'a>> {
    let accepted = entry.verdict_at_ms.is_some() && entry.status == EntryStatus::Effective;
    let vouched = accepted && state.reporter.is_none();
    actor_of(entry).filter(|_| !vouched)
}

/// `None` when the certificate is withheld: the server, which knows it, has accepted the entry.
fn actor_of(entry: &Entry) -> Option<Actor<'_>> {
    let author = &entry.author;
    let grant = author.grant.as_ref()?;
    Some(Actor {
        member: author.member,
        grant,
        units: &author.units,
    })
}

pub(super) fn judge_in(state: Option<&CaseState>, entry: &Entry) -> Judged {
    let Some(state) = state else {
        return Judged::Illegal(Refusal::SecondGenesis);
    };
    let result = match &entry.body {
        EntryBody::Genesis(_) => Err(Refusal::SecondGenesis),
        EntryBody::Unknown
        | EntryBody::Event {
            event: Event::Unknown { .. },
            ..
        } => {
            return Judged::Unjudged;
        }
        EntryBody::Content => match asked_in(state, entry) {
            Some(actor) => may(&actor, &Action::Edit(state)).map_err(Refusal::from),
            None => Ok(()),
        },
        EntryBody::Event { event, .. } if state.frozen && !is_talk(event) => {
            return Judged::Unjudged;
        }
        EntryBody::Event {
            event,
            on_behalf_of,
        } => {
            let on_behalf_of = on_behalf_of.as_ref();
            let permitted = asked_in(state, entry).map_or(Ok(()), |actor| {
                may(
                    &actor,
                    &Action::Do {
                        state,
                        event,
                        on_behalf_of,
                    },
                )
            });
            permitted
                .map_err(Refusal::from)
                .and_then(|()| possible(state, event))
        }
    };
    result.map_or_else(Judged::Illegal, |()| Judged::Legal)
}

fn is_talk(event: &Event) -> bool {
    event.movement().is_some_and(Move::is_talk)
}

pub(super) struct Folder<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) judged: Vec<Judged>,
    /// The state after an entry, as its author saw it, while somebody builds on it.
    after: Vec<Option<CaseState>>,
    /// How many entries still build on it.
    uses: Vec<u32>,
}

impl<'a> Folder<'a> {
    pub(super) fn new(graph: Graph<'a>) -> Self {
        let count = graph.len();
        let uses = graph.main_children.clone();
        Self {
            graph,
            judged: Vec::with_capacity(count),
            after: std::iter::repeat_with(|| None).take(count).collect(),
            uses,
        }
    }

    pub(super) fn run(mut self) -> Option<CaseState> {
        let last = self.graph.len().checked_sub(1)?;
        for at in 0..=last {
            self.visit(at, last);
        }
        if self.graph.has_seen_all_before(last) {
            return self.after[last].take();
        }
        let all: Vec<usize> = (0..=last).collect();
        self.fold_set(&all)
    }

    fn visit(&mut self, at: usize, last: usize) {
        let entry = self.graph.entries[at];
        if at == 0 {
            self.judged.push(Judged::Legal);
            self.after[0] = self.birth();
            return;
        }
        let wanted = self.uses[at] > 0 || at == last;
        let ignored = entry.status == EntryStatus::Ignored;
        let judge = |before: Option<&CaseState>| {
            if ignored {
                Judged::Ignored
            } else {
                judge_in(before, entry)
            }
        };
        let Some(main) = self.graph.main_parent[at] else {
            let past = self.graph.past_of(at);
            let before = self.fold_set(&past);
            self.judged.push(judge(before.as_ref()));
            self.after[at] = before.filter(|_| wanted);
            self.advance(at);
            return;
        };
        self.judged.push(judge(self.after[main].as_ref()));
        self.uses[main] -= 1;
        let before = if self.uses[main] == 0 {
            self.after[main].take()
        } else {
            None
        };
        if wanted {
            self.after[at] = before.or_else(|| self.after[main].clone());
        }
        self.advance(at);
    }

    fn birth(&self) -> Option<CaseState> {
        let genesis = self.graph.entries[0];
        let EntryBody::Genesis(facts) = &genesis.body else {
            return None;
        };
        let mut state = CaseState::born(genesis, facts, self.graph.effective_ms[0]);
        if let Err(why) = may_report(genesis, facts) {
            state.timeline[0].outcome = Outcome::Illegal;
            state.timeline[0].why = Some(why.code());
        }
        if genesis.status == EntryStatus::Ignored {
            state.timeline[0].outcome = Outcome::Ignored;
            state.timeline[0].why = None;
        }
        Some(state)
    }

    /// Adds the entry to the state that its author had seen.
    fn advance(&mut self, at: usize) {
        if let Some(mut state) = self.after[at].take() {
            self.add(&mut state, at, None);
            self.after[at] = Some(state);
        }
    }

    /// Folds a set that is closed under “had seen”, in which branches may meet.
    pub(super) fn fold_set(&self, set: &[usize]) -> Option<CaseState> {
        let mut state = self.birth()?;
        let mut meeting = Meeting::new(&self.graph, set, &self.judged);
        for at in set.iter().copied().filter(|at| *at > 0) {
            self.add(&mut state, at, Some(&mut meeting));
        }
        meeting.finish(&mut state);
        Some(state)
    }

    fn add(&self, state: &mut CaseState, at: usize, meeting: Option<&mut Meeting<'_, 'a>>) {
        let entry = self.graph.entries[at];
        let effective_ms = self.graph.effective_ms[at];
        let movement = match &entry.body {
            EntryBody::Event { event, .. } => event.movement(),
            _ => None,
        };
        let (outcome, why) = match self.judged[at] {
            Judged::Ignored => (Outcome::Ignored, None),
            Judged::Illegal(why) => (Outcome::Illegal, Some(why)),
            Judged::Unjudged => {
                state.frozen = true;
                (Outcome::Unjudged, None)
            }
            Judged::Legal => match self.add_legal(state, at, meeting) {
                Ok(outcome) => (outcome, None),
                Err(why) => (Outcome::Superseded, Some(why)),
            },
        };
        if let Some(member) = entry
            .author
            .member
            .filter(|_| outcome == Outcome::Effective)
        {
            state.participants.insert(member);
        }
        state.timeline.push(TimelineItem {
            id: entry.id,
            movement,
            by: entry.author.member,
            outcome,
            why: why.map(Refusal::code),
            effective_ms,
        });
    }

    fn add_legal(
        &self,
        state: &mut CaseState,
        at: usize,
        meeting: Option<&mut Meeting<'_, 'a>>,
    ) -> Result<Outcome, Refusal> {
        let entry = self.graph.entries[at];
        let EntryBody::Event {
            event,
            on_behalf_of,
        } = &entry.body
        else {
            if let Some(meeting) = meeting {
                meeting.content(at);
            }
            return Ok(Outcome::Effective);
        };
        let Some(movement) = event.movement() else {
            return Ok(Outcome::Unjudged);
        };
        if state.frozen && !movement.is_talk() {
            return Ok(Outcome::Unjudged);
        }
        let effective_ms = self.graph.effective_ms[at];
        let Some(meeting) = meeting else {
            state.apply(entry, event, on_behalf_of.as_ref(), effective_ms);
            state.settle(movement);
            return Ok(Outcome::Effective);
        };
        meeting.overtaken(at, movement)?;
        // What says that something is still wrong holds in whatever stage it arrives.
        if !event.is_danger() {
            possible(state, event)?;
        }
        state.apply(entry, event, on_behalf_of.as_ref(), effective_ms);
        meeting.effective(at, event, movement);
        Ok(Outcome::Effective)
    }
}
