//! The bytes of an account's entry in the vault: its secrets, sealed under the PIN where there is one.
//!
//! ```text
//! open:    version 1 · kind 0 · slot 8 · file key 32 · seed 32 · check 8
//! sealed:  version 1 · kind 1 · memory, passes, lanes 4 each · salt 16 · nonce 12 · ciphertext 80
//! ```
//!
//! The seal covers the slot and everything before the ciphertext, so an entry opens under its own name only.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, KeyInit, Nonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::account::Slot;
use super::error::VaultError;
use super::pin::{Pin, PinCost};
use super::secrets::Secrets;
use crate::id::Hash;

const VERSION: u8 = 1;
const OPEN: u8 = 0;
const SEALED: u8 = 1;
const SECRETS_LEN: usize = 64;
const OPEN_LEN: usize = 2 + 8 + SECRETS_LEN + 8;
const NONCE_AT: usize = 2 + 12 + 16;
const CIPHERTEXT_AT: usize = NONCE_AT + 12;
const SEALED_LEN: usize = CIPHERTEXT_AT + SECRETS_LEN + 16;

/// An entry that was read.
pub(super) enum Entry {
    /// Without a PIN.
    Open(Secrets),
    /// With a PIN.
    Sealed(Seal),
}

/// Secrets under a PIN.
pub(super) struct Seal {
    cost: PinCost,
    salt: [u8; 16],
    nonce: [u8; 12],
    /// Covered by the seal and not secret.
    aad: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Entry {
    /// Reads an entry. Bytes that were not written by this module, or for another slot, are refused.
    pub(super) fn from_bytes(slot: Slot, bytes: &[u8]) -> Result<Self, VaultError> {
        match bytes {
            [VERSION, OPEN, ..] if bytes.len() == OPEN_LEN => open_entry(slot, bytes),
            [VERSION, SEALED, ..] if bytes.len() == SEALED_LEN => sealed_entry(slot, bytes),
            _ => Err(VaultError::Damaged),
        }
    }
}

impl Seal {
    /// The secrets; `None` when the PIN is another one.
    pub(super) fn open(&self, pin: &Pin) -> Result<Option<Secrets>, VaultError> {
        let key = pin.key(&self.salt, self.cost)?;
        let payload = Payload {
            msg: &self.ciphertext,
            aad: &self.aad,
        };
        let plain = cipher(&key).decrypt(&Nonce::from(self.nonce), payload);
        let Ok(plain) = plain.map(Zeroizing::new) else {
            return Ok(None);
        };
        secrets(&plain).map(Some)
    }
}

/// The entry of an account: sealed when there is a PIN, each time under a fresh salt and nonce.
pub(super) fn entry_bytes(
    slot: Slot,
    secrets: &Secrets,
    pin: Option<&Pin>,
    cost: PinCost,
    rng: &mut dyn CryptoRng,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut plain = Zeroizing::new([0; SECRETS_LEN]);
    plain[..32].copy_from_slice(&*secrets.file_key);
    plain[32..].copy_from_slice(&*secrets.seed);
    let Some(pin) = pin else {
        let mut bytes = Zeroizing::new(Vec::with_capacity(OPEN_LEN));
        bytes.extend([VERSION, OPEN]);
        bytes.extend(slot.as_bytes());
        bytes.extend(plain.iter());
        let check = check(&bytes);
        bytes.extend(check);
        return Ok(bytes);
    };
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut nonce);
    let mut bytes = Zeroizing::new(Vec::with_capacity(SEALED_LEN));
    bytes.extend([VERSION, SEALED]);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(salt);
    bytes.extend(nonce);
    let payload = Payload {
        msg: &*plain,
        aad: &aad(slot, &bytes),
    };
    let key = pin.key(&salt, cost)?;
    let ciphertext = cipher(&key).encrypt(&Nonce::from(nonce), payload);
    bytes.extend(ciphertext.map_err(|_| VaultError::Failed)?);
    Ok(bytes)
}

fn open_entry(slot: Slot, bytes: &[u8]) -> Result<Entry, VaultError> {
    let (covered, sum) = bytes.split_at(OPEN_LEN - 8);
    if sum != check(covered) || covered[2..10] != *slot.as_bytes() {
        return Err(VaultError::Damaged);
    }
    Ok(Entry::Open(secrets(&covered[10..])?))
}

fn sealed_entry(slot: Slot, bytes: &[u8]) -> Result<Entry, VaultError> {
    let number = |at: usize| bytes[at..at + 4].try_into().map(u32::from_be_bytes);
    let cost = PinCost {
        memory_kib: number(2).map_err(|_| VaultError::Damaged)?,
        passes: number(6).map_err(|_| VaultError::Damaged)?,
        lanes: number(10).map_err(|_| VaultError::Damaged)?,
    };
    if !cost.is_bounded() {
        return Err(VaultError::Damaged);
    }
    let damaged = |_| VaultError::Damaged;
    Ok(Entry::Sealed(Seal {
        cost,
        salt: bytes[14..NONCE_AT].try_into().map_err(damaged)?,
        nonce: bytes[NONCE_AT..CIPHERTEXT_AT].try_into().map_err(damaged)?,
        aad: aad(slot, &bytes[..CIPHERTEXT_AT]),
        ciphertext: bytes[CIPHERTEXT_AT..].to_vec(),
    }))
}

fn secrets(plain: &[u8]) -> Result<Secrets, VaultError> {
    let damaged = |_| VaultError::Damaged;
    if plain.len() != SECRETS_LEN {
        return Err(VaultError::Damaged);
    }
    Ok(Secrets {
        file_key: Zeroizing::new(plain[..32].try_into().map_err(damaged)?),
        seed: Zeroizing::new(plain[32..].try_into().map_err(damaged)?),
    })
}

fn cipher(key: &Zeroizing<[u8; 32]>) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new(<&Key>::from(&**key))
}

fn aad(slot: Slot, head: &[u8]) -> Vec<u8> {
    [b"onegrid.vault".as_slice(), slot.as_bytes(), head].concat()
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let hash = Hash::of(&[b"onegrid.vault", bytes]);
    let mut check = [0; 8];
    check.copy_from_slice(&hash.0[..8]);
    check
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const CHEAP: PinCost = PinCost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn entry_with_one_altered_byte_never_opens() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (here, there) = (Slot::random(&mut rng), Slot::random(&mut rng));
        let secrets = Secrets::generate(&mut rng);
        let pin = Pin::new("4711").unwrap();
        let opened = |slot, bytes: &[u8]| match Entry::from_bytes(slot, bytes) {
            Ok(Entry::Open(secrets)) => Some(secrets),
            Ok(Entry::Sealed(seal)) => seal.open(&pin).unwrap(),
            Err(error) => {
                assert_eq!(error, VaultError::Damaged);
                None
            }
        };
        for pin in [None, Some(&pin)] {
            let bytes = entry_bytes(here, &secrets, pin, CHEAP, &mut rng).unwrap();
            assert_eq!(opened(here, &bytes), Some(secrets.clone()));
            assert_eq!(opened(there, &bytes), None, "moved to another account");
            for at in 0..bytes.len() {
                let mut altered = bytes.to_vec();
                altered[at] ^= 1;
                assert_eq!(opened(here, &altered), None, "byte {at}");
            }
            assert_eq!(opened(here, &bytes[1..]), None);
        }
    }

    #[test]
    fn sealed_entry_contains_no_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let slot = Slot::random(&mut rng);
        let secrets = Secrets::generate(&mut rng);
        let pin = Pin::new("4711").unwrap();
        let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|at| at == part);
        let sealed = entry_bytes(slot, &secrets, Some(&pin), CHEAP, &mut rng).unwrap();
        let open = entry_bytes(slot, &secrets, None, CHEAP, &mut rng).unwrap();
        for secret in [&*secrets.file_key, &*secrets.seed] {
            assert!(!holds(&sealed, secret) && holds(&open, secret));
        }
    }

    #[test]
    fn cost_beyond_any_phone_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let slot = Slot::random(&mut rng);
        let pin = Pin::new("4711").unwrap();
        let secrets = Secrets::generate(&mut rng);
        let mut bytes = entry_bytes(slot, &secrets, Some(&pin), CHEAP, &mut rng).unwrap();
        bytes[2..6].copy_from_slice(&u32::MAX.to_be_bytes());
        let refused = Entry::from_bytes(slot, &bytes).err();
        assert_eq!(refused, Some(VaultError::Damaged));
    }
}
