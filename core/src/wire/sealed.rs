//! Certificates that a reader carries and cannot read.
//!
//! A reader who is dispatched to a case does not learn the reporter, so the server withholds the
//! author's certificate. Without it a server restored from a backup could not take the author's
//! words back from this reader. So the server gives the certificate sealed under a key of its own,
//! and gets it back unchanged.

use minicbor::{Decode, Encode};

use crate::id::Hash;
use crate::limits::SEALED_BYTES_MAX;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SealedCertificate {
    /// Hash of the certificate, as envelopes name it.
    #[n(0)]
    pub certificate: Hash,
    /// The sealed bytes. Only the server can open them.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "crate::cbor::list::bytes::<SEALED_BYTES_MAX, _>"
    )]
    pub bytes: Vec<u8>,
}
