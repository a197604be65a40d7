//! The sync server of OneGrid as a library. The binary `onegrid` only passes its arguments to it.

pub mod admin;
pub mod api;
pub mod blobs;
pub mod cli;
pub mod config;
pub mod directory;
pub mod error;
pub mod feed;
pub mod gate;
pub mod ingest;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod records;
pub mod registry;
pub mod rules;
pub mod server;
pub mod shared;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod wakeups;
