//! The interfaces that the host app implements: a vault for secrets, listeners, a sink for the log.
//!
//! A host's code may throw, hang or call back in. So every call to it is made without any lock of ours, and on
//! a thread of ours. If that thread dies or hangs, only that call is lost (`vault`, `events`).

use crate::types::{LogLine, Notification, RecordChanges, SyncStatus};

/// The errors that a vault of the host can return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum VaultError {
    /// The key that protects the secrets is gone for good, for example after a restored backup or a removed
    /// lock screen.
    #[error("vault.key_gone")]
    KeyGone,
    /// The phone has not been unlocked since it started. The same call works later.
    #[error("vault.locked")]
    Locked,
    /// The vault failed for another reason. `reason` goes to the log, never to a person or a server.
    #[error("vault.failed")]
    Failed {
        /// The failure, in the host's words, without personal data.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for VaultError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            reason: error.reason,
        }
    }
}

/// The error that a listener of the host may throw. It is logged, and the listener is called again at the next
/// event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum ListenerError {
    /// The listener failed.
    #[error("phone.listener_failed")]
    Failed {
        /// The failure, in the host's words, without personal data.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for ListenerError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            reason: error.reason,
        }
    }
}

/// The host's safe place for small secrets: Android Keystore, iOS Keychain, a file with narrow permissions on a
/// desktop. It must be outside every backup, and a secret must survive power loss once `save` returns.
///
/// A call that takes longer than 10 s counts as failed. Names are 1 to 64 characters out of `a-z 0-9 . _ -`;
/// a secret has at most 4,096 bytes.
#[uniffi::export(with_foreign)]
pub trait KeyVault: Send + Sync {
    /// Returns the secret under this name, or `None`.
    fn load(&self, name: String) -> Result<Option<Vec<u8>>, VaultError>;

    /// Stores a secret in place of an older one, durably and as a whole.
    fn save(&self, name: String, secret: Vec<u8>) -> Result<(), VaultError>;

    /// Removes a secret. A name without a secret is no error.
    fn remove(&self, name: String) -> Result<(), VaultError>;
}

/// Gets the records that change, also when others change them.
#[uniffi::export(with_foreign)]
pub trait ChangeListener: Send + Sync {
    /// Called on a thread of the SDK, one call at a time. Changes during a call are merged into the next call.
    fn changed(&self, changes: RecordChanges) -> Result<(), ListenerError>;
}

/// Gets the state of the connection.
#[uniffi::export(with_foreign)]
pub trait StatusListener: Send + Sync {
    /// Called on a thread of the SDK, one call at a time, with the newest status only.
    fn status(&self, status: SyncStatus) -> Result<(), ListenerError>;
}

/// Gets the notifications that the phone should show its person.
#[uniffi::export(with_foreign)]
pub trait NotificationListener: Send + Sync {
    /// Called on a thread of the SDK, one call at a time, with the notifications that were not taken yet,
    /// oldest first.
    fn notifications(&self, notifications: Vec<Notification>) -> Result<(), ListenerError>;
}

/// The error that a pipe of the host may throw. It ends the meeting with `meeting.broken`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum PipeError {
    /// The pipe failed.
    #[error("meeting.broken")]
    Failed {
        /// The failure, in the host's words, without personal data.
        reason: String,
    },
}

impl From<uniffi::UnexpectedUniFFICallbackError> for PipeError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            reason: error.reason,
        }
    }
}

/// A pipe of bytes to another phone, such as a Bluetooth socket. Its calls block, and they are made on a thread
/// of the SDK.
#[uniffi::export(with_foreign)]
pub trait BytePipe: Send + Sync {
    /// Waits for bytes and returns at most `bytes_max`, as soon as there are any. Returns none when the other
    /// phone has closed the pipe.
    fn read(&self, bytes_max: u32) -> Result<Vec<u8>, PipeError>;

    /// Writes all of the bytes.
    fn write(&self, data: Vec<u8>) -> Result<(), PipeError>;

    /// Closes the pipe after the written bytes have left. A `read` or `write` on another thread then returns. A
    /// second call has no effect.
    fn shut(&self) -> Result<(), PipeError>;
}

/// Takes the lines of the log. They carry codes and counts, never content, names or positions.
#[uniffi::export(with_foreign)]
pub trait LogSink: Send + Sync {
    /// Called on a thread of the SDK. Lines that the sink is too slow for are counted and left out.
    fn log(&self, line: LogLine) -> Result<(), ListenerError>;
}
