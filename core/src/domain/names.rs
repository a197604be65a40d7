//! A name in Chinese, which is always present, and in English where it is known.

use minicbor::decode::{Decoder, Error as DecodeError};
use minicbor::encode::{Encoder, Error as EncodeError, Write};

use crate::limits::NAME_BYTES_MAX;

coded_error! {
    /// The reason why a text is refused as a name.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum NameError {
        /// The text has only white space.
        #[error("name.empty: a name is missing")]
        Empty,
        /// The text has more bytes than `limits::NAME_BYTES_MAX`.
        #[error("name.too_long: a name has {0} bytes, the limit is {NAME_BYTES_MAX}")]
        TooLong(usize),
        /// The text has a control character such as a line break, or a character that no eye sees.
        #[error("name.control_character: a name contains a line break or invisible character")]
        ControlCharacter,
    }
}

/// Checks one name and removes white space at its ends. A character that no eye sees is refused, because the
/// name would look like another one, or turn round the text after it.
pub fn checked_name(text: &str) -> Result<String, NameError> {
    if text.chars().any(is_invisible) {
        return Err(NameError::ControlCharacter);
    }
    name_of_wire(text)
}

/// Whether a character has no width, or changes the direction of the text.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Checks a name that is stored already. Stored names with invisible characters stay readable.
fn name_of_wire(text: &str) -> Result<String, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    Ok(text.to_owned())
}

/// A checked bilingual name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Names {
    zh: String,
    en: Option<String>,
}

impl Names {
    /// Checks both names. An empty English name counts as none.
    pub fn new(zh: &str, en: Option<&str>) -> Result<Self, NameError> {
        let en = en.filter(|text| !text.trim().is_empty());
        Ok(Self {
            zh: checked_name(zh)?,
            en: en.map(checked_name).transpose()?,
        })
    }

    /// Returns this Chinese name with the English one of `other`.
    #[must_use]
    pub fn with_english_of(self, other: &Self) -> Self {
        Self {
            zh: self.zh,
            en: other.en.clone(),
        }
    }

    /// The Chinese name.
    #[must_use]
    pub fn zh(&self) -> &str {
        &self.zh
    }

    /// The English name, or the Chinese one where no English name is known.
    #[must_use]
    pub fn en(&self) -> &str {
        self.en.as_deref().unwrap_or(&self.zh)
    }
}

impl<C> minicbor::Encode<C> for Names {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        match &self.en {
            None => e.array(1)?.str(&self.zh)?.ok(),
            Some(en) => e.array(2)?.str(&self.zh)?.str(en)?.ok(),
        }
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Names {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let (zh, en) = match d.array()? {
            Some(1) => (d.str()?, None),
            Some(2) => (d.str()?, Some(d.str()?)),
            _ => return Err(DecodeError::message("a name has one or two texts").at(at)),
        };
        let en = en.filter(|text: &&str| !text.trim().is_empty());
        let refused = |error| DecodeError::message(error).at(at);
        Ok(Self {
            zh: name_of_wire(zh).map_err(refused)?,
            en: en.map(name_of_wire).transpose().map_err(refused)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_name_is_trimmed_bounded_and_on_one_line() {
        let names = Names::new(" 武林街道 ", Some("  ")).unwrap();
        assert_eq!((names.zh(), names.en()), ("武林街道", "武林街道"));
        assert_eq!(Names::new(" ", None), Err(NameError::Empty));
        assert_eq!(Names::new("甲\n乙", None), Err(NameError::ControlCharacter));
        let long = "长".repeat(NAME_BYTES_MAX / 3 + 1);
        assert!(matches!(
            Names::new(&long, None),
            Err(NameError::TooLong(_))
        ));
        assert!(matches!(
            Names::new("甲", Some(&long)),
            Err(NameError::TooLong(_))
        ));
    }

    /// An entry that an older version signed must not make the directory unreadable.
    #[test]
    fn invisible_characters_are_refused_and_stay_readable() {
        let name = "甲\u{202e}乙";
        assert_eq!(Names::new(name, None), Err(NameError::ControlCharacter));
        assert_eq!(
            Names::new("甲", Some("a\u{200b}")),
            Err(NameError::ControlCharacter)
        );
        let bytes = minicbor::to_vec((name, "a\u{200b}")).unwrap();
        let names: Names = minicbor::decode(&bytes).unwrap();
        assert_eq!((names.zh(), names.en()), (name, "a\u{200b}"));
        assert_eq!(minicbor::to_vec(&names).unwrap(), bytes);
    }

    #[test]
    fn bytes_that_hold_an_empty_name_are_no_name() {
        let names = Names::new("燃气公司", Some("Gas company")).unwrap();
        let bytes = minicbor::to_vec(&names).unwrap();
        assert_eq!(minicbor::decode::<Names>(&bytes).unwrap(), names);
        let empty = minicbor::to_vec(("",)).unwrap();
        assert!(minicbor::decode::<Names>(&empty).is_err());
    }
}
