//! The usual work of the town's people in tests: they report, and the command room passes reports
//! on.

use onegrid_core::domain::case::payload::{Dispatch, Triage};
use onegrid_core::domain::case::{Deadlines, Event, Part, Party, Severity};
use onegrid_core::domain::content::{Content, Details};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::replica::Draft;

use super::Town;

/// Wulin street.
pub const STREET: &str = "330105013000";
/// A community of that street.
pub const VILLAGE: &str = "330105013003";
/// A grid of that community.
pub const GRID: &str = "330105013003001";

impl Town {
    /// Returns a draft of a hazard in [`GRID`] for the staff.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn hazard(&self, title: &str) -> Draft {
        let details = Details {
            title: Some(title.to_owned()),
            category: Some("gas".to_owned()),
            ..Details::default()
        };
        let content = Content::from(Hazard {
            details,
            severity: None,
        });
        Draft::staff(content, self.places.path(GRID))
    }

    /// Returns the moves of the command room: it triages the case, and the gas company is
    /// responsible.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn pass_on_to_gas(&self) -> [Event; 2] {
        let triage = Triage {
            category: "gas".parse().expect("a category"),
            severity: Severity::Serious,
            grid: None,
            rule: None,
            note: None,
        };
        let dispatch = Dispatch {
            to: Party::Unit(self.places.unit("gas-company")),
            part: Part::Lead,
            deadlines: Deadlines::default(),
            rule: None,
            note: None,
        };
        [Event::Triage(triage), Event::Dispatch(dispatch)]
    }
}
