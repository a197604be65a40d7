//! The paths of the server: docs/protocol.md, “Session and HTTP”.

/// Shows the root key of the deployment: 32 bytes.
pub const AUTHORITY_PATH: &str = "/v1/authority";
/// Enrolment.
pub const ENROL_PATH: &str = "/v1/enrol";
/// Both steps of the handshake.
pub const SESSION_PATH: &str = "/v1/session";
/// The sync.
pub const SYNC_PATH: &str = "/v1/sync";
/// Wake-ups, by WebSocket.
pub const LIVE_PATH: &str = "/v1/live";

/// Media type of handshakes and enrolments.
pub const MEDIA_CBOR: &str = "application/cbor";
/// Media type of sync messages.
pub const MEDIA_SYNC: &str = "application/cbor+zstd";
