//! The state of a form: shown items, missing answers, problems and progress.

use super::answer::{Answer, AnswerError};
use super::decimal::Decimal;
use super::kind::Kind;
use super::name::{ItemId, RowId};
use super::template::Item;
use super::words::Words;
use crate::limits::FORM_ROWS_MAX;
use crate::texts::{Lang, say};

/// The state of all items of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormState<'a> {
    pub(super) items: Vec<ItemState<'a>>,
    pub(super) progress: Progress,
    pub(super) unknown: Vec<String>,
    pub(super) removed_rows: Vec<(ItemId, RowId)>,
}

/// The state of one item; inside a repeat, of one item in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemState<'a> {
    /// The item.
    pub item: &'a Item,
    /// The row, inside a repeat.
    pub row: Option<RowId>,
    /// Whether the item is shown.
    pub relevant: bool,
    /// Whether an answer is needed; never for an item that is not shown.
    pub required: bool,
    /// The answer, if it counts: the item is shown, and the answer has no problem.
    pub answer: Option<&'a Answer>,
    /// The problem that the person has to solve; none on items that are not shown.
    pub problem: Option<Problem<'a>>,
}

/// How many required questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Required questions whose answer counts.
    pub answered: usize,
    /// Required questions that are shown.
    pub required: usize,
}

/// A problem of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem<'a> {
    /// The answer is missing.
    Missing,
    /// The stored value is no answer to the question.
    Unreadable(AnswerError),
    /// The number is below this one.
    TooSmall(Decimal),
    /// The number is above this one.
    TooLarge(Decimal),
    /// The number has more than this many digits after the point.
    TooPrecise(u8),
    /// The answer breaks the constraint; with the message of the template, if it has one.
    Constraint(Option<&'a Words>),
    /// The repeat has more than `limits::FORM_ROWS_MAX` rows; the later ones do not count.
    TooManyRows,
}

impl Problem<'_> {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "form.required",
            Self::Unreadable(error) => error.code(),
            Self::TooSmall(_) => "form.too_small",
            Self::TooLarge(_) => "form.too_big",
            Self::TooPrecise(_) => "form.too_precise",
            Self::Constraint(_) => "form.constraint",
            Self::TooManyRows => "form.too_many_rows",
        }
    }

    /// Whether the form cannot end with it. Surplus rows do not count, and another person may have
    /// added them, so they are shown and keep no one from the end.
    #[must_use]
    pub fn blocks(&self) -> bool {
        !matches!(self, Self::TooManyRows)
    }

    /// The problem and its remedy, as a sentence. A constraint speaks with the words of the template.
    #[must_use]
    pub fn say(&self, lang: Lang) -> String {
        let part = match self {
            Self::Constraint(Some(words)) => return words.in_lang(lang).to_owned(),
            Self::TooSmall(bound) | Self::TooLarge(bound) => bound.to_string(),
            Self::TooPrecise(places) => places.to_string(),
            Self::TooManyRows => FORM_ROWS_MAX.to_string(),
            Self::Missing | Self::Unreadable(_) | Self::Constraint(None) => String::new(),
        };
        say(self.code(), lang, &[("part", &part)])
    }
}

impl<'a> FormState<'a> {
    /// The items in the order of the template; those in a repeat once for each row, row by row.
    #[must_use]
    pub fn items(&self) -> &[ItemState<'a>] {
        &self.items
    }

    /// The state of an item, in a row or outside repeats.
    #[must_use]
    pub fn get(&self, id: &str, row: Option<RowId>) -> Option<&ItemState<'a>> {
        let mut items = self.items.iter();
        items.find(|state| state.item.id.as_str() == id && state.row == row)
    }

    /// How many required questions are answered.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether no problem keeps the form from its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let mut problems = self.items.iter().filter_map(|state| state.problem.as_ref());
        problems.all(|problem| !problem.blocks())
    }

    /// Keys of answers that this version of the template has no place for. They are kept and do not count.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Removed rows that still have answers, so that the person who wrote them can be told.
    #[must_use]
    pub fn removed_rows(&self) -> &[(ItemId, RowId)] {
        &self.removed_rows
    }
}

/// Checks a number against the range of its question. Other answers have none.
pub(super) fn in_range<'a>(kind: &Kind, answer: &Answer) -> Result<(), Problem<'a>> {
    let (
        Kind::Number {
            min, max, decimals, ..
        },
        Answer::Number(number),
    ) = (kind, answer)
    else {
        return Ok(());
    };
    match (min, max) {
        (Some(min), _) if number < min => Err(Problem::TooSmall(*min)),
        (_, Some(max)) if number > max => Err(Problem::TooLarge(*max)),
        _ if !number.has_places(*decimals) => Err(Problem::TooPrecise(*decimals)),
        _ => Ok(()),
    }
}
