//! The names in a template, and the keys of its answers.
//!
//! ```text
//!  answer.<item>         one answer                              question outside a repeat
//!  answer.<item>-<row>   the answer of one row                   question in a repeat
//!  answer.<repeat>-<row> the mark of the row: added, or removed
//! ```
//!
//! The id of a row is random. Two people who add rows offline therefore add two rows, and no row ever takes
//! the answers of another one. A name has no `-`, so a key has one reading.

use std::fmt;
use std::str::FromStr;

use crate::limits::FORM_NAME_BYTES_MAX;

/// A text that is no name: small letters, digits and `_`, a letter first, and not too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("form.bad_name")]
pub struct BadName;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                is_name(text).then(|| Self(text.to_owned())).ok_or(BadName)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The stable id of a question, section or repeat, or the name of a list of choices.
    ItemId
);
name!(
    /// The stable id of a template.
    TemplateId
);

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= FORM_NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(plain)
}

/// The id of a row of a repeat: 8 random bytes, written as 16 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub [u8; 8]);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for RowId {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let number = u64::from_str_radix(text, 16).map_err(|_| BadName)?;
        let row = Self(number.to_be_bytes());
        // Other spellings, such as capitals or a plus, would be a second key of the same row.
        (row.to_string() == text).then_some(row).ok_or(BadName)
    }
}

/// The key of an answer, or of the mark of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerKey {
    /// The question; the repeat, for the mark of a row.
    pub item: ItemId,
    /// The row, inside a repeat.
    pub row: Option<RowId>,
}

impl AnswerKey {
    /// The key of a question outside repeats.
    #[must_use]
    pub fn of(item: ItemId) -> Self {
        Self { item, row: None }
    }

    /// The key of a question in a row.
    #[must_use]
    pub fn in_row(item: ItemId, row: RowId) -> Self {
        Self {
            item,
            row: Some(row),
        }
    }
}

impl fmt::Display for AnswerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            None => write!(f, "{}", self.item),
            Some(row) => write!(f, "{}-{row}", self.item),
        }
    }
}

impl FromStr for AnswerKey {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        let (item, row) = match text.split_once('-') {
            None => (text, None),
            Some((item, row)) => (item, Some(row.parse()?)),
        };
        Ok(Self {
            item: item.parse()?,
            row,
        })
    }
}
