//! Requests about files, and their answers, as HTTP carries them.

use crate::trust::request_mac::MAC_HEADER;
use crate::wire::transfer::{GENERATION_HEADER, UPLOAD_LENGTH, UPLOAD_OFFSET};

/// Header with the part of a file that an answer brings.
pub(super) const CONTENT_RANGE: &str = "content-range";
/// Header with the seconds to wait after a refusal.
pub(super) const RETRY_AFTER: &str = "retry-after";

/// The headers of an answer that a transfer reads.
pub const HEADERS_READ: [&str; 6] = [
    MAC_HEADER,
    UPLOAD_OFFSET,
    UPLOAD_LENGTH,
    CONTENT_RANGE,
    GENERATION_HEADER,
    RETRY_AFTER,
];

/// A request about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// Method of HTTP.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// Headers: names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl FileRequest {
    /// Whether the body of a success is a part of a file, which is handed over as it arrives.
    #[must_use]
    pub fn is_download(&self) -> bool {
        self.method == "GET"
    }
}

/// The answer to a request about a file.
#[derive(Debug, Clone, Copy)]
pub struct FileAnswer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Those of [`HEADERS_READ`] that stand once in the answer.
    pub headers: &'a [(&'static str, String)],
    /// The body; empty for the head of a download.
    pub body: &'a [u8],
}

impl<'a> FileAnswer<'a> {
    /// Whether the request succeeded. That is no proof.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a header with a number in decimal digits.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        digits(self.header(name)?)
    }

    /// First byte, last byte and length of the whole file, as the answer to a download tells them.
    pub(super) fn range(&self) -> Option<(u64, u64, u64)> {
        let range = self.header(CONTENT_RANGE)?.strip_prefix("bytes ")?;
        let (part, all) = range.split_once('/')?;
        let (first, last) = part.split_once('-')?;
        Some((digits(first)?, digits(last)?, digits(all)?))
    }
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_numbers_have_one_spelling() {
        let answer = |value: &str| {
            let headers = [(CONTENT_RANGE, value.to_owned())];
            FileAnswer {
                status: 206,
                headers: &headers,
                body: b"",
            }
            .range()
        };
        assert_eq!(answer("bytes 0-9/10"), Some((0, 9, 10)));
        for bad in [
            "",
            "bytes */10",
            "bytes 0-9/*",
            "0-9/10",
            "bytes +0-9/10",
            "bytes 0-9",
            "bytes 0-99999999999999999999/1",
        ] {
            assert_eq!(answer(bad), None, "{bad}");
        }
    }
}
