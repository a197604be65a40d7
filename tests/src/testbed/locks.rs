//! The files of a folder that any process has locked, as the operating system lists them.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::json;

use super::answer::{Answer, Refusal};

/// The place where Linux lists every lock of a file.
const LOCKS: &str = "/proc/locks";

/// Returns the files below a folder, and the names of the locked ones.
pub(crate) fn of_folder(folder: &Path) -> Answer {
    let mut files = HashMap::new();
    collect(folder, &mut files)?;
    let listed = std::fs::read_to_string(LOCKS)
        .map_err(|error| Refusal::new("testbed.no_locks", error.to_string()))?;
    let mut locked: Vec<&String> = listed
        .lines()
        .filter_map(|line| files.get(&file_of(line)?))
        .collect();
    locked.sort();
    locked.dedup();
    Ok(json!({ "files": files.len(), "locked": locked }))
}

/// Collects device and inode of each file, with its name.
fn collect(folder: &Path, files: &mut HashMap<(String, u64), String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
            continue;
        }
        let found = entry.metadata()?;
        // The two halves of a device number, as Linux packs and prints them.
        let device = found.dev();
        let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
        let minor = (device & 0xff) | ((device >> 12) & !0xff);
        let name = entry.file_name().to_string_lossy().into_owned();
        files.insert((format!("{major:02x}:{minor:02x}"), found.ino()), name);
    }
    Ok(())
}

/// Returns device and inode in a line such as `1: POSIX  ADVISORY  WRITE 4711 08:01:131073 0 EOF`.
fn file_of(line: &str) -> Option<(String, u64)> {
    line.split_whitespace().find_map(|word| {
        let (device, inode) = word.rsplit_once(':')?;
        device.contains(':').then_some(())?;
        Some((device.to_owned(), inode.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn only_locked_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("free"), b"").unwrap();
        let path = folder.path().join("deep/held");
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        file.lock().unwrap();
        // One look may miss a lock, because other processes change the kernel's list meanwhile.
        let held = json!({ "files": 2, "locked": ["held"] });
        assert!((0..1_000).any(|_| of_folder(folder.path()).unwrap() == held));
        file.unlock().unwrap();
        let found = of_folder(folder.path()).unwrap();
        assert_eq!(found, json!({ "files": 2, "locked": [] }));
    }
}
