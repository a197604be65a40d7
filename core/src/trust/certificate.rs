//! Certificates state the identity of a device and the rights of its member.
//!
//! An offline root key signs the list of server keys, and a server key signs the certificates of
//! devices. A certificate is immutable and named by the hash of its facts, so a change of roles
//! makes a new one. The name does not depend on the signing key, so a server can sign the same
//! certificate again under a new key.

use minicbor::{Decode, Encode};

pub use super::server_keys::{Anchors, ServerKey, ServerKeys, ServerPurpose, Stamp};
use super::sign::{Authority, PublicKey, Purpose, SecretKey, SignatureError};
use crate::cbor::canonical;
use crate::cbor::list::list;
use crate::domain::Grant;
use crate::domain::directory::DirectoryMark;
use crate::id::{DeviceId, Hash, MemberId};
use crate::limits::{CERTIFICATE_BYTES_MAX, GRANTS_MAX};

coded_error! {
    /// Why bytes are no certificate.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum CertificateError {
        /// Not canonical, of another shape, or over a limit.
        #[error("trust.bad_certificate")]
        Malformed,
        /// The list has no server key that may sign certificates of that time.
        #[error("trust.unknown_issuer")]
        UnknownIssuer,
        /// The signature is of none of the keys that may sign.
        #[error(transparent)]
        Signature(#[from] SignatureError),
    }
}

/// The signed content of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Facts {
    /// Format version, 1.
    #[n(0)]
    pub version: u8,
    /// The device.
    #[n(1)]
    pub device: DeviceId,
    /// Its public key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub device_key: [u8; 32],
    /// The person; a server's own author has none.
    #[n(3)]
    pub member: Option<MemberId>,
    /// Roles in areas, zones or units, at most [`GRANTS_MAX`].
    #[cbor(n(4), decode_with = "list::<GRANTS_MAX, _, _>")]
    pub grants: Vec<Grant>,
    /// When it was issued, milliseconds UTC.
    #[n(5)]
    pub issued_ms: i64,
    /// Until when it allows reading, milliseconds UTC. It never limits late writing.
    #[n(6)]
    pub expires_ms: i64,
    /// Where the directory stood when it was issued.
    #[n(7)]
    pub issued_at: DirectoryMark,
}

/// The bytes of a certificate as they travel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RawCertificate {
    /// Canonical CBOR of the [`Facts`].
    #[cbor(n(0), with = "minicbor::bytes")]
    pub facts: Vec<u8>,
    /// The issuer's signature.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

/// A certificate whose signature has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    raw: RawCertificate,
    hash: Hash,
    facts: Facts,
    device_key: PublicKey,
}

impl Certificate {
    /// A server key issues a certificate.
    pub fn issue(
        facts: &Facts,
        issuer: &SecretKey,
        authority: &Authority,
    ) -> Result<Self, CertificateError> {
        let bytes = minicbor::to_vec(facts).map_err(|_| CertificateError::Malformed)?;
        let signature = issuer.sign(Purpose::Certificate, authority, &[&bytes]);
        Self::parse(RawCertificate {
            facts: bytes,
            signature,
        })
    }

    /// Reads a certificate and checks the issuer's signature.
    pub fn verify(raw: RawCertificate, anchors: &Anchors) -> Result<Self, CertificateError> {
        let certificate = Self::parse(raw)?;
        let issued = Stamp {
            time_ms: certificate.facts.issued_ms,
            generation: certificate.facts.issued_at.generation,
        };
        let mut refused = CertificateError::UnknownIssuer;
        for key in anchors.signers(ServerPurpose::Certificates, issued) {
            if certificate.is_signed_by(key, anchors.authority()) {
                return Ok(certificate);
            }
            refused = SignatureError::BadSignature.into();
        }
        Err(refused)
    }

    /// Whether this key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey, authority: &Authority) -> bool {
        let parts: &[&[u8]] = &[&self.raw.facts];
        key.verify(Purpose::Certificate, authority, parts, &self.raw.signature)
            .is_ok()
    }

    /// Reads a certificate that this replica verified before it stored it.
    pub fn from_store(raw: RawCertificate) -> Result<Self, CertificateError> {
        Self::parse(raw)
    }

    fn parse(raw: RawCertificate) -> Result<Self, CertificateError> {
        if raw.facts.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::Malformed);
        }
        canonical::check(&raw.facts).map_err(|_| CertificateError::Malformed)?;
        let facts: Facts =
            canonical::decode_signed(&raw.facts).ok_or(CertificateError::Malformed)?;
        if facts.version != 1 {
            return Err(CertificateError::Malformed);
        }
        let device_key = PublicKey::from_bytes(&facts.device_key)?;
        if device_key.device() != facts.device {
            return Err(CertificateError::Malformed);
        }
        Ok(Self {
            hash: Hash::of(&[&raw.facts]),
            raw,
            facts,
            device_key,
        })
    }

    /// The received bytes.
    #[must_use]
    pub fn raw(&self) -> &RawCertificate {
        &self.raw
    }

    /// Its name: the hash of its facts.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The signed facts.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The device's key.
    #[must_use]
    pub fn device_key(&self) -> &PublicKey {
        &self.device_key
    }
}
