//! The folder of a device's accounts: their slots, names and states.
//!
//! ```text
//! 6f0d…/          an account: name, replica.db, …
//! 91aa….aside/    an account that was started over: kept whole
//! c03e….wiped/    an account that is being removed
//! ```
//!
//! The name of a folder is the state of its account, so each change of it is one rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::account::{Account, AccountName, Slot};
use super::error::VaultError;
use super::file_vault::{make_private, replace, sync_folder};
use crate::limits::{ACCOUNT_FOLDERS_READ_MAX, ACCOUNT_NAME_CHARS_MAX};

const NAME_FILE: &str = "name";
const NAME_FILE_NEXT: &str = ".name.next";
/// Names the account that this one stands for until that is set aside.
const REPLACES_FILE: &str = ".replaces";
const REPLACES_FILE_NEXT: &str = ".replaces.next";

/// The state of an account, as the name of its folder shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In use.
    Live,
    /// Started over: nothing of it was deleted.
    Aside,
    /// Being removed.
    Wiped,
}

impl Place {
    fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Aside => ".aside",
            Self::Wiped => ".wiped",
        }
    }
}

/// The folder of a device.
#[derive(Debug)]
pub(super) struct DeviceFolder(PathBuf);

impl DeviceFolder {
    pub(super) fn open(path: PathBuf) -> Result<Self, VaultError> {
        make_private(&path).map_err(storage)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self, slot: Slot, place: Place) -> PathBuf {
        self.0.join(format!("{slot}{}", place.suffix()))
    }

    pub(super) fn has(&self, slot: Slot, place: Place) -> bool {
        self.path(slot, place).is_dir()
    }

    /// Every account folder, by slot.
    pub(super) fn all(&self) -> Result<Vec<(Slot, Place)>, VaultError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(storage)? {
            let entry = entry.map_err(storage)?;
            let name = entry.file_name();
            let Some(at) = name.to_str().and_then(slot_and_place) else {
                continue;
            };
            if found.len() == ACCOUNT_FOLDERS_READ_MAX {
                return Err(VaultError::Storage);
            }
            found.push(at);
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The account as the list shows it.
    pub(super) fn account(&self, slot: Slot, place: Place) -> Account {
        let path = self.path(slot, place).join(NAME_FILE);
        let fits = fs::metadata(&path).is_ok_and(|file| file.len() <= NAME_FILE_BYTES_MAX);
        let text = fits.then(|| fs::read_to_string(&path).ok()).flatten();
        let name = text.and_then(|text| AccountName::new(&text).ok());
        let name = name.map_or_else(|| slot.to_string(), |name| name.as_str().to_owned());
        Account { slot, name }
    }

    /// Whether a creation was cut off before it was whole: the folder has neither name nor anything else.
    pub(super) fn is_unfinished(&self, slot: Slot) -> Result<bool, VaultError> {
        for entry in fs::read_dir(self.path(slot, Place::Live)).map_err(storage)? {
            let name = entry.map_err(storage)?.file_name();
            let of_creation = [NAME_FILE_NEXT, REPLACES_FILE, REPLACES_FILE_NEXT];
            if !of_creation.iter().any(|known| name == *known) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn make(&self, slot: Slot) -> Result<(), VaultError> {
        let path = self.path(slot, Place::Live);
        make_private(&path)
            .and_then(|()| sync_folder(&path))
            .map_err(storage)
    }

    pub(super) fn put_name(&self, slot: Slot, name: &AccountName) -> Result<(), VaultError> {
        let folder = self.path(slot, Place::Live);
        let (path, next) = (folder.join(NAME_FILE), folder.join(NAME_FILE_NEXT));
        replace(&path, &next, name.as_str().as_bytes()).map_err(storage)
    }

    /// Notes that an account, which is being made, is to stand for another one.
    pub(super) fn put_replaces(&self, slot: Slot, old: Slot) -> Result<(), VaultError> {
        let folder = self.path(slot, Place::Live);
        let (path, next) = (folder.join(REPLACES_FILE), folder.join(REPLACES_FILE_NEXT));
        replace(&path, &next, old.to_string().as_bytes()).map_err(storage)
    }

    /// The account that this one stands for, where that was not set aside yet.
    pub(super) fn replaces(&self, slot: Slot) -> Option<Slot> {
        let path = self.path(slot, Place::Live).join(REPLACES_FILE);
        fs::read_to_string(path).ok()?.parse().ok()
    }

    /// The account that this one stands for is set aside.
    pub(super) fn replaced(&self, slot: Slot) -> Result<(), VaultError> {
        let path = self.path(slot, Place::Live).join(REPLACES_FILE);
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&path).map_err(storage),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(storage(error)),
        }
    }

    pub(super) fn move_to(&self, slot: Slot, from: Place, to: Place) -> Result<(), VaultError> {
        let target = self.path(slot, to);
        fs::rename(self.path(slot, from), &target)
            .and_then(|()| sync_folder(&target))
            .map_err(storage)
    }

    /// Deletes the folder with everything in it.
    pub(super) fn delete(&self, slot: Slot, place: Place) -> Result<(), VaultError> {
        let path = self.path(slot, place);
        match fs::remove_dir_all(&path) {
            Ok(()) => sync_folder(&path).map_err(storage),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(storage(error)),
        }
    }
}

/// A character has at most four bytes.
const NAME_FILE_BYTES_MAX: u64 = 4 * ACCOUNT_NAME_CHARS_MAX as u64;

fn slot_and_place(name: &str) -> Option<(Slot, Place)> {
    [Place::Aside, Place::Wiped, Place::Live]
        .into_iter()
        .find_map(|place| {
            let slot = Path::new(name.strip_suffix(place.suffix())?);
            Some((slot.to_str()?.parse().ok()?, place))
        })
}

#[allow(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn storage(_: io::Error) -> VaultError {
    VaultError::Storage
}
