//! The table of state × move → state. `docs/lifecycle.md` shows the same table, and a test compares them.

use super::{Move, Stage};

/// The effect of a move on the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The move is not possible here.
    No,
    /// The stage stays.
    Same,
    /// The move leads to this stage.
    To(Stage),
    /// The stage follows from the assignments: the most advanced open lead or, without an open lead,
    /// resolved, returned, referred, triaged or reported.
    Work,
    /// The stage below the suspension or merger comes back.
    Below,
}

use Next::{Below as B, No as O, Same as S, To, Work as W};

type Row = [Next; 15];

const TALK: Row = [S; 15];
const NEVER: Row = [O; 15];
const STEP: Row = [O, W, W, W, W, S, S, O, O, W, W, S, O, O, O];
const PRESS: Row = [S, S, S, S, S, S, O, O, O, S, S, S, O, O, O];
const TRIAGED: Next = To(Stage::Triaged);
const RESOLVED: Next = To(Stage::Resolved);
const VERIFIED: Next = To(Stage::Verified);
const CLOSED: Next = To(Stage::Closed);
const FOLLOWED: Next = To(Stage::FollowedUp);
const REST: Next = To(Stage::Suspended);
const DISMISSED: Next = To(Stage::Dismissed);
const POLICE: Next = To(Stage::HandedToPolice);
const MERGED: Next = To(Stage::Merged);

/// One row of a move, its columns in the order of [`Stage::ALL`]: reported, triaged, dispatched, accepted, on
/// site, resolved, verified, closed, followed up, returned, referred, suspended, dismissed, handed to police,
/// merged.
#[rustfmt::skip]
const TABLE: [(Move, Row); 31] = [
    (Move::Triage, [TRIAGED, S, S, S, S, O, O, O, O, S, S, O, O, O, O]),
    (Move::Dispatch, [O, W, W, W, W, W, O, O, O, W, O, O, O, O, O]),
    (Move::Accept, STEP),
    (Move::Arrive, STEP),
    (Move::Resolve, STEP),
    (Move::Return, STEP),
    (Move::Withdraw, STEP),
    (Move::Transfer, [S, S, S, S, S, O, O, O, O, S, S, O, O, O, O]),
    (Move::Share, [O, S, S, S, S, O, O, O, O, S, S, O, O, O, O]),
    (Move::VerifyPass, [O, O, O, O, O, VERIFIED, O, O, O, O, O, O, O, O, O]),
    (Move::VerifyFail, [O, O, O, O, O, W, O, O, O, O, O, O, O, O, O]),
    (Move::Close, [O, O, O, O, O, O, CLOSED, O, O, O, O, O, O, CLOSED, O]),
    (Move::FollowUp, [O, O, O, O, O, O, O, FOLLOWED, S, O, O, O, O, O, O]),
    (Move::HandledOnSpot, [RESOLVED, RESOLVED, O, O, O, O, O, O, O, RESOLVED, O, O, O, O, O]),
    (Move::Dismiss, [DISMISSED, DISMISSED, O, O, O, O, O, O, O, DISMISSED, DISMISSED, O, O, O, O]),
    (Move::Escalate, [S, S, S, S, S, O, O, O, O, S, S, S, O, O, O]),
    (Move::AssignFinally, [O, O, O, O, O, O, O, O, O, O, W, O, O, O, O]),
    (Move::Urge, PRESS),
    (Move::Supervise, PRESS),
    (Move::Suspend, [O, REST, REST, REST, REST, O, O, O, O, REST, REST, O, O, O, O]),
    (Move::Resume, [O, O, O, O, O, O, O, O, O, O, O, B, O, O, O]),
    (Move::RequestExtension, [O, O, S, S, S, O, O, O, O, O, O, S, O, O, O]),
    (Move::GrantExtension, [O, O, S, S, S, O, O, O, O, O, O, S, O, O, O]),
    (Move::HandToPolice, [POLICE, POLICE, POLICE, POLICE, POLICE, O, O, O, O, POLICE, POLICE, O, O, O, O]),
    (Move::Merge, [MERGED, MERGED, MERGED, MERGED, MERGED, MERGED, O, O, O, MERGED, MERGED, MERGED, O, O, O]),
    (Move::Unmerge, [O, O, O, O, O, O, O, O, O, O, O, O, O, O, B]),
    (Move::Reopen, [O, O, O, O, O, W, W, W, W, O, O, O, W, W, O]),
    (Move::DangerRemains, [S, S, W, W, W, W, W, W, W, S, S, W, W, W, W]),
    (Move::Comment, TALK),
    (Move::Seen, TALK),
    (Move::Step, NEVER),
];

/// The effect of the move in this stage.
#[must_use]
pub fn next(stage: Stage, movement: Move) -> Next {
    TABLE[usize::from(movement.code()) - 1].1[usize::from(stage.code()) - 1]
}

/// The table as Markdown for `docs/lifecycle.md`. Moves go down and stages across.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| move |");
    for stage in Stage::ALL {
        text.extend([" ", stage.name(), " |"]);
    }
    text += "\n|---|";
    text += &"---|".repeat(Stage::ALL.len());
    for movement in Move::ALL {
        text.extend(["\n| ", movement.name(), " |"]);
        for stage in Stage::ALL {
            let cell = match next(*stage, *movement) {
                Next::No => "–",
                Next::Same => "=",
                Next::To(to) => to.name(),
                Next::Work => "work",
                Next::Below => "below",
            };
            text.extend([" ", cell, " |"]);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_and_columns_stand_where_their_codes_say() {
        for (index, (movement, _)) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(movement.code()), index + 1);
            assert_eq!(Move::ALL[index], *movement);
        }
        assert_eq!(TABLE.len(), Move::ALL.len());
        for (index, stage) in Stage::ALL.iter().enumerate() {
            assert_eq!(usize::from(stage.code()), index + 1);
        }
    }

    #[test]
    fn the_document_shows_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/lifecycle.md");
        let document = std::fs::read_to_string(path).unwrap();
        assert!(
            document.contains(&markdown()),
            "docs/lifecycle.md does not show the table of the code, which is\n{}",
            markdown()
        );
    }

    #[test]
    fn no_move_but_a_danger_leaves_an_ended_case_open() {
        let ended = Stage::ALL.iter().filter(|stage| stage.is_ended());
        for (stage, movement) in ended.flat_map(|s| Move::ALL.iter().map(move |m| (*s, *m))) {
            let opens = match next(stage, movement) {
                Next::Work => true,
                Next::To(to) => !to.is_ended(),
                Next::No | Next::Same | Next::Below => false,
            };
            // A dispatch on a resolved case adds work and does not judge the work that was done.
            let more_work = (stage, movement) == (Stage::Resolved, Move::Dispatch);
            assert!(
                !opens || more_work || movement.may_be_danger(),
                "{stage} {movement}"
            );
        }
    }

    #[test]
    fn whatever_the_stage_one_can_speak_and_warn() {
        for stage in Stage::ALL {
            for movement in [Move::Comment, Move::Seen, Move::DangerRemains] {
                assert_ne!(next(*stage, movement), Next::No, "{stage} {movement}");
            }
        }
    }
}
