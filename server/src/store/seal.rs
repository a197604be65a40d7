//! The seal of a store: the key that it is made with, and the result of a check.

use ring::hmac;

/// Key of the seal. It comes from the server's keys, which are outside the store, so whoever changes the store
/// alone cannot make a seal.
#[derive(Clone)]
pub struct SealKey(hmac::Key);

impl SealKey {
    /// Makes the key from a secret.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Returns the seal over these bytes.
    #[must_use]
    pub fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, bytes).as_ref().to_vec()
    }

    /// Whether this is the seal over these bytes.
    #[must_use]
    pub fn fits(&self, bytes: &[u8], seal: &[u8]) -> bool {
        hmac::verify(&self.0, bytes, seal).is_ok()
    }
}

/// The sums of a store as they are noted, compared with its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealReport {
    /// The noted sums; `None` if the store was never sealed or lost them.
    pub sums: Option<Vec<u8>>,
    /// The seal over the sums; `None` after a change that could not be sealed.
    pub seal: Option<Vec<u8>>,
    /// Tables with other rows than the sums say, or with another form.
    pub changed: Vec<String>,
    /// Whether the pages and indices of the store fit together.
    pub is_whole: bool,
}
