//! A device with accounts: PINs, crashes between steps, restored backups, and who may see what.
#![allow(clippy::unwrap_used, reason = "tests")]

mod backup;
mod crash;
mod vault;
mod wrong_pin;

use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tempfile::TempDir;

use super::pin::PinCost;
use super::*;
use crate::fixtures::NOW;
use vault::{Failure, MemoryVault};

/// A device: its folder, its vault, and one process after the other.
struct Device {
    folder: TempDir,
    vault: MemoryVault,
    rng: ChaCha20Rng,
}

impl Device {
    fn new(seed: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            vault: MemoryVault::default(),
            rng: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("accounts")
    }

    /// A process that was just started.
    fn start(&self) -> Accounts {
        let cost = PinCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        };
        Accounts::with_cost(self.path(), Arc::new(self.vault.clone()), cost).unwrap()
    }

    fn create(&mut self, name: &str, pin: Option<&str>) -> Unlocked {
        let pin = pin.map(self::pin);
        let accounts = self.start();
        accounts.create(name, pin.as_ref(), &mut self.rng).unwrap()
    }

    fn unlock(&self, slot: Slot, pin: Option<&str>, now_ms: i64) -> Result<Unlocked, VaultError> {
        let pin = pin.map(self::pin);
        self.start().unlock(slot, pin.as_ref(), now_ms)
    }

    fn names(&self) -> Vec<String> {
        let list = self.start().list().unwrap();
        list.into_iter().map(|account| account.name).collect()
    }
}

fn pin(text: &str) -> Pin {
    Pin::new(text).unwrap()
}

/// Everything that opens an account's data, to compare.
fn keys(unlocked: &Unlocked) -> ([u8; 16], [u8; 32]) {
    (unlocked.file_key().fingerprint(), *unlocked.signer().seed())
}

#[test]
fn account_opens_again_with_the_same_keys() {
    let mut device = Device::new(1);
    let alone = device.create("王芳", None);
    let shared = device.create("  Li Wei ", Some("4711"));
    let mut expected = vec![
        (alone.slot(), "王芳".to_owned()),
        (shared.slot(), "Li Wei".to_owned()),
    ];
    expected.sort();
    let list = device.start().list().unwrap();
    let list: Vec<_> = list.into_iter().map(|a| (a.slot, a.name)).collect();
    assert_eq!(list, expected);
    assert!(!device.start().has_pin(alone.slot()).unwrap());
    assert!(device.start().has_pin(shared.slot()).unwrap());
    for (made, pin) in [(&alone, None), (&shared, Some("4711"))] {
        let opened = device.unlock(made.slot(), pin, NOW).unwrap();
        assert_eq!(keys(&opened), keys(made));
        assert_eq!(opened.replica_path(), made.replica_path());
        assert!(opened.folder().is_dir());
    }
    let text: Slot = shared.slot().to_string().parse().unwrap();
    assert_eq!(text, shared.slot());
}

#[test]
fn two_accounts_never_see_each_others_keys() {
    let mut device = Device::new(2);
    let first = device.create("A", Some("1111"));
    let second = device.create("B", Some("2222"));
    let ((file_a, seed_a), (file_b, seed_b)) = (keys(&first), keys(&second));
    assert!(file_a != file_b && seed_a != seed_b);
    assert_ne!(first.folder(), second.folder());
    let crossed = device.unlock(first.slot(), Some("2222"), NOW);
    assert!(matches!(crossed, Err(VaultError::WrongPin { .. })));
    // Not even the entry of one account under the name of the other, with its own PIN.
    let entry = device.vault.bytes(&first.slot().to_string()).unwrap();
    device.vault.put(&second.slot().to_string(), &entry);
    let moved = device.unlock(second.slot(), Some("1111"), NOW);
    assert!(matches!(moved, Err(VaultError::WrongPin { .. })));
    // Markers are apart as well.
    let (mut one, two) = (first.marker(), second.marker());
    crate::replica::Marker::write(&mut one, b"mark").unwrap();
    assert_eq!(crate::replica::Marker::read(&two).unwrap(), None);
}

#[test]
fn folder_and_names_hold_no_secret_and_limits_hold() {
    let mut device = Device::new(3);
    let made = device.create("A", Some("4711"));
    let files: Vec<_> = std::fs::read_dir(made.folder()).unwrap().collect();
    assert_eq!(files.len(), 1, "the public name and nothing else");
    let accounts = device.start();
    for bad in ["", "  ", "a\nb", &"a".repeat(41)] {
        let refused = accounts.create(bad, None, &mut device.rng).err();
        assert_eq!(refused, Some(VaultError::BadName), "{bad:?}");
    }
    accounts.rename(made.slot(), "新名字").unwrap();
    assert_eq!(device.names(), ["新名字"]);
    for _ in 1..crate::limits::ACCOUNTS_MAX {
        accounts.create("B", None, &mut device.rng).unwrap();
    }
    let refused = accounts.create("C", None, &mut device.rng).err();
    assert_eq!(refused, Some(VaultError::Full));
    let again = accounts.start_over(made.slot(), None, &mut device.rng);
    assert!(again.is_ok(), "starting over adds no account");
    let refused = accounts.take_back(made.slot());
    assert_eq!(refused, Err(VaultError::Full));
}

#[test]
fn account_that_does_not_exist_is_refused() {
    let mut device = Device::new(4);
    let made = device.create("A", None);
    let none: Slot = "00000000000000ff".parse().unwrap();
    let accounts = device.start();
    let missing = Some(VaultError::NoAccount);
    assert_eq!(accounts.unlock(none, None, NOW).err(), missing);
    assert_eq!(accounts.has_pin(none).err(), missing);
    assert_eq!(accounts.rename(none, "B").err(), missing);
    assert_eq!(accounts.wipe(none).err(), missing);
    assert_eq!(accounts.take_back(made.slot()).err(), missing);
    let over = accounts.start_over(none, None, &mut device.rng);
    assert_eq!(over.err(), missing);
    for bad in [
        "",
        "..",
        "00000000000000fg",
        "00000000000000FF",
        "+0000000000000ff",
    ] {
        assert_eq!(bad.parse::<Slot>(), Err(VaultError::NoAccount), "{bad}");
    }
}

#[test]
fn wiped_account_leaves_nothing_behind() {
    let mut device = Device::new(5);
    let made = device.create("A", Some("4711"));
    let kept = device.create("B", None);
    std::fs::write(made.replica_path(), b"work").unwrap();
    crate::replica::Marker::write(&mut made.marker(), b"mark").unwrap();
    device.unlock(made.slot(), Some("0000"), NOW).unwrap_err();
    device.start().wipe(made.slot()).unwrap();
    assert_eq!(device.names(), ["B"]);
    assert!(!made.folder().exists());
    assert_eq!(device.vault.names(), [kept.slot().to_string()]);
}

/// A key store may ask the app something, and the app may call the accounts from there.
#[test]
fn call_from_within_the_vault_is_refused_not_deadlocked() {
    struct Calling {
        inner: MemoryVault,
        accounts: std::sync::OnceLock<std::sync::Weak<Accounts>>,
        seen: std::sync::Mutex<Option<VaultError>>,
    }
    impl KeyVault for Calling {
        fn load(&self, name: &str) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, VaultFault> {
            if let Some(accounts) = self.accounts.get().and_then(std::sync::Weak::upgrade) {
                let slot = name.parse().unwrap();
                *self.seen.lock().unwrap() = accounts.unlock(slot, None, NOW).err();
            }
            self.inner.load(name)
        }
        fn save(&self, name: &str, bytes: &[u8]) -> Result<(), VaultFault> {
            self.inner.save(name, bytes)
        }
        fn remove(&self, name: &str) -> Result<(), VaultFault> {
            self.inner.remove(name)
        }
    }
    let mut device = Device::new(6);
    let made = device.create("A", None);
    let vault = Arc::new(Calling {
        inner: device.vault.clone(),
        accounts: std::sync::OnceLock::new(),
        seen: std::sync::Mutex::default(),
    });
    let accounts = Arc::new(Accounts::open(device.path(), Arc::clone(&vault) as _).unwrap());
    vault.accounts.set(Arc::downgrade(&accounts)).unwrap();
    assert!(accounts.unlock(made.slot(), None, NOW).is_ok());
    assert_eq!(*vault.seen.lock().unwrap(), Some(VaultError::Busy));
}

#[test]
fn every_error_has_a_sentence() {
    use crate::texts::{Lang, text};
    let until_ms = None;
    for error in [
        VaultError::KeyGone,
        VaultError::Locked,
        VaultError::Failed,
        VaultError::Damaged,
        VaultError::WrongPin { tries: 1, until_ms },
        VaultError::PinWait { until_ms: 1 },
        VaultError::PinNeeded,
        VaultError::BadPin,
        VaultError::BadName,
        VaultError::NoAccount,
        VaultError::Full,
        VaultError::Busy,
        VaultError::Storage,
    ] {
        assert_eq!(error.to_string(), error.code());
        assert!(
            Lang::ALL
                .iter()
                .all(|lang| text(error.code(), *lang).is_some())
        );
    }
}
