//! The checklist of a visit, as lists of forms and due dates read it.

use super::super::{FormSpec, note};
use super::{
    COMPANIONS, FINISH, NOT_MET, PLANNED_MS, START, TEMPLATE, TEMPLATE_VERSION, VISITED, day,
    next_due, overdue_from_ms,
};

/// The parts of a visit that generic code needs.
pub static FORM: FormSpec = FormSpec {
    template: &TEMPLATE,
    version: &TEMPLATE_VERSION,
    planned: &PLANNED_MS,
    subject: &VISITED,
    companions: &COMPANIONS,
    begin: &START,
    finish: &FINISH,
    in_vain: NOT_MET,
    day,
    overdue_ms: |finished_ms, interval| next_due(finished_ms, interval).map(overdue_from_ms),
    subject_kind: note::KIND,
    note_kind: note::KIND,
};
