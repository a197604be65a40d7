//! Projections: the rows that lists, counts, map, search and notifications read, made from the envelopes and
//! verdicts of a record and from the directory. Everything in them can be made again.

pub(super) mod attachments;
pub(super) mod form_rows;
pub(super) mod names;
pub(super) mod notify;
mod outcomes;
pub(super) mod places;
pub(super) mod project;
pub(super) mod rebuild;
mod shown;
