//! Certificates sealed under a key of this deployment. A phone that may not learn an author's identity
//! carries the author's certificate sealed, and a restored server opens it again.
//!
//! Each certificate has a key of its own, derived from its hash, so that a nonce is never used for two
//! contents. The bytes are padded, so that their number does not reveal the number of roles.

use onegrid_core::id::Hash;
use onegrid_core::trust::certificate::RawCertificate;
use onegrid_core::wire::sealed::SealedCertificate;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use super::Keys;

/// The number of bytes is padded to a multiple of this.
const PADDED_TO: usize = 256;

const DOMAIN: &[u8] = b"onegrid.sealed_certificate.v1";

impl Keys {
    /// Seals a certificate; `None` if it is too long.
    #[must_use]
    pub fn seal(&self, hash: Hash, certificate: &RawCertificate) -> Option<SealedCertificate> {
        let mut bytes = minicbor::to_vec(certificate).ok()?;
        // Decoding ignores the bytes after a CBOR value.
        bytes.resize(bytes.len().next_multiple_of(PADDED_TO), 0);
        let seed = self.sealing.first()?;
        sealing(seed, hash)?
            .seal_in_place_append_tag(nonce(), Aad::from(hash.as_bytes()), &mut bytes)
            .ok()?;
        Some(SealedCertificate {
            certificate: hash,
            bytes,
        })
    }

    /// Opens a certificate that this deployment sealed; `None` for other data.
    #[must_use]
    pub fn unseal(&self, sealed: &SealedCertificate) -> Option<RawCertificate> {
        let hash = sealed.certificate;
        self.sealing.iter().find_map(|seed| {
            let mut bytes = sealed.bytes.clone();
            let aad = Aad::from(hash.as_bytes());
            let opened = sealing(seed, hash)?.open_in_place(nonce(), aad, &mut bytes);
            minicbor::decode(opened.ok()?).ok()
        })
    }
}

fn sealing(seed: &[u8; 32], hash: Hash) -> Option<LessSafeKey> {
    let seed = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let mut context = hmac::Context::with_key(&seed);
    context.update(DOMAIN);
    context.update(hash.as_bytes());
    let key = UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref()).ok()?;
    Some(LessSafeKey::new(key))
}

/// The nonce is constant, because each key seals only one certificate.
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
