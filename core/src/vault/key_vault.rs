//! The host's key store, as the accounts use it.

use zeroize::Zeroizing;

/// The reason why a key store did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultFault {
    /// The hardware key that wrapped this entry is gone: a restored backup, or a reset of the screen lock.
    #[error("vault.key_gone")]
    KeyGone,
    /// The device has not been unlocked since it started; the entry is there.
    #[error("vault.locked")]
    Locked,
    /// Any other failure.
    #[error("vault.failed")]
    Failed,
}

/// A store for a few small secrets that the host supplies: Android Keystore, iOS Keychain, or a file.
///
/// Names hold `a-z0-9._-` and have at most [`crate::limits::VAULT_NAME_BYTES_MAX`] bytes; values have at
/// most [`crate::limits::VAULT_ENTRY_BYTES_MAX`] bytes. Entries must stay out of backups. The core calls
/// from any thread and holds no lock of its own meanwhile.
pub trait KeyVault: Send + Sync {
    /// The entry as it was saved last; `None` when there is none.
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultFault>;

    /// Replaces the entry as one step: after a crash, the old or the new value is there. It must be durable
    /// when this returns.
    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), VaultFault>;

    /// Removes the entry durably; one that is not there is no error.
    fn remove(&self, name: &str) -> Result<(), VaultFault>;
}
