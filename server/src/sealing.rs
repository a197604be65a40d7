//! Certificates sealed under a key of this deployment: a phone that is not told who wrote something carries the
//! author's certificate unread, and a server that came back from a backup opens it again.
//!
//! Each certificate has a key of its own, derived from its hash, so no nonce is used twice for two contents. The
//! bytes are padded: their number does not tell how many roles somebody has.

use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::sealed::SealedCertificate;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use crate::keys::Keys;

/// What the number of bytes is rounded up to.
const PADDED_TO: usize = 256;

const DOMAIN: &[u8] = b"onegrid.sealed_certificate.v1";

impl Keys {
    /// Seals a certificate; `None` where it can not be (it is longer than any that was signed).
    #[must_use]
    pub fn seal(&self, hash: Hash, certificate: &RawCertificate) -> Option<SealedCertificate> {
        let mut bytes = minicbor::to_vec(certificate).ok()?;
        // What follows a CBOR value is not read.
        bytes.resize(bytes.len().next_multiple_of(PADDED_TO), 0);
        self.sealing(hash)?
            .seal_in_place_append_tag(nonce(), Aad::from(hash.as_bytes()), &mut bytes)
            .ok()?;
        Some(SealedCertificate {
            certificate: hash,
            bytes,
        })
    }

    /// Opens what this deployment sealed; `None` for anything else.
    #[must_use]
    pub fn unseal(&self, sealed: &SealedCertificate) -> Option<RawCertificate> {
        let hash = sealed.certificate;
        let mut bytes = sealed.bytes.clone();
        let open =
            self.sealing(hash)?
                .open_in_place(nonce(), Aad::from(hash.as_bytes()), &mut bytes);
        minicbor::decode(open.ok()?).ok()
    }

    fn sealing(&self, hash: Hash) -> Option<LessSafeKey> {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, self.certificates().seed().as_slice());
        let mut context = hmac::Context::with_key(&seed);
        context.update(DOMAIN);
        context.update(hash.as_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok()?;
        Some(LessSafeKey::new(key))
    }
}

/// A key seals one certificate and nothing else.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_certificate_is_opened_by_its_own_deployment_whole_and_by_nobody_else() {
        let keys = |seed| {
            let (keys, _) = Keys::create(5, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
            keys
        };
        let (ours, theirs) = (keys(1), keys(2));
        let certificate = ours.author_certificate();
        let (hash, raw) = (certificate.hash(), certificate.raw());
        let sealed = ours.seal(hash, raw).unwrap();
        assert_eq!(ours.unseal(&sealed).as_ref(), Some(raw));
        assert_eq!(theirs.unseal(&sealed), None);
        assert_eq!(
            ours.seal(hash, raw).unwrap(),
            sealed,
            "the same bytes each time"
        );
        assert_eq!((sealed.bytes.len() - 16) % PADDED_TO, 0);
        assert!(
            !sealed
                .bytes
                .windows(16)
                .any(|part| raw.facts.windows(16).any(|facts| facts == part))
        );
        for place in 0..sealed.bytes.len() {
            let mut other = sealed.clone();
            other.bytes[place] ^= 1;
            assert_eq!(ours.unseal(&other), None);
        }
        let mut other = sealed;
        other.certificate = Hash([7; 32]);
        assert_eq!(ours.unseal(&other), None);
    }
}
