#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod answers;
mod expressions;
mod hostile;
mod random;
mod reference;
mod shipped;
mod states;
mod support;
mod templates;
