//! Checklists: templates of questions, their answers, and the one function that judges them.
//!
//! ```text
//!  JSON bytes ─▶ raw ─▶ check ─▶ Template ──────────────┐
//!                                │ to_bytes, hash       ▼
//!  answer.<id> ─▶ Answers ─────────────────────▶ evaluate(template, answers, today) ─▶ FormState
//!  of a record                                     relevant · required · problem · progress
//! ```
//!
//! **Contract.** The same template, answers and day give the same state on a phone and on the server, in
//! whatever order the answers arrived. Bytes from outside never panic and never cost more than the limits
//! allow. A template has no recursion: expressions and the order of questions are computed with lists.
//! `docs/forms.md` explains the rules and names their sources.
//!
//! **Not here:** the record that holds the answers (`kinds`, `content`), signatures of templates
//! (`wire::signed_entry`), spreadsheets (`admin` of the server).

mod answer;
mod answers;
mod calendar;
mod check;
mod decimal;
mod entry;
mod error;
mod evaluate;
mod expression;
mod kind;
mod name;
mod order;
mod raw;
mod shipped;
mod state;
mod task_list;
mod template;
mod words;

pub use self::answer::{Answer, AnswerError, RowMark};
pub use self::answers::Answers;
pub use self::calendar::{BadTime, Date, Time};
pub use self::decimal::Decimal;
pub use self::entry::{TemplateChanged, TemplateEntry, Templates};
pub use self::error::TemplateError;
pub use self::evaluate::{OtherTemplate, evaluate};
pub use self::expression::{Expression, ExpressionError};
pub use self::kind::{Choice, Kind};
pub use self::name::{AnswerKey, BadName, ItemId, RowId, TemplateId};
pub use self::shipped::{shipped, shipped_task_list};
pub use self::state::{FormState, ItemState, Problem, Progress};
pub use self::task_list::{TaskClass, TaskClause, TaskItem, TaskList, task_name};
pub use self::template::{Default, Interval, Item, Rule, Template};
pub use self::words::Words;

#[cfg(test)]
mod tests;
