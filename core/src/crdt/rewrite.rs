//! Turns one text into another: by its differences while they are few, otherwise by replacing the part that
//! differs.
//!
//! The exact differences of two long texts that have little in common take seconds. A person types in a few
//! places at once, and there the exact way keeps the words of others best.

use automerge::transaction::Transactable;
use automerge::{AutomergeError, ObjId};

use crate::limits::DIFFERENCES_MAX;

/// Makes a text object read `after`; it reads `before` now.
pub(super) fn rewrite(
    tx: &mut impl Transactable,
    text: &ObjId,
    before: &str,
    after: &str,
) -> Result<(), AutomergeError> {
    let old: Vec<char> = before.chars().collect();
    let new: Vec<char> = after.chars().collect();
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (&old[..old.len() - end], &new[..new.len() - end]);
    let one_place = old.is_empty() || new.is_empty();
    if !one_place && differs_in_few(old, new) {
        return tx.update_text(text, after);
    }
    let deleted = isize::try_from(old.len()).unwrap_or(isize::MAX);
    tx.splice_text(text, start, deleted, &new.iter().collect::<String>())
}

/// Whether at most [`DIFFERENCES_MAX`] characters are deleted or inserted.
///
/// The forward half of Myers' greedy algorithm. After so many differences, `furthest[k]` is the position
/// reached in `old` on the diagonal `k = characters deleted - characters inserted`.
fn differs_in_few(old: &[char], new: &[char]) -> bool {
    let most = DIFFERENCES_MAX;
    if old.len().abs_diff(new.len()) > most {
        return false;
    }
    let mut furthest = vec![0_usize; 2 * most + 3];
    for differences in 0..=most {
        // Diagonals are shifted by `most + 1`, so that none is negative.
        for diagonal in (most + 1 - differences..=most + 1 + differences).step_by(2) {
            let come = furthest[diagonal + 1];
            let gone = furthest[diagonal - 1] + 1;
            let first = diagonal == most + 1 - differences;
            let last = diagonal == most + 1 + differences;
            let mut x = match (first, last) {
                (true, true) => 0,
                (true, false) => come,
                (false, true) => gone,
                (false, false) => come.max(gone),
            };
            let Some(mut y) = (x + most + 1).checked_sub(diagonal) else {
                continue;
            };
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            furthest[diagonal] = x;
            if x >= old.len() && y >= new.len() {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use automerge::{Automerge, ObjType, ROOT, ReadDoc};

    use super::*;

    fn few(old: &str, new: &str) -> bool {
        differs_in_few(
            &old.chars().collect::<Vec<_>>(),
            &new.chars().collect::<Vec<_>>(),
        )
    }

    #[test]
    fn few_differences_are_told_from_many() {
        assert!(few("", ""));
        assert!(few("abc", "xbz"));
        assert!(few(&"a".repeat(5_000), &format!("b{}c", "a".repeat(4_990))));
        let most = DIFFERENCES_MAX;
        assert!(few(&"a".repeat(most / 2), &"b".repeat(most / 2)));
        assert!(!few(&"a".repeat(most / 2 + 1), &"b".repeat(most / 2)));
        assert!(!few(&"a".repeat(9_000), &"b".repeat(9_000)));
        assert!(!few("", &"b".repeat(most + 1)));
    }

    #[test]
    fn the_text_reads_as_it_should_whichever_way_it_is_made() {
        let long = "气瓶".repeat(3_000);
        let other = "瓶气👍🏽".repeat(2_000);
        let texts = [
            "",
            "a",
            "店内有5只气瓶",
            "店里有6只气瓶！",
            "👨‍👩‍👧在",
            &long,
            &other,
        ];
        for before in texts {
            for after in texts {
                let mut doc = Automerge::new();
                let mut tx = doc.transaction();
                let text = tx.put_object(ROOT, "text", ObjType::Text).unwrap();
                tx.splice_text(&text, 0, 0, before).unwrap();
                rewrite(&mut tx, &text, before, after).unwrap();
                assert_eq!(tx.text(&text).unwrap(), after);
            }
        }
    }
}
