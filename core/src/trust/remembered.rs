//! Lately verified signatures, so that the same signature costs a hash and no arithmetic on a
//! curve.
//!
//! Invariant: an entry is the hash of everything that the answer depends on (key, signature, and
//! the message with its purpose and authority), and it is made only after the signature was found
//! good. A good signature is always good, so an entry never grows stale. Everything that can change
//! (expiry, revocation, trust in the key) is checked elsewhere, every time. A bad signature is
//! never remembered.

use std::sync::Mutex;

use crate::id::Hash;
use crate::limits::SIGNATURES_REMEMBERED;

/// One place for each question, by its first bytes; the newer one displaces the older one.
static VERIFIED: Mutex<[Option<Hash>; SIGNATURES_REMEMBERED]> =
    Mutex::new([None; SIGNATURES_REMEMBERED]);

/// The hash of the question “is this the signature by this key over this message?”. Keys and
/// signatures have fixed lengths, so no two questions share the hashed bytes.
pub(super) fn question(key: &[u8; 32], signature: &[u8; 64], message: &[u8]) -> Hash {
    Hash::of(&[key.as_slice(), signature.as_slice(), message])
}

/// Whether the answer was yes before. The caller never waits. While another thread holds the lock,
/// the answer is no, so the signature is verified.
pub(super) fn is_verified(question: &Hash) -> bool {
    VERIFIED
        .try_lock()
        .is_ok_and(|known| known[place(question)] == Some(*question))
}

/// The signature was verified.
pub(super) fn verified(question: Hash) {
    if let Ok(mut known) = VERIFIED.try_lock() {
        known[place(&question)] = Some(question);
    }
}

fn place(question: &Hash) -> usize {
    let [a, b, c, d, ..] = question.0;
    u32::from_le_bytes([a, b, c, d]) as usize % SIGNATURES_REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::sign::{Authority, Purpose, SecretKey, SignatureError};

    /// The whole process has one table, so other tests may displace an entry. The test never
    /// asserts a yes.
    #[test]
    fn a_good_signature_answers_for_nothing_but_itself() {
        let (key, other) = (
            SecretKey::from_seed(&[31; 32]),
            SecretKey::from_seed(&[32; 32]),
        );
        let (here, there) = (Authority(Hash([1; 32])), Authority(Hash([2; 32])));
        let signature = key.sign(Purpose::Envelope, &here, &[b"words"]);
        let verify = |key: &SecretKey, purpose, authority, bytes: &[u8], signature: &[u8; 64]| {
            key.public().verify(purpose, authority, &[bytes], signature)
        };
        for _ in 0..3 {
            let good = verify(&key, Purpose::Envelope, &here, b"words", &signature);
            assert_eq!(good, Ok(()));
            let mut flipped = signature;
            flipped[63] ^= 1;
            for refused in [
                verify(&other, Purpose::Envelope, &here, b"words", &signature),
                verify(&key, Purpose::Receipt, &here, b"words", &signature),
                verify(&key, Purpose::Envelope, &there, b"words", &signature),
                verify(&key, Purpose::Envelope, &here, b"word", &signature),
                verify(&key, Purpose::Envelope, &here, b"words", &flipped),
            ] {
                assert_eq!(refused, Err(SignatureError::BadSignature));
            }
        }
    }

    #[test]
    fn only_what_was_found_good_is_known_again() {
        let asked = question(&[9; 32], &[8; 64], b"never verified");
        assert!(!is_verified(&asked));
        // Another question of the same place is another question.
        let mut near = asked;
        near.0[31] ^= 1;
        assert_eq!(place(&near), place(&asked));
        verified(near);
        assert!(!is_verified(&asked));
    }
}
