//! Packs of records: made at the first request, kept until the record changes.

use std::sync::Arc;

use onegrid_core::id::RecordId;
use onegrid_core::limits::PACK_BYTES_MAX;
use onegrid_core::wire::digest::Digest;

use crate::records::{self, certificates::Certificates};
use crate::store::{Fate, Reader, Store, StoreError, StoreResult};

/// The result of adding a record to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackResult {
    /// The pack of the record is the newest pack of the page.
    Given,
    /// The record has no settled envelope, or the page holds the record already.
    Nothing,
    /// The stored data of the record cannot be read, so the record is left out until it is
    /// repaired.
    Damaged,
}

/// A pack that was made for a page and is worth keeping.
#[derive(Debug)]
pub(crate) struct FreshPack {
    record: RecordId,
    digest: Digest,
    bytes: Vec<u8>,
}

/// Returns the current pack of a record; `None` if the record has no settled envelope.
pub(super) fn pack(
    cache: &Certificates,
    tx: &dyn Reader,
    record: RecordId,
    made: &mut Vec<FreshPack>,
) -> StoreResult<Option<Vec<u8>>> {
    let Some(row) = tx.record(record)? else {
        return Ok(None);
    };
    if let Some(bytes) = tx.pack(record, row.digest)?
        && bytes.len() <= PACK_BYTES_MAX
    {
        return Ok(Some(bytes));
    }
    let loaded = records::load(tx, cache, record)?;
    let Some(pack) = loaded.to_pack() else {
        return Ok(None);
    };
    let bytes = pack.to_bytes().map_err(|_| StoreError::Row("a pack"))?;
    made.push(FreshPack {
        record,
        digest: row.digest,
        bytes: bytes.clone(),
    });
    Ok(Some(bytes))
}

/// Keeps packs for the next reader. This is a cache, so it need not survive a power cut.
pub(super) fn keep(store: &Arc<dyn Store>, made: Vec<FreshPack>) {
    if made.is_empty() {
        return;
    }
    store.run_later(Box::new(move |tx| {
        let kept = made
            .iter()
            .try_for_each(|made| tx.put_pack(made.record, made.digest, &made.bytes));
        if kept.is_ok() { Fate::Keep } else { Fate::Undo }
    }));
}
