//! The rights of a device to read, as they are now.

use std::collections::BTreeSet;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::id::DeviceId;
use onegrid_core::wire::message::CloseReason;

use super::{devices, renewal, sessions};
use crate::directory::Views;
use crate::directory::routing::{self, At};
use crate::error::{Problem, Result};
use crate::store::Reader;

/// Returns the streams that a device may read now.
pub fn readable(
    views: &Views,
    tx: &dyn Reader,
    device: DeviceId,
    now_ms: i64,
) -> Result<BTreeSet<StreamId>> {
    let revoked = tx
        .device(device)?
        .is_none_or(|row| row.revoked_ms.is_some());
    let certificate = devices::newest(tx, device)?;
    let Some(certificate) = certificate.filter(|_| !revoked) else {
        return Err(Problem::new("session.revoked"));
    };
    let Some(member) = certificate.facts().member else {
        return Err(Problem::new("session.revoked"));
    };
    if sessions::is_switched_off(tx, Some(member))? {
        return Err(Problem::new("session.revoked"));
    }
    if renewal::is_over(&certificate, now_ms) {
        return Err(Problem::new(CloseReason::Expired.code()));
    }
    let view = views.at(tx)?;
    let at = At {
        directory: &view.directory,
        now_ms,
    };
    Ok(routing::read_by(member, &certificate.facts().grants, at))
}
