//! Photos and recordings between a phone and the server: names of headers, the lines that message codes cover,
//! and the question which files the server lacks (docs/protocol.md, “Attachments”).
//!
//! The body of an upload can end anywhere when a line is cut, so no message code covers it. The id of the file
//! covers it: a hash over salt and bytes.

use minicbor::{Decode, Encode};

use crate::cbor::canonical;
use crate::cbor::list::list;
use crate::id::{Hash, RecordId};
use crate::limits::{NEEDED_BYTES_MAX, NEEDED_MAX};

/// Version of the tus protocol, in the header [`TUS_RESUMABLE`].
pub const TUS_VERSION: &str = "1.0.0";
/// Header with the version of the tus protocol.
pub const TUS_RESUMABLE: &str = "tus-resumable";
/// Header with the length of the whole file, bytes.
pub const UPLOAD_LENGTH: &str = "upload-length";
/// Header with the number of bytes that are durable on the server.
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// Header with the generation of the server's data.
pub const GENERATION_HEADER: &str = "x-og-generation";
/// Media type of the body of an upload.
pub const MEDIA_UPLOAD: &str = "application/offset+octet-stream";

/// Headers of a request that its message code covers, in this order.
pub const REQUEST_HEADERS: [&str; 4] = [UPLOAD_LENGTH, UPLOAD_OFFSET, "content-length", "range"];
/// Headers of an answer that its message code covers, in this order, after the status.
pub const ANSWER_HEADERS: [&str; 4] = [
    UPLOAD_OFFSET,
    UPLOAD_LENGTH,
    "content-range",
    GENERATION_HEADER,
];

/// The lines that stand for the body in the message code of a request. `value` returns the value of a header.
#[must_use]
pub fn request_lines<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Vec<u8> {
    lines(&REQUEST_HEADERS, value)
}

/// The lines that stand for the body in the message code of an answer. `value` returns the value of a header.
#[must_use]
pub fn answer_lines<'a>(status: u16, value: impl Fn(&str) -> Option<&'a str>) -> Vec<u8> {
    let mut covered = format!("status:{status}\n").into_bytes();
    covered.extend(lines(&ANSWER_HEADERS, value));
    covered
}

fn lines<'a>(names: &[&str], value: impl Fn(&str) -> Option<&'a str>) -> Vec<u8> {
    let mut covered = Vec::new();
    for name in names {
        if let Some(value) = value(name) {
            covered.extend_from_slice(format!("{name}:{value}\n").as_bytes());
        }
    }
    covered
}

/// A file by its record and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct FileName {
    /// Record that it belongs to.
    #[n(0)]
    pub record: RecordId,
    /// Hash over salt and bytes.
    #[n(1)]
    pub id: Hash,
}

/// The question which of these files the server lacks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NeededRequest {
    /// Files that the phone holds, at most [`NEEDED_MAX`].
    #[cbor(n(0), decode_with = "list::<NEEDED_MAX, _, _>")]
    pub files: Vec<FileName>,
}

/// The files that the server lacks and takes from this phone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NeededAnswer {
    /// Generation of the server's data.
    #[n(0)]
    pub generation: u32,
    /// Places in the list of the request, ascending.
    #[cbor(n(1), decode_with = "list::<NEEDED_MAX, _, _>")]
    pub places: Vec<u32>,
}

impl NeededRequest {
    /// Encodes the request.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// Reads a request; `None` if the bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        read(bytes)
    }
}

impl NeededAnswer {
    /// Encodes the answer.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(self)
    }

    /// Reads an answer; `None` if the bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        read(bytes)
    }
}

fn read<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    if bytes.len() > NEEDED_BYTES_MAX || canonical::check(bytes).is_err() {
        return None;
    }
    minicbor::decode(bytes).ok()
}

fn write<T: Encode<()>>(message: &T) -> Vec<u8> {
    minicbor::to_vec(message).expect("writing CBOR to memory does not fail")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;

    #[test]
    fn covered_lines_have_one_order() {
        let value = |name: &str| match name {
            UPLOAD_OFFSET => Some("7"),
            UPLOAD_LENGTH => Some("9"),
            "content-length" => Some("2"),
            GENERATION_HEADER => Some("3"),
            _ => None,
        };
        let request = "upload-length:9\nupload-offset:7\ncontent-length:2\n";
        assert_eq!(request_lines(value), request.as_bytes());
        let answer = "status:204\nupload-offset:7\nupload-length:9\nx-og-generation:3\n";
        assert_eq!(answer_lines(204, value), answer.as_bytes());
    }

    #[test]
    fn needed_files_round_trip_within_their_limit() {
        let file = |n: u32| {
            let mut id = [0xff; 32];
            id[..4].copy_from_slice(&n.to_be_bytes());
            FileName {
                record: RecordId([1; 16]),
                id: Hash(id),
            }
        };
        let most = u32::try_from(NEEDED_MAX).unwrap();
        let mut request = NeededRequest {
            files: (0..most).map(file).collect(),
        };
        let bytes = request.to_bytes();
        assert_eq!(NeededRequest::from_bytes(&bytes), Some(request.clone()));
        request.files.push(file(most));
        assert_eq!(NeededRequest::from_bytes(&request.to_bytes()), None);
        let answer = NeededAnswer {
            generation: u32::MAX,
            places: (0..most).collect(),
        };
        let bytes = answer.to_bytes();
        assert_eq!(NeededAnswer::from_bytes(&bytes), Some(answer));
        assert_eq!(NeededAnswer::from_bytes(b"\xff"), None);
    }
}
