//! The tokio driver that connects a replica to a server, and the driver of meetings with other phones.
//!
//! ```text
//!  local change ─▶ notify ─┐
//!  GET /v1/live ─▶ wake-up ─┼─▶ Driver::run ─▶ Star (sans IO) ─▶ POST /v1/session, /v1/sync
//!  pause is over ───────────┘   │    └─▶ status (a state, never a dialog)
//!                               └─▶ Transfer (sans IO) ─▶ /v1/attachments/…
//! ```
//!
//! This is the only place in core with sockets, and it reads the clock (system). Calls of the
//! replica block, so they run on threads for blocking work. A missing network is a state like any other.
//!
//! **Not here:** the content and order of a sync (sync), and any decision about trust (trust).

mod address;
mod budget;
mod cancel;
mod connection;
mod driver;
mod enrol;
mod error;
mod http;
mod line_rate;
mod live;
pub mod meeting;
mod meter;
mod status;

pub use crate::sync::transfer::FilesProgress;
pub use crate::system::{OsRandom, now_ms};
pub use address::Address;
pub use budget::Budget;
pub use cancel::Cancel;
pub use driver::{Driver, PlannedAmount, SyncPlan};
pub use enrol::enrol;
pub use error::NetError;
pub use http::{NetConfig, Roots};
pub use meter::Traffic;
pub use status::{FilesPolicy, Progress, State, Status};

#[cfg(test)]
mod tests;
