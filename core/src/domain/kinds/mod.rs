//! Record kinds, one folder for each, and their registry.
//!
//! ```text
//!  <kind>/mod.rs: SPEC ──▶ KINDS ──▶ RecordKind::spec ──▶ may · fold · streams · content · lists · export · FFI
//!    code, name, lifecycle,
//!    field table, typed view
//! ```
//!
//! **Contract.** Everything special to a kind is in its folder. All other code reads [`KindSpec`] and never
//! names a kind; a tidy test checks that. `docs/howto/record-kind.md` lists the steps for a new kind.
//!
//! **Not here:** the lifecycle that kinds share (`case`), the content itself (`content`), documents (`crdt`).

pub mod dispute;
mod form_spec;
pub mod hazard;
mod list_spec;
pub mod note;
pub mod notice;
pub mod patrol;
pub mod place;
pub mod request;
pub mod reward;
pub mod shift;
mod spec;
pub mod stages;
pub mod task;
pub mod tip;
pub mod visit;
pub mod whistle;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::form_spec::{FormSpec, FormStanding};
pub use self::list_spec::{ListColumn, ListSpec, ListTarget};
pub use self::spec::{KindSpec, Lifecycle};
use super::RecordKind;
use super::content::{Field, FieldSpec};
use super::steps::StepTable;
use super::walk::WalkSpec;

/// The registry: one line for each kind.
pub static KINDS: &[&KindSpec] = &[
    &hazard::SPEC,
    &tip::SPEC,
    &request::SPEC,
    &visit::SPEC,
    &task::SPEC,
    &patrol::SPEC,
    &place::SPEC,
    &note::SPEC,
    &notice::SPEC,
    &shift::SPEC,
    &whistle::SPEC,
    &dispute::SPEC,
    &reward::SPEC,
];

/// The lists of records that offices keep, for their import.
pub static LISTS: &[&ListSpec] = &[&dispute::LIST];

/// The kinds whose records are walks.
static WALKS: &[&WalkSpec] = &[&patrol::WALK];

impl RecordKind {
    /// Everything that this version knows of the kind. `None` for kinds of newer versions.
    #[must_use]
    pub fn spec(self) -> Option<&'static KindSpec> {
        KINDS.iter().copied().find(|spec| spec.kind == self)
    }

    /// Whether this version knows the kind.
    #[must_use]
    pub fn is_known(self) -> bool {
        self.spec().is_some()
    }

    /// Whether its records are cases.
    #[must_use]
    pub fn is_case(self) -> bool {
        self.spec()
            .is_some_and(|spec| spec.lifecycle == Lifecycle::Case)
    }

    /// The steps of its records; `None` for a kind without stages of its own.
    #[must_use]
    pub fn steps(self) -> Option<&'static StepTable> {
        match self.spec()?.lifecycle {
            Lifecycle::Steps(table) => Some(table),
            Lifecycle::Case | Lifecycle::Talk => None,
        }
    }

    /// The walk that its records are; `None` for other kinds.
    #[must_use]
    pub fn walk(self) -> Option<&'static WalkSpec> {
        WALKS.iter().copied().find(|walk| walk.kind == self)
    }

    /// The stable name, as in JSON, the docs and the tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().map_or("unknown", |spec| spec.name)
    }

    /// The kind of a name, if this version knows it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let spec = KINDS.iter().find(|spec| spec.name == name)?;
        Some(spec.kind)
    }
}

impl Field {
    /// The field of a name, whatever the kind. `None` for names of newer apps, and for malformed ones.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::of_name_in(name, own_fields())
    }
}

/// The fields of all kinds. A field that two kinds have is there twice.
pub fn own_fields() -> impl Iterator<Item = &'static FieldSpec> {
    KINDS.iter().flat_map(|spec| spec.fields)
}

/// Whether the records of a kind hold private words about the forms of another kind.
#[must_use]
pub fn is_note(kind: RecordKind) -> bool {
    let mut forms = KINDS.iter().filter_map(|spec| spec.form);
    forms.any(|form| form.note_kind == kind)
}

/// The tables of all kinds that have steps.
pub fn step_tables() -> impl Iterator<Item = &'static StepTable> {
    KINDS.iter().filter_map(|spec| spec.kind.steps())
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for RecordKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for RecordKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| serde::de::Error::custom("unknown name of RecordKind"))
    }
}

#[cfg(test)]
mod handling_tests;
#[cfg(test)]
mod tests;
