//! Setup of a deployment: root key, server keys, and a store with the built-in categories.
//!
//! ```text
//!  keys and store, ready in a folder inside ─▶ the root key gets its file ─▶ keys in place ─▶ store in place
//! ```
//!
//! **Invariant:** the deployment exists only after the last step, and an interrupted command can be repeated.
//! If the root key has no file yet, the setup begins again; otherwise it continues with the prepared keys and
//! store.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use onegrid_core::domain::category::Categories;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::id::Hash;
use onegrid_core::trust::sign::SecretKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ADMIN;
use super::backup::or_remove;
use super::data_dir::{DataDir, sync, sync_parent, unusable, with_suffix};
use crate::error::{Problem, Result};
use crate::keys::{Keys, write_secret};
use crate::rules::Rules;
use crate::server::Server;
use crate::store::Store;
use crate::store::sqlite::{self, SqliteOptions, SqliteStore};

/// First line of a root key file.
const ROOT_KEY_HEAD: &str = "onegrid root key v1";

/// Sets up a deployment. The root key goes into a new file, which the operator moves off this machine. The
/// server never needs it again; only new server keys need it.
pub fn prepare(
    data: &DataDir,
    root_key: &Path,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Keys> {
    prepare_with(data, root_key, now_ms, rng, |_| Ok(()))
}

/// Sets up a deployment, and lets `fill` add entries to the store.
pub fn prepare_with(
    data: &DataDir,
    root_key: &Path,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
    fill: impl FnOnce(&Server) -> Result<()>,
) -> Result<Keys> {
    data.make()?;
    let _lock = data.lock()?;
    let ready = DataDir::at(&data.path().join("preparing"));
    let keys = if let Some(keys) = broken_off(data, &ready, root_key) {
        keys
    } else {
        if data.keys().exists() || data.database().exists() {
            return Err(Problem::new("data.prepared").with("path", data.path().display()));
        }
        if root_key.exists() {
            return Err(Problem::new("keys.exist").with("path", root_key.display()));
        }
        let (keys, root) = Keys::create(now_ms, rng)?;
        // On a full disk the remainder would keep the next attempt from its room.
        or_remove(ready.path(), make_ready(&ready, &keys, now_ms, fill))?;
        write_root(root_key, &root)?;
        keys
    };
    data.take(&ready)?;
    Ok(keys)
}

/// Keys of an interrupted setup that had already written the root key; keys and store are then complete.
fn broken_off(data: &DataDir, ready: &DataDir, root_key: &Path) -> Option<Keys> {
    if data.database().exists() || !ready.database().exists() {
        return None;
    }
    let keys = match (data.keys().exists(), ready.keys().exists()) {
        (true, false) => data.keys(),
        (false, true) => ready.keys(),
        // Additional keys belong to another deployment.
        _ => return None,
    };
    let keys = Keys::read(&keys).ok()?;
    let root = read_root(root_key)?;
    (root.public() == *keys.anchors().root()).then_some(keys)
}

fn make_ready(
    ready: &DataDir,
    keys: &Keys,
    now_ms: i64,
    fill: impl FnOnce(&Server) -> Result<()>,
) -> Result<()> {
    ready.make_anew()?;
    keys.write(&ready.keys())?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(
        &ready.database(),
        SqliteOptions::default(),
    )?);
    Server::prepare(&store, keys, now_ms)?;
    let server = Server::open(store, keys.clone(), Rules::none())?;
    // Rules of triage refer to categories, so without categories no rule ever applies.
    let categories = Categories::built_in();
    let entries = categories.iter().cloned();
    let entries = entries.map(DirectoryEntry::Category).collect();
    server.publish(entries, ADMIN, now_ms)?;
    server.put_shipped_templates(now_ms)?;
    fill(&server)?;
    drop(server);
    // Closing merges the log as well, but reports no full disk.
    sqlite::merge_log(&ready.database())?;
    sync(&ready.database())
}

fn write_root(path: &Path, root: &SecretKey) -> Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(128));
    text.push_str(ROOT_KEY_HEAD);
    text.push('\n');
    for byte in root.seed().iter() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\n');
    // The file gets its final name only when it is complete.
    let part = with_suffix(path, "part");
    if part.exists() {
        std::fs::remove_file(&part).map_err(|error| unusable(&part, &error))?;
    }
    write_secret(&part, text.as_bytes())?;
    std::fs::rename(&part, path).map_err(|error| unusable(path, &error))?;
    sync_parent(path)
}

/// The root key in a file.
pub(super) fn read_root(path: &Path) -> Option<SecretKey> {
    let text = Zeroizing::new(std::fs::read_to_string(path).ok()?);
    let rest = text.strip_prefix(ROOT_KEY_HEAD)?;
    let seed: Hash = rest.trim().parse().ok()?;
    Some(SecretKey::from_seed(&Zeroizing::new(seed.0)))
}
