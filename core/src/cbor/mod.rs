//! The encoding that signed and sent structures share: canonical CBOR, and lists with a limit. It knows no
//! meaning of the values.

pub mod canonical;
pub(crate) mod list;
