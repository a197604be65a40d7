//! What must hold, in words of its own.

pub(super) mod agree;
mod rights;
mod saved;
mod server;

use super::world::World;

/// Judges a world at rest.
pub fn judge(world: &mut World) -> Result<(), String> {
    // No document that a phone or the server made answers for the truth: each is made anew.
    onegrid_core::crdt::forget_rebuilt();
    let truth = world.truth()?;
    world.records_at_rest = truth.len();
    rights::judge(world, &truth)?;
    saved::judge(world, &truth)?;
    agree::judge(world, &truth)
}
