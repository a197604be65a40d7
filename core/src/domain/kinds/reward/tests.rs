//! Rewards: their steps for every role, branches that meet, readers, amounts and budgets.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::may::{Action, Actor, may};
use crate::domain::case::payload::KindStep;
use crate::domain::case::tests::random::{fold_plainly, shuffle};
use crate::domain::case::tests::support::*;
use crate::domain::case::{
    Author, Entry, EntryStatus, Event, GenesisFacts, Outcome, RecordState, fold, judge,
};
use crate::domain::kinds::tip;
use crate::domain::month::Month;
use crate::domain::steps::StepSpec;
use crate::domain::stream::{Routing, streams_of};
use crate::domain::{AreaPath, Role, Source, StreamId};
use crate::id::{AreaId, EnvelopeId, RecordId, ZoneId};

/// The person who reported the tip.
const TIPSTER: u8 = 77;
/// The community officer who proposes.
const PROPOSER: u8 = 1;
/// The head who is named to approve.
const APPROVER: u8 = 2;
/// The district lead who is named to pay.
const PAYER: u8 = 3;

fn facts() -> GenesisFacts {
    GenesisFacts {
        kind: KIND,
        home: path(&[1, 2, 3]),
        audience: Audience::Restricted,
        team: None,
        source: Source::Member,
        named: vec![member(APPROVER), member(PAYER)],
        linked: Some(RecordId([8; 16])),
    }
}

fn proposer() -> Author {
    in_area(PROPOSER, Role::CommunityOfficer, &[1, 2, 3])
}

fn approver() -> Author {
    in_area(APPROVER, Role::StationHead, &[1, 2, 3])
}

fn payer() -> Author {
    in_area(PAYER, Role::DistrictLead, &[1])
}

fn made(step: &StepSpec) -> Event {
    Event::Step(KindStep {
        step: step.code,
        reason: None,
        attachments: vec![],
        note: Some(text("线索属实，同意奖励")),
    })
}

fn author_of(step: &StepSpec) -> Author {
    match step.name {
        "retract" => proposer(),
        "pay" => payer(),
        _ => approver(),
    }
}

fn in_stage(seed: u64, stage: &str) -> Log {
    let mut log = Log::new(seed, proposer(), facts());
    let way: &[&StepSpec] = match stage {
        "proposed" => &[],
        "granted" => &[&GRANT],
        "declined" => &[&DECLINE],
        "paid" => &[&GRANT, &PAY],
        _ => &[&RETRACT],
    };
    for step in way {
        log.then(author_of(step), made(step));
    }
    assert_eq!(log.state().stage_name(), stage);
    log
}

fn code(log: &Log, author: Author, event: Event) -> Option<&'static str> {
    let mut log = log.clone();
    log.then(author, event);
    let candidate = log.entries.pop().unwrap();
    judge(&log.entries, &candidate).err().map(|why| why.code())
}

/// The cells of the table, written by hand.
fn leads_to(stage: &str, step: &str) -> Option<&'static str> {
    match (stage, step) {
        ("proposed", "grant") => Some("granted"),
        ("proposed", "decline") => Some("declined"),
        ("granted", "pay") => Some("paid"),
        ("proposed" | "granted", "retract") => Some("retracted"),
        _ => None,
    }
}

/// The relation of a person to the reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Proposer,
    Named,
    NamedElsewhere,
    InArea,
}

impl Relation {
    const ALL: [Self; 4] = [
        Self::Proposer,
        Self::Named,
        Self::NamedElsewhere,
        Self::InArea,
    ];
}

/// Who may make a step, written by hand; the code of the refusal.
fn may_make(step: &str, role: Role, relation: Relation) -> Option<&'static str> {
    let heads = matches!(role, Role::StationHead | Role::VillageLead);
    let calls_off = heads
        || matches!(
            role,
            Role::Volunteer
                | Role::TeamLead
                | Role::GridWorker
                | Role::Mediator
                | Role::CommunityOfficer
                | Role::Handler
        );
    let approves = heads || role == Role::DistrictLead;
    let has_row = if step == "retract" {
        calls_off
    } else {
        approves
    };
    if !has_row {
        return Some("may.role");
    }
    if relation == Relation::InArea {
        return Some("may.not_readable");
    }
    match (step, relation) {
        ("retract", Relation::Proposer) => None,
        ("retract", Relation::Named) if heads => None,
        ("retract", _) => Some("may.not_own"),
        (_, Relation::NamedElsewhere) => Some("may.elsewhere"),
        (_, Relation::Proposer) => Some("may.own_work"),
        _ => None,
    }
}

#[test]
fn every_step_is_as_table_and_roles_say() {
    let mut possible = 0;
    for stage in STEPS.stages {
        let log = in_stage(3, stage.name);
        for step in STEPS.steps {
            for role in Role::ALL {
                for relation in Relation::ALL {
                    let n = match relation {
                        Relation::Proposer => PROPOSER,
                        Relation::Named | Relation::NamedElsewhere => APPROVER,
                        Relation::InArea => 40,
                    };
                    let area: &[u8] = match relation {
                        Relation::NamedElsewhere => &[1, 2, 9],
                        _ => &[1, 2, 3],
                    };
                    let expected = match role {
                        Role::System => Some("may.rule"),
                        _ => may_make(step.name, *role, relation).or_else(|| {
                            let to = leads_to(stage.name, step.name);
                            to.map_or(Some("case.not_now"), |_| None)
                        }),
                    };
                    let cell = format!("{} × {} by {role} ({relation:?})", stage.name, step.name);
                    let author = in_area(n, *role, area);
                    assert_eq!(code(&log, author.clone(), made(step)), expected, "{cell}");
                    if expected.is_none() {
                        possible += 1;
                        let mut log = log.clone();
                        log.then(author, made(step));
                        let to = leads_to(stage.name, step.name).unwrap();
                        assert_eq!(log.state().stage_name(), to, "{cell}");
                    }
                }
            }
        }
    }
    assert!(possible > 20, "{possible}");
}

#[test]
fn officers_and_handlers_propose_restricted_rewards() {
    let report = |author: Author, facts: GenesisFacts| {
        let log = Log::new(1, author, facts);
        judge(&[], &log.entries[0]).err().map(|why| why.code())
    };
    for role in Role::ALL {
        let may = matches!(role, Role::CommunityOfficer | Role::Handler);
        let expected = (!may).then_some("may.role");
        let author = in_area(4, *role, &[1, 2, 3]);
        assert_eq!(report(author, facts()), expected, "{role}");
    }
    let open = GenesisFacts {
        audience: Audience::Staff,
        ..facts()
    };
    assert_eq!(report(proposer(), open), Some("may.audience"));
}

#[test]
fn proposer_alone_writes_the_content() {
    let log = in_stage(1, "proposed");
    let writes = |author: Author| {
        let mut log = log.clone();
        let heads = log.heads();
        log.content(&heads, author);
        let candidate = log.entries.pop().unwrap();
        judge(&log.entries, &candidate).err().map(|why| why.code())
    };
    assert_eq!(writes(proposer()), None);
    for author in [
        approver(),
        payer(),
        dispatcher(),
        in_area(9, Role::Supervisor, &[1]),
    ] {
        assert_eq!(writes(author.clone()), Some("may.role"), "{author:?}");
    }
    let other = in_area(40, Role::CommunityOfficer, &[1, 2, 3]);
    assert_eq!(writes(other), Some("may.not_readable"));
}

/// The proposer does not raise the amount that a second person has decided about.
#[test]
fn decided_content_stays() {
    for stage in ["granted", "declined", "paid", "retracted"] {
        let mut log = in_stage(1, stage);
        let heads = log.heads();
        log.content(&heads, proposer());
        let candidate = log.entries.pop().unwrap();
        let refused = judge(&log.entries, &candidate).err().map(|why| why.code());
        assert_eq!(refused, Some("may.settled"), "{stage}");
    }
}

/// Money for no tip, and money for the place of a friend.
#[test]
fn reward_is_for_a_tip_of_the_own_place() {
    let report = |author: Author, facts: GenesisFacts| {
        let log = Log::new(1, author, facts);
        judge(&[], &log.entries[0]).err().map(|why| why.code())
    };
    let mut nothing = facts();
    nothing.linked = None;
    assert_eq!(report(proposer(), nothing), Some("may.unlinked"));
    let mut elsewhere = facts();
    elsewhere.home = path(&[1, 2, 9]);
    assert_eq!(report(proposer(), elsewhere), Some("may.elsewhere"));
}

#[test]
fn steps_need_words_and_other_moves_are_none() {
    let log = in_stage(1, "proposed");
    let silent = Event::Step(KindStep {
        step: GRANT.code,
        reason: None,
        attachments: vec![],
        note: None,
    });
    assert_eq!(code(&log, approver(), silent), Some("case.step_incomplete"));
    for event in [dispatch(60), Event::Close(bare()), danger(), merge(4)] {
        assert_eq!(code(&log, approver(), event), Some("may.not_a_case"));
    }
}

#[test]
fn payment_wins_and_otherwise_the_money_stays() {
    for (from, wins, loses, stage) in [
        ("proposed", &DECLINE, &GRANT, "declined"),
        ("proposed", &RETRACT, &GRANT, "retracted"),
        ("proposed", &RETRACT, &DECLINE, "retracted"),
        ("granted", &PAY, &RETRACT, "paid"),
    ] {
        let mut firsts = BTreeSet::new();
        for seed in 0..20 {
            let mut log = in_stage(seed, from);
            let heads = log.heads();
            let won = log.after(&heads, author_of(wins), made(wins));
            // Another person decides at the same time.
            let other = match loses.name {
                "retract" => proposer(),
                _ => payer(),
            };
            let lost = log.after(&heads, other, made(loses));
            firsts.insert(won < lost);
            let state = log.state();
            assert_eq!(state.stage_name(), stage, "seed {seed}");
            let item = state.outcome(lost).unwrap();
            let overtaken = (Outcome::Superseded, Some("case.step_overtaken"));
            assert_eq!((item.outcome, item.why), overtaken, "seed {seed}");
        }
        assert_eq!(firsts.len(), 2);
    }
}

struct Villages;

impl Routing for Villages {
    fn zones_of(&self, _: &AreaPath) -> Vec<ZoneId> {
        vec![]
    }

    fn towns_and_villages_under(&self, _: &AreaPath) -> Vec<(AreaLevel, AreaId)> {
        vec![]
    }
}

/// The tip of a volunteer, which the police handler reads.
fn tip() -> RecordState {
    let facts = GenesisFacts {
        kind: tip::KIND,
        named: vec![member(PROPOSER)],
        linked: None,
        ..facts()
    };
    Log::new(4, in_area(TIPSTER, Role::Volunteer, &[1, 2, 3]), facts).state()
}

/// Each reader of the reward who may not read the tip: neither the state of the reward nor its streams hold the
/// person who reported the tip.
#[test]
fn no_reader_of_reward_alone_learns_the_tipster() {
    let tip = tip();
    let mut readers = 0;
    for stage in STEPS.stages {
        let reward = in_stage(5, stage.name).state();
        for role in Role::ALL {
            for n in [PROPOSER, APPROVER, PAYER, TIPSTER, 40] {
                for area in [&[1, 2, 3][..], &[1, 2], &[1], &[1, 2, 9]] {
                    let author = in_area(n, *role, area);
                    let grant = author.grant.clone().unwrap();
                    let actor = Actor {
                        member: author.member,
                        grant: &grant,
                        units: &author.units,
                    };
                    let reads = |state| may(&actor, &Action::Read(state)).is_ok();
                    if n == TIPSTER {
                        let own = reads(&reward) && *role != Role::System;
                        assert!(!own || *role == Role::Dispatcher, "not told by the reward");
                    }
                    readers += usize::from(reads(&reward) && !reads(&tip));
                }
            }
        }
        let shown = format!("{reward:?}");
        let tipster = [
            member(TIPSTER).to_string(),
            format!("{:?}", member(TIPSTER)),
        ];
        assert!(
            tipster.iter().all(|id| !shown.contains(id.as_str())),
            "{shown}"
        );
        let streams = streams_of(&reward, &Villages);
        assert!(!streams.contains(&StreamId::Member(member(TIPSTER))));
        let area_streams = streams
            .iter()
            .filter(|stream| matches!(stream, StreamId::AreaStaff(_) | StreamId::Zone(_)));
        assert_eq!(area_streams.count(), 0, "no stream of all staff");
    }
    assert!(readers > 50, "{readers}");
    assert!(
        format!("{tip:?}").contains(&member(TIPSTER).to_string()),
        "the check finds ids"
    );
}

/// No field of a reward holds a person.
#[test]
fn fields_hold_money_and_ground_alone() {
    let names: Vec<&str> = SPEC.fields.iter().map(|field| field.name).collect();
    assert_eq!(names, ["amount_fen", "ground"]);
    assert_eq!(SPEC.audience, Some(Audience::Restricted));
    assert!(SPEC.is_sensitive);
}

#[test]
fn content_is_read_as_written() {
    let reward = Reward {
        amount_fen: Some(50_000),
        ground: Some("举报属实".into()),
        ..Reward::default()
    };
    let content = Content::from(reward.clone());
    assert_eq!(Reward::of(&content), Some(reward));
    assert_eq!(Reward::of(&tip::SPEC.content_of(Details::default())), None);
    let document = include_str!("../../../../../docs/rewards.md");
    assert!(document.contains(&STEPS.markdown()), "{}", STEPS.markdown());
}

fn of_amount(fen: i64) -> Content {
    Content::from(Reward {
        amount_fen: Some(fen),
        ..Reward::default()
    })
}

#[test]
fn budget_sums_granted_rewards_of_area_and_month() {
    let november: Month = "2026-11".parse().unwrap();
    let at = |stage: &str, village: u8, at_ms: i64, fen: i64| {
        let mut log = in_stage(1, stage);
        for entry in &mut log.entries {
            entry.clock_ms = at_ms;
        }
        let crate::domain::case::EntryBody::Genesis(facts) = &mut log.entries[0].body else {
            panic!("a Genesis is first")
        };
        facts.home = path(&[1, 2, village]);
        for entry in log.entries.iter_mut().skip(1) {
            entry.author = in_area(PAYER, Role::DistrictLead, &[1]);
        }
        Granted::of(&log.state(), &of_amount(fen))
    };
    let begin_ms = november.begin_ms();
    let all: Vec<Granted> = [
        at("granted", 3, begin_ms, 10_000),
        at("paid", 3, begin_ms + 1, 20_000),
        at("paid", 4, begin_ms + 86_400_000, 40_000),
        at("granted", 3, begin_ms - 1, 80_000),
        at("proposed", 3, begin_ms, 160_000),
        at("declined", 3, begin_ms, 320_000),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert_eq!(all.len(), 4, "a reward that is not granted spends nothing");
    let of = |area: &[u8], month: Month| {
        let sum = spent(&all, &path(area), month);
        (sum.count, sum.granted_fen, sum.paid_fen)
    };
    assert_eq!(of(&[1, 2, 3], november), (2, 30_000, 20_000));
    assert_eq!(of(&[1, 2], november), (3, 70_000, 60_000));
    assert_eq!(of(&[1, 9], november), (0, 0, 0));
    assert_eq!(of(&[1, 2], "2026-10".parse().unwrap()), (1, 80_000, 0));
    let retracted = in_stage(1, "retracted").state();
    assert_eq!(Granted::of(&retracted, &of_amount(1)), None);
}

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % count
}

fn pick<T: Clone>(rng: &mut ChaCha8Rng, from: &[T]) -> T {
    from[below(rng, from.len())].clone()
}

fn random_reward(seed: u64) -> Log {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The proposer is head as well, and tries to approve.
    let people = [
        proposer(),
        in_area(PROPOSER, Role::StationHead, &[1, 2, 3]),
        approver(),
        payer(),
        dispatcher(),
    ];
    let mut log = Log::new(seed, proposer(), facts());
    for _ in 0..=below(&mut rng, 9) {
        let parents = match rng.next_u32() % 4 {
            0 => log.heads(),
            1 => vec![pick(&mut rng, &log.heads())],
            _ => vec![pick(&mut rng, &log.entries).id],
        };
        let mut author = pick(&mut rng, &people);
        let mut step = &STEPS.steps[below(&mut rng, STEPS.steps.len())];
        for _ in 0..6 {
            log.after(&parents, author.clone(), made(step));
            let candidate = log.entries.pop().unwrap();
            if judge(&log.entries, &candidate).is_ok() {
                break;
            }
            author = pick(&mut rng, &people);
            step = &STEPS.steps[below(&mut rng, STEPS.steps.len())];
        }
        let id = log.after(&parents, author, made(step));
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

#[test]
fn arrival_order_changes_no_reward() {
    let mut stages: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..3_000 {
        let log = random_reward(seed);
        let state = log.state();
        let mut rng = ChaCha8Rng::seed_from_u64(!seed);
        let mut entries: Vec<Entry> = log.entries.clone();
        for _ in 0..2 {
            shuffle(&mut rng, &mut entries);
            assert_eq!(fold(&entries).unwrap(), state, "seed {seed}");
        }
        assert_eq!(fold_plainly(&log.entries), state, "seed {seed}");
        for entry in &state.steps().unwrap().entries {
            let own = entry.by == Some(member(PROPOSER));
            assert!(!own || entry.step == &RETRACT, "seed {seed}");
        }
        let granted: Option<EnvelopeId> = Granted::grant_of(&state);
        assert_eq!(
            granted.is_some(),
            ["granted", "paid"].contains(&state.stage_name())
        );
        *stages.entry(state.stage_name()).or_default() += 1;
    }
    assert_eq!(stages.len(), 5, "{stages:?}");
}
