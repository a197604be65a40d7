//! The meaning of each refusal for the phone: the table of `docs/protocol.md`, “Attachments”.

use crate::limits::{RETRY_MS_MAX, UPLOAD_WAIT_MS_MAX};

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Which files the server lacks.
    Needed,
    /// Begins an upload.
    Begin,
    /// Asks how far an upload is, or whether the server has a file.
    Look,
    /// Sends a piece.
    Piece,
    /// Fetches a piece.
    Fetch,
}

/// The next action after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The session is over: a new one, then the same request.
    Session,
    /// The server or the line is in trouble, or does not know files: a pause, longer each time, at least so many
    /// milliseconds.
    Busy(i64),
    /// The same for this direction alone.
    Hold(i64),
    /// Asks for the offset after so many milliseconds, then continues.
    Look(i64),
    /// The upload is gone: begins it.
    Begin,
    /// The bytes did not arrive whole: begins anew.
    Anew,
    /// The server lacks the description: records first.
    Describe,
    /// Fetches from the beginning.
    FromStart,
    /// The server does not take the file: the person is told this code.
    Tell(&'static str),
    /// Something else is wrong with this file: it rests.
    Rest,
}

/// Wait for another connection to end, milliseconds, where the server names none.
const LOCKED_MS: i64 = 1_000;

/// Reads a refusal. `retry_s` is its header `retry-after`. No code proves it, so it removes no file.
pub(super) fn meaning(
    kind: Kind,
    status: u16,
    code: Option<&str>,
    retry_s: Option<u64>,
) -> Meaning {
    let retry_ms = |max_ms: i64| {
        let ms = retry_s.unwrap_or(0).saturating_mul(1_000);
        i64::try_from(ms).unwrap_or(i64::MAX).min(max_ms)
    };
    let tell = |known: &'static str| match code {
        Some(code) if code == known => Meaning::Tell(known),
        _ => Meaning::Rest,
    };
    match (status, kind) {
        (401 | 403, _) => Meaning::Session,
        (404, Kind::Begin | Kind::Piece) if code == Some("attachment.not_described") => {
            Meaning::Describe
        }
        (404, Kind::Look | Kind::Piece) => Meaning::Begin,
        (404, Kind::Fetch) if code == Some("attachment.absent") => Meaning::Rest,
        (400, Kind::Begin) => tell("attachment.length"),
        (409 | 413, Kind::Piece) | (408, Kind::Begin | Kind::Look | Kind::Piece) => {
            Meaning::Look(0)
        }
        (413, Kind::Begin) => tell("http.too_large"),
        (416, Kind::Fetch) => Meaning::FromStart,
        // A server that died before the check of the last byte makes up for it at the next request.
        (422, Kind::Begin | Kind::Piece) => tell("attachment.content"),
        (423, _) => Meaning::Look(retry_ms(RETRY_MS_MAX).max(LOCKED_MS)),
        (429, _) if code == Some("attachment.too_many") => {
            Meaning::Hold(retry_ms(UPLOAD_WAIT_MS_MAX))
        }
        (460, _) => Meaning::Anew,
        (507, _) => Meaning::Hold(retry_ms(RETRY_MS_MAX)),
        (404 | 405 | 408 | 412 | 429 | 502..=504, _) => Meaning::Busy(retry_ms(RETRY_MS_MAX)),
        _ => Meaning::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Kind::{Begin, Fetch, Look, Needed, Piece};

    /// Status, code, the requests that meet it, and its meaning with a wait of seven seconds.
    type Row = (u16, &'static str, &'static [Kind], Meaning);

    const TABLE: &[Row] = &[
        (400, "http.bad_request", &[Begin, Piece], Meaning::Rest),
        (408, "http.timeout", &[Begin, Piece], Meaning::Look(0)),
        (415, "http.media_type", &[Piece], Meaning::Rest),
        (
            503,
            "http.busy",
            &[Needed, Begin, Piece, Fetch],
            Meaning::Busy(7_000),
        ),
        (
            400,
            "attachment.length",
            &[Begin],
            Meaning::Tell("attachment.length"),
        ),
        (
            404,
            "attachment.not_described",
            &[Begin, Piece],
            Meaning::Describe,
        ),
        (404, "attachment.absent", &[Look, Piece], Meaning::Begin),
        (404, "attachment.absent", &[Fetch], Meaning::Rest),
        (
            404,
            "http.not_found",
            &[Needed, Begin, Fetch],
            Meaning::Busy(7_000),
        ),
        (409, "attachment.offset", &[Piece], Meaning::Look(0)),
        (
            412,
            "attachment.tus_version",
            &[Begin, Piece],
            Meaning::Busy(7_000),
        ),
        (
            413,
            "http.too_large",
            &[Begin],
            Meaning::Tell("http.too_large"),
        ),
        (413, "http.too_large", &[Piece], Meaning::Look(0)),
        (416, "attachment.range", &[Fetch], Meaning::FromStart),
        (
            422,
            "attachment.content",
            &[Piece, Begin],
            Meaning::Tell("attachment.content"),
        ),
        (
            423,
            "attachment.locked",
            &[Look, Begin, Piece],
            Meaning::Look(7_000),
        ),
        (
            429,
            "attachment.too_many",
            &[Begin, Piece],
            Meaning::Hold(7_000),
        ),
        (429, "http.too_many", &[Begin, Fetch], Meaning::Busy(7_000)),
        (460, "attachment.hash", &[Piece], Meaning::Anew),
        (
            507,
            "attachment.server_full",
            &[Begin, Piece],
            Meaning::Hold(7_000),
        ),
        (
            401,
            "session.unknown",
            &[Begin, Look, Piece, Fetch, Needed],
            Meaning::Session,
        ),
        (403, "session.revoked", &[Begin], Meaning::Session),
        (
            500,
            "server.internal",
            &[Begin, Piece, Fetch],
            Meaning::Rest,
        ),
    ];

    #[test]
    fn refusals_have_the_meaning_of_the_protocol() {
        for (status, code, kinds, expected) in TABLE {
            for kind in *kinds {
                let read = meaning(*kind, *status, Some(code), Some(7));
                assert_eq!(read, *expected, "{status} {code} {kind:?}");
            }
        }
    }

    #[test]
    fn refusals_without_a_known_code_tell_nobody() {
        for status in 300..600 {
            for kind in [Needed, Begin, Look, Piece, Fetch] {
                for code in [None, Some("proxy.says_no")] {
                    let read = meaning(kind, status, code, Some(u64::MAX));
                    assert!(!matches!(read, Meaning::Tell(_)), "{status} {kind:?}");
                    if let Meaning::Busy(ms) | Meaning::Hold(ms) | Meaning::Look(ms) = read {
                        assert!((0..=UPLOAD_WAIT_MS_MAX).contains(&ms));
                    }
                }
            }
        }
    }
}
