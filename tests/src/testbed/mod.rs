//! A testbed for suites in any language: a real server that they command by lines of JSON.
//!
//! ```text
//!  suite ── {"do":"invite","with":{"who":"volunteer-1"}} ──▶ stdin   Testbed ──▶ data folder (administrator)
//!        ◀── {"ok":{"qr":…,"code":…}} ───────────────────── stdout     │
//!  phones ──────── HTTP ──▶ Gate (one address that stays) ──▶ `onegrid serve` (a process of its own)
//! ```
//!
//! **Contract.** One request a line, one answer a line, in order. An answer is `{"ok":{…}}` or
//! `{"error":{"code":…,"text":…}}`; a refused command changes nothing. Standard output carries only answers.
//! When standard input ends, or after `shutdown`, the server ends and its folder is removed. The address never
//! changes, whatever happens to the server behind it. `mobile-bindings/scenarios/README.md` lists the commands.
//!
//! **Not here:** the phone's side, and any rule of the domain.

mod answer;
pub mod client;
mod deployment;
mod gate;
pub(crate) mod locks;
mod look;
mod records;
mod serving;
mod talk;

pub use answer::{Answer, Refusal};
pub use client::Client;
pub use deployment::Extent;
pub use talk::serve;

/// The options of a testbed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The part of the district in the testbed.
    pub extent: Extent,
    /// Serve HTTPS with the certificate of tests for `localhost`.
    pub tls: bool,
}
