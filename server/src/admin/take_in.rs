//! Import from files into the store: parse against the known data, then import the good rows or none.

use onegrid_core::domain::directory::{Directory, DirectoryEntry};
use onegrid_core::domain::position::Datum;

use super::ADMIN;
use super::import::areas::{AreaFiles, AreaOptions, parse_areas};
use super::import::members::parse_members;
use super::import::units::parse_units;
use super::import::{BadRow, Import, Progress};
use super::xlsform::TemplateFile;
use crate::directory;
use crate::error::{Problem, Result};
use crate::registry::members::{MemberDescription, id_of_external};
use crate::registry::templates::PutResult;
use crate::server::Server;

/// Result of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows that changed the store.
    pub changed: usize,
    /// Rows that changed nothing.
    pub unchanged: usize,
    /// Refused rows.
    pub bad: Vec<BadRow>,
    /// Whether the good rows were left out because of the bad ones.
    pub withheld: bool,
}

/// Treatment of the good rows if there are bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Import the good rows.
    Rest,
    /// Import nothing.
    Strict,
}

/// Imports areas with their boundaries.
pub fn import_areas(
    server: &Server,
    files: &AreaFiles,
    datum: Datum,
    mode: Mode,
    now_ms: i64,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let known = known(server)?;
    let options = AreaOptions {
        valid_from_ms: now_ms,
        datum,
    };
    let import = parse_areas(files, &known.areas, options, progress);
    take(import, mode, |good| {
        let entries = good.into_iter().map(DirectoryEntry::Area).collect();
        server.publish(entries, ADMIN, now_ms)
    })
}

/// Imports units and teams.
pub fn import_units(
    server: &Server,
    file: &str,
    bytes: &[u8],
    mode: Mode,
    now_ms: i64,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let known = known(server)?;
    let import = parse_units(file, bytes, &known.areas, &known.units, progress);
    take(import, mode, |good| {
        let entries = good
            .into_iter()
            .map(|row| DirectoryEntry::Unit(row.unit))
            .collect();
        server.publish(entries, ADMIN, now_ms)
    })
}

/// Imports members with their roles. Members that the file does not mention stay unchanged.
pub fn import_members(
    server: &Server,
    file: &str,
    bytes: &[u8],
    mode: Mode,
    now_ms: i64,
    progress: &mut Progress<'_>,
) -> Result<Outcome> {
    let known = known(server)?;
    let import = parse_members(file, bytes, &known.areas, &known.units, progress);
    let authority = *server.keys().authority();
    take(import, mode, |good| {
        let members = good
            .into_iter()
            .map(|row| MemberDescription {
                id: id_of_external(&authority, &row.external_id),
                public_name: Some(row.public_name),
                area: row.home,
                grants: row.grants,
            })
            .collect();
        server.put_members(members, ADMIN, now_ms)
    })
}

/// Imports a template of checklists from a workbook or from JSON, as a whole or not at all.
pub fn import_template(server: &Server, file: &str, bytes: &[u8], now_ms: i64) -> Result<Outcome> {
    let refused = |bad| Outcome {
        bad,
        withheld: true,
        ..Outcome::default()
    };
    let read = match TemplateFile::parse(file, bytes) {
        Ok(read) => read,
        Err(bad) => return Ok(refused(bad)),
    };
    let version = read.template.version();
    let counted = |changed, unchanged| Outcome {
        changed,
        unchanged,
        ..Outcome::default()
    };
    Ok(match server.put_template(&read.template, ADMIN, now_ms)? {
        PutResult::Published => counted(1, 0),
        PutResult::Known => counted(0, 1),
        PutResult::Taken => refused(vec![read.refused(file, "template.version_taken", version)]),
        PutResult::Older { newest } => refused(vec![read.refused(file, "template.older", newest)]),
    })
}

fn known(server: &Server) -> Result<Directory> {
    server
        .store()
        .read::<_, Problem>(|tx| Ok(directory::read(tx)?))
}

fn take<T>(
    import: Import<T>,
    mode: Mode,
    store: impl FnOnce(Vec<T>) -> Result<crate::registry::import::ImportCounts>,
) -> Result<Outcome> {
    let Import {
        good,
        bad,
        unchanged,
    } = import;
    if mode == Mode::Strict && !bad.is_empty() {
        return Ok(Outcome {
            unchanged,
            bad,
            withheld: true,
            ..Outcome::default()
        });
    }
    let taken = if good.is_empty() {
        crate::registry::import::ImportCounts::default()
    } else {
        store(good)?
    };
    Ok(Outcome {
        changed: taken.changed,
        unchanged: unchanged + taken.unchanged,
        bad,
        withheld: false,
    })
}
