//! A text in Chinese and English.

use serde::{Deserialize, Serialize};

use crate::limits::FORM_WORDS_CHARS_MAX;
use crate::texts::Lang;

/// A text of a template. Chinese is always present; English may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Words {
    /// The text in a language, or in Chinese where the template has no English.
    #[must_use]
    pub fn in_lang(&self, lang: Lang) -> &str {
        match (lang, &self.en) {
            (Lang::En, Some(en)) => en,
            _ => &self.zh,
        }
    }

    /// Whether each language is filled in, bounded, and without control characters.
    pub(super) fn is_sound(&self) -> bool {
        let sound = |text: &str| {
            let control = |c: char| c.is_control() && c != '\n';
            !text.trim().is_empty()
                && text.chars().count() <= FORM_WORDS_CHARS_MAX
                && !text.chars().any(control)
        };
        sound(&self.zh) && self.en.as_deref().is_none_or(sound)
    }
}
