//! Areas that got another parent, as a note of the store. A phone that has not read of the move yet
//! writes the earlier path, and that path is true for it.
//!
//! **Invariant:** an earlier path counts only if all its parts were in force together, its author
//! had not read of the first move that ended it, and [`ROLE_GRACE_MS`] has not passed since. The
//! late work of an earlier role has the same limits.

use minicbor::{Decode, Encode};
use onegrid_core::domain::AreaPath;
use onegrid_core::domain::areas::Areas;
use onegrid_core::domain::directory::DirectoryMark;
use onegrid_core::id::AreaId;

use crate::limits::ROLE_GRACE_MS;
use crate::store::{Reader, StoreResult, Writer};

/// Key of a note in the store: the moves of the grace period.
const MOVES: &str = "area_moves";

/// The end of an area's time under a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AreaMove {
    /// The area that moved.
    #[n(0)]
    pub area: AreaId,
    /// Its parent before.
    #[n(1)]
    pub from: AreaId,
    /// Position in the directory of the entry that moved it.
    #[n(2)]
    pub at: DirectoryMark,
    /// Time of the move, ms UTC: of its entry, or of the first instant of its version if that is
    /// later.
    #[n(3)]
    pub at_ms: i64,
}

/// The moves of the grace period, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves(Vec<AreaMove>);

impl Moves {
    /// Reads the note. A note that cannot be read counts as empty, so earlier paths wait for a
    /// person.
    pub fn read(tx: &dyn Reader) -> StoreResult<Self> {
        let bytes = tx.meta(MOVES)?;
        let moves = bytes.and_then(|bytes| minicbor::decode(&bytes).ok());
        Ok(Self(moves.unwrap_or_default()))
    }

    /// Adds moves to the note, and forgets those whose grace period is over.
    pub fn note(tx: &mut dyn Writer, fresh: Vec<AreaMove>, now_ms: i64) -> StoreResult<()> {
        if fresh.is_empty() {
            return Ok(());
        }
        let Self(mut moves) = Self::read(tx)?;
        moves.retain(|known| is_recent(known, now_ms));
        moves.extend(fresh);
        let bytes = minicbor::to_vec(&moves).expect("writing CBOR to memory does not fail");
        tx.set_meta(MOVES, &bytes)
    }

    /// Whether the path is the ancestry of its last area, or was and the author could still believe
    /// so. `seen` is the newest position of the directory that the author had read.
    #[must_use]
    pub fn allow(&self, areas: &Areas, path: &AreaPath, seen: DirectoryMark, now_ms: i64) -> bool {
        // The positions between which all parts of the path were in force.
        let mut begun = DirectoryMark::default();
        let mut ended = None;
        let mut above = None;
        for id in path.ids() {
            let Some(area) = areas.get(*id) else {
                return false;
            };
            let of_area: Vec<&AreaMove> = self.0.iter().filter(|one| one.area == *id).collect();
            let stays = if area.parent() == above {
                of_area.len()
            } else {
                let last = of_area.iter().rposition(|one| Some(one.from) == above);
                let Some(index) = last.filter(|index| is_recent(of_area[*index], now_ms)) else {
                    return false;
                };
                let end = of_area[index].at;
                ended = Some(ended.map_or(end, |known: DirectoryMark| known.min(end)));
                index
            };
            if let Some(before) = stays.checked_sub(1) {
                begun = begun.max(of_area[before].at);
            }
            above = Some(*id);
        }
        ended.is_none_or(|ended| begun < ended && seen < ended)
    }
}

fn is_recent(one: &AreaMove, now_ms: i64) -> bool {
    now_ms.saturating_sub(one.at_ms) <= ROLE_GRACE_MS
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::domain::area::AreaLevel;

    use super::*;
    use crate::directory::heirs::tests::{area, id, path};

    fn at(position: u64) -> DirectoryMark {
        DirectoryMark {
            generation: 1,
            position,
        }
    }

    fn moved(area: u8, from: u8, position: u64) -> AreaMove {
        AreaMove {
            area: id(area),
            from: id(from),
            at: at(position),
            at_ms: 1_000,
        }
    }

    /// District 1, towns 2 and 3, village 4 in town 3, and grid 5 in village 4.
    fn areas() -> Areas {
        use AreaLevel::{District, Grid, Town, Village};
        let mut areas = Areas::new();
        for (n, level, parent) in [
            (1, District, None),
            (2, Town, Some(1)),
            (3, Town, Some(1)),
            (4, Village, Some(3)),
            (6, Village, Some(3)),
            (5, Grid, Some(4)),
        ] {
            areas.apply(area(n, level, parent)).unwrap();
        }
        areas
    }

    #[test]
    fn earlier_path_counts_until_its_author_has_read() {
        let moves = Moves(vec![moved(4, 2, 10)]);
        let allow = |ids: &[u8], seen, now_ms| moves.allow(&areas(), &path(ids), at(seen), now_ms);
        assert!(allow(&[1, 3, 4], 99, i64::MAX), "the present path");
        assert!(allow(&[1, 2, 4], 9, 1_000));
        assert!(allow(&[1, 2, 4, 5], 9, 1_000 + ROLE_GRACE_MS));
        assert!(!allow(&[1, 2, 4], 10, 1_000), "the author knew");
        assert!(!allow(&[1, 2, 4], 9, 1_001 + ROLE_GRACE_MS), "too late");
        assert!(!allow(&[1, 2, 6], 9, 1_000), "it never lay there");
        assert!(!allow(&[1, 2, 9], 9, 1_000), "unknown");
    }

    /// The village left town 2 at position 10, and the grid came to the village at position 20.
    #[test]
    fn path_whose_parts_never_met_is_refused() {
        let moves = Moves(vec![moved(4, 2, 10), moved(5, 6, 20)]);
        let allow = |ids: &[u8]| moves.allow(&areas(), &path(ids), at(5), 1_000);
        assert!(!allow(&[1, 2, 4, 5]), "never together");
        assert!(allow(&[1, 3, 6, 5]));
        let turned = Moves(vec![moved(5, 6, 8), moved(4, 2, 10)]);
        assert!(turned.allow(&areas(), &path(&[1, 2, 4, 5]), at(9), 1_000));
    }

    /// Of a way there and back, the last stay counts.
    #[test]
    fn second_stay_under_a_parent_counts() {
        let moves = Moves(vec![moved(4, 2, 10), moved(4, 3, 20), moved(4, 2, 30)]);
        let allow = |seen| moves.allow(&areas(), &path(&[1, 2, 4]), at(seen), 1_000);
        assert!(allow(29));
        assert!(!allow(30));
    }
}
