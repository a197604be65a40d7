//! Every limit on what comes from outside, in one place. Zero never means “no limit”.
//!
//! Limits on the content of records are counts, never time, memory or merged size: every replica must
//! refuse the same things.

/// Parents of one envelope (heads of the record's DAG that its author had seen).
pub const PARENTS_MAX: usize = 16;
/// Bytes of an envelope's header.
pub const HEADER_BYTES_MAX: usize = 1_024;
/// Bytes of an envelope's body.
pub const BODY_BYTES_MAX: usize = 256 * 1_024;
/// Nesting of any CBOR that is read.
pub const CBOR_DEPTH_MAX: usize = 16;
