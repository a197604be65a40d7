#![allow(clippy::unwrap_used, reason = "tests")]
mod danger;
mod deadline;
mod events;
mod exhaustive;
mod input;
mod offers;
pub(crate) mod random;
mod rules;
mod scenario6;
pub(crate) mod support;
mod work;
