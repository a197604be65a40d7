//! The stages of all lifecycles by code and name. Lists, the border to the apps and exports store the code.
//!
//! Codes below [`STAGE_CODES_FROM`] are stages of cases, and the others belong to the tables of steps. Kinds
//! that use the same name of a stage use the same code, so a code needs no kind beside it.

use super::step_tables;
use crate::domain::case::Stage;
use crate::domain::steps::{STAGE_CODES_FROM, StageSpec};

/// The name of a stage; “unknown” for a code of a newer version.
#[must_use]
pub fn name_of(code: u8) -> &'static str {
    if code < STAGE_CODES_FROM {
        return Stage::from_code(code).map_or("unknown", Stage::name);
    }
    let stage = own().find(|stage| stage.code == code);
    stage.map_or("unknown", |stage| stage.name)
}

/// The code of a stage.
#[must_use]
pub fn code_of(name: &str) -> Option<u8> {
    let case = Stage::from_name(name).map(Stage::code);
    case.or_else(|| {
        let stage = own().find(|stage| stage.name == name)?;
        Some(stage.code)
    })
}

/// The stages of all tables of steps. A stage that two kinds have is there twice.
pub fn own() -> impl Iterator<Item = &'static StageSpec> {
    step_tables().flat_map(|table| table.stages)
}
