//! Random histories of disputes, in several orders of arrival.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::{Entry, EntryBody, EntryStatus, RecordState, fold};
use crate::domain::steps::StageEntry;
use crate::fixtures::step;

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

/// The people of a random history. The mediator is village lead and district lead too, and tries to judge the
/// own result; a party of the dispute tries everything.
fn people() -> Vec<Author> {
    vec![
        creator(),
        mediator(),
        in_area(MEDIATOR, Role::VillageLead, &[1, 2, 3]),
        in_area(MEDIATOR, Role::DistrictLead, &[1]),
        in_area(5, Role::Mediator, &[1, 2, 3]),
        leader(),
        head(),
        supervisor(),
        in_area(CONCERNED, Role::Mediator, &[1, 2, 3]),
        in_area(CONCERNED, Role::DistrictLead, &[1]),
    ]
}

fn random_event(rng: &mut ChaCha8Rng, log: &Log) -> Event {
    let assignment = pick(rng, &log.entries).id;
    match rng.next_u32() % 12 {
        0 => to_member(
            pick(rng, &[5, LEADER, MEDIATOR, CONCERNED]),
            pick(rng, &[Part::Lead, Part::Support]),
        ),
        1 => Event::Accept(step(assignment)),
        2 => Event::Return(give_back(assignment)),
        3 => comment("话"),
        _ => made(&STEPS.steps[below(rng, STEPS.steps.len())]),
    }
}

fn random_dispute(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let people = people();
    let mut log = assigned(seed);
    for _ in 0..2 + below(&mut rng, 14) {
        let parents = match rng.next_u32() % 6 {
            0 | 1 => log.heads(),
            2 => vec![
                pick(&mut rng, &log.entries).id,
                pick(&mut rng, &log.entries).id,
            ],
            3 => vec![pick(&mut rng, &log.heads())],
            _ => vec![log.entries[2 + below(&mut rng, log.entries.len() - 2)].id],
        };
        // Most attempts are not possible, so each entry has several.
        let mut event = random_event(&mut rng, &log);
        let mut author = pick(&mut rng, &people);
        for _ in 0..30 {
            log.after(&parents, author.clone(), event.clone());
            let candidate = log.entries.pop().unwrap();
            if judge(&log.entries, &candidate).is_ok() {
                break;
            }
            event = random_event(&mut rng, &log);
            author = pick(&mut rng, &people);
        }
        let id = match rng.next_u32() % 12 {
            0 => log.content(&parents, author),
            _ => log.after(&parents, author, event),
        };
        let entry = log.entry(id);
        entry.clock_ms = i64::from(rng.next_u32() % 60_000);
        if rng.next_u32().is_multiple_of(15) {
            entry.status = EntryStatus::Ignored;
        }
        if rng.next_u32().is_multiple_of(3) {
            entry.verdict_at_ms = Some(i64::from(rng.next_u32() % 60_000));
        }
    }
    log
}

type Pasts = BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>>;

/// The entries that each entry's author had seen.
fn pasts(log: &Log) -> Pasts {
    let mut pasts = Pasts::new();
    for entry in &log.entries {
        let mut past = BTreeSet::new();
        for parent in &entry.parents {
            past.extend(pasts[parent].iter().copied());
            past.insert(*parent);
        }
        pasts.insert(entry.id, past);
    }
    pasts
}

/// The steps that their authors were allowed to make: entry, step, author.
fn legal_steps<'a>(log: &'a Log, state: &RecordState) -> Vec<(&'a Entry, &'static StepSpec)> {
    let legal = |entry: &Entry| {
        let outcome = state.outcome(entry.id).map(|item| item.outcome);
        matches!(outcome, Some(Outcome::Effective | Outcome::Superseded))
    };
    let step = |entry: &'a Entry| match &entry.body {
        EntryBody::Event {
            event: Event::Step(made),
            ..
        } => Some((entry, STEPS.step(made.step)?)),
        _ => None,
    };
    let all = log.entries.iter().filter(|entry| legal(entry));
    all.filter_map(step).collect()
}

/// No step is hidden: one that is not in force was seen by the author of a step in force, or a step in force that
/// ranks as high stands against it.
fn nothing_is_hidden(log: &Log, state: &RecordState, pasts: &Pasts) {
    let in_force = &state.steps().unwrap().entries;
    for (entry, step) in legal_steps(log, state) {
        let answers = |one: &StageEntry| {
            one.id == entry.id || pasts[&one.id].contains(&entry.id) || one.step.rank >= step.rank
        };
        assert!(in_force.iter().any(answers), "{} is hidden", step.name);
    }
}

/// Where no step down from a failure or a new try is made, the rule is simpler: the highest rank among the last
/// steps, then the first verdict.
fn expected_stage(log: &Log, state: &RecordState, pasts: &Pasts) -> &'static str {
    let mut steps = legal_steps(log, state);
    let place = |id| state.timeline.iter().position(|item| item.id == id);
    steps.sort_by_key(|(entry, step)| {
        let accepted = entry.verdict_at_ms.unwrap_or(i64::MAX);
        (std::cmp::Reverse(step.rank), accepted, place(entry.id))
    });
    let is_last = |id: EnvelopeId| {
        !steps
            .iter()
            .any(|(later, _)| pasts[&later.id].contains(&id))
    };
    let best = steps.iter().find(|(entry, _)| is_last(entry.id));
    best.map_or("registered", |(_, step)| step.to.name)
}

#[test]
fn arrival_order_changes_no_dispute() {
    let mut stages: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut overtaken, mut simple) = (0, 0);
    for seed in 0..3_000 {
        let log = random_dispute(seed);
        let state = log.state();
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut entries: Vec<Entry> = log.entries.clone();
        for _ in 0..2 {
            shuffle(&mut rng, &mut entries);
            assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        }
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
        let pasts = pasts(&log);
        let judged_own = state
            .timeline
            .iter()
            .filter(|item| item.why == Some("case.own_work_elsewhere"))
            .count();
        if judged_own == 0 {
            nothing_is_hidden(&log, &state, &pasts);
            let rises = |pair: &[StageEntry]| pair[0].step.rank <= pair[1].step.rank;
            let legal = legal_steps(&log, &state);
            let before_all = |(entry, step): &(&Entry, &StepSpec)| {
                let past = &pasts[&entry.id];
                let mut seen = legal.iter().filter(|(other, _)| past.contains(&other.id));
                seen.all(|(_, other)| other.rank <= step.rank)
            };
            if legal.iter().all(before_all) {
                assert!(state.steps().unwrap().entries.windows(2).all(rises));
                let expected = expected_stage(&log, &state, &pasts);
                assert_eq!(state.stage_name(), expected, "seed {seed}");
                simple += 1;
            }
        }
        let steps = state.steps().unwrap();
        for pair in steps.entries.windows(2) {
            assert!(pasts[&pair[1].id].contains(&pair[0].id), "seed {seed}");
            assert!(pair[1].step.starts_from(pair[0].step.to), "seed {seed}");
        }
        let legal = legal_steps(&log, &state);
        for entry in &steps.entries {
            let did = |(other, step): &(&Entry, &StepSpec)| {
                other.author.member == entry.by
                    && entry.step.not_by.contains(&step.code)
                    && !pasts[&other.id].contains(&entry.id)
            };
            assert!(!legal.iter().any(did), "seed {seed}: own work");
            assert_ne!(entry.by, Some(member(CONCERNED)), "seed {seed}");
        }
        let parties: Vec<Party> = state.assignments().iter().map(|one| one.to).collect();
        assert!(
            !parties.contains(&Party::Member(member(CONCERNED))),
            "seed {seed}"
        );
        overtaken += state.superseded().count();
        *stages.entry(state.stage_name()).or_default() += 1;
    }
    // A new try is likelier than a visit after the end.
    assert!(stages.len() >= 8, "{stages:?}");
    assert!(overtaken > 500 && simple > 500, "{overtaken} {simple}");
}
