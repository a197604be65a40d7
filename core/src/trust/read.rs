//! Reading and writing the small fixed messages of this module: bounded, canonical, exactly one shape.

use minicbor::{Decode, Decoder, Encode};

use crate::cbor::canonical;

/// Reads an array of at most `items_max` items out of at most `bytes_max` canonical bytes. More
/// items than this code knows are refused, so that no unread item rides along.
pub(crate) fn read<'b, T: Decode<'b, ()>>(
    bytes: &'b [u8],
    items_max: u64,
    bytes_max: usize,
) -> Option<T> {
    if bytes.len() > bytes_max || canonical::check(bytes).is_err() {
        return None;
    }
    let items = Decoder::new(bytes).array().ok()??;
    if items > items_max {
        None
    } else {
        minicbor::decode(bytes).ok()
    }
}

/// Writes a message.
pub(crate) fn write<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).expect("writing CBOR to memory does not fail")
}
