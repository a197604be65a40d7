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

// Imports.

/// Bytes of one imported file.
pub const IMPORT_FILE_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Rows of one imported table.
pub const IMPORT_ROWS_MAX: usize = 200_000;
/// Columns of one imported table.
pub const IMPORT_COLUMNS_MAX: usize = 64;
/// Bytes of one cell of an imported table.
pub const IMPORT_CELL_BYTES_MAX: usize = 4_000;
/// Bad rows that are reported one by one; beyond that the import stops.
pub const IMPORT_BAD_ROWS_MAX: usize = 10_000;
/// Areas that one row of a table of members may name.
pub const IMPORT_AREAS_PER_ROW_MAX: usize = 64;
/// Points of one imported polygon, over all its rings: the check for crossings is quadratic.
pub const IMPORT_POLYGON_POINTS_MAX: usize = 20_000;
/// Jobs that share one durable transaction of the store.
pub const JOBS_PER_COMMIT_MAX: usize = 64;
/// Jobs that wait for the writer of the store; who comes later waits before queueing.
pub const JOBS_WAITING_MAX: usize = 256;
