//! The zip file around a workbook, before anything of it is read.
//!
//! A few kilobytes can claim or hide gigabytes. So the sizes in the zip directory are summed first, and then
//! every part is unpacked into nothing, up to the limit. The reader of the workbook unpacks the same parts
//! with the same library, and so gets no more bytes than were counted here.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;

use crate::limits::XLSFORM_PARTS_MAX;

/// First bytes of a zip file.
const ZIP: &[u8] = b"PK";
/// First bytes of the container of old and of encrypted workbooks.
const COMPOUND: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0];

/// Checks the container. All parts together may have `unpacked_bytes_max`. The error is a code.
pub(in crate::admin) fn check(bytes: &[u8], unpacked_bytes_max: u64) -> Result<(), &'static str> {
    if bytes.starts_with(COMPOUND) {
        return Err("xlsform.old_workbook");
    }
    if !bytes.starts_with(ZIP) {
        return Err("xlsform.no_workbook");
    }
    let unreadable = |_| "xlsform.unreadable";
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > XLSFORM_PARTS_MAX {
        return Err("xlsform.too_many_parts");
    }
    let mut claimed: u64 = 0;
    for index in 0..archive.len() {
        let part = archive.by_index_raw(index).map_err(unreadable)?;
        claimed = claimed.saturating_add(part.size());
    }
    if claimed > unpacked_bytes_max {
        return Err("xlsform.inflates");
    }
    let mut room = unpacked_bytes_max;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(unreadable)?;
        // One byte above the limit shows that the part is longer.
        let mut part = part.take(room + 1);
        let unpacked = std::io::copy(&mut part, &mut std::io::sink());
        let unpacked = unpacked.map_err(|_| "xlsform.unreadable")?;
        room = room.checked_sub(unpacked).ok_or("xlsform.inflates")?;
    }
    Ok(())
}
