//! “148 recorded, 148 counted”: the person's work, on this phone and on others, and its outcome.

use rusqlite::Connection;

use super::super::error::ReplicaError;
use super::super::load;
use super::super::reader::Reader;
use super::super::table::own_work::{self, Standing, Work};
use super::rewrite;
use super::words::Wording;
use crate::id::{EnvelopeId, RecordId};
use crate::limits::LIST_ROWS_MAX;
use crate::texts::{Lang, text};

/// A person's work and its outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Reports, edits, moves, comments, and photos that were added alone. A photo that belongs to one of these
    /// counts with it. Signed openings are left out, because no person records them.
    pub entries: TallyCounts,
    /// Records that the person made.
    pub records: TallyCounts,
    /// Work that is held or does not count, the newest first; at most 200.
    pub uncounted: Vec<Uncounted>,
}

/// The number of recorded pieces of work, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TallyCounts {
    /// The sum of the four numbers that follow.
    pub recorded: u64,
    /// The server accepted it. Work that a concurrent event overtook counts too, because it is kept and was
    /// done.
    pub counted: u64,
    /// The server has not judged it yet.
    pub waiting: u64,
    /// It awaits review.
    pub held: u64,
    /// It does not count, and the person has not written it again.
    pub not_counted: u64,
}

/// An envelope of the person that is held or does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    /// The record.
    pub record: RecordId,
    /// The envelope.
    pub envelope: EnvelopeId,
    /// When it was written, by the clock of the phone, ms UTC.
    pub clock_ms: i64,
    /// The words of the person; empty where the record is no longer on this phone.
    pub words: String,
    /// Why, a stable code.
    pub code: String,
    /// The sentence of the code in Chinese.
    pub zh: String,
    /// The sentence of the code in English.
    pub en: String,
}

impl Reader {
    /// Returns the person's work and its outcome, from the first instant on and before the second (ms UTC,
    /// by the clock of the phone). Work in a record that the person may no longer read counts by its last
    /// outcome.
    pub fn tally(
        &self,
        since_ms: Option<i64>,
        until_ms: Option<i64>,
    ) -> Result<Tally, ReplicaError> {
        let span = (since_ms.unwrap_or(i64::MIN), until_ms.unwrap_or(i64::MAX));
        self.at_once(|conn| {
            let mut tally = Tally::default();
            for (standing, entries, records) in own_work::counts(conn, span)? {
                tally.entries.add(standing, entries);
                tally.records.add(standing, records);
            }
            for work in own_work::not_counted(conn, span, LIST_ROWS_MAX)? {
                tally.uncounted.push(self.uncounted(conn, work)?);
            }
            Ok(tally)
        })
    }

    fn uncounted(&self, conn: &Connection, work: Work) -> Result<Uncounted, ReplicaError> {
        let record = load::record(conn, &self.certificates, work.record)?;
        let found = record
            .as_ref()
            .and_then(|record| Some((record, record.node(work.id)?)));
        let words = match found {
            Some((record, node)) => {
                let wording = Wording::of(conn, &self.certificates.templates, record)?;
                rewrite::written_in(&wording, record, node)?.1
            }
            None => String::new(),
        };
        let sentence = |lang| text(&work.code, lang).unwrap_or_default().to_owned();
        Ok(Uncounted {
            record: work.record,
            envelope: work.id,
            clock_ms: work.clock_ms,
            words,
            zh: sentence(Lang::Zh),
            en: sentence(Lang::En),
            code: work.code,
        })
    }
}

impl TallyCounts {
    fn add(&mut self, standing: Standing, count: u64) {
        self.recorded += count;
        match standing {
            Standing::Counted => self.counted += count,
            Standing::Waiting => self.waiting += count,
            Standing::Held => self.held += count,
            Standing::NotCounted => self.not_counted += count,
        }
    }
}
