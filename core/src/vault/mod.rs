//! The secrets of a phone: kept by the host's key store, one entry for each secret of each account.
//!
//! ```text
//!  PIN ─▶ argon2id ─▶ AEAD key ─┐
//!                               ▼ opens
//!  KeyVault (Keystore, Keychain, file) ─▶ entry of the account ─▶ file key, signing seed
//!                                     └─▶ marker of the account (never sealed)
//!  device folder ─▶ one folder an account: public name, replica ─▶ list of accounts
//! ```
//!
//! **Contract.** The device folder decides which accounts exist; the vault holds their secrets. Every step
//! that makes, changes or removes an account may fail or be cut off by a crash, and the account is then
//! either as before or as after the step. A wrong PIN costs time, never data. Secrets are wiped from memory
//! when they are dropped.
//!
//! ```
//! use std::sync::Arc;
//! use onegrid_core::vault::{Accounts, FileVault, Pin};
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
//! # let folder = tempfile::tempdir().unwrap();
//! # let mut entropy = ChaCha20Rng::seed_from_u64(1);
//! # let now_ms = 1_760_000_000_000;
//! let vault = Arc::new(FileVault::open(folder.path().join("vault"))?);
//! let accounts = Accounts::open(folder.path().join("accounts"), vault)?;
//! let pin = Pin::new("4711")?;
//! let made = accounts.create("Wang, grid 3", Some(&pin), &mut entropy)?;
//! let opened = accounts.unlock(made.slot(), Some(&pin), now_ms)?;
//! assert_eq!(opened.replica_path(), made.replica_path());
//! # Ok::<(), onegrid_core::vault::VaultError>(())
//! ```
//!
//! **Not here:** a clock and randomness (handed in), the replica itself, and enrolment.

mod account;
mod accounts;
mod entry;
mod error;
mod file_vault;
mod folder;
mod key_vault;
mod marker;
mod pin;
mod secrets;
mod tries;

pub use account::{Account, AccountName, Slot};
pub use accounts::Accounts;
pub use error::VaultError;
pub use file_vault::FileVault;
pub use key_vault::{KeyVault, VaultFault};
pub use marker::VaultMarker;
pub use pin::Pin;
pub use secrets::Unlocked;

#[cfg(test)]
mod tests;
