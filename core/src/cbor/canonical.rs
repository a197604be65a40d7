//! Canonical CBOR, checked by walking the tokens of the received bytes, never by re-encoding.
//!
//! Canonical here: one item, definite lengths, shortest integers and lengths, valid UTF-8, no tags, no
//! floats, no `undefined`, at most [`CBOR_DEPTH_MAX`] arrays and maps inside each other. So one value has
//! one spelling, and a hash over received bytes is a hash over the value.

use crate::limits::CBOR_DEPTH_MAX;

coded_error! {
    /// Why bytes are not canonical CBOR.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum CanonicalError {
        /// The bytes end inside an item, or continue after it.
        #[error("wire.length")]
        Length,
        /// An integer or a length has a shorter spelling.
        #[error("wire.not_shortest")]
        NotShortest,
        /// An indefinite length, a tag, a float, `undefined` or a reserved code.
        #[error("wire.type_not_allowed")]
        Type,
        /// A text is no UTF-8.
        #[error("wire.text")]
        Text,
        /// More than [`CBOR_DEPTH_MAX`] arrays and maps inside each other.
        #[error("wire.depth")]
        Depth,
    }
}

/// Checks that `bytes` are exactly one canonical item.
pub fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    let mut rest = bytes;
    item(&mut rest, 0)?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err(CanonicalError::Length)
    }
}

/// Decodes a signed structure when the bytes are the one spelling of its value: as many items as
/// the structure has, at every level, and no absent field written at the end. Returns `None` for
/// any other bytes.
///
/// So the bytes carry no item that only a newer reader would see, and a value has one hash.
pub(crate) fn decode_signed<'b, T>(bytes: &'b [u8]) -> Option<T>
where
    T: minicbor::Encode<()> + minicbor::Decode<'b, ()>,
{
    let value: T = minicbor::decode(bytes).ok()?;
    let written = minicbor::to_vec(&value).ok()?;
    (written == bytes).then_some(value)
}

fn item(rest: &mut &[u8], depth: usize) -> Result<(), CanonicalError> {
    let first = take(rest, 1)?[0];
    let (major, info) = (first >> 5, first & 0x1f);
    if major == 7 {
        // false, true and null; everything else of this type has no place in our formats.
        return if (20..=22).contains(&info) {
            Ok(())
        } else {
            Err(CanonicalError::Type)
        };
    }
    let argument = argument(rest, info)?;
    match major {
        0 | 1 => Ok(()),
        2 => take_len(rest, argument).map(|_| ()),
        3 => {
            let text = take_len(rest, argument)?;
            std::str::from_utf8(text)
                .map(|_| ())
                .map_err(|_| CanonicalError::Text)
        }
        4 | 5 => {
            if depth == CBOR_DEPTH_MAX {
                return Err(CanonicalError::Depth);
            }
            let items = if major == 4 {
                Some(argument)
            } else {
                argument.checked_mul(2)
            };
            // Every item takes at least one byte, so a length beyond the rest is refused before the
            // loop.
            let items = items
                .filter(|n| *n <= rest.len() as u64)
                .ok_or(CanonicalError::Length)?;
            (0..items).try_for_each(|_| item(rest, depth + 1))
        }
        _ => Err(CanonicalError::Type),
    }
}

fn argument(rest: &mut &[u8], info: u8) -> Result<u64, CanonicalError> {
    let (width, least) = match info {
        0..=23 => return Ok(u64::from(info)),
        24 => (1, 24),
        25 => (2, 1 << 8),
        26 => (4, 1 << 16),
        27 => (8, 1 << 32),
        _ => return Err(CanonicalError::Type),
    };
    let value = take(rest, width)?
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    if value < least {
        Err(CanonicalError::NotShortest)
    } else {
        Ok(value)
    }
}

fn take_len<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], CanonicalError> {
    take(
        rest,
        usize::try_from(len).map_err(|_| CanonicalError::Length)?,
    )
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], CanonicalError> {
    let (taken, left) = rest.split_at_checked(len).ok_or(CanonicalError::Length)?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_spelling() {
        for good in [
            &b"\x00"[..],
            b"\x18\x18",
            b"\x82\x01\x41\x02",
            b"\xa1\x01\xf6",
            b"\x61a",
        ] {
            assert_eq!(check(good), Ok(()), "{good:02x?}");
        }
        let bad: &[(&[u8], CanonicalError)] = &[
            (b"", CanonicalError::Length),
            (b"\x00\x00", CanonicalError::Length),
            (b"\x82\x01", CanonicalError::Length),
            (b"\x42\x01", CanonicalError::Length),
            (
                b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
                CanonicalError::Length,
            ),
            (
                b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff",
                CanonicalError::Length,
            ),
            (b"\x18\x17", CanonicalError::NotShortest),
            (b"\x58\x01\x00", CanonicalError::NotShortest),
            (b"\x19\x00\xff", CanonicalError::NotShortest),
            (b"\x9f\xff", CanonicalError::Type),
            (b"\xc0\x00", CanonicalError::Type),
            (b"\xf9\x00\x00", CanonicalError::Type),
            (b"\xf7", CanonicalError::Type),
            (b"\x61\xff", CanonicalError::Text),
        ];
        for (bytes, why) in bad {
            assert_eq!(check(bytes), Err(*why), "{bytes:02x?}");
        }
        assert_eq!(check(&[0x81; 40]), Err(CanonicalError::Depth));
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused() {
        for inner in [&b"\x80"[..], b"\xa0", b"\x81\x00", b"\xa1\x00\x00"] {
            let nested = |around: usize| [&vec![0x81; around][..], inner].concat();
            assert_eq!(check(&nested(CBOR_DEPTH_MAX - 1)), Ok(()));
            assert_eq!(check(&nested(CBOR_DEPTH_MAX)), Err(CanonicalError::Depth));
        }
    }
}
