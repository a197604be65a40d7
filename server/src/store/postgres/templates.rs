//! Table `templates`: every version of every template of checklists.

use onegrid_core::domain::form::TemplateId;
use onegrid_core::id::Hash;
use tokio_postgres::Row;

use super::convert::{Columns as _, values};
use super::db::Db;
use crate::store::{StoreResult, TemplateRow};

pub(super) fn put(db: &Db, row: &TemplateRow) -> StoreResult<()> {
    db.send(
        "INSERT INTO templates (id, version, bytes, hash, imported_ms, imported_by)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        values![
            &row.id,
            row.version,
            &row.bytes,
            row.hash.0,
            row.imported_ms,
            &row.imported_by,
        ],
    )
}

pub(super) fn find(db: &Db, id: &TemplateId, version: u32) -> StoreResult<Option<TemplateRow>> {
    let row = db.one(
        "SELECT id, version, bytes, hash, imported_ms, imported_by FROM templates
         WHERE id = $1 AND version = $2",
        values![id.as_str(), version],
    )?;
    row.map(|row| read(&row)).transpose()
}

pub(super) fn newest(db: &Db, id: &TemplateId) -> StoreResult<Option<TemplateRow>> {
    let row = db.one(
        "SELECT id, version, bytes, hash, imported_ms, imported_by FROM templates
         WHERE id = $1 ORDER BY version DESC LIMIT 1",
        values![id.as_str()],
    )?;
    row.map(|row| read(&row)).transpose()
}

pub(super) fn page(
    db: &Db,
    (id, version): (&str, u32),
    count_max: usize,
) -> StoreResult<Vec<TemplateRow>> {
    db.all(
        "SELECT id, version, bytes, hash, imported_ms, imported_by FROM templates
         WHERE (id, version) > ($1, $2) ORDER BY id, version LIMIT $3",
        values![id, version, count_max],
    )?
    .iter()
    .map(read)
    .collect()
}

fn read(row: &Row) -> StoreResult<TemplateRow> {
    Ok(TemplateRow {
        id: row.text(0)?,
        version: row.small(1)?,
        bytes: row.bytes(2)?,
        hash: row.array(3).map(Hash)?,
        imported_ms: row.int(4)?,
        imported_by: row.text(5)?,
    })
}
