//! The tokio driver that connects a replica to a server.
//!
//! ```text
//!  local change ─▶ notify ─┐
//!  GET /v1/live ─▶ wake-up ─┼─▶ Driver::run ─▶ Star (sans IO) ─▶ POST /v1/session, /v1/sync
//!  pause is over ───────────┘        └─▶ status (a state, never a dialog)
//! ```
//!
//! This is the only place in core with a clock, randomness of the operating system and sockets. Calls of the
//! replica block, so they run on threads for blocking work. A missing network is a state like any other.
//!
//! **Not here:** what is synced and in which order (sync), and any decision about trust (trust).

mod address;
mod driver;
mod enrol;
mod error;
mod http;
mod live;
mod system;

pub use address::Address;
pub use driver::{Driver, State, Status};
pub use enrol::enrol;
pub use error::NetError;
pub use http::{NetConfig, Roots, Traffic};
pub use system::{OsRandom, now_ms};
