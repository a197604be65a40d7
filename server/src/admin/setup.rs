//! A new deployment: root key, server keys, an empty store.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use onegrid_core::domain::category::Categories;
use onegrid_core::domain::directory::DirectoryEntry;
use onegrid_core::trust::sign::SecretKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::ADMIN;
use super::data_dir::DataDir;
use crate::error::{Problem, Result};
use crate::keys::{Keys, write_secret};
use crate::rules::Rules;
use crate::server::Server;
use crate::store::Store;
use crate::store::sqlite::{SqliteOptions, SqliteStore};

/// First line of the file of a root key.
const ROOT_KEY_HEAD: &str = "onegrid root key v1";

/// Makes a deployment. The root key goes into a new file of its own, which is to be taken off this machine;
/// the server never needs it again, only new server keys do.
pub fn prepare(
    data: &DataDir,
    root_key: &Path,
    now_ms: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Keys> {
    data.make()?;
    let _lock = data.lock()?;
    if data.keys().exists() || data.database().exists() {
        return Err(Problem::new("data.prepared").with("path", data.path().display()));
    }
    let (keys, root) = Keys::create(now_ms, rng)?;
    write_root(root_key, &root)?;
    keys.write(&data.keys())?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(
        &data.database(),
        SqliteOptions::default(),
    )?);
    Server::prepare(&store, &keys, now_ms)?;
    // Without its categories no rule of triage would ever find a case that it is for.
    let categories = Categories::built_in();
    let entries = categories.iter().cloned();
    let entries = entries.map(DirectoryEntry::Category).collect();
    Server::open(store, keys.clone(), Rules::none())?.publish(entries, ADMIN, now_ms)?;
    Ok(keys)
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
    write_secret(path, text.as_bytes())
}
