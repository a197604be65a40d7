//! One device: a folder and a vault, and the accounts of the members who share it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use onegrid_core::net::{OsRandom, Roots, now_ms};
use onegrid_core::replica::{self as core, Replica};
use onegrid_core::texts::{Lang, text};
use onegrid_core::vault::{Accounts, Pin, Slot, Unlocked};

use crate::ending::{Open, shut_at_end};
use crate::error::{Answer, OneGridError, guarded};
use crate::host::KeyVault;
use crate::phone::{DAMAGED_FILE, Inner, Phone};
use crate::types::{Account, DeviceConfig, Opened, WayBack, WayBackKind};
use crate::vault::{GuardedVault, refuse_in_callback};

/// The name of the account that `open_single` makes.
const SINGLE: &str = "OneGrid";

/// The settings that phones of this device use to reach a server.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) roots: Roots,
    pub(crate) plain_http_allowed: bool,
}

/// One device. Members who share it have files, keys and PINs of their own.
#[derive(uniffi::Object)]
pub struct Device {
    accounts: Accounts,
    reach: Reach,
    /// Open phones, so that an account is never open twice.
    open: Mutex<HashMap<Slot, Weak<Inner>>>,
    /// Held by [`Device::open_single`].
    single: Mutex<()>,
}

/// Opens the folder of the app and its vault. Nothing is unlocked yet.
///
/// Errors: `vault.storage` if the folder cannot be made or read.
#[uniffi::export]
pub fn open_device(config: DeviceConfig, vault: Arc<dyn KeyVault>) -> Answer<Arc<Device>> {
    crate::error::silence_caught_panics();
    guarded(|| {
        let folder = PathBuf::from(&config.folder).join("accounts");
        let vault = Arc::new(GuardedVault::new(vault));
        let roots = config.tls_roots_pem.map_or(Roots::Public, Roots::Pinned);
        Ok(Arc::new(Device {
            accounts: Accounts::open(folder, vault)?,
            reach: Reach {
                roots,
                plain_http_allowed: config.plain_http_allowed,
            },
            open: Mutex::default(),
            single: Mutex::default(),
        }))
    })
}

#[uniffi::export]
impl Device {
    /// Lists the accounts of this device, to choose from. No secret is needed.
    pub fn accounts(&self) -> Answer<Vec<Account>> {
        call(|| {
            let listed = self.accounts.list()?;
            Ok(listed
                .into_iter()
                .map(|account| self.described(account.slot, account.name))
                .collect())
        })
    }

    /// Adds an account for one more member. Its keys are drawn and stored in the vault; the member enrols
    /// later.
    ///
    /// `name` has 1 to 40 characters; a PIN has 4 to 32. Errors: `vault.bad_name`, `vault.bad_pin`,
    /// `vault.accounts_full`, and the errors of the vault.
    pub fn add_account(&self, name: String, pin: Option<String>) -> Answer<Account> {
        call(|| {
            let pin = checked(pin)?;
            let made = self.accounts.create(&name, pin.as_ref(), &mut OsRandom)?;
            Ok(self.described(made.slot(), name.trim().to_owned()))
        })
    }

    /// Unlocks an account and opens its replica. If files are damaged or lost, it recovers the work, deletes
    /// nothing, and reports its steps.
    ///
    /// Errors: `vault.no_account`, `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait` (after five wrong
    /// PINs), `vault.key_gone` and `replica.wrong_key` (then [`Self::start_over`]), `vault.locked`,
    /// `replica.in_use`, `replica.disk_full`, `replica.newer_schema`.
    pub fn open_account(&self, slot: String, pin: Option<String>) -> Answer<Opened> {
        call(|| {
            let slot = slot.parse()?;
            let pin = checked(pin)?;
            self.expect_shut(slot)?;
            let unlocked = self.accounts.unlock(slot, pin.as_ref(), now_ms())?;
            self.opened(&unlocked, None)
        })
    }

    /// Opens the only account of this device, which has no PIN, and makes it if there is none. For apps that
    /// are not shared.
    ///
    /// Errors: as [`Self::open_account`], and `device.several_accounts`.
    pub fn open_single(&self) -> Answer<Opened> {
        call(|| {
            // Two concurrent first calls must not make two accounts.
            let _turn = self.single.lock().unwrap_or_else(PoisonError::into_inner);
            let mut listed = self.accounts.list()?;
            if listed.len() > 1 {
                return Err(OneGridError::of("device.several_accounts"));
            }
            let unlocked = match listed.pop() {
                Some(account) => {
                    self.expect_shut(account.slot)?;
                    self.accounts.unlock(account.slot, None, now_ms())?
                }
                None => self.accounts.create(SINGLE, None, &mut OsRandom)?,
            };
            self.opened(&unlocked, None)
        })
    }

    /// Starts over after a lost key or a forgotten PIN: sets the account aside with its files and makes an
    /// empty one of the same name, which the member enrols again. No file is deleted; delivered work returns
    /// with the first sync.
    ///
    /// Errors: `vault.no_account`, `vault.bad_pin`, `replica.in_use` while the account is open.
    pub fn start_over(&self, slot: String, pin: Option<String>) -> Answer<Opened> {
        call(|| {
            let slot = slot.parse()?;
            let pin = checked(pin)?;
            self.expect_shut(slot)?;
            // Another process with an open account would continue to write into files that are no longer read.
            let lock = self.locked(slot)?;
            let made = self
                .accounts
                .start_over(slot, pin.as_ref(), &mut OsRandom)?;
            drop(lock);
            self.opened(&made, Some(WayBackKind::StartedOver))
        })
    }

    /// Gives an account another PIN, or removes the PIN.
    ///
    /// Errors: `vault.pin_needed`, `vault.wrong_pin`, `vault.pin_wait`, `vault.bad_pin`.
    pub fn change_pin(&self, slot: String, old: Option<String>, new: Option<String>) -> Answer<()> {
        call(|| {
            let slot = slot.parse()?;
            let (old, new) = (checked(old)?, checked(new)?);
            let (old, new) = (old.as_ref(), new.as_ref());
            Ok(self
                .accounts
                .change_pin(slot, old, new, now_ms(), &mut OsRandom)?)
        })
    }

    /// Deletes an account with its keys and files, finally. The call is refused while work is undelivered, or
    /// if the replica cannot be read, unless `discard_undelivered` is set.
    ///
    /// Errors: `phone.undelivered`, `replica.in_use` while the account is open, and the errors of
    /// [`Self::open_account`].
    pub fn wipe_account(
        &self,
        slot: String,
        pin: Option<String>,
        discard_undelivered: bool,
    ) -> Answer<()> {
        call(|| {
            let slot = slot.parse()?;
            self.expect_shut(slot)?;
            if !discard_undelivered {
                let pin = checked(pin)?;
                let unlocked = self.accounts.unlock(slot, pin.as_ref(), now_ms())?;
                let _open = Open::ask()?;
                match Replica::open(unlocked.options(Box::new(OsRandom))) {
                    // The account never had a replica.
                    Err(core::ReplicaError::Missing) => {}
                    Err(error) => return Err(error.into()),
                    Ok(replica) => {
                        let undelivered = replica.undelivered()?;
                        if undelivered > 0 {
                            let count = undelivered.to_string();
                            return Err(OneGridError::with(
                                "phone.undelivered",
                                &[("count", &count)],
                            ));
                        }
                        // The replica stays open, and so locked, so no other call can write meanwhile.
                        return Ok(self.accounts.wipe(slot)?);
                    }
                }
            }
            let _lock = self.locked(slot)?;
            Ok(self.accounts.wipe(slot)?)
        })
    }
}

impl Device {
    fn described(&self, slot: Slot, name: String) -> Account {
        Account {
            slot: slot.to_string(),
            name,
            // An entry that cannot be read now is shown with a lock; opening it names the problem.
            has_pin: self.accounts.has_pin(slot).unwrap_or(true),
        }
    }

    /// Prevents other calls, in this process and in others, from opening the replica of an account.
    fn locked(&self, slot: Slot) -> Answer<core::ReplicaLock> {
        let path = self.accounts.replica_path(slot)?;
        Ok(core::ReplicaLock::take(&path, &core::StdDisk)?)
    }

    fn phones(&self) -> MutexGuard<'_, HashMap<Slot, Weak<Inner>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect_shut(&self, slot: Slot) -> Answer<()> {
        let known = self.phones().get(&slot).and_then(Weak::upgrade);
        match known {
            Some(inner) if !inner.is_shut() => Err(OneGridError::of("replica.in_use")),
            _ => Ok(()),
        }
    }

    fn opened(&self, unlocked: &Unlocked, kind: Option<WayBackKind>) -> Answer<Opened> {
        let open = Open::ask()?;
        let (replica, found) = recovered(unlocked)?;
        let mut way_back = described_way(&found);
        if let Some(kind) = kind {
            way_back.kind = kind;
        }
        let inner = Inner::start(replica, open, unlocked.folder(), self.reach.clone())?;
        shut_at_end(&inner);
        self.phones()
            .insert(unlocked.slot(), Arc::downgrade(&inner));
        Ok(Opened {
            phone: Arc::new(Phone(inner)),
            way_back,
        })
    }
}

/// Opens a replica, and repairs it if an earlier call met damage that opening alone does not notice.
fn recovered(unlocked: &Unlocked) -> Answer<(Replica, core::WayBack)> {
    let options = || unlocked.options(Box::new(OsRandom));
    let mark = unlocked.folder().join(DAMAGED_FILE);
    if !mark.exists() {
        return Ok(Replica::open_or_recover(options(), now_ms())?);
    }
    let (replica, way) = match Replica::rescue(options(), now_ms()) {
        Ok((replica, rescue)) => (replica, core::WayBack::Rescued(rescue)),
        // The file is not damaged, or is missing; opening decides.
        Err(core::ReplicaError::Missing) => Replica::open_or_recover(options(), now_ms())?,
        Err(error) => return Err(error.into()),
    };
    // If the mark cannot be removed, the next opening repairs a sound file, which costs only time.
    let _ = std::fs::remove_file(&mark);
    Ok((replica, way))
}

/// Describes the steps of opening, in words if the person needs to know them.
fn described_way(found: &core::WayBack) -> WayBack {
    let (kind, rescue, code) = match found {
        core::WayBack::Opened => (WayBackKind::Opened, None, None),
        core::WayBack::Resumed { set_aside } => {
            let aside = Some((set_aside, 0, false));
            (WayBackKind::Resumed, aside, Some("replica.rescued"))
        }
        core::WayBack::Rescued(rescue) => {
            let kept = Some((&rescue.set_aside, rescue.rows_kept, rescue.incomplete));
            (WayBackKind::Rescued, kept, Some("replica.rescued"))
        }
        core::WayBack::FromSecondFile(rescue) => {
            let kept = Some((&rescue.set_aside, rescue.rows_kept, rescue.incomplete));
            (
                WayBackKind::FromSecondFile,
                kept,
                Some("replica.from_second_file"),
            )
        }
        core::WayBack::Fresh { lost: false } => (WayBackKind::Created, None, None),
        core::WayBack::Fresh { lost: true } => (WayBackKind::Created, None, Some("replica.gone")),
    };
    let (set_aside, rows_kept, incomplete) = match rescue {
        Some((set_aside, rows, incomplete)) => {
            (vec![set_aside.display().to_string()], rows, incomplete)
        }
        None => (Vec::new(), 0, false),
    };
    let sentence = |lang| code.and_then(|code| text(code, lang)).unwrap_or_default();
    WayBack {
        kind,
        set_aside,
        rows_kept,
        incomplete,
        zh: sentence(Lang::Zh).to_owned(),
        en: sentence(Lang::En).to_owned(),
    }
}

fn checked(pin: Option<String>) -> Answer<Option<Pin>> {
    let pin = pin.map(zeroize::Zeroizing::new);
    Ok(pin.map(|pin| Pin::new(&pin)).transpose()?)
}

/// Runs a call of the host that may reach the vault.
fn call<T>(work: impl FnOnce() -> Answer<T>) -> Answer<T> {
    guarded(|| {
        refuse_in_callback()?;
        work()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::path::Path;

    use super::*;
    use crate::testing::MemoryVault;
    use crate::types::Query;

    fn device(folder: &Path, vault: &Arc<MemoryVault>) -> Arc<Device> {
        let config = DeviceConfig {
            folder: folder.to_str().unwrap().to_owned(),
            tls_roots_pem: None,
            plain_http_allowed: false,
        };
        let vault: Arc<MemoryVault> = Arc::clone(vault);
        open_device(config, vault).unwrap()
    }

    fn refused<T>(answer: Answer<T>) -> String {
        answer.err().unwrap().code().to_owned()
    }

    #[test]
    fn account_whose_replica_is_lost_is_not_wiped_unasked() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::default());
        let device = device(folder.path(), &vault);
        let phone = device.open_single().unwrap().phone;
        phone.shut().unwrap();
        let slot = device.accounts().unwrap().remove(0).slot;
        let file = folder
            .path()
            .join("accounts")
            .join(&slot)
            .join("replica.db");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(
            refused(device.wipe_account(slot.clone(), None, false)),
            "replica.lost"
        );
        device.wipe_account(slot, None, true).unwrap();
        assert!(device.accounts().unwrap().is_empty());
    }

    #[test]
    fn account_that_another_has_open_is_neither_wiped_nor_begun_anew() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::default());
        let first = device(folder.path(), &vault);
        let phone = first.open_single().unwrap().phone;
        let second = device(folder.path(), &vault);
        let slot = second.accounts().unwrap().remove(0).slot;
        for discard in [true, false] {
            let wiped = second.wipe_account(slot.clone(), None, discard);
            assert_eq!(refused(wiped), "replica.in_use");
        }
        assert_eq!(
            refused(second.start_over(slot.clone(), None)),
            "replica.in_use"
        );
        phone.list(Query::default(), None, 1).unwrap();
        phone.shut().unwrap();
        // A phone that is only dropped closes when its upkeep, too, lets it go.
        let again = second.start_over(slot.clone(), None).unwrap();
        again.phone.shut().unwrap();
        let slots = second.accounts().unwrap();
        assert!(slots.len() == 1 && slots[0].slot != slot);
        second
            .wipe_account(slots[0].slot.clone(), None, false)
            .unwrap();
        assert!(vault.names().iter().all(|name| name.contains(&slot)));
    }

    #[test]
    fn upkeep_goes_on_after_opening_until_suspended() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::default());
        let device = device(folder.path(), &vault);
        let phone = device.open_single().unwrap().phone;
        while phone.0.upkeep_slice().unwrap() {}
        phone.suspend().unwrap();
        assert_eq!(refused(phone.0.upkeep_slice()), "replica.suspended");
        phone.resume().unwrap();
        while phone.0.upkeep_slice().unwrap() {}
        phone.shut().unwrap();
        assert_eq!(refused(phone.0.upkeep_slice()), "phone.shut");
    }

    #[test]
    fn damage_that_a_call_met_is_repaired_by_the_next_opening() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::default());
        let device = device(folder.path(), &vault);
        let phone = device.open_single().unwrap().phone;
        let refused = phone
            .0
            .noted::<()>(Err(OneGridError::of("replica.damaged")));
        assert!(refused.is_err());
        phone.shut().unwrap();
        for kind in [WayBackKind::Rescued, WayBackKind::Opened] {
            let opened = device.open_single().unwrap();
            assert_eq!(opened.way_back.kind, kind);
            opened.phone.list(Query::default(), None, 1).unwrap();
            opened.phone.shut().unwrap();
        }
    }

    #[test]
    fn suspending_that_fails_is_undone_by_resuming() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Arc::<MemoryVault>::default());
        let device = device(folder.path(), &vault);
        let phone = device.open_single().unwrap().phone;
        let reader = phone.0.readers.reader().unwrap();
        assert_eq!(refused(phone.suspend()), "replica.readers_open");
        assert_eq!(
            refused(phone.list(Query::default(), None, 1)),
            "replica.suspended"
        );
        drop(reader);
        phone.resume().unwrap();
        phone.list(Query::default(), None, 1).unwrap();
    }
}
