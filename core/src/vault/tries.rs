//! Wrong tries of a PIN, counted in the vault, and the pauses that they cost.
//!
//! A try is counted durably *before* the PIN is looked at, so that killing the app in between saves no
//! time. A clock that is set back neither ends a pause nor makes it longer than it is.

use super::account::Slot;
use super::error::VaultError;
use super::key_vault::KeyVault;
use crate::id::Hash;
use crate::limits::{PIN_PAUSE_MS_FIRST, PIN_PAUSE_MS_MAX, PIN_TRIES_FREE};

const LEN: usize = 1 + 4 + 8 + 8;
const VERSION: u8 = 1;

/// Tries since the last right PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tries {
    count: u32,
    last_ms: i64,
}

/// The name of the entry that holds an account's tries.
pub(super) fn entry_name(slot: Slot) -> String {
    format!("{slot}.tries")
}

impl Tries {
    /// Reads the tries of an account. A pause that lies in the future of a clock that was set back is moved
    /// to now, durably; so is an unreadable entry.
    pub(super) fn load(vault: &dyn KeyVault, slot: Slot, now_ms: i64) -> Result<Self, VaultError> {
        let Some(bytes) = vault.load(&entry_name(slot))? else {
            return Ok(Self::default());
        };
        let read = Self::from_bytes(&bytes);
        let tries = match read {
            Some(tries) if tries.last_ms <= now_ms => return Ok(tries),
            Some(tries) => Self {
                last_ms: now_ms,
                ..tries
            },
            None => Self {
                count: PIN_TRIES_FREE,
                last_ms: now_ms,
            },
        };
        tries.save(vault, slot)?;
        Ok(tries)
    }

    /// Counts one more try, durably.
    pub(super) fn count(
        self,
        vault: &dyn KeyVault,
        slot: Slot,
        now_ms: i64,
    ) -> Result<Self, VaultError> {
        let tries = Self {
            count: self.count.saturating_add(1),
            last_ms: now_ms,
        };
        tries.save(vault, slot)?;
        Ok(tries)
    }

    /// Wrong tries in a row.
    pub(super) fn number(self) -> u32 {
        self.count
    }

    /// Time of the next permitted try, where it is after `now_ms`.
    pub(super) fn until_ms(self, now_ms: i64) -> Option<i64> {
        let over = self.count.checked_sub(PIN_TRIES_FREE)?;
        let pause = PIN_PAUSE_MS_FIRST.saturating_mul(1 << over.min(20));
        let until = self.last_ms.saturating_add(pause.min(PIN_PAUSE_MS_MAX));
        (until > now_ms).then_some(until)
    }

    fn save(self, vault: &dyn KeyVault, slot: Slot) -> Result<(), VaultError> {
        Ok(vault.save(&entry_name(slot), &self.to_bytes())?)
    }

    fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = VERSION;
        bytes[1..5].copy_from_slice(&self.count.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.last_ms.to_be_bytes());
        let check = check(&bytes[..13]);
        bytes[13..].copy_from_slice(&check);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LEN || bytes[0] != VERSION || bytes[13..] != check(&bytes[..13]) {
            return None;
        }
        Some(Self {
            count: u32::from_be_bytes(bytes[1..5].try_into().ok()?),
            last_ms: i64::from_be_bytes(bytes[5..13].try_into().ok()?),
        })
    }
}

fn check(bytes: &[u8]) -> [u8; 8] {
    let hash = Hash::of(&[b"onegrid.tries", bytes]);
    let mut check = [0; 8];
    check.copy_from_slice(&hash.0[..8]);
    check
}
