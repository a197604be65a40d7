//! The weather of a run: how often each kind of trouble comes.
//!
//! In the plain weather every kind comes now and then. In swarm weather each seed draws a few kinds and exaggerates
//! them; the others are rare or off. So a seed meets combinations that an even mixture hides.

use std::fmt;

use super::chance::Chance;

/// The choice of a run's weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Climate {
    /// Every kind of trouble now and then, and no hostile member until the storm is over.
    Plain,
    /// Drawn from the seed.
    #[default]
    Swarm,
}

/// A kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Requests and answers are lost, late, cut, doubled or damaged.
    Line,
    /// Phones crash.
    Crash,
    /// The server restarts.
    Server,
    /// Clocks of phones jump.
    Clock,
    /// Phones go back to an older copy of their file.
    Copy,
    /// Phones are cloned.
    Clone,
    /// The server comes back from a backup.
    Restore,
    /// Phones are revoked.
    Revocation,
    /// People move to other areas, units and roles.
    Role,
    /// Reviewers decide.
    Review,
    /// Days pass, and deadlines with them.
    Time,
    /// Phones meet.
    Meeting,
    /// A member with a modified app.
    Hostile,
}

impl Trouble {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Line,
        Self::Crash,
        Self::Server,
        Self::Clock,
        Self::Copy,
        Self::Clone,
        Self::Restore,
        Self::Revocation,
        Self::Role,
        Self::Review,
        Self::Time,
        Self::Meeting,
        Self::Hostile,
    ];
}

/// How much of a kind of trouble there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// None.
    Off,
    /// A little.
    Rare,
    /// A lot.
    Strong,
}

/// The step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A person acts.
    Act,
    /// A phone syncs.
    Sync,
    /// Two phones meet.
    Meet,
    /// A phone restarts.
    Crash,
    /// The rogue signs a forbidden event.
    Forge,
    /// The hostile member attacks.
    Attack,
    /// One of the rare events.
    Rare,
}

/// A rare event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rare {
    /// The server restarts.
    Server,
    /// A clock jumps.
    Clock,
    /// A copy of a phone's file is made.
    SaveCopy,
    /// A phone goes back to such a copy.
    GoBack,
    /// A phone is cloned.
    Clone,
    /// The server is backed up.
    Backup,
    /// The server is restored.
    Restore,
    /// A phone is revoked.
    Revoke,
    /// A role changes.
    Role,
    /// A reviewer decides.
    Review,
    /// The server looks at its deadlines.
    Tick,
    /// A day passes.
    Day,
    /// Nothing rare: a phone syncs.
    Sync,
}

/// The quality of lines. Each number means “once in so many times”; 0 means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Syncs over a bad line.
    pub bad: usize,
    /// Faults on a bad line.
    pub fault: usize,
    /// Slow answers.
    pub slow: usize,
    /// Roles that change while an answer is on its way.
    pub role: usize,
}

/// The weather of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weather {
    levels: Option<[Level; Trouble::ALL.len()]>,
    /// Steps with their weights.
    pub steps: Vec<(Step, usize)>,
    /// Rare events with their weights.
    pub rare: Vec<(Rare, usize)>,
    /// The lines.
    pub line: Line,
    /// Steps with an action about photos, once in so many; 0 means never.
    pub photos: usize,
}

/// Kinds that a seed exaggerates: at least this many, and at most two more.
const STRONG_MIN: usize = 2;

impl Weather {
    /// Returns the weather of a seed.
    #[must_use]
    pub fn of(climate: Climate, seed: u64) -> Self {
        match climate {
            Climate::Plain => Self::plain(),
            Climate::Swarm => Self::swarm(seed),
        }
    }

    /// Each kind of trouble now and then. The numbers and their order decide what a seed of [`Climate::Plain`] does.
    fn plain() -> Self {
        Self {
            levels: None,
            steps: vec![
                (Step::Act, 40),
                (Step::Sync, 30),
                (Step::Meet, 10),
                (Step::Crash, 6),
                (Step::Forge, 2),
                (Step::Rare, 12),
            ],
            rare: vec![
                (Rare::Server, 3),
                (Rare::Clock, 3),
                (Rare::SaveCopy, 2),
                (Rare::GoBack, 1),
                (Rare::Clone, 1),
                (Rare::Backup, 2),
                (Rare::Restore, 1),
                (Rare::Revoke, 1),
                (Rare::Role, 2),
                (Rare::Review, 2),
                (Rare::Tick, 2),
                (Rare::Day, 1),
                (Rare::Sync, 3),
            ],
            line: Line {
                bad: 2,
                fault: 4,
                slow: 6,
                role: 3,
            },
            photos: 0,
        }
    }

    fn swarm(seed: u64) -> Self {
        let mut dice = Chance::new(!seed);
        let mut levels = Trouble::ALL.map(|_| {
            if dice.one_in(3) {
                Level::Off
            } else {
                Level::Rare
            }
        });
        for _ in 0..STRONG_MIN + dice.below(3) {
            levels[dice.below(levels.len())] = Level::Strong;
        }
        Self {
            photos: photos(seed),
            ..Self::with(levels)
        }
    }

    fn with(levels: [Level; Trouble::ALL.len()]) -> Self {
        use Trouble as T;
        let weight = |trouble, rare, strong| match level_in(&levels, trouble) {
            Level::Off => 0,
            Level::Rare => rare,
            Level::Strong => strong,
        };
        let rare = vec![
            (Rare::Server, weight(T::Server, 1, 10)),
            (Rare::Clock, weight(T::Clock, 1, 10)),
            (Rare::SaveCopy, weight(T::Copy, 1, 6)),
            (Rare::GoBack, weight(T::Copy, 1, 5)),
            (Rare::Clone, weight(T::Clone, 1, 3)),
            (Rare::Backup, weight(T::Restore, 2, 4)),
            (Rare::Restore, weight(T::Restore, 1, 3)),
            (Rare::Revoke, weight(T::Revocation, 1, 5)),
            (Rare::Role, weight(T::Role, 2, 12)),
            (Rare::Review, weight(T::Review, 2, 8)),
            (Rare::Tick, weight(T::Time, 1, 6)),
            (Rare::Day, weight(T::Time, 1, 4)),
            (Rare::Sync, 3),
        ];
        let rare_sum: usize = rare.iter().map(|(_, weight)| weight).sum();
        Self {
            levels: Some(levels),
            steps: vec![
                (Step::Act, 40),
                (Step::Sync, 30),
                (Step::Meet, weight(T::Meeting, 4, 25)),
                (Step::Crash, weight(T::Crash, 2, 15)),
                (Step::Forge, weight(T::Hostile, 1, 3)),
                (Step::Attack, weight(T::Hostile, 3, 12)),
                (Step::Rare, rare_sum.div_ceil(2)),
            ],
            rare,
            line: Line {
                bad: weight(T::Line, 4, 1),
                fault: weight(T::Line, 6, 2),
                slow: weight(T::Line, 10, 4),
                role: weight(T::Role, 4, 2),
            },
            photos: 0,
        }
    }

    /// How much of a kind of trouble there is; `None` in plain weather.
    #[must_use]
    pub fn level(&self, trouble: Trouble) -> Option<Level> {
        self.levels.map(|levels| level_in(&levels, trouble))
    }
}

/// Draws how often something happens with photos: never, now and then, or often. These dice are not
/// those of the troubles, so the other draws of a seed are as old as the seed.
fn photos(seed: u64) -> usize {
    let mut dice = Chance::new(seed.rotate_left(16) ^ 0x7765_6174_6865_7200);
    [0, 6, 6, 2][dice.below(4)]
}

fn level_in(levels: &[Level; Trouble::ALL.len()], trouble: Trouble) -> Level {
    let place = Trouble::ALL.iter().position(|known| *known == trouble);
    place.map_or(Level::Off, |place| levels[place])
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(levels) = &self.levels else {
            return write!(f, "plain");
        };
        let of = |level: Level| -> Vec<String> {
            let kinds = Trouble::ALL.iter().zip(levels);
            let kinds = kinds.filter(|(_, known)| **known == level);
            kinds.map(|(kind, _)| format!("{kind:?}")).collect()
        };
        write!(
            f,
            "strong: {}; rare: {}; off: {}; photos: {}",
            of(Level::Strong).join(" "),
            of(Level::Rare).join(" "),
            of(Level::Off).join(" "),
            match self.photos {
                0 => "none".to_owned(),
                steps => format!("one in {steps} steps"),
            }
        )
    }
}
