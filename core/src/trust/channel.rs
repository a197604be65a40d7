//! The keyed channel that a handshake ends in: key agreement, transcript, message codes and
//! encryption.
//!
//! The key is made from one X25519 agreement of two fresh keys and one running hash over both
//! sides' messages (the transcript). Afterwards a session with the server puts a code on each
//! message that only the two ends can make, so a relay in between that ends TLS can neither alter a
//! message nor act for the phone. A meeting of two phones has no TLS around it, so it encrypts each
//! message under a [`Cipher`].

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey as AgreementKey, StaticSecret};
use zeroize::Zeroizing;

use crate::id::Hash;

/// Bytes of a message code: HMAC-SHA256, cut to 128 bits.
pub const MAC_BYTES: usize = 16;

/// The other side's key has small order, so anybody would know the “shared” secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("session.bad_key")]
pub struct WeakAgreement;

/// A fresh X25519 key, used for one agreement and wiped when dropped.
pub struct Ephemeral(StaticSecret);

impl Ephemeral {
    /// A new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(StaticSecret::from(*seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        AgreementKey::from(&self.0).to_bytes()
    }

    /// Agrees with the other side and makes the channel's key from the secret and the transcript.
    /// Refuses a result without a contribution of the other side's key.
    pub fn agree(self, theirs: &[u8; 32], transcript: &Hash) -> Result<ChannelKey, WeakAgreement> {
        let shared = self.0.diffie_hellman(&AgreementKey::from(*theirs));
        if !shared.was_contributory() {
            return Err(WeakAgreement);
        }
        let mut mac = keyed(shared.as_bytes());
        mac.update(b"onegrid.channel.v1");
        mac.update(transcript.as_bytes());
        Ok(ChannelKey(Zeroizing::new(
            mac.finalize().into_bytes().into(),
        )))
    }

    /// The secret itself, for a caller that keeps the state of a handshake outside this process.
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub(super) fn from_secret(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }
}

impl std::fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

/// The sender's side. A code made for one direction is invalid for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// From the side that began the handshake.
    Forth = 1,
    /// From the side that answered.
    Back = 2,
}

/// The key of a channel. It is wiped when dropped and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelKey(Zeroizing<[u8; 32]>);

impl ChannelKey {
    /// The 32 bytes, for a caller that keeps sessions outside this process.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the bytes that [`Self::as_bytes`] gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The code of a message. The length of each part is hashed too, so the parts cannot be
    /// shifted.
    #[must_use]
    pub fn mac(&self, direction: Direction, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let mut mac = keyed(self.as_bytes());
        mac.update(&[direction as u8]);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut code = [0; MAC_BYTES];
        code.copy_from_slice(&full[..MAC_BYTES]);
        code
    }

    /// Derives a key for another use. Each of the two keys reveals nothing about the other.
    #[must_use]
    pub fn derive(&self, label: &str, secret: &[u8]) -> Self {
        let mut mac = keyed(self.as_bytes());
        mac.update(&(label.len() as u64).to_be_bytes());
        mac.update(label.as_bytes());
        mac.update(secret);
        Self(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// Compares a received code in constant time.
    #[must_use]
    pub fn accepts(&self, direction: Direction, parts: &[&[u8]], code: &[u8]) -> bool {
        self.mac(direction, parts).as_slice().ct_eq(code).into()
    }
}

impl std::fmt::Debug for ChannelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChannelKey(..)")
    }
}

/// A message cannot be decrypted, because it was altered, left out, doubled or moved, or belongs to
/// another channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("session.bad_mac")]
pub struct NotSealedHere;

/// Encrypts the messages of one direction (ChaCha20-Poly1305). Messages are numbered and the number
/// is the nonce, so a message opens in its place alone, and no nonce is used twice.
pub struct Cipher {
    cipher: ChaCha20Poly1305,
    number: u64,
}

impl Cipher {
    /// A key must make one cipher on each side only.
    #[must_use]
    pub fn new(key: &ChannelKey) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new(<&Key>::from(key.as_bytes())),
            number: 0,
        }
    }

    /// Encrypts the next message: [`MAC_BYTES`] longer than it was.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        self.seal_with(message, &[])
    }

    /// Encrypts the next message, which opens with the same associated data alone.
    pub fn seal_with(&mut self, message: &[u8], associated: &[u8]) -> Vec<u8> {
        let nonce = self.next_nonce();
        let payload = Payload {
            msg: message,
            aad: associated,
        };
        self.cipher
            .encrypt(&nonce, payload)
            .expect("messages are far below the 256 GiB that one nonce covers")
    }

    /// Decrypts the next message. After an error the channel is of no use any more.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, NotSealedHere> {
        self.open_with(sealed, &[])
    }

    /// Decrypts the next message, which was sealed with this associated data.
    pub fn open_with(
        &mut self,
        sealed: &[u8],
        associated: &[u8],
    ) -> Result<Vec<u8>, NotSealedHere> {
        let nonce = self.next_nonce();
        let payload = Payload {
            msg: sealed,
            aad: associated,
        };
        self.cipher
            .decrypt(&nonce, payload)
            .map_err(|_| NotSealedHere)
    }

    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        nonce.into()
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(..)")
    }
}

/// The running hash over a handshake: every message enters whole, with its length, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transcript(Hash);

impl Transcript {
    /// Begins with a label that names protocol and version.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self(Hash::of(&[label.as_bytes()]))
    }

    /// Continues from a hash that [`Self::hash`] returned.
    #[must_use]
    pub fn resume(hash: Hash) -> Self {
        Self(hash)
    }

    /// The transcript with one more message.
    #[must_use]
    pub fn with(self, message: &[u8]) -> Self {
        let len = (message.len() as u64).to_be_bytes();
        Self(Hash::of(&[self.0.as_bytes(), &len, message]))
    }

    /// The hash so far.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.0
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn both_sides_agree_and_another_transcript_gives_another_key() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (a, b) = (Ephemeral::generate(&mut rng), Ephemeral::generate(&mut rng));
        let (a_public, b_public) = (a.public(), b.public());
        let b_again = Ephemeral::from_secret(*b.secret());
        let transcript = Transcript::new("t").with(b"x").hash();
        let key = a.agree(&b_public, &transcript).unwrap();
        assert_eq!(key, b.agree(&a_public, &transcript).unwrap());
        let other = Transcript::new("t").with(b"y").hash();
        assert_ne!(key, b_again.agree(&a_public, &other).unwrap());
    }

    #[test]
    fn a_key_that_contributes_nothing_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut one = [0; 32];
        one[0] = 1;
        for weak in [[0; 32], one] {
            let mine = Ephemeral::generate(&mut rng);
            assert_eq!(mine.agree(&weak, &Hash([0; 32])), Err(WeakAgreement));
        }
    }

    #[test]
    fn a_code_binds_direction_parts_and_their_borders() {
        let key = ChannelKey::from_bytes([7; 32]);
        let code = key.mac(Direction::Forth, &[b"ab", b"c"]);
        assert!(key.accepts(Direction::Forth, &[b"ab", b"c"], &code));
        assert!(!key.accepts(Direction::Back, &[b"ab", b"c"], &code));
        assert!(!key.accepts(Direction::Forth, &[b"a", b"bc"], &code));
        assert!(!key.accepts(Direction::Forth, &[b"ab", b"c"], &code[..15]));
        assert!(!key.accepts(Direction::Forth, &[b"ab", b"c"], &[]));
        assert_ne!(
            Transcript::new("t").with(b"ab"),
            Transcript::new("t").with(b"a").with(b"b")
        );
    }

    #[test]
    fn secrets_are_never_printed() {
        assert_eq!(
            format!("{:?}", ChannelKey::from_bytes([7; 32])),
            "ChannelKey(..)"
        );
    }
}
