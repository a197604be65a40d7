//! A file that is here without a row: after a restore of an older database, or after a crash between file and
//! row. A description that fits takes it over, after its hash was computed again.

use std::sync::PoisonError;

use super::upload::{check, file_of};
use super::{Blobs, failed};
use crate::error::{Problem, Result};
use crate::store::{AttachmentKey, Description};

/// Gives a file without a row its row, if one of these descriptions fits. Returns whether the file has a row
/// now.
pub(super) fn adopt(
    blobs: &Blobs,
    key: AttachmentKey,
    given: &[Description],
    now_ms: i64,
) -> Result<bool> {
    let Some(first) = given.first() else {
        return Ok(false);
    };
    if blobs.files.length(key).map_err(failed)? != Some(first.bytes) {
        return Ok(false);
    }
    let _alone = blobs
        .checking
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let Some(bytes) = blobs.files.read(key, first.bytes).map_err(failed)? else {
        return Ok(false);
    };
    // A damaged file is no file; an upload replaces it.
    let Ok(described) = check(given, first.bytes, key, &bytes) else {
        return Ok(false);
    };
    let file = file_of(&described, now_ms);
    blobs.shared.store.write::<_, Problem>(move |tx| {
        tx.put_attachment_file(&file)?;
        Ok(tx.drop_attachment_orphan(key)?)
    })?;
    Ok(true)
}
