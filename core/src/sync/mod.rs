//! How replicas become equal: phone with server (star) and phone with phone (peer).
//!
//! ```text
//!            next(now, rng) ──▶ Step::Send ──▶ (HTTP, or a simulator)
//!  port ◀──▶ Star ◀── received / failed ◀──────┘
//!  port ◀──▶ Peer ◀──▶ bytes of any pipe
//! ```
//!
//! The machines decide, the caller moves the bytes. The machines read and write a replica through a port that
//! the replica implements. Input from outside is verified before a port sees it.
//!
//! **Not here:** sockets, timers, storage, and the meaning of an envelope.

pub mod answer;
mod exchange;
mod pace;
pub mod paths;
pub mod peer;
mod peer_error;
mod peer_message;
pub mod port;
pub mod reconcile;
mod repair;
pub mod report;
pub mod shared;
pub mod star;
mod star_error;

#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
pub(crate) mod testing;
