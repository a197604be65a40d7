//! The accounts of one device: making, opening, starting over, removing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand_core::CryptoRng;

use super::account::{Account, AccountName, Slot};
use super::entry::{Entry, entry_bytes};
use super::error::VaultError;
use super::folder::{DeviceFolder, Place};
use super::key_vault::KeyVault;
use super::marker;
use super::pin::{Pin, PinCost};
use super::secrets::{Secrets, Unlocked, replica_in};
use super::tries::{self, Tries};
use crate::limits::ACCOUNTS_MAX;

/// The accounts of one device. Calls may come from any thread; one that meets another under way is refused
/// with `vault.busy` rather than made to wait, because a key store may call back.
///
/// Calls with a PIN take about a second of one core on an old phone: keep them off the app's main thread.
pub struct Accounts {
    folder: DeviceFolder,
    vault: Arc<dyn KeyVault>,
    cost: PinCost,
    busy: AtomicBool,
}

/// Frees the accounts for the next call.
struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Accounts({:?})", self.folder)
    }
}

impl Accounts {
    /// The accounts in this folder, which is made where there is none. Completes a step that a crash cut off:
    /// an account that was never whole goes, and so does one that was being wiped. Use one value for one folder.
    pub fn open(folder: impl Into<PathBuf>, vault: Arc<dyn KeyVault>) -> Result<Self, VaultError> {
        Self::with_cost(folder.into(), vault, PinCost::STANDARD)
    }

    pub(super) fn with_cost(
        folder: PathBuf,
        vault: Arc<dyn KeyVault>,
        cost: PinCost,
    ) -> Result<Self, VaultError> {
        let accounts = Self {
            folder: DeviceFolder::open(folder)?,
            vault,
            cost,
            busy: AtomicBool::new(false),
        };
        for (slot, place) in accounts.folder.all()? {
            let ends = match place {
                Place::Wiped => true,
                // An account that another one stands for may have been set aside a moment ago.
                Place::Live => {
                    accounts.folder.has(slot, place) && accounts.folder.is_unfinished(slot)?
                }
                Place::Aside => false,
            };
            if ends {
                // The vault may be locked; then the next start ends it.
                let _ = accounts.erase(slot, place);
            } else if place == Place::Live
                && let Some(old) = accounts.folder.replaces(slot)
            {
                if accounts.folder.has(old, Place::Live) {
                    accounts.folder.move_to(old, Place::Live, Place::Aside)?;
                }
                accounts.folder.replaced(slot)?;
            }
        }
        Ok(accounts)
    }

    /// Makes an account with fresh secrets; without a PIN, the vault alone opens it. When this returns, it is
    /// durable. On an error there is no such account.
    pub fn create(
        &self,
        name: &str,
        pin: Option<&Pin>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Unlocked, VaultError> {
        let _turn = self.turn()?;
        let name = AccountName::new(name)?;
        if self.places(Place::Live)?.len() >= ACCOUNTS_MAX {
            return Err(VaultError::Full);
        }
        self.make(&name, pin, None, rng)
    }

    /// Opens an account. An account without a PIN ignores `pin`.
    pub fn unlock(
        &self,
        slot: Slot,
        pin: Option<&Pin>,
        now_ms: i64,
    ) -> Result<Unlocked, VaultError> {
        let _turn = self.turn()?;
        let secrets = self.secrets(slot, pin, now_ms)?;
        Ok(self.unlocked(slot, secrets))
    }

    /// Gives an account another PIN (`None`: no PIN). The old one must be right. After an error or a crash
    /// either the old or the new PIN opens the account.
    pub fn change_pin(
        &self,
        slot: Slot,
        old: Option<&Pin>,
        new: Option<&Pin>,
        now_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), VaultError> {
        let _turn = self.turn()?;
        let secrets = self.secrets(slot, old, now_ms)?;
        let bytes = entry_bytes(slot, &secrets, new, self.cost, rng)?;
        Ok(self.vault.save(&slot.to_string(), &bytes)?)
    }

    /// Gives an account another public name.
    pub fn rename(&self, slot: Slot, name: &str) -> Result<(), VaultError> {
        let _turn = self.turn()?;
        let name = AccountName::new(name)?;
        self.expect(slot, Place::Live)?;
        self.folder.put_name(slot, &name)
    }

    /// The way out when a PIN is forgotten or a key is gone: makes a new account of the same name, which has
    /// to be enrolled, and sets the old one aside whole, with its files and its secrets. Close its replica
    /// first. A crash in the middle is made good by [`Self::open`].
    pub fn start_over(
        &self,
        slot: Slot,
        pin: Option<&Pin>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Unlocked, VaultError> {
        let _turn = self.turn()?;
        self.expect(slot, Place::Live)?;
        let account = self.folder.account(slot, Place::Live);
        let made = self.make(&AccountName::new(&account.name)?, pin, Some(slot), rng)?;
        if let Err(error) = self.folder.move_to(slot, Place::Live, Place::Aside) {
            // An account more is better than one less, if this fails too.
            let _ = self.remove(made.slot(), Place::Live);
            return Err(error);
        }
        // Where this fails, the next start finds nothing to do and removes it.
        let _ = self.folder.replaced(made.slot());
        Ok(made)
    }

    /// Puts an account that was set aside back into the list: its PIN has come to mind.
    pub fn take_back(&self, slot: Slot) -> Result<(), VaultError> {
        let _turn = self.turn()?;
        self.expect(slot, Place::Aside)?;
        if self.places(Place::Live)?.len() >= ACCOUNTS_MAX {
            return Err(VaultError::Full);
        }
        self.folder.move_to(slot, Place::Aside, Place::Live)
    }

    /// Deletes an account, in the list or set aside, with its secrets and its files; work that was not
    /// delivered is lost. Close its replica first. A crash in the middle is made good by [`Self::open`].
    pub fn wipe(&self, slot: Slot) -> Result<(), VaultError> {
        let _turn = self.turn()?;
        let place = [Place::Live, Place::Aside]
            .into_iter()
            .find(|place| self.folder.has(slot, *place));
        self.remove(slot, place.ok_or(VaultError::NoAccount)?)
    }

    /// The accounts of this device, by slot. Works while the vault is locked.
    pub fn list(&self) -> Result<Vec<Account>, VaultError> {
        self.places(Place::Live)
    }

    /// The accounts that were set aside, by slot. Works while the vault is locked.
    pub fn set_aside(&self) -> Result<Vec<Account>, VaultError> {
        self.places(Place::Aside)
    }

    /// The replica's file of an account in the list, whether it is there or not.
    pub fn replica_path(&self, slot: Slot) -> Result<PathBuf, VaultError> {
        self.expect(slot, Place::Live)?;
        Ok(replica_in(&self.folder.path(slot, Place::Live)))
    }

    /// Whether an account has a PIN.
    pub fn has_pin(&self, slot: Slot) -> Result<bool, VaultError> {
        Ok(matches!(self.entry(slot)?, Entry::Sealed(_)))
    }

    /// Time of the next permitted try of the account's PIN, where that is after `now_ms`, milliseconds UTC.
    pub fn pin_wait(&self, slot: Slot, now_ms: i64) -> Result<Option<i64>, VaultError> {
        let _turn = self.turn()?;
        self.expect(slot, Place::Live)?;
        Ok(Tries::load(self.vault.as_ref(), slot, now_ms)?.until_ms(now_ms))
    }

    fn make(
        &self,
        name: &AccountName,
        pin: Option<&Pin>,
        replaces: Option<Slot>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Unlocked, VaultError> {
        let slot = Slot::random(rng);
        let secrets = Secrets::generate(rng);
        let bytes = entry_bytes(slot, &secrets, pin, self.cost, rng)?;
        self.folder.make(slot)?;
        let saved = self.vault.save(&slot.to_string(), &bytes);
        // The name is last: from then on the account is whole.
        let made = saved
            .map_err(VaultError::from)
            .and_then(|()| match replaces {
                Some(old) => self.folder.put_replaces(slot, old),
                None => Ok(()),
            })
            .and_then(|()| self.folder.put_name(slot, name));
        if let Err(error) = made {
            let _ = self.remove(slot, Place::Live);
            return Err(error);
        }
        Ok(self.unlocked(slot, secrets))
    }

    fn secrets(&self, slot: Slot, pin: Option<&Pin>, now_ms: i64) -> Result<Secrets, VaultError> {
        let seal = match self.entry(slot)? {
            Entry::Open(secrets) => return Ok(secrets),
            Entry::Sealed(seal) => seal,
        };
        let pin = pin.ok_or(VaultError::PinNeeded)?;
        let vault = self.vault.as_ref();
        let tries = Tries::load(vault, slot, now_ms)?;
        if let Some(until_ms) = tries.until_ms(now_ms) {
            return Err(VaultError::PinWait { until_ms });
        }
        let tries = tries.count(vault, slot, now_ms)?;
        let Some(secrets) = seal.open(pin)? else {
            return Err(VaultError::WrongPin {
                tries: tries.number(),
                until_ms: tries.until_ms(now_ms),
            });
        };
        // The PIN was right, so the account opens. A count that stays is cleared by the next right PIN.
        let _ = vault.remove(&tries::entry_name(slot));
        Ok(secrets)
    }

    fn entry(&self, slot: Slot) -> Result<Entry, VaultError> {
        self.expect(slot, Place::Live)?;
        // A device folder without its secrets came from a backup.
        let bytes = self.vault.load(&slot.to_string())?;
        Entry::from_bytes(slot, &bytes.ok_or(VaultError::KeyGone)?)
    }

    fn remove(&self, slot: Slot, place: Place) -> Result<(), VaultError> {
        self.folder.move_to(slot, place, Place::Wiped)?;
        self.erase(slot, Place::Wiped)
    }

    /// Secrets first: without them the files are noise.
    fn erase(&self, slot: Slot, place: Place) -> Result<(), VaultError> {
        for name in [
            slot.to_string(),
            tries::entry_name(slot),
            marker::entry_name(slot),
        ] {
            self.vault.remove(&name)?;
        }
        self.folder.delete(slot, place)
    }

    fn places(&self, wanted: Place) -> Result<Vec<Account>, VaultError> {
        let all = self.folder.all()?;
        let there = all.into_iter().filter(|(slot, place)| {
            // A creation that is under way is in the list when it is whole.
            let whole = *place != Place::Live || !self.folder.is_unfinished(*slot).unwrap_or(false);
            *place == wanted && whole
        });
        Ok(there
            .map(|(slot, place)| self.folder.account(slot, place))
            .collect())
    }

    fn expect(&self, slot: Slot, place: Place) -> Result<(), VaultError> {
        if self.folder.has(slot, place) {
            Ok(())
        } else {
            Err(VaultError::NoAccount)
        }
    }

    fn unlocked(&self, slot: Slot, secrets: Secrets) -> Unlocked {
        let folder = self.folder.path(slot, Place::Live);
        Unlocked::new(slot, folder, secrets, Arc::clone(&self.vault))
    }

    fn turn(&self) -> Result<Turn<'_>, VaultError> {
        if self.busy.swap(true, Ordering::Acquire) {
            return Err(VaultError::Busy);
        }
        Ok(Turn(&self.busy))
    }
}
