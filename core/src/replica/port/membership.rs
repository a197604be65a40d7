//! Which streams hold which record, and what goes when none does any more.

use super::super::engine::write::Writing;
use super::super::engine::{load, project};
use super::super::error::ReplicaError;
use super::super::table::{
    bulletin, directory, envelope, notice, pack, record, stray, stream, stream_record,
    verdict_change, withdrawn,
};
use crate::domain::stream::StreamId;
use crate::id::RecordId;
use crate::wire::digest::Digest;

/// The streams that may be read from now on, all of them.
pub(super) fn set_streams(writing: &Writing<'_>, streams: &[StreamId]) -> Result<(), ReplicaError> {
    for known in stream::all(writing.conn)? {
        if streams.contains(&known.id) {
            continue;
        }
        for id in stream_record::records_of(writing.conn, known.no)? {
            remove(writing, known.no, id)?;
        }
        let bytes = known.id.to_bytes();
        directory::delete_stream(writing.conn, &bytes)?;
        bulletin::delete_stream(writing.conn, &bytes)?;
        stream::remove(writing.conn, known.no)?;
    }
    for id in streams {
        stream::add(writing.conn, *id)?;
    }
    Ok(())
}

/// The stream holds the record. Nothing changes when it did already.
pub(super) fn add(writing: &Writing<'_>, stream_no: i64, id: RecordId) -> Result<(), ReplicaError> {
    if stream_record::insert(writing.conn, stream_no, id)? {
        let digest = record::digest(writing.conn, id)?.map_or(Digest::EMPTY, |found| found.1);
        let before = stream::digest(writing.conn, stream_no)?;
        stream::set_digest(writing.conn, stream_no, before.plus(digest))?;
        withdrawn::delete(writing.conn, id)?;
        stray::delete(writing.conn, id)?;
    }
    Ok(())
}

/// The stream holds the record no more. When none does, it goes with [`purge_withdrawn`].
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

/// The server has all of a stray record that has a verdict. Where no stream of this reader has taken it up, it is
/// as if a `Withdraw` had been missed; what the person wrote in stays, since nobody withdrew it.
pub(super) fn settle_stray(writing: &mut Writing<'_>, id: RecordId) -> Result<(), ReplicaError> {
    stray::delete(writing.conn, id)?;
    if stream_record::streams_of(writing.conn, id)?.is_empty() && !wrote_in(writing, id)? {
        withdrawn::insert(writing.conn, id)?;
    }
    purge_withdrawn(writing)
}

/// Forgets the withdrawn records of which nothing waits any more: for its delivery, or, of this phone's own
/// work, for a person who decides. What is held nobody but its author has: only this phone could give it back
/// to a server that lost it, and only here can its author be told what became of it. After all of an answer:
/// what one stream withdraws another one may take up, and the answer brings it once.
pub(super) fn purge_withdrawn(writing: &mut Writing<'_>) -> Result<(), ReplicaError> {
    for id in withdrawn::all(writing.conn)? {
        if !envelope::has_undecided(writing.conn, id)? {
            forget(writing, id)?;
        }
    }
    Ok(())
}

fn forget(writing: &mut Writing<'_>, id: RecordId) -> Result<(), ReplicaError> {
    let conn = writing.conn;
    // Somebody who wrote in it is told that it is no longer theirs to read, and what it was.
    if wrote_in(writing, id)? {
        let title = record::get(conn, id)?
            .map(|row| row.title)
            .unwrap_or_default();
        let about = (Some(id), None);
        notice::insert(conn, writing.now_ms, "replica.purged", about, &title)?;
    }
    project::remove(conn, id)?;
    envelope::delete_record(conn, id)?;
    verdict_change::delete_record(conn, id)?;
    pack::delete(conn, id)?;
    withdrawn::delete(conn, id)?;
    stray::delete(conn, id)?;
    writing.forget(id);
    crate::crdt::forget_rebuilt();
    Ok(())
}

/// Whether this phone wrote anything of the record, alone or in a pack.
fn wrote_in(writing: &Writing<'_>, id: RecordId) -> Result<bool, ReplicaError> {
    if envelope::has_own(writing.conn, id)? {
        return Ok(true);
    }
    let device = writing.device();
    let packs = load::packs(writing.conn, id)?;
    let mut entries = packs.iter().flat_map(|pack| &pack.entries);
    Ok(entries.any(|entry| entry.author == device))
}
