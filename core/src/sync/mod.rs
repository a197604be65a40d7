//! How replicas become equal: phone with server (star) and phone with phone (peer).
//!
//! ```text
//!            next(now, rng) ──▶ Step::Send ──▶ (HTTP, or a simulator)
//!  port ◀──▶ Star ◀── received / failed ◀──────┘
//!  port ◀──▶ Transfer (photos and recordings, in the session of the star) ◀──▶ HTTP
//!  port ◀──▶ Peer ◀──▶ bytes of any pipe
//!  port ◀──▶ bundle_file ◀──▶ a file, one way
//! ```
//!
//! The machines decide, the caller moves the bytes. The machines read and write a replica through a port that
//! the replica implements. Input from outside is verified before a port sees it.
//!
//! # Example
//!
//! The whole run loop of a phone. The machine says what to do next; the host moves the bytes, waits, and
//! supplies clock and randomness. The first request is lost here, and that changes nothing. The file
//! `core/doc/deployment.rs` has the surroundings, a small server among them.
//!
//! ```
//! # #[cfg(feature = "replica")] {
//! # mod deployment { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/deployment.rs")); }
//! # use deployment::*;
//! use onegrid_core::replica::Draft;
//! use onegrid_core::sync::star::{Incoming, Star, Step};
//! # use onegrid_core::trust::sign::SecretKey;
//! # use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
//! # fn example() -> Answer<()> {
//! # let rng = &mut ChaCha20Rng::seed_from_u64(1);
//! # let deployment = Deployment::new(rng)?;
//! # let folder = tempfile::tempdir()?;
//! # let mut phone = enrolled(folder.path(), &SecretKey::generate(rng), &deployment)?;
//! # let mut server = Server::new(deployment, &phone);
//!
//! let mut now_ms = 1_760_000_000_000;
//! phone.report(&Draft::staff(hazard("Gas cylinders"), home()), now_ms)?;
//!
//! let mut star = Star::new();
//! let mut lost = 1;
//! let report = loop {
//!     match star.next(&mut phone, now_ms, rng)? {
//!         Step::Send(_) if lost > 0 => {
//!             lost -= 1;
//!             star.failed(now_ms, rng);
//!         }
//!         // A POST to the server, and its answer.
//!         Step::Send(request) => {
//!             let Reply { mac, body } = server.answer(&request, now_ms, rng)?;
//!             let incoming = Incoming { status: 200, mac: mac.as_deref(), body: &body };
//!             star.received(&mut phone, incoming, now_ms, rng)?;
//!         }
//!         // A host sleeps until then, and calls `wake` when the network is back.
//!         Step::Wait { until_ms } => now_ms = until_ms,
//!         Step::Awaiting => unreachable!("each request was answered, or it failed"),
//!         Step::Done(report) => break report,
//!     }
//! };
//! assert!(report.equal, "phone and server hold the same");
//! assert_eq!((report.pushed, phone.undelivered()?), (1, 0));
//! # Ok(())
//! # }
//! # example().unwrap();
//! # }
//! ```
//!
//! **Not here:** sockets, timers, storage, and the meaning of an envelope.

pub mod answer;
pub mod bundle_file;
pub mod channel;
mod exchange;
pub mod file_port;
mod pace;
pub mod paths;
mod pause;
pub mod peer;
mod peer_error;
mod peer_message;
pub mod port;
mod port_error;
pub mod reconcile;
mod repair;
pub mod report;
pub mod shared;
pub mod star;
mod star_error;
pub mod transfer;

#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
pub(crate) mod testing;
