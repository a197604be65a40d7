//! A file that is here without a row: after a restore of an older database, or after a crash between file and
//! row. A description that fits takes it over, after its hash was computed again.

use super::upload::{check, file_of};
use super::{Blobs, failed};
use crate::error::{Problem, Result};
use crate::store::{AttachmentKey, Description};

/// The outcome for a file without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adoption {
    /// It has a row now.
    Adopted,
    /// There is none, or no description fits it.
    Unfit,
    /// The disk does not give its bytes.
    Unreadable,
}

/// Gives a file without a row its row, if one of these descriptions fits.
pub(super) fn adopt(
    blobs: &Blobs,
    key: AttachmentKey,
    given: &[Description],
    now_ms: i64,
) -> Result<Adoption> {
    let Some(first) = given.first() else {
        return Ok(Adoption::Unfit);
    };
    match blobs.files.length(key) {
        Ok(Some(length)) if length == first.bytes => {}
        Ok(_) => return Ok(Adoption::Unfit),
        Err(_) => return Ok(Adoption::Unreadable),
    }
    let _alone = blobs.alone()?;
    // A damaged file is no file; an upload replaces it.
    let bytes = match blobs.files.read(key, first.bytes) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Adoption::Unfit),
        Err(_) => return Ok(Adoption::Unreadable),
    };
    let Ok(described) = check(given, first.bytes, key, &bytes) else {
        return Ok(Adoption::Unfit);
    };
    // The name of the file may not be on the disk yet, because a crash or a fault came after the rename.
    blobs.files.sync_folder_of(key).map_err(failed)?;
    let file = file_of(&described, now_ms);
    blobs.shared.store.write::<_, Problem>(move |tx| {
        tx.put_attachment_file(&file)?;
        Ok(tx.drop_attachment_orphan(key)?)
    })?;
    Ok(Adoption::Adopted)
}
