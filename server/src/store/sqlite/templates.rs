//! Table `templates`: every version of every template of checklists.

use onegrid_core::domain::form::TemplateId;
use onegrid_core::id::Hash;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::convert::limit;
use crate::store::TemplateRow;

const TEMPLATE: &str = "SELECT id, version, bytes, hash, imported_ms, imported_by FROM templates";

pub(super) fn put(db: &Connection, row: &TemplateRow) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO templates (id, version, bytes, hash, imported_ms, imported_by)
         VALUES (?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        row.id,
        row.version,
        row.bytes,
        row.hash.0,
        row.imported_ms,
        row.imported_by,
    ])
    .map(drop)
}

pub(super) fn find(db: &Connection, id: &TemplateId, version: u32) -> Result<Option<TemplateRow>> {
    db.prepare_cached(&format!("{TEMPLATE} WHERE id = ? AND version = ?"))?
        .query_row(params![id.as_str(), version], read)
        .optional()
}

pub(super) fn newest(db: &Connection, id: &TemplateId) -> Result<Option<TemplateRow>> {
    db.prepare_cached(&format!(
        "{TEMPLATE} WHERE id = ? ORDER BY version DESC LIMIT 1"
    ))?
    .query_row([id.as_str()], read)
    .optional()
}

pub(super) fn page(
    db: &Connection,
    (id, version): (&str, u32),
    count_max: usize,
) -> Result<Vec<TemplateRow>> {
    db.prepare_cached(&format!(
        "{TEMPLATE} WHERE (id, version) > (?, ?) ORDER BY id, version LIMIT ?"
    ))?
    .query_map(params![id, version, limit(count_max)], read)?
    .collect()
}

fn read(row: &Row<'_>) -> Result<TemplateRow> {
    Ok(TemplateRow {
        id: row.get(0)?,
        version: row.get(1)?,
        bytes: row.get(2)?,
        hash: row.get(3).map(Hash)?,
        imported_ms: row.get(4)?,
        imported_by: row.get(5)?,
    })
}
