//! Trust: keys, certificates, the one way to sign, enrolment and sessions.

pub mod bundle_seal;
pub mod certificate;
pub mod channel;
pub mod enrolment;
pub mod invitation;
pub mod meeting_key;
mod meeting_secret;
pub mod parcel;
pub mod peer_session;
mod read;
mod remembered;
pub mod request_mac;
mod server_keys;
pub mod session;
mod session_error;
pub mod sign;
mod walk_seals;

pub use walk_seals::{WalkSeals, deployment_mark, print_checkpoint};
