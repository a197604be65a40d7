//! Records written to files, for whoever evaluates them elsewhere.
//!
//! The outline says where and how far, no texts and no people. Content and history are written as one member
//! may read them: running the server is no right to read what people wrote.

mod content;
mod csv;
mod outline;
mod reader;
mod writer;

use onegrid_core::id::MemberId;

pub use writer::{Files, Format};

use crate::error::{Problem, Result};
use crate::limits::EXPORT_RECORDS_A_STEP;
use crate::registry::audit;
use crate::server::Server;
use crate::store::RecordRow;
use reader::Permit;

/// What is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// As whom content and history are read; without one, the outline alone is written.
    pub reader: Option<MemberId>,
    /// In which form.
    pub format: Format,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Records.
    pub written: u64,
    /// Records that the reader may not read.
    pub left_out: u64,
}

/// One record on its way out: flat facts, and what happened to it.
struct Told {
    facts: serde_json::Map<String, serde_json::Value>,
    history: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
}

impl Server {
    /// Writes records in the order of their ids, out of one snapshot. `progress` gets records done and records
    /// in all. That it was done goes into the audit log, before anything is written.
    pub fn export(
        &self,
        wanted: Wanted,
        files: &mut Files,
        actor: &str,
        now_ms: i64,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Exported> {
        let (actor, of) = (actor.to_owned(), wanted.reader);
        self.store.write::<_, Problem>(move |tx| {
            let subject = of.map(|member| member.to_string()).unwrap_or_default();
            Ok(audit::note(
                tx,
                now_ms,
                &actor,
                "records.exported",
                &subject,
            )?)
        })?;
        self.store.read::<_, Problem>(|tx| {
            let permit = match wanted.reader {
                Some(member) => Some(Permit::of(self, tx, member, now_ms)?),
                None => None,
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
                for row in &rows {
                    match self.told(tx, row, permit.as_ref())? {
                        Some(told) => {
                            files.record(&told)?;
                            exported.written += 1;
                        }
                        None => exported.left_out += 1,
                    }
                }
                done += rows.len();
                progress(done, all);
            }
        })
    }

    /// `None` where the reader may not read the record.
    fn told(
        &self,
        tx: &dyn crate::store::Reader,
        row: &RecordRow,
        permit: Option<&Permit>,
    ) -> Result<Option<Told>> {
        let facts = outline::facts(row);
        let Some(permit) = permit else {
            let history = None;
            return Ok(Some(Told { facts, history }));
        };
        let Some(shown) = permit.shown(tx, row.id)? else {
            return Ok(None);
        };
        let record = crate::ingest::records::load(tx, &self.certificates, row.id)?;
        content::told(tx, &record, facts, &shown).map(Some)
    }
}
