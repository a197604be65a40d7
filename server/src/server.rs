//! A sync node: all actions of the server, as plain synchronous functions over a store.
//!
//! ```text
//!  bytes ─▶ registry (who is it) ─▶ ingest (judge, order, store) ─▶ receipts
//!                                └▶ feed (choose new entries that it may read) ─▶ page
//! ```
//!
//! **Not here:** sockets, HTTP, clocks and random sources. Callers pass `now_ms` and `rng`, so that a
//! simulator can drive the same code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use onegrid_core::trust::session::{HandshakeId, ServerHandshake};

use crate::directory::{self, Views};
use crate::error::{Problem, Result};
use crate::feed::remembered::Remembered;
use crate::ingest::ration::Ceilings;
use crate::ingest::records::Records;
use crate::keys::Keys;
use crate::records::certificates::Certificates;
use crate::rules::Rules;
use crate::store::Store;
use crate::wakeups::Wakeups;

/// A sync node.
pub struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) views: Views,
    pub(crate) certificates: Certificates,
    pub(crate) records: Records,
    pub(crate) remembered: Remembered,
    pub(crate) wakeups: Wakeups,
    pub(crate) ceilings: Ceilings,
    pub(crate) handshakes: Mutex<HashMap<HandshakeId, ServerHandshake>>,
}

impl Server {
    /// Opens a node over a store that `init` has prepared.
    pub fn open(store: Arc<dyn Store>, keys: Keys, rules: Rules) -> Result<Self> {
        let root = store.read(|tx| tx.meta(ROOT))?;
        match root {
            None => return Err(Problem::new("store.not_initialised")),
            Some(root) if root != keys.anchors().root().as_bytes() => {
                return Err(Problem::new("keys.of_another_deployment"));
            }
            Some(_) => {}
        }
        sign_again(&store, &keys)?;
        Ok(Self {
            store,
            keys: Arc::new(keys),
            rules: Arc::new(rules),
            views: Views::default(),
            certificates: Certificates::default(),
            records: Records::default(),
            remembered: Remembered::default(),
            wakeups: Wakeups::default(),
            ceilings: Ceilings::default(),
            handshakes: Mutex::default(),
        })
    }

    /// Prepares an empty store for a deployment: generation 1, its root key, and the server's own
    /// author.
    pub fn prepare(store: &Arc<dyn Store>, keys: &Keys, now_ms: i64) -> Result<()> {
        let root = *keys.anchors().root().as_bytes();
        let author = Arc::clone(keys.author_certificate());
        store.write(move |tx| {
            if tx.meta(ROOT)?.is_some() {
                return Err(Problem::new("store.initialised"));
            }
            tx.set_meta(ROOT, &root)?;
            directory::set_generation(tx, 1)?;
            crate::registry::devices::put_author(tx, &author, now_ms)?;
            crate::registry::audit::note(tx, now_ms, "admin", "server.init", "")?;
            Ok(())
        })
    }

    /// The store of this node.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The keys of this deployment.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Generation of the data.
    pub fn generation(&self) -> Result<u32> {
        Ok(self.store.read(|tx| directory::generation(tx))?)
    }
}

/// Signs everything in the store again that no key of the present list signed: after a rotation, and in a
/// backup that is older than one.
fn sign_again(store: &Arc<dyn Store>, keys: &Keys) -> Result<()> {
    let number = keys.anchors().list().number.to_be_bytes();
    let known = store.read(|tx| tx.meta(KEY_LIST))?;
    if known.as_deref() == Some(number.as_slice()) {
        return Ok(());
    }
    let keys = keys.clone();
    store.write::<_, Problem>(move |tx| {
        let count = tx.sign_again(&keys)?;
        tx.set_meta(KEY_LIST, &number)?;
        tracing::info!(count, "signed again under the present keys");
        Ok(())
    })
}

/// Key of a note in the store: the number of the list of keys under which everything in it is signed.
const KEY_LIST: &str = "key_list";

/// Key of a note in the store: the root public key.
const ROOT: &str = "root";
