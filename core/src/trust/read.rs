//! Reading and writing the small fixed messages of this module: bounded, canonical, exactly one shape.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode};

use crate::cbor::canonical;

/// Reads an array of at most `items_max` items out of at most `bytes_max` canonical bytes. More
/// items than this code knows are refused, so that no unread item rides along. A `null` at the end
/// is refused too, because a writer leaves an absent field there out.
pub(crate) fn read<'b, T: Decode<'b, ()>>(
    bytes: &'b [u8],
    items_max: u64,
    bytes_max: usize,
) -> Option<T> {
    if bytes.len() > bytes_max || canonical::check(bytes).is_err() {
        return None;
    }
    let mut walk = Decoder::new(bytes);
    let items = walk.array().ok()??;
    if items > items_max {
        return None;
    }
    for _ in 1..items {
        walk.skip().ok()?;
    }
    if items > 0 && walk.datatype().ok()? == Type::Null {
        return None;
    }
    minicbor::decode(bytes).ok()
}

/// Writes a message.
pub(crate) fn write<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).expect("writing CBOR to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_at_the_end_and_unread_items_are_refused() {
        type Said = (u8, Option<u8>);
        for (bytes, value) in [
            (&[0x82, 0x01, 0x02][..], Some((1, Some(2)))),
            (&[0x82, 0x01, 0xf6], None),
            (&[0x83, 0x01, 0x02, 0x03], None),
            (&[0x80], None),
        ] {
            assert_eq!(read::<Said>(bytes, 2, 16), value, "{bytes:02x?}");
        }
        // A byte string that ends like `null` is no `null`.
        let bytes = [0x82, 0x01, 0x41, 0xf6];
        let said: Option<(u8, minicbor::bytes::ByteVec)> = read(&bytes, 2, 16);
        assert_eq!(said, Some((1, vec![0xf6].into())));
    }
}
