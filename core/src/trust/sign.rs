//! The one way to sign and the one way to verify.
//!
//! The signed bytes are always `"OneGrid" ‖ purpose ‖ authority ‖ bytes`, so a signature for one
//! purpose or one deployment is invalid for another. Verification is `verify_strict` everywhere,
//! because a key of small order passes laxer checks, and replicas that differ in strictness would
//! split.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::remembered;
use crate::id::{DeviceId, Hash};

/// The purpose of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// The root key signs the list of server keys.
    ServerKeys = 1,
    /// A server key signs a device's certificate.
    Certificate = 2,
    /// A device signs an envelope.
    Envelope = 3,
    /// A server key signs receipts and pages.
    Receipt = 4,
    /// A server key signs a batch of packs.
    Pack = 5,
    /// A member with the right to invite signs an invitation.
    Invitation = 6,
    /// A device asks for a certificate.
    Enrolment = 7,
    /// A device signs the transcript of a session.
    SessionClient = 8,
    /// The server signs the transcript of a session.
    SessionServer = 9,
    /// A server key signs a directory entry, revocations among them.
    Directory = 10,
    /// A device signs the transcript of a meeting with another phone.
    PeerSession = 11,
    /// A device asks other phones for a bundle.
    BundleRequest = 12,
    /// A device signs the bundle that it made for another phone.
    Bundle = 13,
    /// The device of a lead signs a code that takes people into a record.
    JoinCode = 14,
    /// A server key signs the printed code of a checkpoint.
    Checkpoint = 15,
}

/// The deployment: hash of its root public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Authority(#[n(0)] pub Hash);

impl Authority {
    /// The authority of a root public key.
    #[must_use]
    pub fn of_root(root: &PublicKey) -> Self {
        Self(Hash::of(&[root.as_bytes()]))
    }
}

coded_error! {
    /// A signature does not verify, or a key is none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum SignatureError {
        /// The bytes are no Ed25519 key, or one of small order.
        #[error("trust.bad_key")]
        BadKey,
        /// The signature is not by this key over these bytes for this purpose and authority.
        #[error("trust.bad_signature")]
        BadSignature,
    }
}

/// A checked Ed25519 public key: a point on the curve, not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SignatureError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| SignatureError::BadKey)?;
        if key.is_weak() {
            Err(SignatureError::BadKey)
        } else {
            Ok(Self(key))
        }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The id of the device that holds the key.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        DeviceId::of_key(self.as_bytes())
    }

    /// Verifies a signature over the parts, one after the other.
    ///
    /// Lately verified signatures are remembered, because the same envelope comes from a peer and
    /// from the server, and the same certificate with every bundle.
    pub fn verify(
        &self,
        purpose: Purpose,
        authority: &Authority,
        parts: &[&[u8]],
        signature: &[u8; 64],
    ) -> Result<(), SignatureError> {
        let message = message(purpose, authority, parts);
        let question = remembered::question(self.as_bytes(), signature, &message);
        if remembered::is_verified(&question) {
            return Ok(());
        }
        self.0
            .verify_strict(&message, &Signature::from_bytes(signature))
            .map_err(|_| SignatureError::BadSignature)?;
        remembered::verified(question);
        Ok(())
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.device())
    }
}

/// A private key. It is wiped from memory when dropped (by the library), and never printed.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key.
    pub fn generate(rng: &mut dyn rand_core::CryptoRng) -> Self {
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        Self::from_seed(&seed)
    }

    /// From its 32-byte seed, as a key store keeps it.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32-byte seed, for the key store. The caller wipes it.
    #[must_use]
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs the parts, one after the other.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, authority: &Authority, parts: &[&[u8]]) -> [u8; 64] {
        self.0.sign(&message(purpose, authority, parts)).to_bytes()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

fn message(purpose: Purpose, authority: &Authority, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut message = Vec::with_capacity(7 + 1 + 32 + len);
    message.extend_from_slice(b"OneGrid");
    message.push(purpose as u8);
    message.extend_from_slice(authority.0.as_bytes());
    for part in parts {
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_valid_for_its_purpose_authority_and_bytes_alone() {
        let key = SecretKey::from_seed(&[7; 32]);
        let (here, there) = (Authority(Hash([1; 32])), Authority(Hash([2; 32])));
        let signature = key.sign(Purpose::Envelope, &here, &[b"a", b"bc"]);
        let verify = |purpose, authority, bytes: &[u8]| {
            key.public()
                .verify(purpose, authority, &[bytes], &signature)
        };
        assert_eq!(verify(Purpose::Envelope, &here, b"abc"), Ok(()));
        for refused in [
            verify(Purpose::Receipt, &here, b"abc"),
            verify(Purpose::Envelope, &there, b"abc"),
            verify(Purpose::Envelope, &here, b"abd"),
        ] {
            assert_eq!(refused, Err(SignatureError::BadSignature));
        }
    }

    #[test]
    fn a_key_of_small_order_is_no_key() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(
            PublicKey::from_bytes(&identity),
            Err(SignatureError::BadKey)
        );
    }

    #[test]
    fn a_secret_key_is_never_printed() {
        assert_eq!(
            format!("{:?}", SecretKey::from_seed(&[7; 32])),
            "SecretKey(..)"
        );
    }
}
