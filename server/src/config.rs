//! The configuration: `onegrid.toml` < `ONEGRID_SECTION__KEY` < flags, each value with its source.
//!
//! `config/keys.rs` lists every setting once. A setting outside that table is refused with a suggestion,
//! because a misspelt limit that is silently ignored is worse than a server that does not start.

mod database;
mod keys;
mod layers;
mod network;
mod typed;

pub use database::{DatabaseUrl, Password};
pub use keys::{KEYS, Key, Kind, Value};
pub use layers::{Effective, Inputs, PGPASSWORD, Setting, Source};
pub use network::Network;
pub use typed::{
    BackupConfig, Config, DatabaseConfig, FilesConfig, LimitsConfig, LogConfig, LogFormat,
    RulesConfig, ServerConfig, StoreConfig, TlsFiles,
};

/// Line of a text, from 1, that contains the byte.
pub(crate) fn line_at(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().iter().take(byte);
    before.filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
