//! The domain: roles, areas, record kinds, events, the fold and the permissions. Pure functions and data.
//!
//! ```text
//!  Entry* ──▶ case::fold ──▶ RecordState ──▶ stream::streams_of   (who may receive it)
//!                 │ ▲
//!                 ▼ │ state that the author had seen
//!             may::may  (permissions: role × action)  +  case::table (state × move)
//!
//!  kinds/<kind> ──▶ KindSpec ──▶ everything above, and content::Content (fields of a record)
//! ```
//!
//! **Invariants.** Same entries and verdicts → same state, in any order. Rules never read content, directory,
//! clock or receipts. An action is denied unless a table permits it. Only a folder of `kinds` names a kind.
//!
//! **Not here:** bytes of envelopes (`wire`), signatures (`trust`), content documents (`crdt`).

pub mod area;
pub mod area_path;
pub mod areas;
pub mod bulletin;
pub mod case;
pub mod category;
pub mod civil;
pub mod content;
pub mod directory;
mod fixed_math;
pub mod form;
pub mod geometry;
pub mod handling;
pub mod kind;
pub mod kinds;
pub mod month;
pub mod moves;
pub mod names;
pub mod notification;
pub mod permissions;
pub mod point;
pub mod polygon;
pub mod position;
pub mod role;
pub mod steps;
pub mod stream;
pub mod text;
pub mod unit;
pub mod walk;
pub mod zone;

pub use area_path::AreaPath;
pub use case::may;
pub use kind::{Audience, RecordKind, Source};
pub use role::{Grant, Role, Scope};
pub use stream::StreamId;
pub use text::{Code, Text};
