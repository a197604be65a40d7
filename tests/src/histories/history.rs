//! The file of histories: the story of each case.

use std::collections::BTreeMap;
use std::path::PathBuf;

use onegrid_core::domain::AreaPath;
use onegrid_core::domain::case::Severity;
use onegrid_core::domain::content::{Content, Details, StoredPosition};
use onegrid_core::domain::kinds::hazard::Hazard;
use onegrid_core::domain::position::{Datum, Position};
use onegrid_core::id::AreaId;
use onegrid_core::limits::ANSWER_CHARS_MAX;
use onegrid_core::replica::Draft;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Deserialize;

/// Size of the same lines compressed by zstd at level 3: the yardstick of the bench “fresh phone”.
pub const YARDSTICK_BYTES: u64 = 1_170_767;

/// One line of the file.
#[derive(Debug, Clone, Deserialize)]
pub struct History {
    pub(super) title: String,
    pub(super) category: String,
    pub(super) description: String,
    pub(super) address: String,
    pub(super) grid: String,
    pub(super) lat: f64,
    pub(super) lon: f64,
    pub(super) severity: u8,
    /// Entries in order; the first one is the report.
    pub events: Vec<Entry>,
    pub(super) attachments: Vec<String>,
    /// Answers by the id of the question; the file has none.
    #[serde(skip)]
    answers: BTreeMap<String, String>,
}

/// One entry of a history.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub(super) kind: String,
    pub(super) at: i64,
    pub(super) by: String,
    pub(super) note: String,
    pub(super) unit: Option<String>,
    pub(super) severity: Option<u8>,
    pub(super) photo: Option<String>,
}

impl History {
    /// Returns the code of the grid of the case.
    #[must_use]
    pub fn grid(&self) -> &str {
        &self.grid
    }

    /// Returns the same story in another grid.
    #[must_use]
    pub fn moved_to(self, grid: &str) -> Self {
        Self {
            grid: grid.to_owned(),
            ..self
        }
    }

    /// Returns the same story with as many answers of the greatest length, in words that no compression makes
    /// small.
    #[must_use]
    pub fn with_long_answers(self, count: usize, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut word =
            || char::from_u32(0x4E00 + rng.next_u32() % 20_000).expect("a character of CJK");
        let mut answer = |n| {
            (
                format!("long_{n}"),
                (0..ANSWER_CHARS_MAX).map(|_| word()).collect(),
            )
        };
        Self {
            answers: (0..count).map(&mut answer).collect(),
            ..self
        }
    }

    /// Returns the grid with the areas above it.
    ///
    /// # Panics
    /// Never, because grids of the histories have four levels.
    #[must_use]
    pub fn home(&self) -> AreaPath {
        let grid = &self.grid;
        let home = [
            "330105000000".to_owned(),
            format!("{}000", &grid[..9]),
            grid[..12].to_owned(),
            grid.clone(),
        ]
        .map(|code| AreaId::of_first_code(&code));
        AreaPath::new(&home).expect("four levels")
    }

    /// Returns the report as a phone makes it: without photos, because it has not got the files.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let words = Self {
            attachments: Vec::new(),
            ..self.clone()
        };
        Draft::staff(words.content(), self.home())
    }

    /// Returns the content of the report.
    ///
    /// # Panics
    /// Never, because the histories lie in Gongshu and name attachments by SHA-256.
    #[must_use]
    pub fn content(&self) -> Content {
        let position = Position::from_degrees(self.lat, self.lon, Datum::Wgs84, Some(10), 1_000)
            .expect("the histories lie in Gongshu");
        let details = Details {
            title: Some(self.title.clone()),
            category: Some(self.category.clone()),
            address: Some(self.address.clone()),
            occurred_ms: Some(self.events[0].at),
            position: Some(StoredPosition::of(position)),
            description: self.description.clone(),
            photos: self
                .attachments
                .iter()
                .take(2)
                .map(|hash| (hash.parse().expect("a SHA-256"), String::new()))
                .collect(),
            answers: self.answers.clone(),
            ..Details::default()
        };
        let severity = Severity::from_code(self.severity);
        Content::from(Hazard { details, severity })
    }
}

/// Reads all histories of the file in `tests/data/bench`.
#[must_use]
pub fn read() -> Vec<History> {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "data",
        "bench",
        "hazards.jsonl.zst",
    ]
    .iter()
    .collect();
    let bytes = std::fs::read(&path).expect("the histories are part of the project");
    let text = zstd::decode_all(&bytes[..]).expect("the histories are zstd");
    std::str::from_utf8(&text)
        .expect("the histories are UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a history"))
        .collect()
}
