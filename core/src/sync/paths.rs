//! The paths of the server: docs/protocol.md, “Session and HTTP”.

use crate::id::{Hash, RecordId};

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
/// Photos and recordings; a record and an id follow, see [`attachment_path`].
pub const ATTACHMENTS_PATH: &str = "/v1/attachments";
/// Asks which files the server lacks.
pub const ATTACHMENTS_NEEDED_PATH: &str = "/v1/attachments/needed";

/// Media type of handshakes and enrolments.
pub const MEDIA_CBOR: &str = "application/cbor";
/// Media type of sync messages.
pub const MEDIA_SYNC: &str = "application/cbor+zstd";

/// The path of one photo or recording.
#[must_use]
pub fn attachment_path(record: RecordId, id: Hash) -> String {
    format!("{ATTACHMENTS_PATH}/{record}/{id}")
}
