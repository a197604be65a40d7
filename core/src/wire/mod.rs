//! Bytes ↔ checked types. Nothing in here decides what an envelope means.

pub mod body;
pub mod canonical;
pub mod envelope;
pub mod verdict;
