//! The state of the server's half of a handshake, sealed so that the phone can carry it.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ServerHandshake;

const LABEL: &[u8] = b"onegrid.handshake.v1";
const NONCE_BYTES: usize = 12;

/// Seals the states of handshakes.
///
/// A server draws one in memory, uses it for a short time and drops it. A proof counts only as long
/// as its key exists, and a copy of the server's disk opens no recorded handshake.
pub struct HandshakeKey(ChaCha20Poly1305);

impl HandshakeKey {
    /// Draws a new key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut_slice());
        Self::from_bytes(&key)
    }

    /// Makes the key from 32 random bytes, which several nodes share.
    #[must_use]
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(&Key::from(*key)))
    }

    pub(super) fn seal(&self, state: &ServerHandshake, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let payload = Payload {
            msg: &state.to_bytes(),
            aad: LABEL,
        };
        let sealed = self
            .0
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a state is far shorter than the cipher allows");
        [&nonce[..], &sealed].concat()
    }

    pub(super) fn open(&self, sealed: &[u8]) -> Option<ServerHandshake> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload {
            msg: sealed,
            aad: LABEL,
        };
        let state = self.0.decrypt(&Nonce::from(*nonce), payload).ok()?;
        ServerHandshake::from_bytes(&Zeroizing::new(state))
    }
}

impl std::fmt::Debug for HandshakeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HandshakeKey")
    }
}
