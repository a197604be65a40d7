//! The shared parts of the suites in `tests/`: helpers that read like the domain. No part of them
//! ships.

pub mod bench;
pub mod histories;
pub mod killed;
pub mod line;
pub mod onegrid;
pub mod photos;
pub mod postgres;
pub mod relay;
pub mod scenario;
pub mod sim;
pub mod testbed;
pub mod town;
