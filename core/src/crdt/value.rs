//! The form of values in a document.

use automerge::ScalarValue;

use crate::domain::content::{FieldValue, StoredPosition, ValueType};

/// Reads a value from a document. A value of another type, or out of range, reads as absent.
pub(super) fn read(value: ValueType, scalar: &ScalarValue) -> Option<FieldValue> {
    match (value, scalar) {
        (ValueType::Text { chars_max }, ScalarValue::Str(text)) => {
            Some(FieldValue::Text(shortened(text, chars_max)))
        }
        (ValueType::Number { min, max }, scalar) => {
            let number = match scalar {
                ScalarValue::Int(number) | ScalarValue::Timestamp(number) => *number,
                ScalarValue::Uint(number) => i64::try_from(*number).ok()?,
                _ => return None,
            };
            (min..=max)
                .contains(&number)
                .then_some(FieldValue::Number(number))
        }
        (ValueType::Flag, ScalarValue::Boolean(flag)) => Some(FieldValue::Flag(*flag)),
        (ValueType::Position, ScalarValue::Str(text)) => {
            StoredPosition::of_text(text).map(FieldValue::Position)
        }
        _ => None,
    }
}

/// Writes a value for a document.
pub(super) fn to_scalar(value: &FieldValue) -> ScalarValue {
    match value {
        FieldValue::Text(text) => ScalarValue::Str(text.as_str().into()),
        FieldValue::Number(number) => ScalarValue::Int(*number),
        FieldValue::Flag(flag) => ScalarValue::Boolean(*flag),
        FieldValue::Position(position) => ScalarValue::Str(position.to_text().into()),
    }
}

/// The first `chars_max` characters.
pub(super) fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => text[..end].to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SHORT_TEXT_CHARS_MAX;

    #[test]
    fn values_of_another_type_or_range_read_as_absent() {
        let severity = ValueType::Number { min: 1, max: 4 };
        assert_eq!(
            read(severity, &ScalarValue::Uint(4)),
            Some(FieldValue::Number(4))
        );
        assert_eq!(read(severity, &ScalarValue::Int(5)), None);
        assert_eq!(read(severity, &ScalarValue::Uint(u64::MAX)), None);
        assert_eq!(read(severity, &ScalarValue::Str("4".into())), None);
        assert_eq!(read(ValueType::SHORT, &ScalarValue::Null), None);
        let long = ScalarValue::Str("长".repeat(SHORT_TEXT_CHARS_MAX + 1).into());
        let Some(FieldValue::Text(text)) = read(ValueType::SHORT, &long) else {
            panic!("a text")
        };
        assert_eq!(text.chars().count(), SHORT_TEXT_CHARS_MAX);
    }
}
