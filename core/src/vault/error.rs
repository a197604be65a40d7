//! Errors of vault and accounts, each with a stable code.

use super::key_vault::VaultFault;

coded_error! {
    /// The reason why an account could not be opened, made or changed. The account is kept as it was.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum VaultError {
        /// The hardware key that wrapped the secret is gone, or the secret itself is: the app's data was
        /// restored from a backup onto another phone. [`super::Accounts::start_over`] is the way out.
        #[error("vault.key_gone")]
        KeyGone,
        /// The device has not been unlocked since it started.
        #[error("vault.locked")]
        Locked,
        /// The key store did not answer as it should.
        #[error("vault.failed")]
        Failed,
        /// The entry in the key store does not read back as it was written.
        #[error("vault.damaged")]
        Damaged,
        /// The PIN is another one.
        #[error("vault.wrong_pin")]
        WrongPin {
            /// Wrong tries in a row, this one included.
            tries: u32,
            /// Time of the next permitted try, milliseconds UTC; `None` when it is permitted at once.
            until_ms: Option<i64>,
        },
        /// Too many wrong tries: the next one is permitted later. The PIN was not looked at.
        #[error("vault.pin_wait")]
        PinWait {
            /// Time of the next permitted try, milliseconds UTC.
            until_ms: i64,
        },
        /// The account has a PIN and none was given.
        #[error("vault.pin_needed")]
        PinNeeded,
        /// A PIN was given that is too short, too long, or holds a control character.
        #[error("vault.bad_pin")]
        BadPin,
        /// The public name of an account is blank, too long, or holds a control character.
        #[error("vault.bad_name")]
        BadName,
        /// This device has no such account.
        #[error("vault.no_account")]
        NoAccount,
        /// This device has as many accounts as it may have.
        #[error("vault.accounts_full")]
        Full,
        /// Another call works on the accounts of this device.
        #[error("vault.busy")]
        Busy,
        /// The folder of the accounts cannot be read or written.
        #[error("vault.storage")]
        Storage,
    }
}

impl VaultError {
    /// Time of the next permitted try of a PIN, milliseconds UTC, where there is a pause.
    #[must_use]
    pub fn until_ms(self) -> Option<i64> {
        match self {
            Self::WrongPin { until_ms, .. } => until_ms,
            Self::PinWait { until_ms } => Some(until_ms),
            _ => None,
        }
    }
}

impl From<VaultFault> for VaultError {
    fn from(fault: VaultFault) -> Self {
        match fault {
            VaultFault::KeyGone => Self::KeyGone,
            VaultFault::Locked => Self::Locked,
            VaultFault::Failed => Self::Failed,
        }
    }
}
