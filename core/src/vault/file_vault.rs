//! A vault in a folder, for desktops, servers and tests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key_vault::{KeyVault, VaultFault};
use crate::limits::{VAULT_ENTRY_BYTES_MAX, VAULT_NAME_BYTES_MAX};

/// A folder with one file an entry. On Unix the folder is open to its owner only (0700), and so is each file
/// (0600). Where `remove` or `save` returned, a power cut changes nothing of it.
///
/// It protects against other users of the machine. It does **not** protect against programs of the same user,
/// an administrator, a thief of the disk (unless the disk is encrypted), or a backup that copies
/// the folder: such a copy holds the keys and the epoch marker, so a phone restored from it writes under an
/// epoch that was used before. An account with a PIN stays sealed in it, and a short PIN can be guessed by
/// trying them all. Phones use their hardware key store instead.
#[derive(Debug, Clone)]
pub struct FileVault {
    folder: PathBuf,
}

impl FileVault {
    /// Opens the vault in this folder and makes the folder where there is none.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, VaultFault> {
        let folder = folder.into();
        let made = make_private(&folder).and_then(|()| sync_folder(&folder));
        made.map_err(|_| VaultFault::Failed)?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> Result<PathBuf, VaultFault> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let good = (1..=VAULT_NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with('.');
        if !good {
            return Err(VaultFault::Failed);
        }
        Ok(self.folder.join(name))
    }
}

impl KeyVault for FileVault {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultFault> {
        let file = match File::open(self.path(name)?) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err(VaultFault::Failed),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(VAULT_ENTRY_BYTES_MAX + 1));
        let read = file
            .take(VAULT_ENTRY_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes);
        if read.is_err() || bytes.len() > VAULT_ENTRY_BYTES_MAX {
            return Err(VaultFault::Failed);
        }
        Ok(Some(bytes))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), VaultFault> {
        let path = self.path(name)?;
        if bytes.len() > VAULT_ENTRY_BYTES_MAX {
            return Err(VaultFault::Failed);
        }
        // No name of an entry begins with a dot, so no entry has this file.
        let next = self.folder.join(format!(".{name}.next"));
        replace(&path, &next, bytes).map_err(|_| VaultFault::Failed)
    }

    fn remove(&self, name: &str) -> Result<(), VaultFault> {
        match fs::remove_file(self.path(name)?) {
            Ok(()) => sync_folder(&self.folder.join(name)).map_err(|_| VaultFault::Failed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(_) => Err(VaultFault::Failed),
        }
    }
}

/// Writes a file whole: under another name first, made durable, then renamed.
pub(super) fn replace(path: &Path, next: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(next)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(next, path)?;
    sync_folder(path)
}

/// Makes a folder that only its owner may enter, with the folders above it.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Makes durable that `path` is, or is no longer, in its folder. Windows does so without being asked and cannot open a
/// folder.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn value(vault: &FileVault, name: &str) -> Option<Vec<u8>> {
        vault.load(name).unwrap().map(|bytes| bytes.to_vec())
    }

    #[test]
    fn entry_is_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let vault = FileVault::open(folder.path().join("deep/vault")).unwrap();
        assert_eq!(value(&vault, "a"), None);
        vault.remove("a").unwrap();
        vault.save("a", b"one").unwrap();
        vault.save("a", b"two").unwrap();
        vault.save("b", b"").unwrap();
        let again = FileVault::open(folder.path().join("deep/vault")).unwrap();
        assert_eq!(value(&again, "a"), Some(b"two".to_vec()));
        assert_eq!(value(&again, "b"), Some(Vec::new()));
        again.remove("a").unwrap();
        assert_eq!(value(&vault, "a"), None);
    }

    #[test]
    fn interrupted_save_leaves_the_old_entry() {
        let folder = tempfile::tempdir().unwrap();
        let vault = FileVault::open(folder.path()).unwrap();
        vault.save("a", b"one").unwrap();
        fs::write(folder.path().join(".a.next"), b"tw").unwrap();
        assert_eq!(value(&vault, "a"), Some(b"one".to_vec()));
        vault.save("a", b"three").unwrap();
        assert_eq!(value(&vault, "a"), Some(b"three".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn files_are_open_to_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let vault_folder = folder.path().join("vault");
        fs::create_dir(&vault_folder).unwrap();
        fs::set_permissions(&vault_folder, fs::Permissions::from_mode(0o755)).unwrap();
        let vault = FileVault::open(&vault_folder).unwrap();
        vault.save("a", b"secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&vault_folder), 0o700);
        assert_eq!(mode(&vault_folder.join("a")), 0o600);
    }

    #[test]
    fn names_and_sizes_out_of_bounds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let vault = FileVault::open(folder.path()).unwrap();
        let long = "a".repeat(VAULT_NAME_BYTES_MAX + 1);
        for bad in ["", "..", "../a", "a/b", "A", ".a.next", "瓶", &long] {
            assert_eq!(vault.load(bad), Err(VaultFault::Failed), "{bad}");
            assert_eq!(vault.save(bad, b"x"), Err(VaultFault::Failed), "{bad}");
            assert_eq!(vault.remove(bad), Err(VaultFault::Failed), "{bad}");
        }
        let large = vec![0; VAULT_ENTRY_BYTES_MAX + 1];
        assert_eq!(vault.save("a", &large), Err(VaultFault::Failed));
        fs::write(folder.path().join("a"), &large).unwrap();
        assert_eq!(vault.load("a"), Err(VaultFault::Failed));
    }
}
