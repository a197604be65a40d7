//! The open session of a sync, lent to requests beside it, so that no second handshake is made.

use crate::trust::request_mac::{RequestMac, RequestTag};
use crate::trust::session::{Session, SessionError};

/// An open session with the server.
#[derive(Debug)]
pub struct Channel<'a> {
    session: &'a Session,
    requests: &'a mut u64,
    generation: u32,
}

impl<'a> Channel<'a> {
    pub(super) fn new(session: &'a Session, requests: &'a mut u64, generation: u32) -> Self {
        Self {
            session,
            requests,
            generation,
        }
    }

    /// The generation of the server that the replica follows.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Makes the two headers of a request. `covered` stands for its body.
    pub(super) fn tag(&mut self, method: &str, path: &str, covered: &[u8]) -> RequestTag {
        *self.requests += 1;
        self.session.tag(*self.requests, method, path, covered)
    }

    /// Checks the code of an answer. `covered` stands for its body.
    pub(super) fn check(
        &self,
        request: &RequestMac,
        mac: Option<&str>,
        covered: &[u8],
    ) -> Result<(), SessionError> {
        self.session.check_answer(request, mac, covered)
    }
}
