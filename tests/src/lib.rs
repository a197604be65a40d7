//! What the suites in `tests/` share: helpers that read like the domain, and nothing that ships.

pub mod bench;
pub mod histories;
pub mod killed;
pub mod onegrid;
pub mod sim;
pub mod town;
