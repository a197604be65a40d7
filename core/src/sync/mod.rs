//! How replicas become equal: phone with server (star) and phone with phone (peer).
//!
//! ```text
//!            next(now, rng) ──▶ Step::Send ──▶ (HTTP, or a simulator)
//!  port ◀──▶ Star ◀── received / failed ◀──────┘
//!  port ◀──▶ Peer ◀──▶ bytes of any pipe
//! ```
//!
//! The machines decide, the caller moves the bytes. What they read and write of a replica goes through a port
//! that the replica implements; what comes from outside is verified before a port sees it.
//!
//! **Not here:** sockets, timers, storage, and what an envelope means.

pub mod answer;
mod exchange;
pub mod paths;
pub mod peer;
mod peer_error;
mod peer_message;
pub mod port;
pub mod reconcile;
mod repair;
pub mod report;
mod shared;
pub mod star;
mod star_error;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod testing;
