//! The codes on requests and answers inside a session.
//!
//! A request names its session and a number that it alone has; its code covers both, method, path and
//! body. The code of the answer covers the code of the request, so an old answer to an equal request is
//! none. Requests are idempotent, so that one is sent twice does no harm and is not looked for.

use super::channel::{Direction, MAC_BYTES};
use super::session::{Session, SessionError, SessionId, ends_ms};
use crate::id::EnvelopeId;

/// Header that names session and number of a request: 32 hex digits, a dot, up to 16 hex digits.
pub const SESSION_HEADER: &str = "x-og-session";
/// Header that carries the code of a request or an answer: 32 hex digits.
pub const MAC_HEADER: &str = "x-og-mac";

/// The code of one request. The check of its answer needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestMac([u8; MAC_BYTES]);

/// The two headers of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTag {
    /// The session.
    pub session: SessionId,
    /// The number of the request, its own within the session.
    pub number: u64,
    /// The code.
    pub mac: RequestMac,
}

impl RequestTag {
    /// Reads the values of the two headers.
    pub fn parse(session: &str, mac: &str) -> Result<Self, SessionError> {
        let (id, number) = session.split_once('.').ok_or(SessionError::Malformed)?;
        let digits = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if number.is_empty() || number.len() > 16 || !digits(number) {
            return Err(SessionError::Malformed);
        }
        Ok(Self {
            session: SessionId(from_hex(id).ok_or(SessionError::Malformed)?),
            number: u64::from_str_radix(number, 16).map_err(|_| SessionError::Malformed)?,
            mac: RequestMac(from_hex(mac).ok_or(SessionError::Malformed)?),
        })
    }

    /// The value of [`SESSION_HEADER`].
    #[must_use]
    pub fn session_header(&self) -> String {
        format!("{}.{:x}", hex(&self.session.0), self.number)
    }

    /// The value of [`MAC_HEADER`].
    #[must_use]
    pub fn mac_header(&self) -> String {
        hex(&self.mac.0)
    }
}

impl Session {
    /// Makes the headers of a request from the phone. `number` must not repeat in a session.
    #[must_use]
    pub fn tag(&self, number: u64, method: &str, path: &str, body: &[u8]) -> RequestTag {
        let mac = RequestMac(self.request_mac(number, method, path, body));
        RequestTag {
            session: self.id,
            number,
            mac,
        }
    }

    /// The server checks a request.
    pub fn check_request(
        &self,
        tag: &RequestTag,
        method: &str,
        path: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<(), SessionError> {
        if tag.session != self.id {
            return Err(SessionError::Unknown);
        }
        let number = tag.number.to_be_bytes();
        let parts: &[&[u8]] = &[
            b"request",
            &number,
            method.as_bytes(),
            path.as_bytes(),
            body,
        ];
        if !self.key.accepts(Direction::Forth, parts, &tag.mac.0) {
            return Err(SessionError::BadMac);
        }
        if self.is_over(now_ms) {
            Err(SessionError::Expired)
        } else {
            Ok(())
        }
    }

    /// The server signs its answer: the value of [`MAC_HEADER`].
    #[must_use]
    pub fn answer_mac(&self, request: &RequestMac, body: &[u8]) -> String {
        hex(&self
            .key
            .mac(Direction::Back, &[b"answer", &request.0, body]))
    }

    /// The phone checks an answer.
    pub fn check_answer(
        &self,
        request: &RequestMac,
        mac: Option<&str>,
        body: &[u8],
    ) -> Result<(), SessionError> {
        let mac: [u8; MAC_BYTES] = mac.and_then(from_hex).ok_or(SessionError::BadMac)?;
        let parts: &[&[u8]] = &[b"answer", &request.0, body];
        if self.key.accepts(Direction::Back, parts, &mac) {
            Ok(())
        } else {
            Err(SessionError::BadMac)
        }
    }

    /// The phone notes that the server has prolonged the session; both first times are the server's.
    pub fn prolong(&mut self, time_ms: i64, expires_ms: i64, now_ms: i64) {
        self.expires_ms = self.expires_ms.max(ends_ms(time_ms, expires_ms, now_ms));
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now_ms: i64) -> bool {
        now_ms >= self.expires_ms
    }

    fn request_mac(&self, number: u64, method: &str, path: &str, body: &[u8]) -> [u8; MAC_BYTES] {
        let number = number.to_be_bytes();
        let parts: &[&[u8]] = &[
            b"request",
            &number,
            method.as_bytes(),
            path.as_bytes(),
            body,
        ];
        self.key.mac(Direction::Forth, parts)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .map(|d| char::from(b"0123456789abcdef"[usize::from(d)]))
        .collect()
}

fn from_hex(text: &str) -> Option<[u8; 16]> {
    text.parse::<EnvelopeId>().ok().map(|id| id.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use super::*;
    use crate::id::{DeviceId, Hash};
    use crate::trust::channel::ChannelKey;

    fn session() -> Session {
        Session {
            id: SessionId([0xab; 16]),
            key: ChannelKey::from_bytes([3; 32]),
            device: DeviceId([1; 16]),
            certificate: Hash([2; 32]),
            expires_ms: 1_000,
        }
    }

    #[test]
    fn headers_round_trip_and_others_are_refused() {
        let tag = session().tag(0x1f, "POST", "/v1/sync", b"body");
        let again = RequestTag::parse(&tag.session_header(), &tag.mac_header());
        assert_eq!(again, Ok(tag));
        let id = "ab".repeat(16);
        for (header, mac) in [
            (String::new(), tag.mac_header()),
            (id.clone(), tag.mac_header()),
            (format!("{id}."), tag.mac_header()),
            (format!("{id}.+1"), tag.mac_header()),
            (format!("{id}.11112222333344445"), tag.mac_header()),
            (format!("{id}.1"), "AB".repeat(16)),
            (format!("{id}.1"), "ab".repeat(15)),
            (format!("{}.1", "é".repeat(16)), tag.mac_header()),
        ] {
            assert_eq!(
                RequestTag::parse(&header, &mac),
                Err(SessionError::Malformed),
                "{header}"
            );
        }
    }

    #[test]
    fn a_relay_that_alters_anything_is_found() {
        let session = session();
        let tag = session.tag(7, "POST", "/v1/sync", b"body");
        let check = |tag: &RequestTag, method, path, body: &[u8]| {
            session.check_request(tag, method, path, body, 10)
        };
        assert_eq!(check(&tag, "POST", "/v1/sync", b"body"), Ok(()));
        let refused = Err(SessionError::BadMac);
        assert_eq!(check(&tag, "POST", "/v1/sync", b"bodY"), refused);
        assert_eq!(check(&tag, "POST", "/v1/sync", b""), refused);
        assert_eq!(check(&tag, "GET", "/v1/sync", b"body"), refused);
        assert_eq!(check(&tag, "POST", "/v1/live", b"body"), refused);
        assert_eq!(
            check(
                &RequestTag { number: 8, ..tag },
                "POST",
                "/v1/sync",
                b"body"
            ),
            refused
        );
        let other = RequestTag {
            session: SessionId([0; 16]),
            ..tag
        };
        assert_eq!(
            check(&other, "POST", "/v1/sync", b"body"),
            Err(SessionError::Unknown)
        );
    }

    #[test]
    fn an_answer_belongs_to_its_request() {
        let session = session();
        let first = session.tag(1, "POST", "/v1/sync", b"same");
        let second = session.tag(2, "POST", "/v1/sync", b"same");
        let mac = session.answer_mac(&first.mac, b"answer");
        assert_eq!(
            session.check_answer(&first.mac, Some(&mac), b"answer"),
            Ok(())
        );
        let refused = Err(SessionError::BadMac);
        assert_eq!(
            session.check_answer(&first.mac, Some(&mac), b"ansver"),
            refused
        );
        assert_eq!(
            session.check_answer(&second.mac, Some(&mac), b"answer"),
            refused,
            "an old answer"
        );
        assert_eq!(session.check_answer(&first.mac, None, b"answer"), refused);
        assert_eq!(
            session.check_answer(&first.mac, Some(&first.mac_header()), b"answer"),
            refused
        );
    }

    #[test]
    fn a_session_ends_and_can_be_prolonged_within_its_limit() {
        let mut session = session();
        let tag = session.tag(1, "POST", "/v1/sync", b"");
        let check =
            |session: &Session, now| session.check_request(&tag, "POST", "/v1/sync", b"", now);
        assert_eq!(check(&session, 999), Ok(()));
        assert_eq!(check(&session, 1_000), Err(SessionError::Expired));
        session.prolong(5, i64::MAX, 2_000);
        assert_eq!(session.expires_ms, 2_000 + crate::limits::SESSION_MS);
        session.prolong(i64::MAX, i64::MIN, 0);
        assert_eq!(
            session.expires_ms,
            2_000 + crate::limits::SESSION_MS,
            "never shortened"
        );
    }
}
