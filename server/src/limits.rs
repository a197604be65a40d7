//! Limits that only the server has. What both sides must agree on stands in `onegrid_core::limits`.

use std::time::Duration;

/// Bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1_024;
/// The largest request body that a configuration may allow, in bytes.
pub const BODY_BYTES_CEILING: u64 = 256 * 1_024 * 1_024;
/// Bytes of a TLS certificate chain or key file.
pub const TLS_FILE_BYTES_MAX: u64 = 1_024 * 1_024;
/// How long a connection may take to send the head of a request.
pub const HEAD_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long a TLS handshake may take.
pub const HANDSHAKE_WAIT_MAX: Duration = Duration::from_secs(10);
