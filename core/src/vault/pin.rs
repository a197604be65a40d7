//! The PIN of an account and the key that is derived from it.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::error::VaultError;
use crate::limits::{
    PIN_CHARS_MAX, PIN_CHARS_MIN, PIN_LANES_MAX, PIN_MEMORY_KIB_MAX, PIN_PASSES_MAX,
};

/// A PIN as a person typed it: [`PIN_CHARS_MIN`] to [`PIN_CHARS_MAX`] characters. Full-width digits and
/// letters, as Chinese keyboards write them, count as the plain ones. Wiped when dropped, never printed.
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Checks and takes a PIN.
    pub fn new(pin: &str) -> Result<Self, VaultError> {
        // Room for every character, so that no part stays behind in a smaller allocation.
        let mut plain = Zeroizing::new(String::with_capacity(pin.len()));
        plain.extend(pin.chars().map(half_width));
        let length = plain.chars().count();
        if !(PIN_CHARS_MIN..=PIN_CHARS_MAX).contains(&length) || plain.chars().any(char::is_control)
        {
            return Err(VaultError::BadPin);
        }
        Ok(Self(plain))
    }

    /// The key of 32 bytes that this PIN opens an entry with.
    pub(super) fn key(
        &self,
        salt: &[u8; 16],
        cost: PinCost,
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32));
        let params = params.map_err(|_| VaultError::Damaged)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), salt, &mut *key)
            .map_err(|_| VaultError::Failed)?;
        Ok(key)
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

fn half_width(c: char) -> char {
    match u32::from(c) {
        code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

/// How much work the derivation takes; stored beside the salt, so that it can grow with the phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PinCost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl PinCost {
    /// The first choice of OWASP's Password Storage Cheat Sheet for argon2id: 19 MiB, two passes, one lane.
    /// A phone of 2016 needs about a second.
    pub(super) const STANDARD: Self = Self {
        memory_kib: 19 * 1_024,
        passes: 2,
        lanes: 1,
    };

    /// Whether a stored cost is one that a phone can pay.
    pub(super) fn is_bounded(self) -> bool {
        (8..=PIN_MEMORY_KIB_MAX).contains(&self.memory_kib)
            && (1..=PIN_PASSES_MAX).contains(&self.passes)
            && (1..=PIN_LANES_MAX).contains(&self.lanes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const CHEAP: PinCost = PinCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn pin_length_is_counted_in_characters() {
        for good in ["1234", "密码一二", &"x".repeat(PIN_CHARS_MAX)] {
            assert!(Pin::new(good).is_ok(), "{good}");
        }
        for bad in ["", "123", "12\n4", &"x".repeat(PIN_CHARS_MAX + 1)] {
            assert_eq!(Pin::new(bad).unwrap_err(), VaultError::BadPin, "{bad}");
        }
    }

    #[test]
    fn full_width_pin_equals_plain_pin() {
        let salt = [3; 16];
        let key = |pin: &str| Pin::new(pin).unwrap().key(&salt, CHEAP).unwrap();
        assert_eq!(key("４７１１"), key("4711"));
        assert_ne!(key("4711"), key("4712"));
        let other_salt = Pin::new("4711").unwrap().key(&[4; 16], CHEAP).unwrap();
        assert_ne!(key("4711"), other_salt);
    }

    /// The derivation must never change, or every PIN would be wrong after an update. The expected key was
    /// computed by the reference implementation in C (through `argon2-cffi`).
    #[test]
    fn standard_key_matches_reference_implementation() {
        let key = Pin::new("4711").unwrap();
        let key = key.key(b"saltsaltsaltsalt", PinCost::STANDARD).unwrap();
        let expected = [
            0x92, 0x1d, 0x83, 0x7a, 0xf0, 0xa7, 0x0a, 0x17, 0x69, 0x76, 0x7a, 0x40, 0xc0, 0x83,
            0xfe, 0xca, 0xac, 0x0b, 0x40, 0x23, 0x4f, 0xbc, 0x43, 0x0e, 0x93, 0xdb, 0xec, 0x47,
            0x48, 0x97, 0x3e, 0x6e,
        ];
        assert_eq!(*key, expected);
    }

    #[test]
    fn pin_is_never_printed() {
        assert_eq!(format!("{:?}", Pin::new("4711").unwrap()), "Pin(..)");
    }
}
