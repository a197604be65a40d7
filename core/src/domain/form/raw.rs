//! A template as JSON writes it. The fields of each type are in the order of the canonical bytes.

use serde::{Deserialize, Serialize};

use super::error::TemplateError;
use super::words::Words;
use crate::limits::FORM_BYTES_MAX;

/// The format that this version reads and writes.
pub(super) const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTemplate {
    pub(super) format: u32,
    pub(super) id: String,
    pub(super) version: u32,
    pub(super) title: Words,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<Words>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) volunteers: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) restricted_place: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) next_visit: Option<RawInterval>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lists: Vec<RawList>,
    pub(super) items: Vec<RawItem>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInterval {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) days: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) working_days: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawList {
    pub(super) id: String,
    pub(super) choices: Vec<RawChoice>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChoice {
    pub(super) id: String,
    pub(super) label: Words,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawItem {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) id: String,
    pub(super) label: Words,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<Words>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) relevant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) constraint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) constraint_message: Option<Words>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) default: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decimals: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<Words>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Vec<RawItem>>,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands in a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Reads JSON of a known shape. A higher `format` and an unknown field make it newer than this version.
pub(super) fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, TemplateError> {
    if bytes.len() > FORM_BYTES_MAX {
        return Err(TemplateError::TooLarge);
    }
    let format = serde_json::from_slice::<AnyFormat>(bytes);
    let format = format.map_err(|error| refusal(&error))?.format;
    if format != FORMAT {
        return Err(TemplateError::Newer {
            part: format!("format {format}"),
        });
    }
    serde_json::from_slice(bytes).map_err(|error| refusal(&error))
}

fn refusal(error: &serde_json::Error) -> TemplateError {
    let text = error.to_string();
    // serde has no other sign of an unknown field than this text; a test fails when it changes.
    let unknown = text.strip_prefix("unknown field `");
    match unknown.and_then(|rest| rest.split('`').next()) {
        Some(field) => TemplateError::Newer {
            part: field.chars().take(40).collect(),
        },
        None => TemplateError::Malformed {
            line: error.line(),
            column: error.column(),
        },
    }
}

/// Writes the canonical bytes: no white space, fields in the order of the type, absent fields left out.
pub(super) fn write<T: Serialize>(raw: &T) -> Vec<u8> {
    serde_json::to_vec(raw).expect("texts, numbers and lists of them always have a JSON form")
}
