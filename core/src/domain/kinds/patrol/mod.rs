//! 巡逻: a team walks a section. The ways, scans and proofs of presence are log entries
//! ([`crate::domain::walk`]).
//!
//! A hazard on the way is a record of its own whose Genesis links the patrol.

mod steps;

#[cfg(test)]
mod tests;

pub use self::steps::{ABANDON, ABANDONED, END, ENDED, JOIN, OPENED, STEPS};
use super::{KindSpec, Lifecycle};
use crate::domain::RecordKind;
use crate::domain::content::{Content, Details, Field, FieldSpec, FieldValue, ValueType};
use crate::domain::permissions::Row;
use crate::domain::walk::WalkSpec;
use crate::domain::walk::section::SectionId;

/// The kind.
pub const KIND: RecordKind = RecordKind::of_code(7);

/// The most people of one patrol.
pub const FORCE_MAX: i64 = 999;

/// The section, by its id.
pub const SECTION: FieldSpec = FieldSpec {
    name: "section",
    value: ValueType::SHORT,
    texts: &[],
};

/// The planned way in words.
pub const ROUTE: FieldSpec = FieldSpec {
    name: "route",
    value: ValueType::SHORT,
    texts: &[],
};

/// How many people set out.
pub const FORCE: FieldSpec = FieldSpec {
    name: "force",
    value: ValueType::Number {
        min: 1,
        max: FORCE_MAX,
    },
    texts: &[],
};

/// Their equipment in words.
pub const EQUIPMENT: FieldSpec = FieldSpec {
    name: "equipment",
    value: ValueType::SHORT,
    texts: &[],
};

/// Everything that generic code may know of the kind.
pub static SPEC: KindSpec = KindSpec {
    kind: KIND,
    name: "patrol",
    lifecycle: Lifecycle::Steps(&STEPS),
    fields: &[SECTION, ROUTE, FORCE, EQUIPMENT],
    weight: None,
    exported: &[SECTION, ROUTE, FORCE, EQUIPMENT],
    is_sensitive: false,
    report: Row::Patrol,
    audience: None,
    needs_link: false,
    form: None,
};

/// Its records are walks.
pub static WALK: WalkSpec = WalkSpec {
    kind: KIND,
    section: &SECTION,
    join: &JOIN,
    end: &END,
    void: ABANDONED,
    head: Row::CallOff,
};

/// The content of a patrol, without its log entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patrol {
    /// The fields that all kinds share.
    pub details: Details,
    /// The section.
    pub section: Option<SectionId>,
    /// The planned way in words.
    pub route: Option<String>,
    /// How many people set out, at most [`FORCE_MAX`].
    pub force: Option<u16>,
    /// Their equipment in words.
    pub equipment: Option<String>,
}

impl Patrol {
    /// Reads the content of a patrol; `None` for another kind. A malformed id reads as absent.
    #[must_use]
    pub fn of(content: &Content) -> Option<Self> {
        let force = content.number(&FORCE);
        (content.kind() == KIND).then(|| Self {
            details: content.details().clone(),
            section: content.text(&SECTION).and_then(SectionId::new),
            route: content.text(&ROUTE).map(str::to_owned),
            force: force.and_then(|force| u16::try_from(force).ok()),
            equipment: content.text(&EQUIPMENT).map(str::to_owned),
        })
    }
}

impl From<Patrol> for Content {
    fn from(patrol: Patrol) -> Self {
        let section = patrol.section.map(|id| id.to_string());
        let fields = [
            (&SECTION, section.map(FieldValue::Text)),
            (&ROUTE, patrol.route.map(FieldValue::Text)),
            (
                &FORCE,
                patrol
                    .force
                    .map(|force| FieldValue::Number(i64::from(force))),
            ),
            (&EQUIPMENT, patrol.equipment.map(FieldValue::Text)),
        ];
        let mut content = SPEC.content_of(patrol.details);
        for (spec, value) in fields {
            if let Some(value) = value {
                content.set(Field::Own(spec), value);
            }
        }
        content
    }
}
