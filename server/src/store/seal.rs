//! The seal of a store: the key that it is made with, and the result of a check.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// Key of the seal. It comes from the server's keys, which are outside the store, so whoever changes the store
/// alone can neither make a seal nor read the sums in one.
#[derive(Clone)]
pub struct SealKey {
    lines: hmac::Key,
    sums: LessSafeKey,
}

impl SealKey {
    /// Makes the key from a secret.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let lines = hmac::sign(&secret, b"lines");
        let sums = hmac::sign(&secret, b"sums");
        let sums = UnboundKey::new(&CHACHA20_POLY1305, sums.as_ref());
        Self {
            lines: hmac::Key::new(hmac::HMAC_SHA256, lines.as_ref()),
            sums: LessSafeKey::new(sums.expect("an HMAC-SHA-256 has 32 bytes, as the key has")),
        }
    }

    /// Begins the code over a row.
    pub(crate) fn line(&self) -> hmac::Context {
        hmac::Context::with_key(&self.lines)
    }

    /// Seals these bytes: a random nonce, then `ChaCha20-Poly1305`. Fails if the system has no random bytes.
    pub(crate) fn close(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = bytes.to_vec();
        self.sums
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// Opens sealed bytes; `None` if another key sealed them or they were changed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk()?;
        let mut bytes = sealed.to_vec();
        let opened = self.sums.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::empty(),
            &mut bytes,
        );
        opened.ok().map(|bytes| bytes.to_vec())
    }
}

/// The sealed sums of a store, compared with its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealReport {
    /// Whether there is a seal and this key made it.
    pub is_sealed: bool,
    /// Tables with other rows than the sums say, or with another form.
    pub changed: Vec<String>,
    /// Whether the pages and indices of the store fit together.
    pub is_whole: bool,
}

impl SealReport {
    /// Whether the store is as the last transaction left it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.is_sealed && self.changed.is_empty() && self.is_whole
    }
}
