//! The sync server of OneGrid as a library. The binary `onegrid` only passes its arguments to it.

pub mod admin;
pub mod api;
pub mod cli;
pub mod config;
pub mod error;
pub mod feed;
pub mod ingest;
pub mod keys;
pub mod limits;
pub mod metrics;
pub mod registry;
pub mod rules;
mod sealing;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod wakeups;
