//! A database server that the configuration names.

use std::sync::Arc;

use crate::config::DatabaseConfig;
use crate::store::postgres::{PostgresOptions, PostgresStore};
use crate::store::{Store, StoreResult};

/// Opens the store of a deployment on a database server.
pub(super) fn open(database: &DatabaseConfig, readers: usize) -> StoreResult<Arc<dyn Store>> {
    Ok(Arc::new(connect(database, readers)?))
}

/// Connects to a database server.
pub(super) fn connect(database: &DatabaseConfig, readers: usize) -> StoreResult<PostgresStore> {
    let password = database.password.as_ref();
    let options = PostgresOptions {
        readers,
        password: password.map(|password| password.secret().to_owned()),
        ..PostgresOptions::default()
    };
    PostgresStore::open(database.url.secret(), options)
}
