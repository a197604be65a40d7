//! The unit of data: a signed, immutable envelope with one body, about one record.
//!
//! Raw bytes become an [`Envelope`] once, here: canonical, inside every limit, hash computed over
//! the *received* bytes. The check of its signature is a second step ([`Envelope::verify`]). Only a
//! [`VerifiedEnvelope`] may go to a record.

use std::sync::Arc;

use minicbor::{Decode, Encode};

use super::body::Body;
pub use super::envelope_error::EnvelopeError;
use crate::cbor::canonical::{self, decode_signed};
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, EnvelopeId, Hash, RecordId};
use crate::limits::{BODY_BYTES_MAX, HEADER_BYTES_MAX, PARENTS_MAX};
use crate::trust::certificate::Certificate;
use crate::trust::sign::{Authority, Purpose, SecretKey};

/// The envelope format that this code writes.
pub const FORMAT_VERSION: u8 = 1;
/// Ed25519 with SHA-256. Others (SM2 with SM3) get numbers of their own.
pub const SUITE_ED25519_SHA256: u8 = 1;

/// The header of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Header {
    /// Format version.
    #[n(0)]
    pub version: u8,
    /// Signature and hash algorithms.
    #[n(1)]
    pub suite: u8,
    /// The kind of the body that follows (see [`super::body`]).
    #[n(2)]
    pub body_kind: u8,
    /// The record; absent in a Genesis, because the hash of the Genesis makes the record id.
    #[n(3)]
    pub record: Option<RecordId>,
    /// The device that signs.
    #[n(4)]
    pub author: DeviceId,
    /// Hash of the author's certificate.
    #[n(5)]
    pub certificate: Hash,
    /// Which grant of that certificate the author acts under.
    #[n(6)]
    pub grant: u8,
    /// Heads of the record's DAG that the author had seen: sorted, distinct, at most [`PARENTS_MAX`].
    #[n(7)]
    pub parents: Vec<EnvelopeId>,
    /// Newest directory position seen.
    #[n(8)]
    pub directory_seen: DirectoryMark,
    /// The device's clock, milliseconds UTC. A claim.
    #[n(9)]
    pub clock_ms: i64,
}

/// The bytes of an envelope as they travel and are stored.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RawEnvelope {
    /// Canonical CBOR of the [`Header`].
    #[cbor(n(0), with = "minicbor::bytes")]
    pub header: Vec<u8>,
    /// Canonical CBOR of the body.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// Signature over the envelope's hash.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl RawEnvelope {
    /// Hash of the envelope: SHA-256(header ‖ SHA-256(body)). With the body erased it still can be made.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.header, Hash::of(&[&self.body]).as_bytes()])
    }

    /// Whether its outer frame can be read and names a newer version of the format, or another
    /// suite. Such an envelope can be kept under its hash; the rest of it is unreadable.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        let Some((version, suite)) = version_and_suite(&self.header) else {
            return false;
        };
        let known = version <= FORMAT_VERSION && suite == SUITE_ED25519_SHA256;
        !known
            && version > 0
            && suite > 0
            && self.header.len() <= HEADER_BYTES_MAX
            && self.body.len() <= BODY_BYTES_MAX
            && canonical::check(&self.header).is_ok()
            && canonical::check(&self.body).is_ok()
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.header.len() + self.body.len() + self.signature.len()
    }

    /// Always `false`, because an envelope has a signature.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for RawEnvelope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "RawEnvelope({}, {} B)",
            self.hash().envelope_id(),
            self.len()
        )
    }
}

/// An envelope whose form is right. Whether its author wrote it is not yet known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    raw: RawEnvelope,
    hash: Hash,
    record: RecordId,
    header: Header,
    body: Body,
}

impl Envelope {
    /// Reads an envelope.
    pub fn parse(raw: RawEnvelope) -> Result<Self, EnvelopeError> {
        if raw.header.len() > HEADER_BYTES_MAX || raw.body.len() > BODY_BYTES_MAX {
            return Err(EnvelopeError::TooLarge);
        }
        canonical::check(&raw.header)?;
        canonical::check(&raw.body)?;
        // The version is checked before the rest, because a newer header may have other fields.
        let (version, suite) = version_and_suite(&raw.header).ok_or(EnvelopeError::Shape)?;
        if version == 0 || suite == 0 {
            return Err(EnvelopeError::Shape);
        }
        if version > FORMAT_VERSION || suite != SUITE_ED25519_SHA256 {
            return Err(EnvelopeError::Newer);
        }
        let header: Header = decode_signed(&raw.header).ok_or(EnvelopeError::Shape)?;
        let genesis = header.record.is_none();
        let sorted = header.parents.windows(2).all(|pair| pair[0] < pair[1]);
        if !sorted || header.parents.len() > PARENTS_MAX || genesis != header.parents.is_empty() {
            return Err(EnvelopeError::Parents);
        }
        let body = Body::decode(header.body_kind, &raw.body)?;
        if genesis != matches!(body, Body::Genesis(_)) {
            return Err(EnvelopeError::Shape);
        }
        let hash = raw.hash();
        let record = header.record.unwrap_or_else(|| RecordId::v8(&hash));
        Ok(Self {
            raw,
            hash,
            record,
            header,
            body,
        })
    }

    /// Writes and signs an envelope. `header.body_kind` and `header.record` follow from the body: a Genesis
    /// has no record.
    pub fn seal(
        mut header: Header,
        body: &Body,
        key: &SecretKey,
        authority: &Authority,
    ) -> Result<Self, EnvelopeError> {
        header.body_kind = body.kind();
        header.parents.sort_unstable();
        header.parents.dedup();
        let raw_header = minicbor::to_vec(&header).map_err(|_| EnvelopeError::Shape)?;
        let mut raw = RawEnvelope {
            header: raw_header,
            body: body.encode()?,
            signature: [0; 64],
        };
        raw.signature = key.sign(Purpose::Envelope, authority, &[raw.hash().as_bytes()]);
        Self::parse(raw)
    }

    /// Checks certificate, grant and signature. The certificate itself must have been verified before.
    pub fn verify(
        self,
        certificate: &Arc<Certificate>,
        authority: &Authority,
    ) -> Result<VerifiedEnvelope, EnvelopeError> {
        if certificate.hash() != self.header.certificate
            || certificate.facts().device != self.header.author
        {
            return Err(EnvelopeError::WrongCertificate);
        }
        if usize::from(self.header.grant) >= certificate.facts().grants.len() {
            return Err(EnvelopeError::NoSuchGrant);
        }
        certificate
            .device_key()
            .verify(
                Purpose::Envelope,
                authority,
                &[self.hash.as_bytes()],
                &self.raw.signature,
            )
            .map_err(|_| EnvelopeError::BadSignature)?;
        Ok(VerifiedEnvelope {
            envelope: self,
            certificate: Some(Arc::clone(certificate)),
        })
    }

    /// The received bytes.
    #[must_use]
    pub fn raw(&self) -> &RawEnvelope {
        &self.raw
    }

    /// Hash of the envelope.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Short id: the first 16 bytes of the hash.
    #[must_use]
    pub fn id(&self) -> EnvelopeId {
        self.hash.envelope_id()
    }

    /// The record that it is about; of a Genesis, the record that it makes.
    #[must_use]
    pub fn record(&self) -> RecordId {
        self.record
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }
}

/// An envelope with the checked signature of its author, and the author's certificate.
#[derive(Debug, Clone)]
pub struct VerifiedEnvelope {
    envelope: Envelope,
    certificate: Option<Arc<Certificate>>,
}

impl VerifiedEnvelope {
    /// An envelope that the server vouches for by an attestation, without its certificate. Readers
    /// dispatched to a case do not learn the reporter.
    #[must_use]
    pub fn vouched(envelope: Envelope) -> Self {
        Self {
            envelope,
            certificate: None,
        }
    }

    /// An envelope that this replica verified under this certificate before it stored it.
    #[must_use]
    pub fn stored(envelope: Envelope, certificate: Arc<Certificate>) -> Self {
        Self {
            envelope,
            certificate: Some(certificate),
        }
    }

    /// The envelope.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The author's certificate; `None` where the server withholds it.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }
}

/// Reads the version and suite at the beginning of a header, in any version of the format.
fn version_and_suite(header: &[u8]) -> Option<(u8, u8)> {
    let mut begin = minicbor::Decoder::new(header);
    begin.array().ok()??;
    Some((begin.u8().ok()?, begin.u8().ok()?))
}
