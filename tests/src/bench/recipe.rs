//! The past of a measured server: cases made of the histories, as many as the bench needs.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::histories::{Cast, History, Written};

/// A data folder with a past.
pub(super) struct Recipe {
    /// Its name in `target/bench`.
    pub(super) name: &'static str,
    /// The past that this one begins with.
    pub(super) base: Option<&'static Recipe>,
    /// Numbers of the cases on top of that past.
    pub(super) cases: Range<usize>,
    placed: Placed,
    /// One case in this many has its whole history; the others are only reported.
    whole_every: usize,
    /// Long answers of each report, for a large store with few records.
    answers: usize,
}

/// The places of the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    /// The places of the histories, all over the district.
    AsWritten,
    /// All in one village.
    OneVillage,
    /// Four of five in [`BUSY`] villages, the others as written.
    Crowded,
}

/// A grid in the village of the demo's people: the place of every case of [`Placed::OneVillage`].
pub(super) const VILLAGE_GRID: &str = "330105013003001";
/// Villages that hold most of the cases of the large past.
pub(super) const BUSY: usize = 16;
/// Cases of the large past.
pub(super) const MANY: usize = 200_000;

pub(super) static DISTRICT_5: Recipe = Recipe {
    name: "district-5000",
    base: None,
    cases: 0..5_000,
    placed: Placed::AsWritten,
    whole_every: 1,
    answers: 0,
};
pub(super) static DISTRICT_10: Recipe = Recipe {
    name: "district-10000",
    base: Some(&DISTRICT_5),
    cases: 5_000..10_000,
    placed: Placed::AsWritten,
    whole_every: 1,
    answers: 0,
};
pub(super) static VILLAGE_500: Recipe = Recipe {
    name: "village-500",
    base: None,
    cases: 0..500,
    placed: Placed::OneVillage,
    whole_every: 1,
    answers: 0,
};
pub(super) static VILLAGE_5: Recipe = Recipe {
    name: "village-5000",
    base: None,
    cases: 0..5_000,
    placed: Placed::OneVillage,
    whole_every: 1,
    answers: 0,
};
pub(super) static VILLAGE_10: Recipe = Recipe {
    name: "village-10000",
    base: Some(&VILLAGE_5),
    cases: 5_000..10_000,
    placed: Placed::OneVillage,
    whole_every: 1,
    answers: 0,
};
pub(super) static MANY_RECORDS: Recipe = Recipe {
    name: "records-200000",
    base: None,
    cases: 0..MANY,
    placed: Placed::Crowded,
    whole_every: 10,
    answers: 0,
};

pub(super) static LARGE_6: Recipe = Recipe {
    name: "large-6000",
    base: None,
    cases: 0..6_000,
    placed: Placed::AsWritten,
    whole_every: 10,
    answers: 8,
};
/// More than 1 GB.
pub(super) static LARGE_10: Recipe = Recipe {
    name: "large-10000",
    base: Some(&LARGE_6),
    cases: 6_000..10_000,
    placed: Placed::AsWritten,
    whole_every: 10,
    answers: 8,
};

impl Recipe {
    /// Returns the whole recipe as text.
    pub(super) fn text(&self) -> String {
        let base = self.base.map(Self::text).unwrap_or_default();
        let (cases, placed) = (&self.cases, self.placed);
        let (whole_every, answers) = (self.whole_every, self.answers);
        format!("{base} {cases:?} {placed:?} {BUSY} {whole_every} {answers}")
    }

    /// Writes and signs one case.
    pub(super) fn write(
        &self,
        cast: &mut Cast,
        histories: &[History],
        grids: &Grids,
        case: usize,
    ) -> Written {
        let mut history = histories[case % histories.len()].clone();
        match self.placed {
            Placed::OneVillage => history = history.moved_to(VILLAGE_GRID),
            Placed::Crowded if !case.is_multiple_of(5) => {
                history = history.moved_to(&grids.busy[(case / 5) % grids.busy.len()]);
            }
            Placed::AsWritten | Placed::Crowded => {}
        }
        if !case.is_multiple_of(self.whole_every) {
            history.events.truncate(1);
        }
        if self.answers > 0 {
            history = history.with_long_answers(self.answers, case as u64);
        }
        cast.write(&history, (case / histories.len()) as u64)
    }
}

/// The grids of the histories.
pub(super) struct Grids {
    /// One grid in each busy village.
    pub(super) busy: Vec<String>,
    /// One grid in each other village, in the order of their codes.
    pub(super) quiet: Vec<String>,
}

impl Grids {
    pub(super) fn of(histories: &[History]) -> Self {
        let mut villages = BTreeSet::new();
        let all: BTreeSet<&str> = histories.iter().map(History::grid).collect();
        let mut busy: Vec<String> = all
            .into_iter()
            .filter(|grid| villages.insert(grid[..12].to_owned()))
            .map(str::to_owned)
            .collect();
        let quiet = busy.split_off(BUSY);
        Self { busy, quiet }
    }

    /// Towns without a busy village, in the order of their codes.
    pub(super) fn quiet_towns(&self) -> Vec<String> {
        let town = |grid: &String| format!("{}000", &grid[..9]);
        let busy: BTreeSet<String> = self.busy.iter().map(town).collect();
        let quiet: BTreeSet<String> = self.quiet.iter().map(town).collect();
        quiet.difference(&busy).cloned().collect()
    }
}
