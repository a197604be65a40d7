//! HTTP: the shell that every request passes, and the routes of the protocol inside it.
//!
//! ```text
//!  socket ─ place ─ TLS ─▶ observe ─▶ problems ─▶ catch panic ─▶ rate ─▶ busy? ─▶ time limit ─▶ size limit
//!           limits, ends   log,       code, zh/en, a bug is one  by address                          │
//!           silent ones    metrics    problem+json failed request      body ◀── session known? ◀── route
//!                                                                        └─▶ worker ─▶ Server::handle_*
//! ```
//!
//! Uploads and downloads of files last as long as bytes flow. They have no time limit and no size limit here, but
//! limits of their own.
//!
//! A part of the server builds a `Router` of its routes and returns [`crate::error::Problem`] as its errors.
//! [`shell`] adds the layers around it and [`Listener`] serves it. [`Node`] holds the state that all routes
//! of the protocol share.
//!
//! **Not here:** rules about records, people or sessions.

mod attachments;
mod body;
mod connection;
mod health;
mod listener;
mod live;
mod meters;
mod node;
mod observe;
mod open_files;
mod patience;
mod peer;
mod problems;
mod pulses;
mod quiet;
mod rates;
mod routes;
mod seats;
mod shell;
mod shutdown;
mod tasks;
mod tls;
mod validity;

pub use attachments::transfers;
pub use health::{Ready, ReloadFailures};
pub use listener::Listener;
pub use node::Node;
pub use patience::Patience;
pub use routes::routes;
pub use shell::{Shell, shell};
pub use shutdown::{Shutdown, Trigger};
pub use tasks::keep_time;
pub use tls::Tls;

#[cfg(test)]
mod tests;
