//! The table of a kind: its stages, the steps between them, and the moves of handling.

use crate::domain::moves::Move;
use crate::domain::permissions::Row;

/// The least code of a stage. The codes below it belong to the stages of cases.
pub const STAGE_CODES_FROM: u8 = 101;

/// In [`StepSpec::not_by`]: the people named in the Genesis, because the record is about them.
pub const NAMED: u8 = 255;
/// In [`StepSpec::not_by`]: the responsible parties, because they do not take their own work off the list.
pub const PARTY: u8 = 254;
/// In [`StepSpec::not_by`]: everybody who neither created the record nor made a step on it.
pub const STRANGER: u8 = 253;

/// The stages and steps of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct StepTable {
    /// The stages. A record is born in the first one.
    pub stages: &'static [StageSpec],
    /// The steps, in the order of their codes.
    pub steps: &'static [StepSpec],
    /// The moves of handling; empty for a kind whose records no party is responsible for. The people of the first
    /// row may also write the content of records in their place.
    pub handling: &'static [HandlingSpec],
    /// Whether the content stays as it is once a step was made, because the step decided about it.
    pub fixes_content: bool,
}

/// A stage. Kinds that use the same name use the same code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageSpec {
    /// The stable code, from [`STAGE_CODES_FROM`] on, as in lists and exports.
    pub code: u8,
    /// The stable name. Its words are the text `stage.<name>`.
    pub name: &'static str,
    /// Whether the record needs no more work.
    pub is_ended: bool,
}

/// A step from one stage to another.
#[derive(Debug, PartialEq, Eq)]
pub struct StepSpec {
    /// The code on the wire, which is unique in the kind.
    pub code: u8,
    /// The stable name, which no move of a case has. The button of an app has the text `act.<name>`, and the
    /// timeline the text `story.<name>`.
    pub name: &'static str,
    /// The stages that it may start from.
    pub from: &'static [StageSpec],
    /// The stage that it leads to.
    pub to: StageSpec,
    /// Of steps that have not seen each other, the one of the highest rank is in force.
    pub rank: u8,
    /// The reasons to choose from. A step with reasons needs one of them.
    pub reasons: &'static [ReasonSpec],
    /// Whether the step needs words.
    pub needs_text: bool,
    /// The row of the permission table that decides who may make the step.
    pub right: Row,
    /// The codes of steps whose authors must not make this one: no person approves an own proposal.
    /// 0 stands for the creator of the record, [`NAMED`] for the people named in it, [`PARTY`] for the
    /// responsible parties that the author sees, and [`STRANGER`] for people who took no part. The rule holds over
    /// all branches.
    pub not_by: &'static [u8],
}

/// A reason for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonSpec {
    /// The code on the wire, which is unique among the reasons of the kind.
    pub code: u8,
    /// The stable name. Its words are the text `reason.<name>`.
    pub name: &'static str,
}

/// Moves of handling that a table allows: who is responsible, and the work of the parties.
#[derive(Debug, PartialEq, Eq)]
pub struct HandlingSpec {
    /// The moves, out of [`HANDLING_MOVES`].
    pub moves: &'static [Move],
    /// The stages in which they are possible. A table names ended stages for the work of parties, so that work
    /// which was done offline counts.
    pub during: &'static [StageSpec],
    /// The row of the permission table that decides who may make them.
    pub row: Row,
}

/// The moves that a table can allow: they change parties, areas and deadlines, and nothing else of a case.
pub const HANDLING_MOVES: [Move; 13] = [
    Move::Dispatch,
    Move::Accept,
    Move::Arrive,
    Move::Resolve,
    Move::Return,
    Move::Withdraw,
    Move::Transfer,
    Move::Share,
    Move::Escalate,
    Move::Urge,
    Move::Supervise,
    Move::RequestExtension,
    Move::GrantExtension,
];

impl StepTable {
    /// The stage that a record is born in.
    #[must_use]
    pub fn birth(&self) -> StageSpec {
        self.stages[0]
    }

    /// The step of a code, if this version knows it.
    #[must_use]
    pub fn step(&self, code: u8) -> Option<&'static StepSpec> {
        self.steps.iter().find(|step| step.code == code)
    }

    /// The step that brings further people in and keeps the stage, if the table has one.
    #[must_use]
    pub fn joining(&self) -> Option<&'static StepSpec> {
        self.steps.iter().find(|step| step.keeps_stage())
    }

    /// The step of a name.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<&'static StepSpec> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The reason of a code, whatever its step, if this version knows it.
    #[must_use]
    pub fn reason(&self, code: u8) -> Option<ReasonSpec> {
        let mut all = self.steps.iter().flat_map(|step| step.reasons);
        all.find(|reason| reason.code == code).copied()
    }

    /// The stage of a code, if this version knows it.
    #[must_use]
    pub fn stage(&self, code: u8) -> Option<StageSpec> {
        self.stages.iter().copied().find(|stage| stage.code == code)
    }

    /// Whether a record is about the people named in it, such as the parties of a dispute. Such a person makes no
    /// step and no move of handling, becomes no party, and does not write the content.
    #[must_use]
    pub fn named_are_concerned(&self) -> bool {
        self.steps.iter().any(|step| step.not_by.contains(&NAMED))
    }

    /// Whether the table allows the move in some stage.
    #[must_use]
    pub fn has_move(&self, movement: Move) -> bool {
        self.handling
            .iter()
            .any(|spec| spec.moves.contains(&movement))
    }

    /// Whether the table allows the move in this stage.
    #[must_use]
    pub fn allows(&self, movement: Move, stage: StageSpec) -> bool {
        self.rows_of(movement, stage).next().is_some()
    }

    /// The rows of the permission table whose people may make the move in this stage.
    pub fn rows_of(&self, movement: Move, stage: StageSpec) -> impl Iterator<Item = Row> {
        let all = self.handling.iter();
        all.filter(move |spec| spec.moves.contains(&movement) && spec.during.contains(&stage))
            .map(|spec| spec.row)
    }

    /// The table as Markdown. Steps go down and stages across.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("| step |");
        for stage in self.stages {
            text.extend([" ", stage.name, " |"]);
        }
        text += " rank |\n|---|";
        text += &"---|".repeat(self.stages.len() + 1);
        for step in self.steps {
            text.extend(["\n| ", step.name, " |"]);
            for stage in self.stages {
                let cell = if step.starts_from(*stage) {
                    step.to.name
                } else {
                    "–"
                };
                text.extend([" ", cell, " |"]);
            }
            text.extend([" ", &step.rank.to_string(), " |"]);
        }
        text.push('\n');
        text
    }
}

impl StepTable {
    /// The moves of handling as Markdown. Moves go down and stages across.
    #[must_use]
    pub fn handling_markdown(&self) -> String {
        let mut text = String::from("| move |");
        for stage in self.stages {
            text.extend([" ", stage.name, " |"]);
        }
        text += "\n|---|";
        text += &"---|".repeat(self.stages.len());
        let all = HANDLING_MOVES.iter();
        for movement in all.filter(|movement| self.has_move(**movement)) {
            text.extend(["\n| ", movement.name(), " |"]);
            for stage in self.stages {
                let cell = if self.allows(*movement, *stage) {
                    " = |"
                } else {
                    " – |"
                };
                text += cell;
            }
        }
        text.push('\n');
        text
    }
}

impl StepSpec {
    /// Whether the step is possible in the stage.
    #[must_use]
    pub fn starts_from(&self, stage: StageSpec) -> bool {
        self.from.contains(&stage)
    }

    /// Whether the step keeps the stage and brings its author in. A step that says something, or that also leads
    /// out of other stages, does more.
    #[must_use]
    pub fn keeps_stage(&self) -> bool {
        self.from == [self.to] && !self.needs_text
    }

    /// The reason of a name, out of those that the step takes.
    #[must_use]
    pub fn reason_named(&self, name: &str) -> Option<ReasonSpec> {
        let mut own = self.reasons.iter();
        own.find(|reason| reason.name == name).copied()
    }

    /// Whether the step takes this reason: one of its own, or none where it has none.
    #[must_use]
    pub fn takes(&self, reason: Option<u8>) -> bool {
        match reason {
            Some(code) => self.reasons.iter().any(|reason| reason.code == code),
            None => self.reasons.is_empty(),
        }
    }
}
