//! The database of a town: a file, or a database on a server for one node or two.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onegrid_server::admin::migrate;
use onegrid_server::keys::Keys;
use onegrid_server::store::Store;
use onegrid_server::store::postgres::{PostgresOptions, PostgresStore};
use onegrid_server::store::sqlite::{SqliteOptions, SqliteStore};

use super::{LaggingStore, copy_database};
use crate::postgres::{config_of, shared};

/// Connections of a node that read at the same time.
const READERS: usize = 4;

/// The place of a town's data.
pub(super) enum Backing {
    File(PathBuf),
    Server { url: String, nodes: usize },
}

impl Backing {
    /// This file, or an empty database on a server under this number of nodes.
    pub(super) fn of(nodes: Option<usize>, file: PathBuf) -> Self {
        match nodes {
            Some(nodes) => Self::Server {
                url: shared().new_database(),
                nodes,
            },
            None => Self::File(file),
        }
    }

    /// Number of the servers over the data.
    pub(super) fn nodes(&self) -> usize {
        match self {
            Self::File(_) => 1,
            Self::Server { nodes, .. } => *nodes,
        }
    }

    /// Opens the data for one node.
    pub(super) fn open(&self) -> Arc<LaggingStore> {
        let inner: Arc<dyn Store> = match self {
            Self::File(path) => {
                let options = SqliteOptions {
                    readers: READERS,
                    cache_kib: 2_048,
                    ..SqliteOptions::default()
                };
                Arc::new(SqliteStore::open(path, options).unwrap())
            }
            Self::Server { url, .. } => {
                let options = PostgresOptions {
                    readers: READERS,
                    ..PostgresOptions::default()
                };
                Arc::new(PostgresStore::open(url, options).unwrap())
            }
        };
        Arc::new(LaggingStore::over(inner))
    }

    /// Copies all data into a new file while the nodes continue to run.
    pub(super) fn copy_to(&self, keys: &Keys, to: &Path) {
        match self {
            Self::File(path) => {
                let store = SqliteStore::open(path, SqliteOptions::default()).unwrap();
                store.backup(to).unwrap();
            }
            Self::Server { url, .. } => migrate::copy_out(&config_of(url), keys, to).unwrap(),
        }
    }

    /// Puts a copy in the place of the data.
    pub(super) fn replace(&mut self, keys: &Keys, copy: &Path) {
        match self {
            Self::File(path) => copy_database(copy, path),
            Self::Server { url, .. } => {
                *url = shared().new_database();
                let quiet = &mut |_: &str, _| {};
                migrate::copy_in(copy, keys, &config_of(url), quiet).unwrap();
            }
        }
    }
}
