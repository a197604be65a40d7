//! Export of records to files, for evaluation outside OneGrid.
//!
//! The outline holds place and progress, without texts and people. Content and history are exported as one
//! member may read them, because running the server gives no right to read people's texts. The reading log notes
//! such an export like a phone of the member.

mod content;
mod csv;
mod outline;
mod reader;
mod sheet;
mod template;
mod writer;

use onegrid_core::id::MemberId;
use onegrid_core::texts::Lang;

pub use template::export_template;
pub use writer::{Files, Format};

pub(in crate::admin) use content::{what, words};
pub(in crate::admin) use reader::Permit;

use crate::error::{Problem, Result};
use crate::feed::readings;
use crate::limits::EXPORT_RECORDS_A_STEP;
use crate::registry::audit;
use crate::server::Server;
use crate::store::{ReadingRow, RecordRow};
use outline::Words;

/// Options of an export.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Member in whose name content and history are read; without one, only the outline is exported.
    pub reader: Option<MemberId>,
    /// File format.
    pub format: Format,
    /// Language of names and headings.
    pub lang: Lang,
}

/// Counts of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Records that were written.
    pub written: u64,
    /// Records that the reader may not read.
    pub left_out: u64,
}

/// One record to export: facts as columns, and the history.
struct Told {
    facts: serde_json::Map<String, serde_json::Value>,
    history: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
}

/// Exports records from one snapshot, in the order of their ids. `progress` receives the records done and
/// the records in all. The audit log notes the export before anything is written.
pub fn export(
    server: &Server,
    wanted: Wanted,
    files: &mut Files,
    actor: &str,
    now_ms: i64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Exported> {
    let (actor, of) = (actor.to_owned(), wanted.reader);
    server.store().write::<_, Problem>(move |tx| {
        let subject = of.map(|member| member.to_string()).unwrap_or_default();
        Ok(audit::note(
            tx,
            now_ms,
            &actor,
            "records.exported",
            &subject,
        )?)
    })?;
    server.store().read::<_, Problem>(|tx| {
        let permit = match wanted.reader {
            Some(member) => Some(Permit::of(server, tx, member, now_ms)?),
            None => None,
        };
        let view = server.shared.views.at(tx)?;
        let words = Words {
            directory: &view.directory,
            lang: wanted.lang,
        };
        let all = usize::try_from(tx.counts()?.records).unwrap_or(usize::MAX);
        let (mut after, mut done, mut exported) = (None, 0, Exported::default());
        files.begin(wanted)?;
        loop {
            let rows = tx.records(after, EXPORT_RECORDS_A_STEP)?;
            let Some(last) = rows.last() else {
                files.end()?;
                return Ok(exported);
            };
            after = Some(last.id);
            let (mut page, mut readings) = (Vec::new(), Vec::new());
            for row in &rows {
                match told(server, tx, row, permit.as_ref(), words, now_ms)? {
                    Some((told, reading)) => {
                        page.push(told);
                        readings.extend(reading);
                    }
                    None => exported.left_out += 1,
                }
            }
            // A reading is logged before anything of the record is written.
            readings::note(server.store(), readings)?;
            for told in &page {
                files.record(told)?;
                exported.written += 1;
            }
            done += rows.len();
            progress(done, all);
        }
    })
}

/// Collects one record, with its line of the reading log; `None` if the reader may not read it.
fn told(
    server: &Server,
    tx: &dyn crate::store::Reader,
    row: &RecordRow,
    permit: Option<&Permit>,
    words: Words<'_>,
    now_ms: i64,
) -> Result<Option<(Told, Option<ReadingRow>)>> {
    let facts = outline::facts(row, words);
    let Some(permit) = permit else {
        let history = None;
        return Ok(Some((Told { facts, history }, None)));
    };
    let Some(shown) = permit.shown(tx, row.id)? else {
        return Ok(None);
    };
    let record = crate::records::load(tx, &server.shared.certificates, row.id)?;
    let told = content::told(tx, &record, facts, &shown.authors, words)?;
    let reading = readings::exported(row, permit.member, shown.stream, now_ms);
    Ok(Some((told, reading)))
}

#[cfg(test)]
mod tests;
