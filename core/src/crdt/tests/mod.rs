//! Tests of the gate and of typed content.
#![allow(clippy::unwrap_used, reason = "tests")]

mod content;
mod support;
