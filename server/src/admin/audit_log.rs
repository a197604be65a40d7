//! The audit log and the reading log for people: search, and tables for a spreadsheet.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::Path;

use onegrid_core::id::{MemberId, RecordId};

use super::new_file::NewFile;
use super::time::local;
use crate::error::{Problem, Result};
use crate::feed::readings;
use crate::limits::LIST_ROWS_A_STEP;
use crate::registry::audit;
use crate::server::Server;
use crate::store::{AuditRow, Reader, StoreResult};

/// Tells spreadsheets that the table is in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Characters that begin a formula in a spreadsheet.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// A question about the audit log; every condition must hold.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// The actor is this.
    pub actor: Option<String>,
    /// The action begins with this.
    pub action: Option<String>,
    /// The subject, or the id that the office uses for it, contains this.
    pub subject: Option<String>,
    /// Not before this instant, ms UTC.
    pub since_ms: Option<i64>,
}

/// A line of the audit log with the id that the office uses for its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line.
    pub row: AuditRow,
    /// Id that the office uses for the member of the line, if known.
    pub external_id: Option<String>,
}

impl Sought {
    fn fits(&self, line: &Line) -> bool {
        let row = &line.row;
        let names = |text: &String| {
            let office = line.external_id.as_deref().unwrap_or_default();
            row.subject.contains(text.as_str()) || office.contains(text.as_str())
        };
        self.since_ms.is_none_or(|since_ms| row.at_ms >= since_ms)
            && self.actor.as_ref().is_none_or(|actor| *actor == row.actor)
            && self
                .action
                .as_ref()
                .is_none_or(|action| row.action.starts_with(action.as_str()))
            && self.subject.as_ref().is_none_or(names)
    }
}

fn line(tx: &dyn Reader, row: AuditRow) -> StoreResult<Line> {
    let external_id = match row.subject_id().parse::<MemberId>() {
        Ok(member) => tx.external_id(member.0)?,
        Err(_) => None,
    };
    Ok(Line { row, external_id })
}

/// The newest lines, the oldest of them first.
pub fn last(server: &Server, count: usize) -> Result<Vec<Line>> {
    server.store().read::<_, Problem>(|tx| {
        let newest = tx.audit_last()?.map_or(0, |row| row.no);
        let after = newest.saturating_sub(count as u64);
        let rows = tx.audit(after, count)?.into_iter();
        let lines = rows.map(|row| line(tx, row));
        Ok(lines.collect::<StoreResult<_>>()?)
    })
}

/// Hands out the lines that match, the oldest first, up to the newest of now. Returns their number.
///
/// Each page is read alone: its receiver may be a pager that stays open for days, and an old
/// snapshot lets the log of the database grow without limit. Lines never change, so one snapshot is
/// not needed.
pub fn search(
    server: &Server,
    sought: &Sought,
    mut take: impl FnMut(&Line) -> Result<()>,
) -> Result<usize> {
    let store = server.store();
    let newest = store.read(|tx| tx.audit_last())?.map_or(0, |row| row.no);
    let (mut after, mut count) = (0, 0);
    while after < newest {
        let page: Vec<Line> = store.read::<_, Problem>(|tx| {
            let rows = tx.audit(after, LIST_ROWS_A_STEP)?.into_iter();
            let rows = rows.filter(|row| row.no <= newest);
            Ok(rows.map(|row| line(tx, row)).collect::<StoreResult<_>>()?)
        })?;
        let Some(last) = page.last() else { break };
        after = last.row.no;
        for line in page.iter().filter(|line| sought.fits(line)) {
            take(line)?;
            count += 1;
        }
    }
    Ok(count)
}

/// A log that can be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// The administrators' work.
    Audit,
    /// The readers of sensitive records.
    Readings,
}

/// Writes a log as a table into a new file that only its owner can read, and notes that in the audit log.
/// Returns the number of lines.
pub fn export(
    server: &Server,
    path: &Path,
    log: LogKind,
    sought: &Sought,
    actor: &str,
    now_ms: i64,
) -> Result<usize> {
    let mut table = Table::create(path)?;
    let count = match log {
        LogKind::Audit => {
            table.line(&["no", "time", "actor", "action", "subject", "external_id"])?;
            let count = search(server, sought, |line| {
                let row = &line.row;
                table.line(&[
                    &row.no.to_string(),
                    &local(row.at_ms),
                    &row.actor,
                    &row.action,
                    &row.subject,
                    line.external_id.as_deref().unwrap_or_default(),
                ])
            })?;
            note(server, "audit.exported", actor, now_ms)?;
            count
        }
        LogKind::Readings => {
            table.line(&[
                "time",
                "member",
                "external_id",
                "device",
                "record",
                "stream",
            ])?;
            let wanted = readings::Sought {
                member: None,
                record: None::<RecordId>,
                since_ms: sought.since_ms.unwrap_or_default(),
            };
            let store = server.store();
            // `readings` notes the look in the audit log.
            let count = server.readings(&wanted, actor, now_ms, |row| {
                let external_id = store.read(|tx| tx.external_id(row.member.0))?;
                table.line(&[
                    &local(row.first_ms),
                    &row.member.to_string(),
                    external_id.as_deref().unwrap_or_default(),
                    &row.key.device.to_string(),
                    &row.key.record.to_string(),
                    &row.stream.to_string(),
                ])
            })?;
            usize::try_from(count).unwrap_or(usize::MAX)
        }
    };
    table.end()?;
    Ok(count)
}

fn note(server: &Server, action: &'static str, actor: &str, now_ms: i64) -> Result<()> {
    let actor = actor.to_owned();
    let store = server.store();
    store.write::<_, Problem>(move |tx| Ok(audit::note(tx, now_ms, &actor, action, "")?))
}

/// A table of CSV that no spreadsheet takes for formulas.
struct Table<'a> {
    path: &'a Path,
    to: csv::Writer<BufWriter<NewFile>>,
}

impl<'a> Table<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let failed = |error: &std::io::Error| {
            let code = match error.kind() {
                ErrorKind::AlreadyExists => "export.exists",
                _ => "data.unusable",
            };
            Problem::new(code)
                .with("path", path.display())
                .because(error)
        };
        let mut file = NewFile::create(path).map_err(|error| failed(&error))?;
        file.write_all(BYTE_ORDER_MARK)
            .map_err(|error| failed(&error))?;
        let mut builder = csv::WriterBuilder::new();
        builder.terminator(csv::Terminator::CRLF);
        let to = builder.from_writer(BufWriter::new(file));
        Ok(Self { path, to })
    }

    fn line(&mut self, cells: &[&str]) -> Result<()> {
        let cells = cells.iter().map(|cell| match cell.chars().next() {
            Some(first) if FORMULA.contains(&first) => format!("'{cell}"),
            _ => (*cell).to_owned(),
        });
        let written = self.to.write_record(cells);
        written.map_err(|error| unwritten(self.path, &error))
    }

    fn end(self) -> Result<()> {
        let failed = |error: &dyn std::error::Error| unwritten(self.path, error);
        let buffer = self
            .to
            .into_inner()
            .map_err(|error| failed(error.error()))?;
        let mut file = buffer.into_inner().map_err(|error| failed(error.error()))?;
        file.finish().map_err(|error| failed(&error))
    }
}

fn unwritten(path: &Path, error: &dyn std::error::Error) -> Problem {
    Problem::new("data.unusable")
        .with("path", path.display())
        .because(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]
    use onegrid_core::fixtures::{NOW, VOLUNTEER_WANG, VOLUNTEER_ZHAO};

    use super::*;
    use crate::ingest::tests::world::TestServer;

    fn world() -> TestServer {
        let world = TestServer::new();
        let server = &world.server;
        world.member(VOLUNTEER_WANG, vec![VOLUNTEER_WANG.grant()]);
        world.member(VOLUNTEER_ZHAO, vec![]);
        let id = VOLUNTEER_WANG.member();
        let noted = vec![(id.0, "W-7".to_owned())];
        server.note_external_ids(noted).unwrap();
        server.disable_member(id, "zhang", NOW + 5).unwrap();
        world
    }

    fn found(world: &TestServer, sought: &Sought) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        search(&world.server, sought, |line| {
            let row = &line.row;
            lines.push((row.actor.clone(), row.action.clone()));
            Ok(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn each_condition_narrows_the_search() {
        let world = world();
        let line = |actor: &str, action: &str| (actor.to_owned(), action.to_owned());
        let by = Sought {
            actor: Some("zhang".to_owned()),
            ..Sought::default()
        };
        assert_eq!(found(&world, &by), [line("zhang", "member.disabled")]);
        let of = Sought {
            subject: Some("W-7".to_owned()),
            ..Sought::default()
        };
        let expected = [
            line("admin", "member.added"),
            line("zhang", "member.disabled"),
        ];
        assert_eq!(found(&world, &of), expected);
        let action = Sought {
            action: Some("member.".to_owned()),
            since_ms: Some(NOW + 1),
            ..Sought::default()
        };
        assert_eq!(found(&world, &action), [line("zhang", "member.disabled")]);
        let newest = last(&world.server, 1).unwrap();
        assert_eq!(newest[0].row.action, "member.disabled");
        assert_eq!(newest[0].external_id.as_deref(), Some("W-7"));
    }

    /// A pager that is left open keeps no snapshot, or the log of the database would fill the disk.
    #[test]
    fn search_holds_no_snapshot_while_it_prints() {
        let world = world();
        let file = rusqlite::Connection::open(world.folder().join("onegrid.db")).unwrap();
        file.busy_timeout(std::time::Duration::ZERO).unwrap();
        let mut seen = 0;
        let mut look = || {
            seen += 1;
            // Data that the reader has not seen can be merged all the same.
            world.server.try_write(NOW + seen).unwrap();
            file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .unwrap()
        };
        let all = Sought::default();
        let count = search(&world.server, &all, |_| {
            let busy: i64 = look();
            assert_eq!(busy, 0);
            Ok(())
        });
        assert!(count.unwrap() > 2);
        let any = readings::Sought {
            member: None,
            record: None,
            since_ms: 0,
        };
        let row = |day| crate::store::ReadingRow {
            key: crate::store::ReadingKey {
                day,
                device: onegrid_core::id::DeviceId([1; 16]),
                record: RecordId([2; 16]),
            },
            member: VOLUNTEER_WANG.member(),
            stream: onegrid_core::domain::stream::StreamId::DirectoryBase,
            first_ms: day,
        };
        readings::note(world.server.store(), vec![row(1), row(2)]).unwrap();
        let count = world.server.readings(&any, "li", NOW, |_| {
            assert_eq!(look(), 0);
            Ok(())
        });
        assert_eq!(count.unwrap(), 2);
    }

    #[test]
    fn exported_log_opens_in_a_spreadsheet_and_is_noted() {
        let world = world();
        let path = world.folder().join("log.csv");
        let by = Sought {
            actor: Some("zhang".to_owned()),
            ..Sought::default()
        };
        let count = export(&world.server, &path, LogKind::Audit, &by, "li", NOW + 9);
        assert_eq!(count.unwrap(), 1);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.split("\r\n");
        let header = "\u{feff}no,time,actor,action,subject,external_id";
        assert_eq!(lines.next(), Some(header));
        let line = lines.next().unwrap();
        assert!(line.contains(&local(NOW + 5)), "{line}");
        assert!(line.ends_with(",W-7"), "{line}");
        let newest = last(&world.server, 1).unwrap();
        let noted = (&*newest[0].row.actor, &*newest[0].row.action);
        assert_eq!(noted, ("li", "audit.exported"));
        let again = export(&world.server, &path, LogKind::Audit, &by, "li", NOW + 9);
        assert_eq!(again.unwrap_err().code(), "export.exists");
        let readings = world.folder().join("readings.csv");
        let log = LogKind::Readings;
        let count = export(
            &world.server,
            &readings,
            log,
            &Sought::default(),
            "li",
            NOW + 9,
        );
        assert_eq!(count.unwrap(), 0);
        let newest = last(&world.server, 1).unwrap();
        assert_eq!(newest[0].row.action, "readings.shown");
    }
}
