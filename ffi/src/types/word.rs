//! Words of the domain in both languages.

use onegrid_core::texts::{Lang, text};

use crate::error::speakable;

/// A stable code with its name in both languages.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Word {
    /// The stable code.
    pub code: String,
    /// The name in Chinese.
    pub zh: String,
    /// The name in English.
    pub en: String,
}

impl Word {
    /// Returns the word of `code` with the texts of `area.code`. A code of a newer app is its own word.
    pub(crate) fn of(area: &str, code: &str) -> Self {
        Self::in_table(&format!("{area}.{code}"), code)
    }

    /// Returns the word of a code that is its own key in the table, such as `may.role`.
    pub(crate) fn coded(code: &str) -> Self {
        Self::in_table(speakable(code, &[]), code)
    }

    /// Returns the word of `code` that has the given key in the table.
    pub(crate) fn keyed(key: &str, code: &str) -> Self {
        Self::in_table(key, code)
    }

    fn in_table(key: &str, code: &str) -> Self {
        let word = |lang| text(key, lang).unwrap_or(code).to_owned();
        Self {
            code: code.to_owned(),
            zh: word(Lang::Zh),
            en: word(Lang::En),
        }
    }
}

/// A language of the sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl From<Language> for Lang {
    fn from(language: Language) -> Self {
        match language {
            Language::Zh => Self::Zh,
            Language::En => Self::En,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_a_server_show_no_placeholder() {
        for code in ["http.too_many", "http.too_large"] {
            let word = Word::coded(code);
            assert_eq!(word.code, code);
            for sentence in [word.zh, word.en] {
                assert!(!sentence.contains('{'), "{code}: {sentence}");
            }
        }
        assert!(Word::coded("http.busy").en.contains("busy"));
    }
}
