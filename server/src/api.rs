//! The HTTP shell: what every request passes, whatever it is for.
//!
//! ```text
//!  socket ─ TLS ─▶ observe ─▶ problems ─▶ catch panic ─▶ busy? ─▶ time limit ─▶ size limit ─▶ route
//!                  log,       code, zh/en, a bug is one
//!                  metrics    problem+json failed request
//! ```
//!
//! A part of the server makes a `Router` of its routes and errs with [`crate::error::Problem`]; [`shell`]
//! puts the rest around it and [`Listener`] serves it.
//!
//! **Not here:** any rule about records, people or sessions.

mod health;
mod listener;
mod observe;
mod problems;
mod shell;
mod shutdown;
mod tls;

pub use health::Ready;
pub use listener::Listener;
pub use shell::{Shell, shell};
pub use shutdown::{Shutdown, Trigger};
pub use tls::load as load_tls;

#[cfg(test)]
mod tests;
