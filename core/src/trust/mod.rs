//! Who may be believed: keys, certificates, the one way to sign, enrolment and sessions.

mod base32;
pub mod certificate;
pub mod channel;
pub mod enrolment;
pub mod invitation;
pub mod peer_session;
mod read;
mod remembered;
pub mod request_mac;
pub mod session;
mod session_error;
pub mod sign;
