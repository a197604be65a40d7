//! The rights to give a file and to read one.
//!
//! | description | may give | may read |
//! |---|---|---|
//! | accepted | its author, and readers of the record | readers of the record |
//! | held | the same | its author |
//! | void or refused | – | – |

use std::collections::BTreeSet;

use onegrid_core::domain::StreamId;
use onegrid_core::id::DeviceId;
use onegrid_core::wire::verdict::Status;

use crate::directory::Views;
use crate::error::Result;
use crate::registry::reading;
use crate::store::{AttachmentKey, Description, Reader, StoreResult};

/// The access of a reader to a file.
pub(super) enum Access {
    /// It reads the record by this stream.
    Stream(StreamId),
    /// It wrote the held description.
    Author,
}

/// Returns the descriptions by which a device may give a file, its own descriptions first.
pub(super) fn giveable(
    tx: &dyn Reader,
    streams: &BTreeSet<StreamId>,
    device: DeviceId,
    key: AttachmentKey,
) -> StoreResult<Vec<Description>> {
    let described = tx.descriptions(key)?;
    if described.is_empty() {
        return Ok(Vec::new());
    }
    let reads = stream_of(tx, streams, key)?.is_some();
    let mut given: Vec<Description> = described
        .into_iter()
        .filter(|(description, status)| {
            counts_or_waits(*status) && (reads || description.author == device)
        })
        .map(|(description, _)| description)
        .collect();
    given.sort_by_key(|description| description.author != device);
    Ok(given)
}

/// Returns the access of a device to a file.
pub(super) fn access(
    tx: &dyn Reader,
    streams: &BTreeSet<StreamId>,
    device: DeviceId,
    key: AttachmentKey,
) -> StoreResult<Option<Access>> {
    let described = tx.descriptions(key)?;
    if described.iter().any(|(_, status)| status.is_accepted())
        && let Some(stream) = stream_of(tx, streams, key)?
    {
        return Ok(Some(Access::Stream(stream)));
    }
    let own = described.iter().any(|(description, status)| {
        matches!(status, Status::Held(_)) && description.author == device
    });
    // Only its author and the server have a held description. Where others describe the file too, the author may
    // have copied the id from them.
    let is_alone = described
        .iter()
        .all(|(description, _)| description.author == device);
    Ok((own && is_alone).then_some(Access::Author))
}

/// The streams that a device reads now; none once its certificate has run out, because late work is still taken.
pub(super) fn streams_of_giver(
    views: &Views,
    tx: &dyn Reader,
    device: DeviceId,
    now_ms: i64,
) -> Result<BTreeSet<StreamId>> {
    match reading::readable(views, tx, device, now_ms) {
        Err(problem) if problem.code() == "session.certificate_expired" => Ok(BTreeSet::new()),
        found => found,
    }
}

/// Whether a description counts, or may count after a review.
pub(super) const fn counts_or_waits(status: Status) -> bool {
    matches!(
        status,
        Status::Accepted | Status::Admitted | Status::Held(_)
    )
}

fn stream_of(
    tx: &dyn Reader,
    streams: &BTreeSet<StreamId>,
    key: AttachmentKey,
) -> StoreResult<Option<StreamId>> {
    let of_record = tx.record_streams(key.record)?;
    Ok(of_record
        .into_iter()
        .find(|stream| streams.contains(stream)))
}
