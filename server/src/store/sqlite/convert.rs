//! Conversion between types of the domain and columns of a table.

use std::sync::Arc;

use onegrid_core::domain::stream::StreamId;
use onegrid_core::wire::verdict::{Status, Verdict};
use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode, Row};

use crate::store::StoreError;

/// Maps an error of the backend to its meaning for the caller.
pub(super) fn failure(error: Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged(Arc::new(error))
        }
        _ => match error {
            Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..) => StoreError::Row("a value"),
            other => StoreError::Failed(Arc::new(other)),
        },
    }
}

/// Converts a number for a column. Our numbers stay far below 2^63.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Converts a count for `LIMIT`.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads a number from a column.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(column, value))
}

/// Encodes a value as CBOR for a column.
pub(super) fn cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
}

/// Decodes a column with CBOR.
pub(super) fn from_cbor<T: for<'b> minicbor::Decode<'b, ()>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let bytes: Vec<u8> = row.get(column)?;
    minicbor::decode(&bytes)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error)))
}

/// Reads a stream's id from a column.
pub(super) fn stream(row: &Row<'_>, column: usize) -> rusqlite::Result<StreamId> {
    let bytes: Vec<u8> = row.get(column)?;
    StreamId::from_bytes(&bytes)
        .ok_or_else(|| Error::InvalidColumnType(column, "stream".to_owned(), Type::Blob))
}

/// Number of a status in the database; below 2 means settled.
pub(super) fn status_code(verdict: &Verdict) -> i64 {
    match verdict.status {
        Status::Accepted | Status::Admitted => 0,
        Status::Void(_) => 1,
        Status::Held(_) => 2,
        Status::Refused(_) => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn write_to_a_read_only_database_has_its_own_code() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE notes (x); PRAGMA query_only = 1;")
            .unwrap();
        let refused = db.execute("INSERT INTO notes VALUES (1)", []).unwrap_err();
        assert_eq!(failure(refused).code(), "store.read_only");
    }
}
