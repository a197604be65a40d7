//! The words and rules of the domain, pure: no clock, no randomness, no IO.

pub mod area;
pub mod areas;
pub mod category;
pub mod directory;
mod fixed_math;
pub mod names;
pub mod polygon;
pub mod position;
pub mod unit;
pub mod zone;
