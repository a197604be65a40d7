//! The start of the next page of a list, as an opaque text.
//!
//! A token names its query, so that it is refused for another one. It carries a check, so that a mistyped
//! or shortened one is refused too. It stays valid while rows are added and removed, because it names a
//! place in the order and not a number of rows.

use std::fmt;

use super::error::ReplicaError;
use crate::id::Hash;

const VERSION: u8 = 1;
const PLAIN_BYTES: usize = 1 + 8 + 8 + 8;
const BYTES: usize = PLAIN_BYTES + 4;

/// The start of the next page of a list. Its text may be stored and handed back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(String);

/// A place in an order: the value of the order, then the number of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) value: i64,
    pub(super) no: i64,
}

/// The query that a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueryMark([u8; 8]);

impl QueryMark {
    /// Of a list by its name and everything that selects and orders its rows.
    pub(super) fn of<T: minicbor::Encode<()>>(list: &str, query: &T) -> Self {
        let query = minicbor::to_vec(query).expect("writing CBOR to memory does not fail");
        let hash = Hash::of(&[b"onegrid.list", list.as_bytes(), &[0], &query]);
        let mut mark = [0; 8];
        mark.copy_from_slice(&hash.0[..8]);
        Self(mark)
    }
}

impl PageToken {
    /// Wraps a text as a token. Its validity and its query are checked when it is used.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(query: QueryMark, place: Place) -> Self {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend(query.0);
        bytes.extend(place.value.to_be_bytes());
        bytes.extend(place.no.to_be_bytes());
        bytes.extend(check(&bytes));
        let mut text = String::with_capacity(2 * BYTES);
        for byte in bytes {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        Self(text)
    }

    /// The place, if this is a token of the query.
    pub(super) fn place(&self, query: QueryMark) -> Result<Place, ReplicaError> {
        self.read(query).ok_or(ReplicaError::BadToken)
    }

    fn read(&self, query: QueryMark) -> Option<Place> {
        let text = self.0.as_bytes();
        if text.len() != 2 * BYTES {
            return None;
        }
        let mut bytes = [0_u8; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        let (plain, sum) = bytes.split_at(PLAIN_BYTES);
        let known = plain[0] == VERSION && plain[1..9] == query.0 && sum == check(plain);
        known.then_some(Place {
            value: i64::from_be_bytes(plain[9..17].try_into().ok()?),
            no: i64::from_be_bytes(plain[17..25].try_into().ok()?),
        })
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check(plain: &[u8]) -> [u8; 4] {
    let hash = Hash::of(&[b"onegrid.page", plain]);
    [hash.0[0], hash.0[1], hash.0[2], hash.0[3]]
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const PLACE: Place = Place {
        value: -5,
        no: 1 << 40,
    };

    #[test]
    fn token_goes_through_text_and_back() {
        let query = QueryMark::of("records", &(1_u8, "a"));
        let token = PageToken::of(query, PLACE);
        let again = PageToken::new(token.as_str());
        assert_eq!(again.place(query).unwrap(), PLACE);
        assert_eq!(token.as_str().len(), 58, "the form of stored tokens");
    }

    #[test]
    fn token_of_another_query_or_garbage_is_refused() {
        let query = QueryMark::of("records", &(1_u8, "a"));
        let text = PageToken::of(query, PLACE).to_string();
        let refused = |text: &str, query| {
            let error = PageToken::new(text).place(query).unwrap_err();
            assert_eq!(error.code(), "list.bad_token", "{text}");
        };
        refused(&text, QueryMark::of("records", &(1_u8, "b")));
        refused(&text, QueryMark::of("people", &(1_u8, "a")));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'0' { b'1' } else { b'0' };
            refused(std::str::from_utf8(&other).unwrap(), query);
        }
        for garbage in [
            "",
            "x",
            &text[1..],
            &text.to_uppercase(),
            "第一页",
            &"zz".repeat(29),
        ] {
            refused(garbage, query);
        }
    }
}
