//! Lists with a limit. A count from outside is checked before any item is stored.

use minicbor::Decode;
use minicbor::decode::{Decoder, Error};

/// Decodes a definite array of at most `MAX` items; memory grows with the items read, never with the count
/// claimed.
pub(crate) fn list<'b, const MAX: usize, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    c: &mut C,
) -> Result<Vec<T>, Error> {
    let at = d.position();
    let count = d
        .array()?
        .ok_or_else(|| Error::message("indefinite length").at(at))?;
    if usize::try_from(count).is_err() || count > MAX as u64 {
        return Err(Error::message("more items than allowed").at(at));
    }
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(T::decode(d, c)?);
    }
    Ok(items)
}

/// Decodes a list that may be absent.
pub(crate) fn list_option<'b, const MAX: usize, C, T: Decode<'b, C>>(
    d: &mut Decoder<'b>,
    c: &mut C,
) -> Result<Option<Vec<T>>, Error> {
    if d.datatype()? == minicbor::data::Type::Null {
        d.null()?;
        return Ok(None);
    }
    list::<MAX, C, T>(d, c).map(Some)
}

/// Without the list.
#[allow(
    clippy::unnecessary_wraps,
    clippy::option_option,
    reason = "the shape that minicbor asks for"
)]
pub(crate) fn no_list<T>() -> Option<Option<T>> {
    Some(None)
}

/// Decodes a byte string of at most `MAX` bytes.
pub(crate) fn bytes<const MAX: usize, C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, Error> {
    let at = d.position();
    let bytes = d.bytes()?;
    if bytes.len() > MAX {
        return Err(Error::message("longer than allowed").at(at));
    }
    Ok(bytes.to_vec())
}
