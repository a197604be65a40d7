//! Tests of the gate and of typed content.
#![allow(clippy::unwrap_used, reason = "tests")]

mod chunk;
mod claims;
mod content;
mod hostile;
mod merge;
mod mutants;
mod rebuilt;
mod reload;
mod saved;
mod support;
mod twins;
