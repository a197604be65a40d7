//! The bulletin of a village: summaries of its cases, made by the server for every enrolled member
//! of the village.

use onegrid_core::domain::bulletin::Summary;
use onegrid_core::domain::case::RecordState;
use onegrid_core::domain::point::GeoPoint;
use onegrid_core::domain::{Audience, StreamId};
use onegrid_core::id::RecordId;
use onegrid_core::wire::digest::Digest;

use crate::store::{Entry, NewEntry, Reader, StoreResult, Writer};

/// Returns the summary of a case and the stream that carries it; `None` if the case is not for
/// everybody.
pub(super) fn summary(
    record: RecordId,
    state: &RecordState,
    position: Option<GeoPoint>,
) -> Option<(StreamId, Summary)> {
    let village = state.place().village()?;
    let case = state.case()?;
    if state.facts.audience != Audience::Staff {
        return None;
    }
    let summary = Summary {
        record,
        kind: state.facts.kind,
        category: case.category.clone(),
        stage: case.stage,
        position: position.map(|point| (point.lat_e7(), point.lon_e7())),
        reported_ms: state.reported_ms,
    };
    Some((StreamId::Bulletin(village), summary))
}

/// Whether the stream carries this summary.
pub(super) fn is_published(
    tx: &dyn Reader,
    stream: StreamId,
    summary: &Summary,
) -> StoreResult<bool> {
    let known = tx.current_of(stream, &summary.record.0)?;
    Ok(known.is_some_and(|known| known.data == bytes_of(summary)))
}

fn bytes_of(summary: &Summary) -> Vec<u8> {
    minicbor::to_vec(summary).expect("writing CBOR to memory does not fail")
}

/// Publishes a summary if it differs from the published one; returns the stream that changed.
pub(super) fn publish(
    tx: &mut dyn Writer,
    stream: StreamId,
    summary: &Summary,
) -> StoreResult<Option<StreamId>> {
    let name = summary.record.0;
    if is_published(tx, stream, summary)? {
        return Ok(None);
    }
    let data = bytes_of(summary);
    let line = NewEntry {
        entry: Entry::Bulletin(data.clone()),
        adds: Digest::EMPTY,
    };
    let head = tx.append(stream, &[line])?;
    tx.set_current(stream, &name, head.position, Some(&data))?;
    Ok(Some(stream))
}
