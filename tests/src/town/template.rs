//! A town in memory: every test that begins with a copy of it gets one, and no folder is left behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_server::keys::Keys;
use onegrid_server::rules::Rules;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::backing::Backing;
use super::{Places, Town, fresh_folder};

/// The content of a folder with all its subfolders. It can be kept in a static, which is never dropped, so a
/// folder on the disk would be left behind.
#[derive(Debug)]
pub struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    /// Reads the whole folder.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let mut files = Vec::new();
        collect(folder, Path::new(""), &mut files);
        Self(files)
    }

    /// Writes the whole content into a folder.
    pub fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).unwrap();
            }
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn collect(folder: &Path, name: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = name.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, files);
        } else {
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
}

/// A town that is stored in memory.
pub struct TownTemplate {
    files: Files,
    places: Arc<Places>,
    keys: Keys,
    rules: Rules,
    now_ms: i64,
    generation: u32,
}

impl Town {
    /// Shuts the server down and stores the town in memory. Its phones must be closed.
    #[must_use]
    pub fn into_template(mut self) -> TownTemplate {
        self.close_server();
        assert_eq!(self.backing.nodes(), 1, "a template is over a file");
        TownTemplate {
            files: Files::read(self.folder()),
            places: Arc::clone(&self.places),
            keys: self.keys.clone(),
            rules: self.rules.clone(),
            now_ms: self.now_ms,
            generation: self.generation,
        }
    }
}

impl TownTemplate {
    /// Returns the deployment's keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Makes a copy of the town, files and all. [`Card::open_in`](super::Card::open_in) opens its phones.
    #[must_use]
    pub fn copy(&self, seed: u64) -> Town {
        let folder = fresh_folder();
        self.files.write(folder.path());
        let mut town = Town {
            backing: Backing::of(None, folder.path().join("server.db")),
            folder,
            places: Arc::clone(&self.places),
            keys: self.keys.clone(),
            rules: self.rules.clone(),
            server: None,
            blobs: None,
            stores: Vec::new(),
            others: Vec::new(),
            turn: 0,
            now_ms: self.now_ms,
            rng: ChaCha20Rng::seed_from_u64(seed),
            generation: self.generation,
            copies: 0,
        };
        town.reopen_server();
        town
    }
}
