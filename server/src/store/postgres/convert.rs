//! Conversion between types of the domain and columns of a table, and of errors.

use std::error::Error as StdError;
use std::sync::Arc;

use bytes::BytesMut;
use onegrid_core::domain::stream::StreamId;
use onegrid_core::wire::verdict::{Status, Verdict};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Row};

use crate::store::{StoreError, StoreResult};

/// A parameter of a statement. It owns its bytes, because a queued statement outlives its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Text(Option<String>),
    Ints(Vec<i64>),
    MaybeInts(Vec<Option<i64>>),
    ByteStrings(Vec<Option<Vec<u8>>>),
    Texts(Vec<Option<String>>),
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Ints(value) => value.to_sql(ty, out),
            Self::MaybeInts(value) => value.to_sql(ty, out),
            Self::ByteStrings(value) => value.to_sql(ty, out),
            Self::Texts(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [
            Type::INT8,
            Type::BYTEA,
            Type::TEXT,
            Type::INT8_ARRAY,
            Type::BYTEA_ARRAY,
            Type::TEXT_ARRAY,
        ]
        .contains(ty)
    }

    to_sql_checked!();
}

macro_rules! from {
    ($($source:ty => $variant:ident($value:ident) $to:expr;)+) => {
        $(impl From<$source> for Value {
            fn from($value: $source) -> Self {
                Self::$variant($to)
            }
        })+
    };
}

from! {
    i64 => Int(value) Some(value);
    Option<i64> => Int(value) value;
    i32 => Int(value) Some(value.into());
    u32 => Int(value) Some(value.into());
    u8 => Int(value) Some(value.into());
    bool => Int(value) Some(value.into());
    Option<bool> => Int(value) value.map(i64::from);
    u64 => Int(value) Some(i64::try_from(value).unwrap_or(i64::MAX));
    usize => Int(value) Some(i64::try_from(value).unwrap_or(i64::MAX));
    &[u8] => Bytes(value) Some(value.to_vec());
    Vec<u8> => Bytes(value) Some(value);
    &Vec<u8> => Bytes(value) Some(value.clone());
    Option<Vec<u8>> => Bytes(value) value;
    &str => Text(value) Some(value.to_owned());
    &String => Text(value) Some(value.clone());
    Option<&str> => Text(value) value.map(str::to_owned);
    Vec<i64> => Ints(value) value;
    Vec<Option<i64>> => MaybeInts(value) value;
    Vec<Option<Vec<u8>>> => ByteStrings(value) value;
    Vec<Option<String>> => Texts(value) value;
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl<const N: usize> From<Option<[u8; N]>> for Value {
    fn from(value: Option<[u8; N]>) -> Self {
        Self::Bytes(value.map(|value| value.to_vec()))
    }
}

/// Makes the parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::store::postgres::convert::Value::from($value)),*]
    };
}
pub(super) use values;

/// The columns of a row as types of the domain.
pub(super) trait Columns {
    fn int(&self, column: usize) -> StoreResult<i64>;
    fn maybe_int(&self, column: usize) -> StoreResult<Option<i64>>;
    fn maybe_bytes(&self, column: usize) -> StoreResult<Option<Vec<u8>>>;
    fn maybe_text(&self, column: usize) -> StoreResult<Option<String>>;

    /// A number of a smaller type.
    fn small<T: TryFrom<i64>>(&self, column: usize) -> StoreResult<T> {
        T::try_from(self.int(column)?).map_err(|_| StoreError::Row("a number"))
    }

    fn number(&self, column: usize) -> StoreResult<u64> {
        self.small(column)
    }

    fn flag(&self, column: usize) -> StoreResult<bool> {
        Ok(self.int(column)? != 0)
    }

    fn bytes(&self, column: usize) -> StoreResult<Vec<u8>> {
        self.maybe_bytes(column)?.ok_or(StoreError::Row("a value"))
    }

    fn array<const N: usize>(&self, column: usize) -> StoreResult<[u8; N]> {
        let bytes = self.bytes(column)?;
        bytes.try_into().map_err(|_| StoreError::Row("a length"))
    }

    fn maybe_array<const N: usize>(&self, column: usize) -> StoreResult<Option<[u8; N]>> {
        let bytes = self.maybe_bytes(column)?.map(<[u8; N]>::try_from);
        bytes.transpose().map_err(|_| StoreError::Row("a length"))
    }

    fn text(&self, column: usize) -> StoreResult<String> {
        self.maybe_text(column)?.ok_or(StoreError::Row("a value"))
    }

    /// Decodes a column with CBOR.
    fn cbor<T: for<'b> minicbor::Decode<'b, ()>>(&self, column: usize) -> StoreResult<T> {
        minicbor::decode(&self.bytes(column)?).map_err(|_| StoreError::Row("a value"))
    }

    fn stream(&self, column: usize) -> StoreResult<StreamId> {
        StreamId::from_bytes(&self.bytes(column)?).ok_or(StoreError::Row("a stream"))
    }
}

impl Columns for Row {
    fn int(&self, column: usize) -> StoreResult<i64> {
        self.try_get(column).map_err(failure)
    }

    fn maybe_int(&self, column: usize) -> StoreResult<Option<i64>> {
        self.try_get(column).map_err(failure)
    }

    fn maybe_bytes(&self, column: usize) -> StoreResult<Option<Vec<u8>>> {
        self.try_get(column).map_err(failure)
    }

    fn maybe_text(&self, column: usize) -> StoreResult<Option<String>> {
        self.try_get(column).map_err(failure)
    }
}

/// Encodes a value as CBOR for a column.
pub(super) fn cbor<T: minicbor::Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing CBOR to memory does not fail")
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

/// Maps an error of the backend to its meaning for the caller.
pub(super) fn failure(error: Error) -> StoreError {
    let Some(state) = error.code() else {
        return if is_of_a_value(&error) {
            StoreError::Row("a value")
        } else {
            // The connection was refused, was lost, or never came about.
            StoreError::Unavailable(Arc::new(error))
        };
    };
    match meaning(state) {
        Meaning::Full => StoreError::Full,
        Meaning::ReadOnly => StoreError::ReadOnly,
        Meaning::Locked => StoreError::Locked,
        Meaning::Crowded => StoreError::Crowded(Arc::new(error)),
        Meaning::Denied => StoreError::Denied(Arc::new(error)),
        Meaning::Unavailable => StoreError::Unavailable(Arc::new(error)),
        Meaning::Damaged => StoreError::Damaged(Arc::new(error)),
        Meaning::Missing => StoreError::Missing("row"),
        Meaning::Text => StoreError::Row("a text"),
        Meaning::Other => StoreError::Failed(Arc::new(error)),
    }
}

/// Names a certificate that does not fit the address, while an administrator waits. Later it counts as unavailable,
/// because a certificate is renewed without a word to the nodes.
pub(super) fn at_start(error: StoreError) -> StoreError {
    let StoreError::Unavailable(cause) = &error else {
        return error;
    };
    let mut source: Option<&(dyn StdError + 'static)> = cause.source();
    while let Some(inner) = source {
        let inside = inner.downcast_ref::<std::io::Error>();
        let inside = inside.and_then(std::io::Error::get_ref);
        if inside.is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>) {
            return StoreError::Address("certificate");
        }
        source = inner.source();
    }
    error
}

/// Whether a value of ours or of the database has the wrong type, and the connection is well.
fn is_of_a_value(error: &Error) -> bool {
    let is_one = |source: &(dyn StdError + 'static)| {
        source.is::<tokio_postgres::types::WrongType>()
            || source.is::<tokio_postgres::types::WasNull>()
    };
    error.source().is_some_and(is_one)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Full,
    ReadOnly,
    Locked,
    Crowded,
    Denied,
    Unavailable,
    Damaged,
    Missing,
    Text,
    Other,
}

fn meaning(state: &SqlState) -> Meaning {
    // Classes of codes: 08 connection, 28 login, 57P the server stops, starts or ends the session.
    match state.code() {
        "53100" => Meaning::Full,
        "25006" => Meaning::ReadOnly,
        "55P03" => Meaning::Locked,
        "53300" => Meaning::Crowded,
        "3D000" | "42501" => Meaning::Denied,
        "25P03" => Meaning::Unavailable,
        "XX001" | "XX002" | "42P07" | "42P01" => Meaning::Damaged,
        "23503" => Meaning::Missing,
        "22021" | "22P05" => Meaning::Text,
        code if code.starts_with("08") || code.starts_with("57P") => Meaning::Unavailable,
        code if code.starts_with("28") => Meaning::Denied,
        _ => Meaning::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_server_have_a_meaning() {
        for (code, expected) in [
            ("53100", Meaning::Full),
            ("25006", Meaning::ReadOnly),
            ("53300", Meaning::Crowded),
            ("28P01", Meaning::Denied),
            ("57P01", Meaning::Unavailable),
            ("57P03", Meaning::Unavailable),
            ("08006", Meaning::Unavailable),
            ("55P03", Meaning::Locked),
            ("XX001", Meaning::Damaged),
            ("23505", Meaning::Other),
        ] {
            assert_eq!(meaning(&SqlState::from_code(code)), expected, "{code}");
        }
    }
}
