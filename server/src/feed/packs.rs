//! Packs of records: made when first asked for, kept until the record changes.

use onegrid_core::id::RecordId;
use onegrid_core::wire::digest::Digest;

use crate::ingest::records;
use crate::server::Server;
use crate::store::{Fate, Reader, StoreError, StoreResult};

/// A pack that was made for a page and is worth keeping.
#[derive(Debug)]
pub(crate) struct Made {
    record: RecordId,
    digest: Digest,
    bytes: Vec<u8>,
}

impl Server {
    /// The pack of a record as it is now; `None` where nothing of it is settled.
    pub(crate) fn pack(
        &self,
        tx: &dyn Reader,
        record: RecordId,
        made: &mut Vec<Made>,
    ) -> StoreResult<Option<Vec<u8>>> {
        let Some(row) = tx.record(record)? else {
            return Ok(None);
        };
        if let Some(bytes) = tx.pack(record, row.digest)? {
            return Ok(Some(bytes));
        }
        let loaded = records::load(tx, &self.certificates, record)?;
        let Some(pack) = loaded.to_pack() else {
            return Ok(None);
        };
        let bytes = pack.to_bytes().map_err(|_| StoreError::Row("a pack"))?;
        made.push(Made {
            record,
            digest: row.digest,
            bytes: bytes.clone(),
        });
        Ok(Some(bytes))
    }

    /// Keeps packs for the next reader. A cache: it need not survive a power cut.
    pub(crate) fn keep_packs(&self, made: Vec<Made>) {
        if made.is_empty() {
            return;
        }
        self.store.run_later(Box::new(move |tx| {
            let kept = made
                .iter()
                .try_for_each(|made| tx.put_pack(made.record, made.digest, &made.bytes));
            if kept.is_ok() { Fate::Keep } else { Fate::Undo }
        }));
    }
}
