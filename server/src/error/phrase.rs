//! A sentence of `texts.tsv` with the values of its placeholders, before a language is chosen.

use onegrid_core::texts::{self, Lang};

/// A code of `texts.tsv` and the values of its placeholders; a value may be a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    code: &'static str,
    values: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Plain(String),
    Phrase(Phrase),
}

impl Phrase {
    /// Makes the phrase of a code, without values.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        Self {
            code,
            values: Vec::new(),
        }
    }

    /// Fills `{name}` with a value that is equal in every language.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and paths are handed in as they are"
    )]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, Value::Plain(value.to_string())));
        self
    }

    /// Fills `{name}` with another sentence.
    #[must_use]
    pub fn with_phrase(mut self, name: &'static str, phrase: Self) -> Self {
        self.values.push((name, Value::Phrase(phrase)));
        self
    }

    /// Code of the sentence.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// Sentence in a language.
    #[must_use]
    pub fn sentence(&self, lang: Lang) -> String {
        let values: Vec<(&str, String)> = self
            .values
            .iter()
            .map(|(name, value)| match value {
                Value::Plain(text) => (*name, text.clone()),
                Value::Phrase(phrase) => (*name, phrase.sentence(lang)),
            })
            .collect();
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        texts::say(self.code, lang, &values)
    }
}
