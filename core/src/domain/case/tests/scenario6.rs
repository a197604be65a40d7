//! Scenario 6 of the domain: two phones, one hazard, no network.

use super::support::*;
use crate::domain::case::payload::Merge;
use crate::domain::case::{Conflict, Event, Move, Outcome, Stage};
use crate::id::RecordId;

#[test]
fn two_phones_one_hazard_no_network() {
    for seed in 0..32 {
        // Given: two members report the same hazard separately; the second becomes a duplicate of the first.
        let mut second = Log::new(seed + 1_000, volunteer(2), hazard());
        second.triaged();
        let merge = Event::Merge(Merge {
            into: RecordId([6; 16]),
            note: None,
        });
        second.then(dispatcher(), merge);
        assert_eq!(second.state().stage(), Stage::Merged);
        assert_eq!(second.state().merged_into(), Some(RecordId([6; 16])));

        let mut log = Log::resolved(seed);
        log.then(other_dispatcher(), verify(true));
        let base = log.heads();
        // When: the grid worker closes offline; a volunteer, offline, adds that the cylinders are back; grid
        // worker and dispatcher edit the same field.
        let close = log.after(&base, grid_worker(), Event::Close(bare()));
        let follow_up = crate::domain::case::payload::FollowUp {
            satisfied: None,
            note: None,
        };
        let follow = log.after(&[close], grid_worker(), Event::FollowUp(follow_up));
        let words = log.after(&base, volunteer(1), comment("瓶子又回来了"));
        let danger = log.after(&[words], volunteer(1), danger());
        let edit = log.content(&[follow], grid_worker());
        let other_edit = log.content(&base, dispatcher());

        // Then: every word is kept, the case is open, and a conflict names both people.
        let state = log.state();
        assert_eq!(state.stage(), Stage::Accepted, "seed {seed}");
        assert!(state.case().unwrap().danger);
        for kept in [words, danger, edit, other_edit] {
            assert_eq!(
                state.outcome(kept).unwrap().outcome,
                Outcome::Effective,
                "seed {seed}"
            );
        }
        assert_eq!(state.outcome(close).unwrap().outcome, Outcome::Superseded);
        assert_eq!(
            state.outcome(close).unwrap().why,
            Some("case.danger_unseen")
        );
        assert_eq!(state.outcome(follow).unwrap().outcome, Outcome::Superseded);
        let named = state.conflicts.iter().any(|conflict| match conflict {
            Conflict::DangerOverEnding { ending, danger: by } => {
                ending.movement == Move::Close
                    && (ending.id, ending.by) == (close, grid_worker().member)
                    && (by.id, by.by) == (danger, volunteer(1).member)
            }
            _ => false,
        });
        assert!(named, "seed {seed}: {:?}", state.conflicts);

        // And: a person who has seen both sides ends the case again, which settles the conflict.
        let assignment = state.assignments()[0].id;
        log.then(handler(60), Event::Resolve(step(assignment)));
        log.then(other_dispatcher(), verify(true));
        log.then(grid_worker(), Event::Close(bare()));
        let state = log.state();
        assert_eq!(
            (state.stage(), state.case().unwrap().danger),
            (Stage::Closed, false)
        );
        assert_eq!(state.conflicts, vec![]);
    }
}
