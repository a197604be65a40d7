//! Certificates that a reader carries and can not read.
//!
//! Who is dispatched to a case does not learn who reported it: the author's certificate is withheld. Without it a
//! server that came back from a backup could not take the author's words back from this reader. So the server
//! gives the certificate sealed under a key of its own, and gets it back as it was.

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
    /// What only the server opens.
    #[cbor(
        n(1),
        encode_with = "minicbor::bytes::encode",
        decode_with = "super::list::bytes::<SEALED_BYTES_MAX, _>"
    )]
    pub bytes: Vec<u8>,
}
