//! Categories of records: bilingual data with codes of our own, which an administrator can extend.
//!
//! The built-in table is `categories.tsv`: `code class zh en standard_code`, separated by tabs; `#` starts a
//! comment. A line without class defines a class. The standard's small-class codes (GB/T 30428.2) are left
//! empty, because the table never invents one.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};
use minicbor::{Decode, Encode};

use crate::domain::names::{NameError, Names};
use crate::limits::{CATEGORIES_MAX, CATEGORY_CODE_BYTES_MAX, CATEGORY_TABLE_BYTES_MAX};

const BUILT_IN: &str = include_str!("categories.tsv");

coded_error! {
    /// The reason why a category, or a line of a table of categories, is invalid.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum CategoryError {
        /// The code has other characters than `a-z`, `0-9` and `_`, does not start with a
        /// letter, or is too long.
        #[error("category.bad_code: a code is small letters, digits and _, and starts with a letter")]
        BadCode,
        /// The class is unknown, or is a category.
        #[error("category.unknown_class: the class of a category does not exist")]
        UnknownClass,
        /// The code appears twice in one table.
        #[error("category.duplicate: a category appears twice")]
        Duplicate,
        /// A class that has categories cannot become a category, and a category cannot become a class.
        #[error("category.class_changed: a class stays a class and a category a category")]
        ClassChanged,
        /// A line has fewer than four or more than five columns.
        #[error("category.bad_columns: a line has code, class, zh, en and an optional standard code")]
        BadColumns,
        /// The standard's code is not 1 to 16 letters and digits.
        #[error("category.bad_standard_code: a standard's code is up to 16 letters and digits")]
        BadStandardCode,
        /// The table has more categories than the limits allow.
        #[error("category.too_many: the table has too many categories or bytes")]
        TooMany,
        /// A name is missing or too long.
        #[error(transparent)]
        Name(#[from] NameError),
    }
}

/// The code of a category or class, such as `gas`.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct CategoryCode(String);

impl TryFrom<String> for CategoryCode {
    type Error = CategoryError;

    fn try_from(text: String) -> Result<Self, CategoryError> {
        text.parse()
    }
}

impl From<CategoryCode> for String {
    fn from(code: CategoryCode) -> Self {
        code.0
    }
}

impl CategoryCode {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CategoryCode {
    type Err = CategoryError;

    fn from_str(text: &str) -> Result<Self, CategoryError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let valid = text.len() <= CATEGORY_CODE_BYTES_MAX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(plain);
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(CategoryError::BadCode)
        }
    }
}

impl fmt::Display for CategoryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> Encode<C> for CategoryCode {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for CategoryCode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        d.str()?
            .parse()
            .map_err(|error: CategoryError| DecodeError::message(error).at(at))
    }
}

/// A category, or a class of categories.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Category {
    /// Its code.
    #[n(0)]
    pub code: CategoryCode,
    /// The class that it belongs to; `None` for a class.
    #[n(1)]
    pub class: Option<CategoryCode>,
    /// Its name.
    #[n(2)]
    pub names: Names,
    /// The code of an official standard, where the deployment knows it.
    #[n(3)]
    pub standard_code: Option<String>,
    /// The category is not offered for new records any more. Old records keep it.
    #[n(4)]
    pub retired: bool,
}

/// A line of a table that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct BadCategoryLine {
    /// Line number, from 1.
    pub line: usize,
    /// The reason for the refusal.
    pub error: CategoryError,
}

/// All categories of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Categories(BTreeMap<CategoryCode, Category>);

impl Categories {
    /// The categories that every deployment starts with.
    #[must_use]
    pub fn built_in() -> Self {
        let mut categories = Self::default();
        let bad = categories.merge_table(BUILT_IN);
        debug_assert!(
            bad.is_empty(),
            "the built-in table is checked by a test: {bad:?}"
        );
        categories
    }

    /// Adds a category or replaces the one with its code. A refused category changes nothing.
    pub fn apply(&mut self, category: Category) -> Result<(), CategoryError> {
        if let Some(class) = &category.class {
            let known = self.0.get(class).ok_or(CategoryError::UnknownClass)?;
            if known.class.is_some() {
                return Err(CategoryError::UnknownClass);
            }
        }
        match self.0.get(&category.code) {
            Some(known) if known.class.is_none() != category.class.is_none() => {
                return Err(CategoryError::ClassChanged);
            }
            None if self.0.len() >= CATEGORIES_MAX => return Err(CategoryError::TooMany),
            _ => {}
        }
        if category
            .standard_code
            .as_deref()
            .is_some_and(|code| !is_standard_code(code))
        {
            return Err(CategoryError::BadStandardCode);
        }
        self.0.insert(category.code.clone(), category);
        Ok(())
    }

    /// Merges a table in the format of this module's head. Good lines are applied, and bad lines are
    /// returned. A caller that wants all or nothing merges into a copy.
    pub fn merge_table(&mut self, table: &str) -> Vec<BadCategoryLine> {
        if table.len() > CATEGORY_TABLE_BYTES_MAX {
            return vec![BadCategoryLine {
                line: 1,
                error: CategoryError::TooMany,
            }];
        }
        let mut seen = BTreeMap::new();
        let mut bad = Vec::new();
        for (index, text) in table.trim_start_matches('\u{feff}').lines().enumerate() {
            if text.trim().is_empty() || text.starts_with('#') {
                continue;
            }
            let line = index + 1;
            let taken = parse_line(text).and_then(|category| {
                if seen.insert(category.code.clone(), line).is_some() {
                    return Err(CategoryError::Duplicate);
                }
                self.apply(category)
            });
            bad.extend(taken.err().map(|error| BadCategoryLine { line, error }));
        }
        bad
    }

    /// The category with this code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Category> {
        // A code that does not parse is in no table.
        self.0.get(&code.parse().ok()?)
    }

    /// All classes, by code.
    pub fn classes(&self) -> impl Iterator<Item = &Category> {
        self.0.values().filter(|category| category.class.is_none())
    }

    /// The categories of a class, by code.
    pub fn of_class(&self, class: &str) -> impl Iterator<Item = &Category> {
        self.0.values().filter(move |category| {
            category
                .class
                .as_ref()
                .is_some_and(|known| known.as_str() == class)
        })
    }

    /// All classes, then their categories.
    pub fn iter(&self) -> impl Iterator<Item = &Category> {
        let categories = self.0.values().filter(|category| category.class.is_some());
        self.classes().chain(categories)
    }
}

fn is_standard_code(code: &str) -> bool {
    (1..=16).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn parse_line(text: &str) -> Result<Category, CategoryError> {
    let columns: Vec<&str> = text.split('\t').map(str::trim).collect();
    let (code, class, zh, en, standard) = match columns[..] {
        [code, class, zh, en] => (code, class, zh, en, ""),
        [code, class, zh, en, standard] => (code, class, zh, en, standard),
        _ => return Err(CategoryError::BadColumns),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Category {
        code: code.parse()?,
        class: some(class).map(|class| class.parse()).transpose()?,
        names: Names::new(zh, Some(en))?,
        standard_code: some(standard),
        retired: false,
    })
}

#[cfg(test)]
#[path = "category_tests.rs"]
mod tests;
