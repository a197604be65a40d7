//! One account of a device: its slot and its public name.

use std::fmt;
use std::str::FromStr;

use rand_core::Rng;

use super::error::VaultError;
use crate::limits::ACCOUNT_NAME_CHARS_MAX;

/// The short random name of an account: 16 hexadecimal digits. It names the account's folder and its
/// entries in the vault, and says nothing about the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot([u8; 8]);

impl Slot {
    pub(super) fn random(rng: &mut dyn Rng) -> Self {
        let mut bytes = [0; 8];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for Slot {
    type Err = VaultError;

    fn from_str(text: &str) -> Result<Self, VaultError> {
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 16 || !text.bytes().all(lower) {
            return Err(VaultError::NoAccount);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| VaultError::NoAccount)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// The name that everybody who holds the device may read: 1 to [`ACCOUNT_NAME_CHARS_MAX`] characters, no
/// control characters, no blanks around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Checks and trims a name.
    pub fn new(name: &str) -> Result<Self, VaultError> {
        let name = name.trim();
        let length = name.chars().count();
        if length == 0 || length > ACCOUNT_NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(VaultError::BadName);
        }
        Ok(Self(name.to_owned()))
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An account as the list of a device shows it. It holds no secret and opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its slot.
    pub slot: Slot,
    /// Its public name. An account with an unreadable name is listed under its slot.
    pub name: String,
}
