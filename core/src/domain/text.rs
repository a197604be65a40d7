//! Bounded text: the words that a person types into an event, and short machine codes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{CODE_BYTES_MAX, TEXT_CHARS_MAX};

/// The reason why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text has only white space.
    #[error("text.blank")]
    Blank,
    /// The text is longer than the limit.
    #[error("text.too_long")]
    TooLong,
    /// The text has a control character other than tab and line feed, or (in a code) a character outside
    /// `a-z0-9._-`.
    #[error("text.bad_character")]
    BadCharacter,
}

/// A text of a person: not blank, at most [`TEXT_CHARS_MAX`] characters, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

/// A machine code such as a category or a rule: `a-z0-9._-`, 1 to [`CODE_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Text {
    /// Checks a text.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.trim().is_empty() {
            return Err(TextError::Blank);
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(TextError::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t')
        {
            return Err(TextError::BadCharacter);
        }
        Ok(Self(text))
    }
}

impl Code {
    /// Checks a code.
    pub fn new(code: impl Into<String>) -> Result<Self, TextError> {
        let code = code.into();
        if code.is_empty() {
            return Err(TextError::Blank);
        }
        if code.len() > CODE_BYTES_MAX {
            return Err(TextError::TooLong);
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        if !code.bytes().all(plain) {
            return Err(TextError::BadCharacter);
        }
        Ok(Self(code))
    }
}

macro_rules! text_impls {
    ($name:ident) => {
        impl $name {
            /// The characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;
            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                d: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let at = d.position();
                Self::new(d.str()?)
                    .map_err(|_| minicbor::decode::Error::message("text out of bounds").at(at))
            }
        }
    };
}

text_impls!(Text);
text_impls!(Code);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn text_counts_characters_not_bytes() {
        assert!(Text::new("瓶".repeat(TEXT_CHARS_MAX)).is_ok());
        assert_eq!(
            Text::new("瓶".repeat(TEXT_CHARS_MAX + 1)),
            Err(TextError::TooLong)
        );
        assert_eq!(Text::new(" \n\t"), Err(TextError::Blank));
        assert_eq!(Text::new("a\u{0}b"), Err(TextError::BadCharacter));
        assert_eq!(Text::new("a\u{1b}[2Jb"), Err(TextError::BadCharacter));
        assert_eq!(
            Text::new("第一行\n第二行").unwrap().as_str(),
            "第一行\n第二行"
        );
    }

    #[test]
    fn code_is_lower_case_ascii() {
        assert!(Code::new("e-bike.charging_2").is_ok());
        for bad in ["", "Gas", "燃气", "a b", &"a".repeat(CODE_BYTES_MAX + 1)] {
            assert!(Code::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_on_the_wire_too() {
        let blank = minicbor::to_vec("  ").unwrap();
        assert!(minicbor::decode::<Text>(&blank).is_err());
        assert!(minicbor::decode::<Code>(&minicbor::to_vec("UPPER").unwrap()).is_err());
        assert!(serde_json::from_str::<Text>("\"\"").is_err());
    }
}
