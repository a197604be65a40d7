//! Tests that danger wins: which entries hold a case open, and which do not.

use super::support::*;
use crate::domain::area::AreaLevel;
use crate::domain::case::payload as p;
use crate::domain::case::{EntryStatus, Event, Outcome, Stage};
use crate::id::RecordId;
use crate::limits::DANGER_LATE_MS;

#[test]
fn danger_wins_over_every_ending_that_had_not_seen_it() {
    for seed in 0..32 {
        let mut log = Log::resolved(seed);
        let base = log.heads();
        let pass = log.after(&base, grid_worker(), verify(true));
        let close = log.after(&[pass], grid_worker(), Event::Close(bare()));
        log.after(&base, volunteer(1), danger());
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        assert_eq!(outcome(&log, pass), Outcome::Superseded);
        assert_eq!(outcome(&log, close), Outcome::Superseded);
        assert!(
            log.state().timeline[5..]
                .iter()
                .any(|i| i.outcome == Outcome::Effective)
        );
    }
}

#[test]
fn danger_also_holds_against_dismissal_handing_over_merging_and_suspending() {
    let merge = Event::Merge(p::Merge {
        into: RecordId([6; 16]),
        note: None,
    });
    let police = Event::HandToPolice(p::HandToPolice {
        to: None,
        reason: text("涉刑"),
    });
    for ending in [Event::Dismiss(reasoned()), police, merge, suspend()] {
        for seed in 0..8 {
            let mut log = Log::hazard(seed);
            log.triaged();
            let base = log.heads();
            let ended = log.after(&base, dispatcher(), ending.clone());
            log.after(&base, volunteer(1), danger());
            assert_eq!(
                log.state().stage(),
                Stage::Triaged,
                "seed {seed} {ending:?}"
            );
            assert_eq!(outcome(&log, ended), Outcome::Superseded);
        }
    }
}

#[test]
fn an_ending_that_has_seen_the_danger_holds() {
    let mut log = Log::resolved(1);
    log.then(volunteer(1), danger());
    assert_eq!(
        log.state().stage(),
        Stage::Accepted,
        "the unit is at work again"
    );
    let assignment = log.state().assignments()[0].id;
    assert_eq!(log.state().assignments()[0].resolved_ms, None);
    log.then(handler(60), Event::Resolve(step(assignment)));
    assert_eq!(
        (log.state().stage(), log.state().case().unwrap().danger),
        (Stage::Resolved, false)
    );
    assert_eq!(log.state().conflicts, vec![]);
}

#[test]
fn a_void_danger_move_holds_nothing_open() {
    let mut log = Log::resolved(1);
    let base = log.heads();
    log.after(&base, grid_worker(), verify(true));
    let danger = log.after(&base, volunteer(1), danger());
    assert_eq!(log.state().stage(), Stage::Accepted);
    log.entry(danger).status = EntryStatus::Ignored;
    assert_eq!(log.state().stage(), Stage::Verified);
    assert_eq!(outcome(&log, danger), Outcome::Ignored);
}

#[test]
fn an_escalation_by_a_person_is_danger_one_by_a_rule_is_not() {
    for seed in 0..16 {
        let mut log = Log::hazard(seed);
        let assignment = log.dispatched(60);
        log.then(handler(60), Event::Accept(step(assignment)));
        let base = log.heads();
        log.after(&base, handler(60), Event::Resolve(step(assignment)));
        let mut by_rule = log.clone();
        let escalation = by_rule.after(&base, system(), escalate(AreaLevel::Town, true));
        assert_eq!(by_rule.state().stage(), Stage::Resolved, "seed {seed}");
        assert!(matches!(
            outcome(&by_rule, escalation),
            Outcome::Effective | Outcome::Superseded
        ));
        log.after(&base, grid_worker(), escalate(AreaLevel::Town, false));
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        assert_eq!(log.state().handling().unwrap().level, AreaLevel::Town);
    }
}

#[test]
fn only_the_server_names_a_rule_and_it_always_does() {
    let mut log = Log::hazard(1);
    log.triaged();
    let forged = log.then(grid_worker(), escalate(AreaLevel::Town, true));
    assert_eq!(why(&log, forged), "may.rule");
    let unnamed = log.then(system(), escalate(AreaLevel::Town, false));
    assert_eq!(why(&log, unnamed), "may.rule");
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::Village);
}

#[test]
fn two_people_who_escalate_at_once_raise_the_level_once() {
    let mut log = Log::hazard(1);
    let base = [log.triaged()];
    log.after(&base, grid_worker(), escalate(AreaLevel::Town, false));
    log.after(&base, dispatcher(), escalate(AreaLevel::Town, false));
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::Town);
    let skipped = log.then(grid_worker(), escalate(AreaLevel::Town, false));
    assert_eq!(why(&log, skipped), "case.not_next_level");
    log.then(grid_worker(), escalate(AreaLevel::District, false));
    assert_eq!(log.state().handling().unwrap().level, AreaLevel::District);
}

#[test]
fn evidence_beside_an_ending_asks_for_review_and_reopens_nothing() {
    for seed in 0..16 {
        let mut log = Log::resolved(seed);
        let base = log.heads();
        let pass = log.after(&base, grid_worker(), verify(true));
        let words = log.after(&base, volunteer(1), comment("又闻到味道"));
        let edit = log.content(&base, dispatcher());
        let state = log.state();
        assert_eq!(state.stage(), Stage::Verified);
        let mut evidence: Vec<_> = state.needs_review.iter().map(|r| r.evidence).collect();
        evidence.sort_unstable();
        let mut expected = vec![words, edit];
        expected.sort_unstable();
        assert_eq!(evidence, expected);
        assert!(state.needs_review.iter().all(|r| r.ending == pass));
        log.then(other_dispatcher(), Event::Close(bare()));
        assert_eq!(
            log.state().needs_review,
            vec![],
            "whoever closed had seen both"
        );
    }
}

#[test]
fn photo_beside_an_ending_asks_for_review() {
    let mut log = Log::resolved(1);
    let base = log.heads();
    let pass = log.after(&base, grid_worker(), verify(true));
    let photo = log.after(&base, volunteer(1), Event::Attach(attach()));
    let state = log.state();
    assert_eq!(state.stage(), Stage::Verified);
    let review: Vec<_> = state
        .needs_review
        .iter()
        .map(|r| (r.evidence, r.ending))
        .collect();
    assert_eq!(review, [(photo, pass)]);
}

/// A case that was resolved, verified and closed long ago, as the server saw it, and a volunteer who had seen
/// nothing of it.
fn ended_long_ago(seed: u64) -> (Log, crate::id::EnvelopeId) {
    let mut log = Log::resolved(seed);
    log.then(grid_worker(), verify(true));
    let close = log.then(other_dispatcher(), Event::Close(bare()));
    for entry in &mut log.entries {
        entry.verdict_at_ms = Some(entry.clock_ms);
    }
    (log, close)
}

#[test]
fn late_danger_asks_for_review_and_erases_nothing() {
    for seed in 0..32 {
        let (mut log, close) = ended_long_ago(seed);
        let before = log.state();
        let warned = log.after(&[log.genesis()], volunteer(2), danger());
        log.entry(warned).verdict_at_ms = Some(20_000 + DANGER_LATE_MS);
        let state = log.state();
        assert!(state.is_open(), "seed {seed}: somebody has to look");
        assert_eq!(outcome(&log, warned), Outcome::Effective);
        assert_eq!(outcome(&log, close), Outcome::Effective);
        assert_eq!(state.stage(), Stage::Closed);
        assert_eq!(
            state.case().unwrap().handled_ms,
            before.case().unwrap().handled_ms
        );
        assert_eq!(state.assignments(), before.assignments());
        assert_eq!(state.conflicts, vec![]);
        let review = state.needs_review.iter().find(|one| one.ending == close);
        let review = review.unwrap();
        assert_eq!((review.evidence, review.danger), (warned, true));

        // Words change nothing here. A decision whose author has seen both sides does.
        log.then(volunteer(1), comment("看到了"));
        assert!(log.state().is_open());
        let mut confirmed = log.clone();
        let follow_up = p::FollowUp {
            satisfied: None,
            note: None,
        };
        confirmed.then(grid_worker(), Event::FollowUp(follow_up));
        assert!(!confirmed.state().is_open());
        log.then(other_dispatcher(), Event::Reopen(reasoned()));
        let state = log.state();
        assert_eq!(
            (state.stage(), state.case().unwrap().danger),
            (Stage::Accepted, true)
        );
        assert_eq!(state.needs_review, vec![]);
    }
}

#[test]
fn danger_within_the_grace_period_wins() {
    for seed in 0..16 {
        let (mut log, close) = ended_long_ago(seed);
        let warned = log.after(&[log.genesis()], volunteer(2), danger());
        log.entry(warned).verdict_at_ms = Some(DANGER_LATE_MS);
        assert_eq!(outcome(&log, close), Outcome::Superseded);
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        assert_eq!(log.state().case().unwrap().handled_ms, None);
    }
}

#[test]
fn late_danger_still_takes_back_a_recent_ending() {
    for seed in 0..16 {
        let (mut log, close) = ended_long_ago(seed);
        let warned = log.after(&[log.genesis()], volunteer(2), danger());
        log.entry(warned).verdict_at_ms = Some(20_000 + DANGER_LATE_MS);
        log.entry(close).verdict_at_ms = Some(19_000 + DANGER_LATE_MS);
        let state = log.state();
        assert_eq!(outcome(&log, close), Outcome::Superseded);
        assert_eq!(state.stage(), Stage::Verified, "seed {seed}");
        assert!(state.is_open() && state.case().unwrap().handled_ms.is_some());
        assert_eq!(state.conflicts.len(), 1);
    }
}

#[test]
fn danger_without_verdict_is_as_old_as_its_clock() {
    let (mut log, _) = ended_long_ago(1);
    let warned = log.after(&[log.genesis()], volunteer(2), danger());
    assert_eq!(log.state().stage(), Stage::Accepted);
    log.entry(warned).clock_ms = 20_000 + DANGER_LATE_MS;
    assert_eq!(log.state().stage(), Stage::Closed);
    assert!(log.state().is_open());
}

#[test]
fn held_danger_holds_the_case_open() {
    // The server's own event holds the case open. Its author had seen only the entries that the author of the
    // danger had seen.
    for seed in 0..16 {
        let mut log = Log::resolved(seed);
        let base = log.heads();
        let pass = log.after(&base, grid_worker(), verify(true));
        let hidden = log.after(&base, volunteer(1), danger());
        log.entry(hidden).status = EntryStatus::Ignored;
        assert_eq!(log.state().stage(), Stage::Verified);
        let stand_in = log.after(&base, system(), danger_held(hidden));
        assert_eq!(outcome(&log, pass), Outcome::Superseded);
        assert_eq!(log.state().stage(), Stage::Accepted, "seed {seed}");
        // The danger is rejected, so the server's own move is void and the ending holds.
        log.entry(stand_in).status = EntryStatus::Ignored;
        assert_eq!(log.state().stage(), Stage::Verified);
    }
}
