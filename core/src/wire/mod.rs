//! Bytes ↔ checked types. The meaning of an envelope is decided elsewhere.

pub mod body;
mod columns;
pub mod cursor;
pub mod digest;
pub mod envelope;
mod envelope_error;
pub mod frame;
#[cfg(test)]
pub(crate) mod golden_tests;
pub mod intern;
pub mod join_code;
pub mod measure;
pub mod message;
pub mod pack;
mod pack_codec;
mod pack_columns;
mod pack_reader;
mod pack_writer;
pub mod page;
pub mod parcel;
pub mod receipt;
pub mod repair;
#[cfg(test)]
mod sample_messages;
#[cfg(test)]
mod samples;
pub mod sealed;
pub mod signed_entry;
#[cfg(test)]
mod signed_tests;
mod status;
pub mod transfer;
pub mod verdict;
