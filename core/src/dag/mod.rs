//! Directed graphs without circles: the order of their nodes, and the past of a node.
//!
//! The nodes of a [`Dag`] are places in a list. `order` sorts them, parents first. `past` tells which nodes
//! another node has seen, `walk` visits the past of a few nodes, and `descent` finds the nodes that build on
//! others. Input may name a circle, a missing parent or one node twice, so each function says what it does then.
//! No function calls itself, so a long line of nodes needs no deep stack.
//!
//! **Not here:** the meaning of a node. Ids, envelopes and changes belong to the callers.

mod descent;
mod order;
mod past;
mod walk;

#[cfg(test)]
mod tests;

pub use descent::{children, descendants, with_descendants};
pub use order::{Dag, places};
pub use past::Ancestry;
pub use walk::{Marks, Seen, Walk};
