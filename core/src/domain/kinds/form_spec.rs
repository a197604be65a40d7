//! The checklist of a kind: the fields and stages that generic code needs to list forms and their due dates.

use crate::domain::RecordKind;
use crate::domain::case::RecordState;
use crate::domain::content::FieldSpec;
use crate::domain::form::{Date, Interval};
use crate::domain::steps::{StageSpec, StepSpec};

/// The parts of a kind whose records are checklists that people fill in.
#[derive(Debug)]
pub struct FormSpec {
    /// The field with the id of the template.
    pub template: &'static FieldSpec,
    /// The field with the version of the template.
    pub version: &'static FieldSpec,
    /// The field with the planned time, ms UTC.
    pub planned: &'static FieldSpec,
    /// The field with the id of the record that the form is about.
    pub subject: &'static FieldSpec,
    /// The field with the names of the people who come along.
    pub companions: &'static FieldSpec,
    /// The step that begins the work.
    pub begin: &'static StepSpec,
    /// The step after which the form counts as done. The form must be complete for it.
    pub finish: &'static StepSpec,
    /// The stage of work that was tried in vain.
    pub in_vain: StageSpec,
    /// The day of the form, which its rules see as `today()`.
    pub day: fn(&RecordState) -> Date,
    /// The instant when the next form becomes overdue, ms UTC, after one that was done at this instant.
    pub overdue_ms: fn(i64, Interval) -> Option<i64>,
    /// The kind of the records that hold the name of a subject which few people may know.
    pub subject_kind: RecordKind,
    /// The kind of the records that hold private words about a form.
    pub note_kind: RecordKind,
}

/// How far a form is, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormStanding {
    /// The work has not begun.
    Planned,
    /// A person is at work.
    Begun,
    /// The work is done.
    Done,
    /// The work was tried in vain.
    InVain,
    /// The work was called off.
    CalledOff,
}

impl FormSpec {
    /// The standing of a form in a stage of its kind.
    #[must_use]
    pub fn standing(&self, stage: StageSpec) -> FormStanding {
        if stage == self.finish.to {
            FormStanding::Done
        } else if stage == self.in_vain {
            FormStanding::InVain
        } else if stage == self.begin.to {
            FormStanding::Begun
        } else if stage.is_ended {
            FormStanding::CalledOff
        } else {
            FormStanding::Planned
        }
    }

    /// Its fields, in the order of this struct.
    #[must_use]
    pub fn fields(&self) -> [&'static FieldSpec; 5] {
        let Self {
            template,
            version,
            planned,
            subject,
            companions,
            ..
        } = *self;
        [template, version, planned, subject, companions]
    }
}

impl FormStanding {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Planned,
        Self::Begun,
        Self::Done,
        Self::InVain,
        Self::CalledOff,
    ];

    /// The code in tables of a phone, from 1.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Planned => 1,
            Self::Begun => 2,
            Self::Done => 3,
            Self::InVain => 4,
            Self::CalledOff => 5,
        }
    }

    /// The standing of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Begun => "begun",
            Self::Done => "done",
            Self::InVain => "in_vain",
            Self::CalledOff => "called_off",
        }
    }

    /// Whether a person still has to work on it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Planned | Self::Begun)
    }
}
