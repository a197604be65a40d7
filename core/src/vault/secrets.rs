//! The secrets of one account, in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::account::Slot;
use super::key_vault::KeyVault;
use super::marker::VaultMarker;
use crate::replica::{FileKey, ReplicaOptions, StdDisk};
use crate::trust::sign::SecretKey;

/// The key of the replica's file and the seed of the device's signing key. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secrets {
    pub(super) file_key: Zeroizing<[u8; 32]>,
    pub(super) seed: Zeroizing<[u8; 32]>,
}

impl Secrets {
    pub(super) fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut file_key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *file_key);
        let seed = SecretKey::generate(rng).seed();
        Self { file_key, seed }
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// An account that was opened: everything that its replica needs.
pub struct Unlocked {
    slot: Slot,
    folder: PathBuf,
    secrets: Secrets,
    vault: Arc<dyn KeyVault>,
}

impl Unlocked {
    pub(super) fn new(
        slot: Slot,
        folder: PathBuf,
        secrets: Secrets,
        vault: Arc<dyn KeyVault>,
    ) -> Self {
        Self {
            slot,
            folder,
            secrets,
            vault,
        }
    }

    /// The account.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The account's own folder. It exists.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the account's replica. A new account has none yet.
    #[must_use]
    pub fn replica_path(&self) -> PathBuf {
        replica_in(&self.folder)
    }

    /// The key of the replica's file.
    #[must_use]
    pub fn file_key(&self) -> FileKey {
        FileKey::new(*self.secrets.file_key)
    }

    /// The device's signing key under this account.
    #[must_use]
    pub fn signer(&self) -> SecretKey {
        SecretKey::from_seed(&self.secrets.seed)
    }

    /// The marker of this installation of the account.
    #[must_use]
    pub fn marker(&self) -> VaultMarker {
        VaultMarker::new(Arc::clone(&self.vault), self.slot)
    }

    /// The options to create, open or rescue the account's replica with.
    #[must_use]
    pub fn options(&self, entropy: Box<dyn CryptoRng + Send>) -> ReplicaOptions {
        ReplicaOptions {
            path: self.replica_path(),
            disk: Arc::new(StdDisk),
            file_key: self.file_key(),
            marker: Box::new(self.marker()),
            signer: self.signer(),
            entropy,
        }
    }
}

/// The replica's file in the folder of an account.
pub(super) fn replica_in(folder: &std::path::Path) -> PathBuf {
    folder.join("replica.db")
}

impl std::fmt::Debug for Unlocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unlocked({})", self.slot)
    }
}
