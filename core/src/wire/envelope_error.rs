//! The reasons why bytes are no envelope, or not the envelope of their author.

use crate::cbor::canonical::CanonicalError;

coded_error! {
    /// Why bytes are no envelope.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum EnvelopeError {
        /// A part is not canonical CBOR.
        #[error(transparent)]
        Canonical(#[from] CanonicalError),
        /// Canonical, but not of the shape of an envelope.
        #[error("wire.shape")]
        Shape,
        /// A part is larger than its limit.
        #[error("wire.too_large")]
        TooLarge,
        /// The format version or the suite is newer than this code knows.
        #[error("wire.newer")]
        Newer,
        /// Parents are not sorted and distinct, too many, or a Genesis has some, or another body has none.
        #[error("wire.parents")]
        Parents,
        /// The certificate that the header names is another one.
        #[error("trust.wrong_certificate")]
        WrongCertificate,
        /// The certificate does not hold the grant that the header acts under.
        #[error("trust.no_such_grant")]
        NoSuchGrant,
        /// The signature is not the author's.
        #[error("trust.bad_signature")]
        BadSignature,
    }
}
