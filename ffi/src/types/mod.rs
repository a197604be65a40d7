//! The records that cross the border. They are data, without rules and without handles.
//!
//! Ids of records, envelopes, members, units, areas and roles are opaque texts. Times are milliseconds since
//! 1970 UTC. Coordinates are degrees WGS-84, except beside a datum. Kinds, stages, fields and moves have stable
//! codes, so a newer core can add one without a change of the surface.

mod account;
mod attachments;
mod directory;
mod form;
mod input;
mod meeting;
mod moves;
mod notice;
mod query;
mod record;
mod sync;
mod walk;
mod word;

pub use account::*;
pub use attachments::*;
pub use directory::*;
pub use form::*;
pub use input::*;
pub use meeting::*;
pub use moves::*;
pub use notice::*;
pub use query::*;
pub use record::*;
pub use sync::*;
pub use walk::*;
pub use word::*;
