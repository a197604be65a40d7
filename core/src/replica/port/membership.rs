//! The streams that hold each record, and the removal of records that no stream holds.

use super::super::engine::write::Writing;
use super::super::error::ReplicaError;
use super::super::load;
use super::super::projection::project;
use super::super::table::{
    bulletin, directory, envelope, forgotten, notice, own_void, pack, record, stray, stream,
    stream_record, verdict_change, withdrawn,
};
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::wire::digest::Digest;
use crate::wire::verdict::Status;

/// Sets the streams that may be read from now on. Returns the streams that may no longer be read. They are
/// still here, for [`lose_stream`].
pub(super) fn set_streams(
    writing: &Writing<'_>,
    streams: &[StreamId],
) -> Result<Vec<StreamId>, ReplicaError> {
    for id in streams {
        stream::add(writing.conn, *id)?;
    }
    let known = stream::all(writing.conn)?.into_iter().map(|known| known.id);
    Ok(known.filter(|id| !streams.contains(id)).collect())
}

/// Removes records from a stream that may no longer be read, and the stream with the last of them. Returns
/// the number of removed records: fewer than `records_max` when it is done.
pub(super) fn lose_stream(
    writing: &Writing<'_>,
    id: StreamId,
    records_max: usize,
) -> Result<usize, ReplicaError> {
    let Some(known) = stream::get(writing.conn, id)? else {
        return Ok(0);
    };
    let records = stream_record::records_of(writing.conn, known.no)?;
    let removed = records.len().min(records_max);
    for record in records.into_iter().take(records_max) {
        remove(writing, known.no, record)?;
    }
    if removed < records_max {
        let bytes = id.to_bytes();
        directory::delete_stream(writing.conn, &bytes)?;
        bulletin::delete_stream(writing.conn, &bytes)?;
        stream::remove(writing.conn, known.no)?;
    }
    Ok(removed)
}

/// Notes that the stream holds the record. A repeated call changes nothing.
pub(super) fn add(writing: &Writing<'_>, stream_no: i64, id: RecordId) -> Result<(), ReplicaError> {
    if stream_record::insert(writing.conn, stream_no, id)? {
        let digest = record::digest(writing.conn, id)?.map_or(Digest::EMPTY, |found| found.1);
        let before = stream::digest(writing.conn, stream_no)?;
        stream::set_digest(writing.conn, stream_no, before.plus(digest))?;
        withdrawn::delete(writing.conn, id)?;
        stray::delete(writing.conn, id)?;
        forgotten::delete(writing.conn, id)?;
    }
    Ok(())
}

/// Notes that the stream no longer holds the record. A record in no stream is removed by
/// [`purge_withdrawn`].
pub(super) fn remove(
    writing: &Writing<'_>,
    stream_no: i64,
    id: RecordId,
) -> Result<(), ReplicaError> {
    if !stream_record::delete(writing.conn, stream_no, id)? {
        return Ok(());
    }
    let digest = record::digest(writing.conn, id)?.map_or(Digest::EMPTY, |found| found.1);
    let before = stream::digest(writing.conn, stream_no)?;
    stream::set_digest(writing.conn, stream_no, before.minus(digest))?;
    if stream_record::streams_of(writing.conn, id)?.is_empty() {
        withdrawn::insert(writing.conn, id)?;
    }
    Ok(())
}

/// The server has judged everything in a stray record. Where no stream of this reader has taken it up, a
/// `Withdraw` was probably missed, so the record is withdrawn. A record that the person wrote in stays,
/// since no stream withdrew it.
pub(super) fn settle_stray(writing: &mut Writing<'_>, id: RecordId) -> Result<(), ReplicaError> {
    stray::delete(writing.conn, id)?;
    if stream_record::streams_of(writing.conn, id)?.is_empty() && !wrote_in(writing, id)? {
        withdrawn::insert(writing.conn, id)?;
    }
    purge_withdrawn(writing, usize::MAX).map(drop)
}

/// Forgets the withdrawn records that wait neither for delivery nor, with this phone's own work, for a
/// person's decision or for the words of a void envelope to be written again.
///
/// Only the author has a held envelope, so only this phone could give it back to a server that lost it, and
/// only here can its author learn of the verdict. This runs after the whole answer, because one stream may
/// take up a record that another one withdraws, and the answer brings it once. Returns the number of removed
/// records: fewer than `records_max` when none is left.
pub(super) fn purge_withdrawn(
    writing: &mut Writing<'_>,
    records_max: usize,
) -> Result<usize, ReplicaError> {
    let mut purged = 0;
    for id in withdrawn::all(writing.conn)? {
        if purged == records_max {
            break;
        }
        let waits =
            envelope::has_undecided(writing.conn, id)? || own_void::has_record(writing.conn, id)?;
        if !waits {
            forget(writing, id)?;
            purged += 1;
        }
    }
    Ok(purged)
}

fn forget(writing: &mut Writing<'_>, id: RecordId) -> Result<(), ReplicaError> {
    let conn = writing.conn;
    // A person who wrote in it is told its title, and that they may no longer read it.
    if wrote_in(writing, id)? {
        let title = record::get(conn, id)?
            .map(|row| row.title)
            .unwrap_or_default();
        let about = (Some(id), None);
        notice::insert(conn, writing.now_ms, "replica.purged", about, &title)?;
        forgotten::insert(conn, id, accepted_own(writing, id)?)?;
    }
    project::remove(conn, id)?;
    envelope::delete_record(conn, id)?;
    verdict_change::delete_record(conn, id)?;
    pack::delete(conn, id)?;
    withdrawn::delete(conn, id)?;
    stray::delete(conn, id)?;
    writing.forget(id);
    writing.certificates.rebuilds.forget();
    Ok(())
}

/// The accepted envelopes of this phone in a record.
fn accepted_own(writing: &mut Writing<'_>, id: RecordId) -> Result<i64, ReplicaError> {
    let device = writing.device();
    let nodes = writing.record(id)?.nodes().iter();
    let own = nodes.filter(|node| {
        let verdict = node.verdict.map(|verdict| verdict.status);
        node.author == device && verdict.is_some_and(Status::is_accepted)
    });
    Ok(i64::try_from(own.count()).unwrap_or(i64::MAX))
}

/// Whether this phone wrote in the record, as a single envelope or in a pack.
fn wrote_in(writing: &Writing<'_>, id: RecordId) -> Result<bool, ReplicaError> {
    if envelope::has_own(writing.conn, id)? {
        return Ok(true);
    }
    let device = writing.device();
    let packs = load::packs(writing.conn, id)?;
    let mut entries = packs.iter().flat_map(|pack| &pack.entries);
    Ok(entries.any(|entry| entry.author == device))
}
