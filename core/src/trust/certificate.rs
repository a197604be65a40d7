//! Certificates: who a device is, and what its member may do.
//!
//! An offline root key signs server keys; a server key signs the certificates of devices. A certificate is
//! named by its hash and immutable: a change of roles makes a new one.

use minicbor::{Decode, Encode};

use super::sign::{Authority, PublicKey, Purpose, SecretKey, SignatureError};
use crate::domain::Grant;
use crate::id::{DeviceId, Hash, MemberId};
use crate::limits::{CERTIFICATE_BYTES_MAX, GRANTS_MAX};
use crate::wire::canonical;
use crate::wire::envelope::DirectoryMark;

/// Why bytes are no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not canonical, of another shape, or over a limit.
    #[error("trust.bad_certificate")]
    Malformed,
    /// No server key that may sign certificates is known under that id.
    #[error("trust.unknown_issuer")]
    UnknownIssuer,
    /// The signature is not the issuer's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CertificateError {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "trust.bad_certificate",
            Self::UnknownIssuer => "trust.unknown_issuer",
            Self::Signature(SignatureError::BadKey) => "trust.bad_key",
            Self::Signature(SignatureError::BadSignature) => "trust.bad_signature",
        }
    }
}

/// What a server key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ServerPurpose {
    /// Certificates and invitations.
    #[n(0)]
    Certificates,
    /// Receipts, pages, directory entries and sessions.
    #[n(1)]
    Receipts,
    /// Packs.
    #[n(2)]
    Packs,
}

/// A server key, signed by the root key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ServerKey {
    /// The public key.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// What it may sign.
    #[n(1)]
    pub purpose: ServerPurpose,
    /// From when on, milliseconds UTC.
    #[n(2)]
    pub valid_from_ms: i64,
    /// The root key's signature over the three fields before.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub signature: [u8; 64],
}

impl ServerKey {
    /// The root key certifies a server key.
    #[must_use]
    pub fn issue(
        root: &SecretKey,
        key: &PublicKey,
        purpose: ServerPurpose,
        valid_from_ms: i64,
    ) -> Self {
        let mut server_key = Self {
            key: *key.as_bytes(),
            purpose,
            valid_from_ms,
            signature: [0; 64],
        };
        let authority = Authority::of_root(&root.public());
        server_key.signature = root.sign(
            Purpose::ServerKey,
            &authority,
            &[&server_key.signed_bytes()],
        );
        server_key
    }

    /// Checks the root key's signature and gives the key.
    pub fn verify(&self, root: &PublicKey) -> Result<PublicKey, SignatureError> {
        let authority = Authority::of_root(root);
        root.verify(
            Purpose::ServerKey,
            &authority,
            &[&self.signed_bytes()],
            &self.signature,
        )?;
        PublicKey::from_bytes(&self.key)
    }

    fn signed_bytes(&self) -> [u8; 41] {
        let mut bytes = [0; 41];
        bytes[..32].copy_from_slice(&self.key);
        bytes[32] = self.purpose as u8;
        bytes[33..].copy_from_slice(&self.valid_from_ms.to_be_bytes());
        bytes
    }
}

/// The root key of the deployment and the server keys that it has certified: what a phone trusts.
#[derive(Debug, Clone)]
pub struct Anchors {
    root: PublicKey,
    authority: Authority,
    keys: Vec<(ServerPurpose, PublicKey)>,
}

impl Anchors {
    /// Anchors with the server keys whose certificates verify; others are refused as a whole.
    pub fn new(root: PublicKey, server_keys: &[ServerKey]) -> Result<Self, SignatureError> {
        let keys = server_keys
            .iter()
            .map(|server_key| Ok((server_key.purpose, server_key.verify(&root)?)))
            .collect::<Result<_, SignatureError>>()?;
        Ok(Self {
            root,
            authority: Authority::of_root(&root),
            keys,
        })
    }

    /// The root key.
    #[must_use]
    pub fn root(&self) -> &PublicKey {
        &self.root
    }

    /// The deployment.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The server key with this device id that may sign for the purpose.
    #[must_use]
    pub fn server_key(&self, purpose: ServerPurpose, id: DeviceId) -> Option<&PublicKey> {
        self.keys
            .iter()
            .find(|(may, key)| *may == purpose && key.device() == id)
            .map(|(_, key)| key)
    }
}

/// What a certificate says.
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
    #[n(4)]
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
    /// The server key that signed.
    #[n(8)]
    pub issuer: DeviceId,
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
        anchors
            .server_key(ServerPurpose::Certificates, certificate.facts.issuer)
            .ok_or(CertificateError::UnknownIssuer)?
            .verify(
                Purpose::Certificate,
                anchors.authority(),
                &[&certificate.raw.facts],
                &certificate.raw.signature,
            )?;
        Ok(certificate)
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
        let facts: Facts = minicbor::decode(&raw.facts).map_err(|_| CertificateError::Malformed)?;
        if facts.version != 1 || facts.grants.len() > GRANTS_MAX {
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

    /// What it says.
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
