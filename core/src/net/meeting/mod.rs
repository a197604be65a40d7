//! Drives a meeting of two phones over a real pipe: TCP, or a pipe of the host.
//!
//! ```text
//!  MeetingCode (QR) ─▶ MeetingDriver::call ──▶ TCP ──┐
//!  MeetingListener ──▶ MeetingDriver::accept ─▶ TCP ─┼─▶ BytePipe ◀─▶ Peer (sans IO) ◀─▶ PeerPort
//!  Bluetooth, Wi-Fi Direct ─▶ MeetingDriver::over ───┘
//! ```
//!
//! Reads and writes of a pipe block, so each meeting has a thread of its own. A watch beside it
//! closes the pipe when the meeting is cancelled, when nothing moves for too long, and when its time
//! is over. A host's pipe that hangs in spite of that loses its thread, and the call returns all the
//! same.
//!
//! **Not here:** the messages of a meeting (`sync::peer`), a meeting in files (`sync::bundle_file`).

mod code;
mod discovery;
mod drive;
mod error;
mod pipe;
mod tcp;
mod watch;

pub use code::{Hotspot, MeetingCode};
pub use discovery::{SERVICE_TYPE, Service};
pub use drive::{MeetingDriver, MeetingProgress, MeetingReport, Side};
pub use error::MeetingError;
pub use pipe::{BytePipe, PipeBroken};
pub use tcp::{MeetingListener, parse_addresses};
pub use watch::Pace;

#[cfg(test)]
mod tests;
