//! The lists that offices keep of the records of a kind, such as the disputes of a month, for their import.
//!
//! A row of a list becomes one record. The server is its author, because the list came through the server.
//! The month and the id of the row name the record, so a second import of the list makes no second record.

use crate::domain::RecordKind;
use crate::domain::content::FieldSpec;

/// A list of records.
#[derive(Debug)]
pub struct ListSpec {
    /// The stable name, as in commands: the name of the kind in the plural.
    pub name: &'static str,
    /// The kind of the records.
    pub kind: RecordKind,
    /// The columns.
    pub columns: &'static [ListColumn],
    /// The field with the month of the list.
    pub month: &'static FieldSpec,
    /// The field with the id of the row.
    pub row: &'static FieldSpec,
    /// The kind of the restricted records that hold the names of people.
    pub names_kind: RecordKind,
}

/// A column of a list.
#[derive(Debug)]
pub struct ListColumn {
    /// The stable name, which a header may always use.
    pub name: &'static str,
    /// Other names that a header may use, in lower case.
    pub aliases: &'static [&'static str],
    /// Whether a list without the column is unreadable, and a row without a value is refused.
    pub required: bool,
    /// The use of its values.
    pub target: ListTarget,
}

/// The use of the values of a column.
#[derive(Debug, Clone, Copy)]
pub enum ListTarget {
    /// The id of the row in the list.
    Row,
    /// The code or the name of the area.
    Area,
    /// The title.
    Title,
    /// The description.
    Description,
    /// Names of people. They go into a restricted record that is linked to the record of the row.
    Names,
    /// The words of a field.
    Words(&'static FieldSpec),
    /// A number of a field, as its digits or one of its texts.
    Choice(&'static FieldSpec),
    /// A day of a field that holds an instant. The instant is the end of the day in China.
    Day(&'static FieldSpec),
    /// Money of a field that holds fen, in yuan.
    Yuan(&'static FieldSpec),
}

impl ListTarget {
    /// The field that it fills.
    #[must_use]
    pub fn field(&self) -> Option<&'static FieldSpec> {
        match self {
            Self::Words(field) | Self::Choice(field) | Self::Day(field) | Self::Yuan(field) => {
                Some(field)
            }
            Self::Row | Self::Area | Self::Title | Self::Description | Self::Names => None,
        }
    }
}
