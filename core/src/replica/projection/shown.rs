//! The content of a record that a projection shows, kept beside the row. A receipt changes the verdicts of
//! envelopes and not their content, so it does not need the content document made again.
//!
//! **Invariant.** The document is a function of the set of envelopes that count. [`Basis::counted`] names
//! that set. While the set is the same, the shown content and the words in the index are the same.

use super::super::table::record::{Basis, RecordRow};
use crate::domain::content::Content;
use crate::id::Hash;
use crate::limits::TITLE_SHOWN_CHARS_MAX;
use crate::record::{OwnJudgement, Record};

/// The parts of the content that a row shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) title: String,
    pub(super) address: String,
    pub(super) at: Option<(i32, i32)>,
    /// Category as its creator wrote it.
    pub(super) category: Option<String>,
    /// Severity or urgency, as the creator wrote it.
    pub(super) severity: Option<u8>,
    /// The number of fields that people have to agree about.
    pub(super) conflicts: u32,
}

impl Basis {
    pub(super) fn of(record: &Record, shown: &Shown, words: &str) -> Self {
        Self {
            counted: counted(record),
            words: Hash::of(&[words.as_bytes()]).first16(),
            category: shown.category.clone(),
            severity: shown.severity,
            conflicts: shown.conflicts,
        }
    }

    /// Whether the shown content belongs to this record.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        self.counted.is_some() && self.counted == counted(record)
    }
}

impl Shown {
    pub(super) fn of(record: &Record, content: Option<&Content>) -> Self {
        let written = content.and_then(|content| content.kind().spec()?.weight_of(content));
        let document = record.document();
        let conflicts = document.map_or(0, |document| document.conflicts().len());
        let shown = Self {
            severity: written,
            conflicts: u32::try_from(conflicts).unwrap_or(u32::MAX),
            ..Self::default()
        };
        let Some(details) = content.map(Content::details) else {
            return shown;
        };
        let start = || details.description.chars().take(TITLE_SHOWN_CHARS_MAX);
        Self {
            title: details.title.clone().unwrap_or_else(|| start().collect()),
            address: details.address.clone().unwrap_or_default(),
            at: details.position.map(|stored| {
                let point = stored.position().point();
                (point.lat_e7(), point.lon_e7())
            }),
            category: details.category.clone(),
            ..shown
        }
    }

    /// The content that a stored row shows.
    pub(super) fn again(row: &RecordRow, basis: &Basis) -> Self {
        Self {
            title: row.title.clone(),
            address: row.address.clone(),
            at: row.at,
            category: basis.category.clone(),
            severity: basis.severity,
            conflicts: basis.conflicts,
        }
    }
}

/// Names the set of envelopes that count. `None` where an envelope counts by its verdict although it was
/// found void here, because then the document may depend on more than the set.
pub(super) fn counted(record: &Record) -> Option<[u8; 16]> {
    let counting = || record.nodes().iter().filter(|node| node.counts());
    if counting().any(|node| node.judged != OwnJudgement::Valid) {
        return None;
    }
    let mut ids: Vec<_> = counting().map(|node| node.id).collect();
    ids.sort_unstable();
    let parts: Vec<&[u8]> = ids.iter().map(|id| id.0.as_slice()).collect();
    Some(Hash::of(&parts).first16())
}
