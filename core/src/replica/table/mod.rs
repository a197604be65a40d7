//! One module per table: the only places with SQL. They accept and return checked types and decide nothing.

pub(super) mod area;
pub(super) mod attachment;
pub(super) mod attestation;
pub(super) mod bulletin;
pub(super) mod certificate;
pub(super) mod changed;
pub(super) mod directory;
pub(super) mod directory_name;
pub(super) mod envelope;
pub(super) mod forgotten;
pub(super) mod form;
pub(super) mod form_list;
pub(super) mod meta;
pub(super) mod notice;
pub(super) mod notification;
pub(super) mod outbox_change;
pub(super) mod outbox_copy;
pub(super) mod own_void;
pub(super) mod own_work;
pub(super) mod pack;
pub(super) mod parcel;
pub(super) mod pending;
pub(super) mod record;
pub(super) mod record_area;
pub(super) mod record_assignment;
pub(super) mod record_link;
pub(super) mod record_list;
pub(super) mod record_map;
pub(super) mod record_search;
pub(super) mod record_sharing;
pub(super) mod sealed;
pub(super) mod stray;
pub(super) mod stream;
pub(super) mod stream_record;
pub(super) mod template;
pub(super) mod unnamed;
pub(super) mod verdict_change;
pub(super) mod withdrawn;

use rusqlite::Row;
use rusqlite::types::Type;

pub(super) type Sql<T> = Result<T, rusqlite::Error>;

/// A stored value has a form that was never written, so the file is damaged.
#[derive(Debug, thiserror::Error)]
#[error("stored value has another form")]
pub(super) struct BadValue;

fn bad_value(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(BadValue))
}

/// A column of exactly `N` bytes.
fn fixed<const N: usize>(row: &Row<'_>, column: usize) -> Sql<[u8; N]> {
    let bytes = row.get_ref(column)?.as_blob()?;
    bytes.try_into().map_err(|_| bad_value(column))
}

/// A column of `N` bytes or nothing.
fn fixed_or_none<const N: usize>(row: &Row<'_>, column: usize) -> Sql<Option<[u8; N]>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        None => Ok(None),
        Some(bytes) => bytes.try_into().map(Some).map_err(|_| bad_value(column)),
    }
}

/// A column that holds CBOR, or nothing.
fn cbor_or_none<T: for<'b> minicbor::Decode<'b, ()>>(
    row: &Row<'_>,
    column: usize,
) -> Sql<Option<T>> {
    match row.get_ref(column)?.as_blob_or_null()? {
        None => Ok(None),
        Some(bytes) => minicbor::decode(bytes)
            .map(Some)
            .map_err(|_| bad_value(column)),
    }
}

/// A column that holds CBOR.
fn cbor<T: for<'b> minicbor::Decode<'b, ()>>(row: &Row<'_>, column: usize) -> Sql<T> {
    cbor_or_none(row, column)?.ok_or_else(|| bad_value(column))
}

fn to_cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
}
