#![allow(clippy::unwrap_used, reason = "tests")]
mod danger;
mod events;
mod exhaustive;
mod random;
mod rules;
mod scenario6;
pub(crate) mod support;
mod work;
