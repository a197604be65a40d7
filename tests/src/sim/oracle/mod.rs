//! The promises of the product, in the oracle's own words.

pub(super) mod agree;
mod harm;
pub mod names;
mod photos;
mod rights;
mod saved;
mod server;

use super::world::World;

/// Judges a world at rest.
pub fn judge(world: &mut World) -> Result<(), String> {
    let truth = world.truth()?;
    world.records_at_rest = truth.len();
    rights::judge(world, &truth)?;
    harm::judge(world, &truth)?;
    saved::judge(world, &truth)?;
    agree::judge(world, &truth)?;
    photos::judge(world, &truth)
}
