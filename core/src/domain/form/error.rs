//! The reasons why a template is refused.

use super::expression::ExpressionError;
use crate::limits::{
    FORM_BYTES_MAX, FORM_CHOICES_MAX, FORM_EXPRESSION_BYTES_MAX, FORM_EXPRESSION_DEPTH_MAX,
    FORM_ITEMS_MAX, FORM_NAME_BYTES_MAX, FORM_SECTION_DEPTH_MAX, FORM_WORDS_CHARS_MAX,
};
use crate::texts::{Lang, say};

coded_error! {
    /// The reason why a template is refused. `item` is the id of the question, section or repeat.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    pub enum TemplateError {
        /// The bytes are more than `limits::FORM_BYTES_MAX`.
        #[error("form.too_large")]
        TooLarge,
        /// The bytes are no JSON of a template.
        #[error("form.malformed")]
        Malformed {
            /// The line, from 1.
            line: usize,
            /// The column in the line, from 1.
            column: usize,
        },
        /// The template uses a format, field or type that this version does not know. An app shows its title
        /// where it can, keeps the answers, and opens them for reading alone.
        #[error("form.newer")]
        Newer {
            /// The unknown format, field or type.
            part: String,
        },
        /// A name has other characters than small letters, digits and `_`, does not begin with a letter, or is
        /// too long.
        #[error("form.bad_name")]
        BadName(String),
        /// A text is empty, too long, or has control characters.
        #[error("form.bad_words")]
        BadWords(String),
        /// The version of the template, or the time until the next visit, is zero.
        #[error("form.bad_count")]
        BadCount {
            /// The field.
            field: &'static str,
        },
        /// Two items, two lists, or two choices of a list have the same name.
        #[error("form.duplicate")]
        Duplicate(String),
        /// There are more items, or more choices, than `limits` allow; or there is no item at all.
        #[error("form.item_count")]
        ItemCount,
        /// A list has no choice or more than `limits::FORM_CHOICES_MAX`.
        #[error("form.choice_count")]
        ChoiceCount(String),
        /// Sections are deeper than `limits::FORM_SECTION_DEPTH_MAX`, or a repeat is inside a repeat.
        #[error("form.too_deep")]
        TooDeep(String),
        /// The type needs a field that the item does not have.
        #[error("form.missing_field")]
        MissingField {
            /// The item.
            item: String,
            /// The field.
            field: &'static str,
        },
        /// The item has a field that its type does not use.
        #[error("form.misplaced_field")]
        MisplacedField {
            /// The item.
            item: String,
            /// The field.
            field: &'static str,
        },
        /// The question names a list that the template does not have.
        #[error("form.unknown_list")]
        UnknownList {
            /// The item.
            item: String,
            /// The list.
            list: String,
        },
        /// The least number is above the largest, one of them is no number, or there are too
        /// many decimal places.
        #[error("form.bad_range")]
        BadRange(String),
        /// The default is no answer to its question.
        #[error("form.bad_default")]
        BadDefault(String),
        /// A rule of the item is no expression.
        #[error("{error}")]
        Rule {
            /// The item.
            item: String,
            /// The field with the expression.
            field: &'static str,
            /// The reason.
            #[source]
            error: ExpressionError,
        },
        /// The items decide in a circle whether they are shown.
        #[error("form.loop")]
        Loop {
            /// Some items of the circle.
            items: Vec<String>,
        },
    }
}

impl ExpressionError {
    fn part(&self) -> String {
        match self {
            Self::Syntax { at } => (at + 1).to_string(),
            Self::TooLong => FORM_EXPRESSION_BYTES_MAX.to_string(),
            Self::TooDeep => FORM_EXPRESSION_DEPTH_MAX.to_string(),
            Self::UnknownFunction(name)
            | Self::UnknownReference(name)
            | Self::RepeatReference(name) => name.clone(),
            Self::WrongArguments(name) => (*name).to_owned(),
            Self::NoOwnValue => ".".to_owned(),
        }
    }
}

impl TemplateError {
    /// The item, list or choice that the error is about.
    #[must_use]
    pub fn item(&self) -> Option<&str> {
        match self {
            Self::BadName(item)
            | Self::BadWords(item)
            | Self::Duplicate(item)
            | Self::ChoiceCount(item)
            | Self::TooDeep(item)
            | Self::MissingField { item, .. }
            | Self::MisplacedField { item, .. }
            | Self::UnknownList { item, .. }
            | Self::BadRange(item)
            | Self::BadDefault(item)
            | Self::Rule { item, .. } => Some(item),
            Self::Loop { items } => items.first().map(String::as_str),
            _ => None,
        }
    }

    /// The field of the item that the error is about.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::MissingField { field, .. }
            | Self::MisplacedField { field, .. }
            | Self::BadCount { field }
            | Self::Rule { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The problem and its remedy, as a sentence.
    #[must_use]
    pub fn say(&self, lang: Lang) -> String {
        let values = self.values();
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        say(self.code(), lang, &values)
    }

    /// The values of the placeholders of the sentence.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static str, String)> {
        let part = match self {
            Self::TooLarge => FORM_BYTES_MAX.to_string(),
            Self::Malformed { line, column } => format!("{line}:{column}"),
            Self::Newer { part } => part.clone(),
            Self::BadName(_) => FORM_NAME_BYTES_MAX.to_string(),
            Self::BadWords(_) => FORM_WORDS_CHARS_MAX.to_string(),
            Self::ItemCount => FORM_ITEMS_MAX.to_string(),
            Self::ChoiceCount(_) => FORM_CHOICES_MAX.to_string(),
            Self::TooDeep(_) => FORM_SECTION_DEPTH_MAX.to_string(),
            Self::UnknownList { list, .. } => list.clone(),
            Self::Rule { error, .. } => error.part(),
            Self::Loop { items } => items.join(", "),
            Self::BadCount { .. }
            | Self::MissingField { .. }
            | Self::MisplacedField { .. }
            | Self::Duplicate(_)
            | Self::BadRange(_)
            | Self::BadDefault(_) => String::new(),
        };
        let item = self.item().unwrap_or_default();
        let field = self.field().unwrap_or_default();
        vec![
            ("item", item.to_owned()),
            ("field", field.to_owned()),
            ("part", part),
        ]
    }
}
